// Package kube knows how the values of a Kubernetes API server merge: it gives
// the merge schema of a value (docs/merge.md section 7) by its apiVersion and
// kind, for the protobuf and the JSON encoding, and makes the schemas of custom
// resources from their definitions.
//
// The built-in kinds are in schemas.txt, which the module in schemagen derives
// from the Go types of k8s.io/api and the list types that server-side apply
// uses, with rules of its own where half of one edit and half of another would
// fail validation (docs/kubernetes-merge.md). This package links nothing of
// Kubernetes.
//
// What it says concerns who puts a value. A schema travels with the values, so
// nodes that only replicate need no knowledge of Kubernetes, and nodes with
// other versions of this table agree nevertheless.
package kube

//go:generate go run -C schemagen . -o ../schemas.txt -fields ../fields.txt
