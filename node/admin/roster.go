package admin

import (
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Roster is who may write what, by all operations delivered at the node
// (docs/roster.md). Lists are empty rather than null.
type Roster struct {
	Mesh      dag.ID               `json:"mesh"`
	Version   uint64               `json:"version"`   // of the format that operations must have
	Threshold uint64               `json:"threshold"` // how many founders act as the root
	Founders  []identity.PublicKey `json:"founders"`  // ascending

	Operators    []Operator    `json:"operators"`    // by ID
	Invitations  []Invitation  `json:"invitations"`  // by ID
	Restrictions []Restriction `json:"restrictions"` // of those nearest to the root first
	Policies     []Policy      `json:"policies"`     // likewise
	Quotas       []Quota       `json:"quotas"`       // likewise
}

// Operator is one that was admitted, with its nodes.
type Operator struct {
	ID       identity.StatementID  `json:"id"` // the statement that admitted it
	Name     string                `json:"name"`
	Sponsor  *identity.StatementID `json:"sponsor"`  // the operator that admitted it; null: the root
	Rank     int                   `json:"rank"`     // how many sponsors are above it; 0: admitted by the root
	Keys     []identity.PublicKey  `json:"keys"`     // ascending
	Role     identity.Role         `json:"role"`     // as granted
	Patterns []identity.Pattern    `json:"patterns"` // as granted
	Slots    uint64                `json:"slots"`    // for nodes, as granted
	Expires  *time.Time            `json:"expires,omitempty"`
	// Restrictions are those in force on it or a sponsor, the root's first. Revoked
	// is the first of them that revokes, null if none does.
	Restrictions []identity.StatementID `json:"restrictions"`
	Revoked      *identity.StatementID  `json:"revoked"`
	Nodes        []Enrolment            `json:"nodes"` // by slot
}

// Enrolment is a node of an operator, with its keys.
type Enrolment struct {
	ID        identity.StatementID `json:"id"`
	Slot      uint64               `json:"slot"`
	Rotations uint64               `json:"rotations"` // up to which index the key may be rotated
	Keys      []NodeKey            `json:"keys"`      // by index
}

// NodeKey is a key that a node has or had.
type NodeKey struct {
	Key     identity.PublicKey    `json:"key"`
	Index   uint64                `json:"index"` // 0 for the one enrolled
	Revoked *identity.StatementID `json:"revoked"`
	Forked  bool                  `json:"forked"` // two operations on one predecessor are proven
}

// Invitation is an invite and what became of it.
type Invitation struct {
	ID       identity.StatementID  `json:"id"`
	Issuer   identity.PublicKey    `json:"issuer"`
	As       *identity.StatementID `json:"as"` // the operator that invites; null: the root
	Host     identity.PublicKey    `json:"host"`
	Role     identity.Role         `json:"role"`
	Patterns []identity.Pattern    `json:"patterns"`
	Slots    uint64                `json:"slots"`
	Expires  time.Time             `json:"expires"`  // of the ticket
	Redeemed *identity.StatementID `json:"redeemed"` // the operator that it admitted; null if none
	Revoked  *identity.StatementID `json:"revoked"`
}

// Restriction is a revocation or a narrowing, or a readmission, which ends some.
type Restriction struct {
	ID      identity.StatementID  `json:"id"`
	Kind    string                `json:"kind"` // revoke, narrow or readmit
	Issuer  identity.PublicKey    `json:"issuer"`
	As      *identity.StatementID `json:"as"`            // null: the root
	Subject identity.StatementID  `json:"subject"`       // zero of a readmit
	Key     *identity.PublicKey   `json:"key,omitempty"` // of a revoke: only this key of the enrolment
	// Role, Patterns and Slots are what a narrow leaves.
	Role     identity.Role      `json:"role,omitempty"`
	Patterns []identity.Pattern `json:"patterns,omitempty"`
	Slots    uint64             `json:"slots,omitempty"`
	Keep     []dag.ID           `json:"keep"`
	// Supersedes are the statements that it ends, if it may.
	Supersedes []identity.StatementID `json:"supersedes"`
	Standing
}

// Policy is a policy statement.
type Policy struct {
	ID     identity.StatementID  `json:"id"`
	Issuer identity.PublicKey    `json:"issuer"`
	As     *identity.StatementID `json:"as"`
	Rules  []Rule                `json:"rules"`
	Keep   []dag.ID              `json:"keep"`
	Standing
}

// Rule is one of a policy's.
type Rule struct {
	Pattern  identity.Pattern      `json:"pattern"`
	Priority uint64                `json:"priority"`
	Mode     identity.Mode         `json:"mode"`
	Owner    *identity.StatementID `json:"owner,omitempty"`
	Form     *Form                 `json:"form,omitempty"`
}

// Form is what a rule demands of values.
type Form struct {
	Kind        string   `json:"kind"`
	APIVersions []string `json:"api_versions"`
}

// Quota is a quota statement.
type Quota struct {
	ID      identity.StatementID  `json:"id"`
	Issuer  identity.PublicKey    `json:"issuer"`
	As      *identity.StatementID `json:"as"`
	Subject identity.StatementID  `json:"subject"`
	Bytes   uint64                `json:"bytes"`  // 0: no bound
	Writes  uint64                `json:"writes"` // 0: no bound
	Standing
}

// Standing says whether a statement has effect.
type Standing struct {
	InForce      bool                  `json:"in_force"`
	SupersededBy *identity.StatementID `json:"superseded_by"` // the statement that ends it; null if none
}

// Explanation says how a key is kept, and by which rule.
type Explanation struct {
	Key       []byte                `json:"key"`
	Mode      identity.Mode         `json:"mode"`
	Rule      *Rule                 `json:"rule"`             // null: no rule matches, so the key is kept as merge
	Statement *identity.StatementID `json:"statement"`        // the policy that the rule is of
	Issuer    *identity.PublicKey   `json:"issuer"`           // who issued it
	As        *identity.StatementID `json:"as"`               // as whom; null: the root
	AsName    string                `json:"as_name"`          // that operator's name; empty: the root
	Owner     string                `json:"owner,omitempty"`  // the name of the operator that owns the key
	MayWrite  bool                  `json:"may_write"`        // this node may write it
	Reason    string                `json:"reason,omitempty"` // why it may not
	// Others are the rules that match too and that this one goes before, the next first.
	Others []OtherRule `json:"others"`
}

// OtherRule is a rule that another goes before.
type OtherRule struct {
	Rule
	Statement identity.StatementID `json:"statement"`
	Why       string               `json:"why"` // it goes behind: priority, rank, seq, statement or order
}

// Issuer is what a statement by a key must name.
type Issuer struct {
	Mesh      dag.ID                 `json:"mesh"`
	Key       identity.PublicKey     `json:"key"`
	Seq       uint64                 `json:"seq"`       // of its next statement
	Prev      *identity.StatementID  `json:"prev"`      // null if it has made none
	Founder   bool                   `json:"founder"`   // it has a vote in the root
	Operators []identity.StatementID `json:"operators"` // for which it may speak
	Heads     []dag.ID               `json:"heads"`     // of the node: what a restriction that voids nothing so far keeps
}
