package commit

import (
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// authorizer answers the view's questions of what this node may write, by the
// roster that the view has. It implements mvcc.Authorizer.
type authorizer struct {
	standing *identity.Standing // of the node's key
	version  uint64             // that ops must be of
}

// MayWrite implements mvcc.Authorizer.
func (a *authorizer) MayWrite(key []byte) error { return a.standing.MayWrite(key) }

// MayWriteRange implements mvcc.Authorizer.
func (a *authorizer) MayWriteRange(key, end []byte) error { return a.standing.MayWriteRange(key, end) }

// CheckValue implements mvcc.Authorizer.
func (a *authorizer) CheckValue(key, value []byte) error {
	rule, ok := a.standing.Rule(key)
	if !ok || rule.Form == nil {
		return nil
	}
	return dag.CheckForm(rule.Form, key, value)
}
