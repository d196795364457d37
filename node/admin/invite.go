package admin

import (
	"fmt"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// InviteSite is what an invitation must name: the mesh, the node at which the
// ticket can be redeemed, and the issuer's next place in its chain of
// statements. Whoever signs the invitation asks the node for it.
type InviteSite struct {
	Mesh      dag.ID                `json:"mesh"`
	Node      identity.PublicKey    `json:"node"`
	Addresses []string              `json:"addresses"` // multiaddrs of the node
	Operator  identity.StatementID  `json:"operator"`  // as whom the issuer invites
	Seq       uint64                `json:"seq"`
	Prev      *identity.StatementID `json:"prev"` // nil if the issuer has made no statement
}

// InviteRequest says what an invitation grants.
type InviteRequest struct {
	Role     identity.Role // the zero value means writer
	Patterns []string      // keys its nodes may write; none means all, "**"
	Nodes    uint64        // how many nodes it may enrol; 0 means 1
	Lifetime time.Duration // how long the ticket can be redeemed; 0 means DefaultInviteLifetime
}

// Bounds of an invitation.
const (
	DefaultInviteLifetime = 24 * time.Hour
	MaxInviteLifetime     = 30 * 24 * time.Hour

	// MaxInviteNodes bounds the nodes of one invited operator: each is an
	// author, which every other node keeps track of for ever.
	MaxInviteNodes = 1000
)

// Complete returns r with its defaults filled in, or an error that wraps
// ErrInvalid if r is out of bounds. r's slices are not changed.
func (r InviteRequest) Complete() (InviteRequest, error) {
	switch r.Role {
	case 0:
		r.Role = identity.RoleWriter
	case identity.RoleReader, identity.RoleWriter, identity.RoleAdmin:
	default:
		return InviteRequest{}, fmt.Errorf("%w: %w", ErrInvalid, identity.ErrStatementRole)
	}
	if len(r.Patterns) == 0 {
		r.Patterns = []string{"**"}
	}
	if len(r.Patterns) > identity.MaxPatterns {
		return InviteRequest{}, fmt.Errorf("%w: %d patterns, at most %d", ErrInvalid, len(r.Patterns), identity.MaxPatterns)
	}
	for _, p := range r.Patterns {
		if _, err := identity.ParsePattern([]byte(p)); err != nil {
			return InviteRequest{}, fmt.Errorf("%w: pattern %q: %w", ErrInvalid, p, err)
		}
	}
	if r.Nodes == 0 {
		r.Nodes = 1
	}
	if r.Nodes > MaxInviteNodes {
		return InviteRequest{}, fmt.Errorf("%w: %d nodes, at most %d", ErrInvalid, r.Nodes, MaxInviteNodes)
	}
	if r.Lifetime == 0 {
		r.Lifetime = DefaultInviteLifetime
	}
	if r.Lifetime < 0 || r.Lifetime > MaxInviteLifetime {
		return InviteRequest{}, fmt.Errorf("%w: lifetime %v is not between 0 and %v", ErrInvalid, r.Lifetime, MaxInviteLifetime)
	}
	return r, nil
}

// checkIssuer parses the issuer in a request for an InviteSite.
func checkIssuer(s string) (identity.PublicKey, error) {
	if s == "" {
		return identity.PublicKey{}, fmt.Errorf("%w: no issuer", ErrInvalid)
	}
	k, err := identity.ParsePublicKey(s)
	if err != nil {
		return identity.PublicKey{}, fmt.Errorf("%w: issuer: %w", ErrInvalid, err)
	}
	return k, nil
}
