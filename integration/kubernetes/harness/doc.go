// Package harness runs the processes of a Kubernetes control plane, unchanged
// and on loopback, over a store: a Causeway node or, beside it, an etcd.
//
// Every process belongs to a test and ends with it. What it printed is kept in
// the test's log directory if the test failed, and removed otherwise.
package harness
