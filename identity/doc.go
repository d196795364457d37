// Package identity says who may write what: keys, signatures, statements and
// the roster (docs/op.md, sections 2, 6 and 7).
//
// A node signs operations with a [PrivateKey]; an operator signs statements
// with one or more keys that it keeps offline. A [Statement] founds a mesh,
// admits an operator, enrols a node, sets policy, or invites and redeems. The
// [Roster] of a set of statements is a pure function of that set and of what
// carried them: two nodes that delivered the same operations hold equal
// rosters, whatever the order of arrival.
//
// What it guarantees:
//
//   - Single and batch verification accept exactly the same signatures (ZIP-215).
//   - A signature made for one purpose passes for no other: every signed byte
//     string begins with its [Domain], or is an SSHSIG with our namespace.
//   - A statement has one encoding; the decoder refuses every other.
//   - No statement grants more than its issuer has.
//
// What it does not: it does not judge time (an invite's expiry is for its host
// to honour), and it does not revoke yet. Nothing here protects a private key
// once it is in memory.
//
// The package does no I/O but on key files, consults no clock, and starts no
// goroutine. Unless said otherwise its values are immutable once made and may
// be used from several goroutines at once.
package identity
