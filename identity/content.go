package identity

import "strconv"

// A Kind says what a statement declares.
type Kind uint8

// The kinds of format version 1; 12 is reserved for a seal.
const (
	KindFound    Kind = 1
	KindAdmit    Kind = 2
	KindEnrol    Kind = 3
	KindPolicy   Kind = 4
	KindInvite   Kind = 5
	KindRedeem   Kind = 6
	KindRevoke   Kind = 7
	KindNarrow   Kind = 8
	KindRotate   Kind = 9
	KindQuota    Kind = 10
	KindVersion  Kind = 11
	KindReadmit  Kind = 13
	KindEndorse  Kind = 14
	reservedSeal Kind = 12
)

var kindNames = [...]string{
	KindFound: "found", KindAdmit: "admit", KindEnrol: "enrol", KindPolicy: "policy",
	KindInvite: "invite", KindRedeem: "redeem", KindRevoke: "revoke", KindNarrow: "narrow",
	KindRotate: "rotate", KindQuota: "quota", KindVersion: "version", reservedSeal: "seal",
	KindReadmit: "readmit", KindEndorse: "endorse",
}

// String returns the kind's name in docs/op.md, or its number.
func (k Kind) String() string { return name(kindNames[:], uint8(k)) }

// A Role says what an operator may do.
type Role uint8

// Roles, each including the ones before it.
const (
	RoleReader Role = 1 + iota // enrols nodes that write nothing
	RoleWriter                 // its nodes write within its patterns
	RoleAdmin                  // also admits, invites, restricts and sets policy
)

var roleNames = [...]string{RoleReader: "reader", RoleWriter: "writer", RoleAdmin: "admin"}

// String returns the role's name, or its number.
func (r Role) String() string { return name(roleNames[:], uint8(r)) }

// MarshalText implements [encoding.TextMarshaler] with the form of [Role.String].
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name, or returns [ErrStatementRole] and leaves r as it was.
func (r *Role) UnmarshalText(text []byte) error {
	for i, n := range roleNames {
		if n != "" && n == string(text) {
			*r = Role(i)
			return nil
		}
	}
	return ErrStatementRole
}

// A Mode says how the keys under a policy rule are kept.
type Mode uint8

// Modes of a policy rule.
const (
	ModeMerge Mode = 1 + iota // concurrent writes are merged
	ModeLWW                   // the greatest write wins whole
	ModeLocal                 // never leaves the node
	ModeOwned                 // only a named operator writes
)

var modeNames = [...]string{ModeMerge: "merge", ModeLWW: "lww", ModeLocal: "local", ModeOwned: "owned"}

// String returns the mode's name, or its number.
func (m Mode) String() string { return name(modeNames[:], uint8(m)) }

// MarshalText implements [encoding.TextMarshaler] with the form of [Mode.String].
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads a mode's name, or returns [ErrStatementMode] and leaves m as it was.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, n := range modeNames {
		if n != "" && n == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return ErrStatementMode
}

func name(names []string, i uint8) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return strconv.Itoa(int(i))
}

// Content is what a statement says, by value: a [Found], [Admit], [Enrol],
// [Invite], [Redeem] or [Rotate], which let somebody in, a [Policy], [Revoke],
// [Narrow], [Readmit], [Quota], [Version] or [Endorse]. No other type implements it.
type Content interface {
	kind() Kind
	append(b []byte) []byte
	check() error
}

// Found founds a mesh. Its issuer is one of the founders.
type Found struct {
	Nonce     [32]byte    // random, so that no two meshes are the same
	Threshold uint64      // how many founders act as the root; 1 to their number
	Founders  []PublicKey // 1 to [MaxKeys], strictly ascending
}

// Grant is what an operator is given.
type Grant struct {
	Role     Role
	Patterns []Pattern // which keys its nodes may write; at most [MaxPatterns]
	Nodes    uint64    // how many slots for nodes it has
	Expires  uint64    // ms since 1970, 0 for never: when somebody should revoke it; decides nothing
}

// Admit admits an operator. Issued by the root, or by an admin within its own patterns.
type Admit struct {
	Name string      // for people; 1 to [MaxNameSize] bytes, not unique
	Keys []PublicKey // 1 to [MaxKeys], strictly ascending; each acts for the operator
	Grant
}

// Enrol makes a node an operator's: that of the statement's As, by one of its keys.
type Enrol struct {
	Slot      uint64 // less than the operator's Nodes
	Node      PublicKey
	Rotations uint64    // up to which index the node may replace its key by itself; at most [MaxRotations]
	Consent   Signature // by the node, see [SignConsent]
}

// Invite offers a grant to whoever holds the ticket's private key. Issued as [Admit] is.
type Invite struct {
	Ticket PublicKey // made for this invite alone
	Host   PublicKey // the node that may carry the redeem
	Grant
	Expires uint64 // in ms since 1970, for the host to honour
}

// Redeem admits an operator by an invite. Issued by the ticket key, with
// [SignTicketStatement]. It counts if the invite's host carries it, once.
type Redeem struct {
	Invite StatementID
	Name   string      // as in [Admit]
	Keys   []PublicKey // as in [Admit]
}

// Rotate gives a node another key. Issued by a key that the enrolment holds,
// with [SignRotation], and carried on that key's chain.
type Rotate struct {
	Enrolment StatementID
	Index     uint64    // above the issuer's; 1 to the enrolment's Rotations
	Key       PublicKey // the new one
	Consent   Signature // by the new key, see [SignRotationConsent]
}

func (Found) kind() Kind  { return KindFound }
func (Admit) kind() Kind  { return KindAdmit }
func (Enrol) kind() Kind  { return KindEnrol }
func (Invite) kind() Kind { return KindInvite }
func (Redeem) kind() Kind { return KindRedeem }
func (Rotate) kind() Kind { return KindRotate }
