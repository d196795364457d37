// Package p2p connects a node to the other nodes of its mesh: it spreads new
// operations by gossip, finds and repairs differences by synchronisation,
// exchanges statements with nodes that may not synchronise, enrols newcomers by
// ticket, and keeps account of who misbehaves. Its protocols are fixed by docs/p2p.md.
//
// The package guarantees that nothing a peer sends changes this node but
// through [Backend.Admit] (operations that verified), [Backend.Consider]
// (statements that stand) and [Backend.Carry] (those of a ticket that was
// redeemed); that every length is checked
// before memory is taken for it; that every queue is bounded; and that work
// for one peer runs apart from work for another, so that a bad peer costs a
// good one no more than its share of the machine. Lost gossip is not repaired
// by the gossip: synchronisation with a random peer does that.
//
// It does not guarantee that a peer is reachable, nor that a peer that can
// choose its own network address cannot take a connection slot; it does not
// hide from a network observer which nodes speak with each other.
//
// All goroutines belong to a [Network] and end before [Network.Close] returns.
package p2p
