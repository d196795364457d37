// Package identity says who may write what: keys, signatures, statements and
// the roster (docs/roster.md; docs/op.md, sections 2, 6 and 7).
//
// A node signs operations with a [PrivateKey]; an operator signs statements
// with one or more keys that it keeps offline. A [Statement] founds a mesh,
// admits an operator, enrols a node, invites and redeems, rotates a node's key,
// sets policy, or takes away what others gave. The [Roster] of a set of
// statements is a pure function of that set and of what carried them: two nodes
// that delivered the same operations hold equal rosters, whatever the order of
// arrival. It answers for each key and place in causality with a [Standing].
//
// What it guarantees:
//
//   - Single and batch verification accept exactly the same signatures (ZIP-215).
//   - A signature made for one purpose passes for no other: every signed byte
//     string begins with its [Domain], or is an SSHSIG with our namespace.
//   - A statement has one encoding; the decoder refuses every other.
//   - No statement grants more than its issuer has, and none takes from
//     whoever its issuer did not let in.
//   - What a restriction keeps is judged as if it were not there, all else by
//     it, whenever an operation or the restriction arrives.
//
// What it does not: it does not judge time (when a grant or an invite expires is
// for people and hosts to act on). Nothing here protects a private key
// once it is in memory.
//
// The package does no I/O but on key files, consults no clock, and starts no
// goroutine. Unless said otherwise its values are immutable once made and may
// be used from several goroutines at once.
package identity
