// Package validation tests that merges of valid edits are valid objects
// (docs/kubernetes-merge.md, "What is tested"). It draws edits of the important
// kinds which Kubernetes accepts, has them merged by the program in
// integration/merge, and gives what comes out to the validation that
// kube-apiserver runs before it stores an object.
package validation
