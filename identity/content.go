package identity

import "strconv"

// A Kind says what a statement declares.
type Kind uint8

// The kinds of format version 0; 7 to 12 are reserved.
const (
	KindFound Kind = 1 + iota
	KindAdmit
	KindEnrol
	KindPolicy
	KindInvite
	KindRedeem
)

var kindNames = [...]string{KindFound: "found", KindAdmit: "admit", KindEnrol: "enrol",
	KindPolicy: "policy", KindInvite: "invite", KindRedeem: "redeem"}

// String returns the kind's name in docs/op.md, or its number.
func (k Kind) String() string { return name(kindNames[:], uint8(k)) }

// A Role says what an operator may do.
type Role uint8

// Roles, each including the ones before it.
const (
	RoleReader Role = 1 + iota // enrols nodes that write nothing
	RoleWriter                 // its nodes write within its patterns
	RoleAdmin                  // also admits, invites and sets policy within its patterns
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

// A Mode says how the keys under a policy rule are kept. Version 0 records
// local and owned but does not act on them, and treats merge as lww.
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

func name(names []string, i uint8) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return strconv.Itoa(int(i))
}

// Content is what a statement says: a [Found], [Admit], [Enrol], [Policy],
// [Invite] or [Redeem], by value. No other type implements it.
type Content interface {
	kind() Kind
	append(b []byte) []byte
	check() error
}

// Found founds a mesh. Its issuer is one of the founders.
type Found struct {
	Nonce     [32]byte    // random, so that no two meshes are the same
	Threshold uint64      // how many founders act as one; 1 in version 0
	Founders  []PublicKey // 1 to [MaxKeys], strictly ascending
}

// Grant is what an operator is given.
type Grant struct {
	Role     Role
	Patterns []Pattern // which keys its nodes may write; at most [MaxPatterns]
	Nodes    uint64    // how many slots for nodes it has
}

// Admit admits an operator. Issued by a founder, or by an admin operator
// within its own patterns.
type Admit struct {
	Name string      // for people; 1 to [MaxNameSize] bytes, not unique
	Keys []PublicKey // 1 to [MaxKeys], strictly ascending; each acts for the operator
	Grant
}

// Enrol makes a node an operator's. Issued by a key of the operator.
type Enrol struct {
	Operator  StatementID // the operator, by the statement that admitted it
	Slot      uint64      // less than the operator's Nodes
	Node      PublicKey
	Rotations uint64    // how often the node may replace its key by itself; recorded only in version 0
	Consent   Signature // by the node, see [SignConsent]
}

// A PolicyRule says how the keys that a pattern matches are kept. Among rules
// that match a key the greatest priority holds, then the lesser statement ID,
// then the later rule of the statement.
type PolicyRule struct {
	Pattern  Pattern
	Priority uint64
	Mode     Mode
}

// Policy sets rules. Issued by a founder, or by an admin operator whose grant
// contains the pattern of every rule.
type Policy struct {
	Rules []PolicyRule // 1 to [MaxRules]
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

func (Found) kind() Kind  { return KindFound }
func (Admit) kind() Kind  { return KindAdmit }
func (Enrol) kind() Kind  { return KindEnrol }
func (Policy) kind() Kind { return KindPolicy }
func (Invite) kind() Kind { return KindInvite }
func (Redeem) kind() Kind { return KindRedeem }
