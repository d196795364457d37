package identity

import "errors"

// Errors of keys and of their text forms.
var (
	ErrKeyText         = errors.New("identity: not the text form of a public key")
	ErrKeyNonCanonical = errors.New("identity: public key is no canonical encoding of a curve point")
	ErrKeySmallOrder   = errors.New("identity: public key is of small order")
)

// Errors of key files.
var (
	// ErrPassphrase: the passphrase does not open the key file.
	ErrPassphrase = errors.New("identity: wrong passphrase")
	// ErrPassphraseNeeded: the key file is encrypted and no passphrase was offered.
	ErrPassphraseNeeded = errors.New("identity: key file needs a passphrase")
	// ErrPermissions: others than the owner may read or write the key file.
	ErrPermissions = errors.New("identity: key file is accessible to others")
	// ErrKeyType: the key file holds a key that is not Ed25519.
	ErrKeyType = errors.New("identity: not an Ed25519 key")
	// ErrKeyFile: the file holds no OpenSSH private key, or a damaged one.
	ErrKeyFile = errors.New("identity: not an OpenSSH private key file")
)

// Errors of [DecodeStatement], [SignStatement] and its like: the
// kinds of malformed statement. Encoding errors are those of package dagcbor;
// a malformed key or pattern is named by its own error.
var (
	ErrStatementSize    = errors.New("identity: statement is longer than its bound")
	ErrStatementText    = errors.New("identity: not the text form of a statement ID")
	ErrStatementVersion = errors.New("identity: unknown statement version")
	ErrStatementKind    = errors.New("identity: unknown or reserved kind of statement")
	ErrStatementChain   = errors.New("identity: seq and prev of the statement disagree")
	ErrStatementMesh    = errors.New("identity: the statement names a mesh and must not, or names none and must")
	ErrStatementAs      = errors.New("identity: a statement of this kind is issued as somebody else")
	ErrStatementCount   = errors.New("identity: too few or too many items in the statement")
	ErrStatementOrder   = errors.New("identity: list in the statement is not strictly ascending")
	ErrStatementName    = errors.New("identity: operator name is empty, too long or holds control characters")
	ErrStatementRole    = errors.New("identity: unknown role")
	ErrStatementMode    = errors.New("identity: unknown policy mode, or one whose owner is missing or too many")
	ErrStatementForm    = errors.New("identity: kind or version of a form is empty or too long")
	ErrStatementVotes   = errors.New("identity: threshold is not between 1 and the number of founders")
	ErrStatementSigner  = errors.New("identity: signer is not the statement's issuer, or of the wrong sort")
	ErrStatementNumber  = errors.New("identity: integer is out of range")
)

// ErrSSHSignature is returned by [ParseSSHSignature] for whatever is not an
// Ed25519 signature in OpenSSH's format with our namespace and hash.
var ErrSSHSignature = errors.New("identity: not an SSH signature of a statement")

// ErrPattern is returned by [ParsePattern] and for a statement that holds a malformed pattern.
var ErrPattern = errors.New("identity: malformed key pattern")

// Errors of a [Standing].
var (
	// ErrNotEnrolled: no statement that stands enrols the key.
	ErrNotEnrolled = errors.New("identity: node is not enrolled")
	// ErrRevoked: a statement in force revokes the key, its node, its operator or a sponsor.
	ErrRevoked = errors.New("identity: revoked")
	// ErrReader: the node's operator may not write at all.
	ErrReader = errors.New("identity: a reader writes nothing")
	// ErrOutsideGrant: no pattern of the operator's grant matches the key, or
	// no single one contains the range.
	ErrOutsideGrant = errors.New("identity: outside the operator's grant")
	// ErrLocal: by policy the key is each node's own.
	ErrLocal = errors.New("identity: the key is local to each node")
	// ErrOwned: by policy only the nodes of another operator write the key.
	ErrOwned = errors.New("identity: the key is owned by another operator")
)
