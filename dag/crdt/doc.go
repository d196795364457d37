// Package crdt merges the values of one key that were written by authors who
// did not see each other. A value is bytes; it is looked at as a tree, of JSON
// text or of protobuf wire, and writes assign parts of the tree. What a set of
// writes makes of a value is defined in docs/merge.md, whose sections the code
// cites.
//
//   - [Parse] looks at a value with a merge [Schema]; [Diff] says what a put
//     assigns, as a [Patch]; [Apply] makes the value again.
//   - A [History] takes the writes of one key in any causal order and gives its
//     value, the conflicts in it, and who set each leaf.
//
// It guarantees that the value depends on the set of writes alone, whatever is
// in them; that a write which saw all others gives its author's bytes; and that
// nothing written is lost but what a later write changed, and what
// [History.Conflicts] lists. It does not judge writes: which are valid or void
// is its caller's business.
//
// The package is pure: bytes in, bytes out, no clock, no randomness and no
// goroutine. It knows nothing of the operations that carry the writes. Its
// behaviour is consensus, format version 1: nodes that differ in it diverge.
package crdt
