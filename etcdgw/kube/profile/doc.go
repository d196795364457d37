// Package profile has the policies by which Kubernetes clusters share a mesh
// (docs/kubernetes.md, "Profiles"): which keys of a kube-apiserver replicate,
// which stay at their node, and which values are well formed. It computes rules;
// who signs and carries them is the caller's.
package profile
