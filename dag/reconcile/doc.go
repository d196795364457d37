// Package reconcile brings two nodes together: after one exchange each holds
// every operation that either held before it. docs/sync.md specifies the
// messages and argues why they suffice.
//
// A [Session] is one side of one exchange, a state machine of bytes in and
// bytes out. Each side states in a summary what it holds: the anchor, which is
// what both held after their last session, and of each author that moved since
// then the last operation. From the other's summary each knows what the other
// lacks, and sends it in causal order. Between honest nodes that takes one
// round trip, whatever the distance, and no operation travels twice. Of authors
// known to have forked a summary has a Bloom filter, and where thousands moved
// it has a sketch in place of their last operations (package riblt).
//
// What it guarantees, whatever the authors of operations did: two correct
// nodes that complete a session hold each other's operations. A fork that
// neither side knew may cost a further round trip or operations sent twice,
// never an operation lost.
//
// What it does not guarantee: that a peer tells the truth. What a peer claims
// to hold or to lack decides only what this session sends to that peer. It
// never enters the graph, and what is remembered of it is used with that peer
// alone. A peer may ask for the whole history in every session: how much one session
// sends is bounded ([Config].MaxBytes), and apart from it what is sent again
// ([Config].MaxAgain), for which the caller keeps a budget over time.
//
// The package is pure: no input or output but through [Source], no clock, no
// randomness but the salt it is given, no goroutine.
package reconcile
