package commit

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/causeway-sync/causeway/identity"
)

// authorizer answers the view's question whether this node may write a key,
// by the roster of everything delivered.
type authorizer struct {
	roster *identity.Roster
	node   identity.PublicKey
}

// MayWrite implements mvcc.Authorizer.
func (a *authorizer) MayWrite(key []byte) error {
	return permission(a.roster.Standing(a.node).MayWrite(key))
}

// MayWriteRange implements mvcc.Authorizer.
func (a *authorizer) MayWriteRange(key, end []byte) error {
	return permission(a.roster.Standing(a.node).MayWriteRange(key, end))
}

func permission(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codes.PermissionDenied, "etcdserver: permission denied: "+err.Error())
}

// CheckValue implements mvcc.Authorizer: no policy demands a form so far.
func (a *authorizer) CheckValue(key, value []byte) error { return nil }
