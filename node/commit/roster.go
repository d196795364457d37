package commit

import (
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// turn gives the view the roster of the graph, if op has changed it
// (docs/node.md, "When the roster changes"). It runs when op is in the graph,
// and before its transactions are applied.
func (p *Pipeline) turn(op *dag.Op) error {
	before, after := p.roster, p.graph.Roster()
	if before == after {
		return nil
	}
	// op itself is judged by the new roster only.
	changed := slices.DeleteFunc(p.graph.Affected(before, after), func(o *dag.Op) bool { return o == op })
	if err := p.view.Turn(after, changed, history{p}); err != nil {
		return fmt.Errorf("commit: another roster for the view: %w", err)
	}
	p.roster = after
	if p.key != nil { // not in a replay
		p.adopt(after)
	}
	return nil
}

// adopt judges what the node may do by r.
func (p *Pipeline) adopt(r *identity.Roster) {
	before := p.auth
	p.auth = authorizer{standing: r.Standing(p.self), version: r.Version()}
	p.place.doubted, p.place.changed = true, true
	if err := p.auth.standing.Err(); err != nil && before.standing != nil && before.standing.Err() == nil {
		p.log.Error("this node may no longer write", "err", err)
	}
	if p.auth.version != dag.Version && before.version != p.auth.version {
		p.log.Error("the mesh has moved to a format version that this build does not know: refusing to write", "version", p.auth.version, "known", dag.Version)
	}
}

// mayAuthor returns why the node must make no op of its own, nil if it may.
func (p *Pipeline) mayAuthor() error {
	switch {
	case p.rotated.Load():
		return ErrRotated
	case p.superseded.Load() != nil:
		return ErrSuperseded
	case p.auth.version != dag.Version:
		return ErrVersion
	}
	return p.auth.standing.Err()
}
