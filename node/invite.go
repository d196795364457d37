package node

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/p2p"
)

// Invite signs an invitation with the operator's key, for redemption at site,
// and returns the ticket's text, which is a secret. It runs where the operator
// key is: the node needs only what the ticket holds, once it is redeemed. r's
// fields are used as they are (see admin.InviteRequest for their meaning and
// bounds); the invitation is without effect if the operator may not give it.
func Invite(site admin.InviteSite, operator identity.StatementSigner, r admin.InviteRequest, now time.Time) (ticket string, expires time.Time, err error) {
	key, err := identity.GenerateKey(rand.Reader)
	if err != nil {
		return "", time.Time{}, err
	}
	grant := identity.Grant{Role: r.Role, Nodes: r.Nodes}
	for _, text := range r.Patterns {
		p, err := identity.ParsePattern([]byte(text))
		if err != nil {
			return "", time.Time{}, fmt.Errorf("pattern %q: %w", text, err)
		}
		grant.Patterns = append(grant.Patterns, p)
	}
	expires = now.Add(r.Lifetime).Truncate(time.Millisecond)
	mesh := [32]byte(site.Mesh)
	invite, err := identity.SignStatement(identity.Statement{
		Mesh: &mesh, Issuer: operator.Public(), As: &site.Operator, Seq: site.Seq, Prev: site.Prev,
		Content: identity.Invite{Ticket: key.Public(), Host: site.Node, Grant: grant, Expires: uint64(expires.UnixMilli())},
	}, operator)
	if err != nil {
		return "", time.Time{}, err
	}
	t, err := p2p.NewTicket(site.Mesh, key, invite, site.Addresses)
	if err != nil {
		return "", time.Time{}, err
	}
	ticket, err = t.Secret()
	return ticket, expires, err
}
