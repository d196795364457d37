// Package virtual runs real nodes, node/p2p over node/commit, in virtual time:
// testing/synctest has their clocks, and a simulated network carries their QUIC
// packets with latency, bandwidth, loss, partitions and churn. Minutes of a mesh
// take seconds.
//
//	go test ./integration/virtual -v -nodes 50 -seed 2
//
// The seed decides who is connected to whom, who writes what and when, what fails and
// who lies. It does not decide the order in which goroutines run, nor the numbers that
// libraries draw: a run with the same seed is much like the first, not the same.
// The simulator that replays exactly is in dag/reconcile (docs/sync.md section 9).
package virtual
