// Package dag is the core of Causeway: signed operations that name their
// causal past by hash, the rules by which they are valid, and the questions of
// causality that merging and synchronisation ask. Its format is fixed by
// docs/op.md.
//
// What arrives from outside goes through types that say how much is known of
// it: [Decode] gives an [Unverified] op, whose form is sound; [Verify] gives a
// [Signed] one, whose author vouches for it; only [Graph.Add] makes an [Op],
// which is valid by its past. Validity depends on the op and its past alone,
// so that every correct node accepts the same operations in whatever order
// they arrive. Which of a valid op's transactions count is another question,
// asked of a roster with [Judge]; [Graph.Affected] says for which ops a new
// roster may answer it otherwise (docs/roster.md).
//
// The package guarantees that no input causes a panic or an allocation beyond
// the bounds in limits.go. It does not guarantee that an author named every op
// it had seen, nor that its clock is right, nor that it signed only one op at
// a place in its chain: two such ops are a [Fork], which both count and which
// anyone can prove.
//
// It is pure: no input or output, no clock, no randomness of its own, no
// goroutine. (The batch verification of signatures draws its coefficients
// inside package identity.)
package dag
