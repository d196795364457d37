package identity

// A PolicyRule says how the keys that a pattern matches are kept. Which of the
// rules that match a key holds: docs/roster.md, section 7.
type PolicyRule struct {
	Pattern  Pattern
	Priority uint64
	Mode     Mode
	Owner    *StatementID // the operator whose nodes alone write; nil unless Mode is ModeOwned
	Form     *Form        // which values are well-formed; nil for any
}

// A Form demands values to be Kubernetes objects (docs/roster.md, section 7).
type Form struct {
	Kind     string   // 1 to [MaxFormSize] bytes
	Versions []string // the apiVersions to accept, 1 to [MaxVersions], each of 1 to [MaxFormSize] bytes
}

// Policy sets rules, by which operations outside of what it keeps are judged.
// Issued by the root, or by an admin whose grant contains the pattern of every rule.
type Policy struct {
	Rules []PolicyRule // 1 to [MaxRules]
	Keep  [][32]byte   // at most [MaxKeep] operations, strictly ascending; judged by the policy before, as is their past
}

// Revoke ends an operator, an enrolment or an invite: what it did outside of Keep does not count.
// Issued by the root, or by a sponsor of the subject; docs/roster.md, section 4.
type Revoke struct {
	Subject StatementID // the statement that admitted the operator, that enrols, or that invites
	Key     *PublicKey  // revokes this key of the enrolment only, if not nil
	Keep    [][32]byte  // at most [MaxKeep] operations, strictly ascending; they and their past count
}

// Narrow takes rights from an operator and all below it, for what is outside
// of Keep. Issued by the root, or by an admin above the operator.
type Narrow struct {
	Operator StatementID
	Role     Role
	Patterns []Pattern // at most [MaxPatterns]
	Nodes    uint64
	Keep     [][32]byte // as in [Revoke]
}

// Quota bounds the running totals of each chain of an operator's subtree and
// own nodes, or of an enrolment. It voids nothing: docs/roster.md, section 8.
type Quota struct {
	Subject StatementID // an operator or an enrolment
	Bytes   uint64      // 0 for no bound
	Writes  uint64      // 0 for no bound
}

// Version says of which version operations after it must be. Issued by the root.
type Version struct {
	Version uint64
}

// Readmit ends the restrictions that the statement supersedes, of which there is at least one.
type Readmit struct{}

// Endorse is a founder's vote for another founder's statement.
type Endorse struct {
	Statement StatementID
}

func (Policy) kind() Kind  { return KindPolicy }
func (Revoke) kind() Kind  { return KindRevoke }
func (Narrow) kind() Kind  { return KindNarrow }
func (Quota) kind() Kind   { return KindQuota }
func (Version) kind() Kind { return KindVersion }
func (Readmit) kind() Kind { return KindReadmit }
func (Endorse) kind() Kind { return KindEndorse }

// KeepHeads returns the operations up to which a policy, revoke or narrow does
// not reach, strictly ascending; read only. Of any other statement it returns nil.
// Only an operation with all of them in its past carries the statement.
func (s *Statement) KeepHeads() [][32]byte {
	switch c := s.Content.(type) {
	case Policy:
		return c.Keep
	case Revoke:
		return c.Keep
	case Narrow:
		return c.Keep
	}
	return nil
}
