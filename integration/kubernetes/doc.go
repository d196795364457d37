// Package kubernetes runs the real kube-apiserver, kube-controller-manager and
// kube-scheduler on one Causeway node, and the storage tests of the Kubernetes
// developers against one. It holds tests only; docs/kubernetes.md says what
// they show and how to run them.
//
// It is a module of its own: its go.mod pins the Kubernetes that is built, with
// the dependencies that Kubernetes chose.
package kubernetes
