package admin

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// KeepBefore returns keep heads for a restriction of subject, an operator or an
// enrolment: the heads of all operations but those that its nodes wrote from
// the time before on, by their own clocks, and those that carry its statements
// since, and what was built on either. With key, only that key's are meant. statements returns those that an op
// carries. It looks at every operation. Errors: ErrNotFound if nobody is
// restricted that way, ErrInvalid if more than dag.MaxParents heads are left,
// and those of ctx and statements.
func KeepBefore(ctx context.Context, g *dag.Graph, subject identity.StatementID, key *identity.PublicKey, before time.Time,
	statements func(*dag.Op) ([]*identity.Statement, error)) ([]dag.ID, error) {
	authors, operators := subjects(g.Roster(), subject, key)
	if len(authors) == 0 && len(operators) == 0 {
		return nil, fmt.Errorf("%w: no operator or node %s", ErrNotFound, subject)
	}
	since := uint64(max(before.UnixMilli(), 0))
	left := make(map[*dag.Op]bool) // operations left out
	heads := make(map[*dag.Op]struct{})
	for i, op := range g.Since(nil) { // parents before children
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out := op.Wall() >= since && authors[op.Author()] || slices.ContainsFunc(op.Parents(), func(p *dag.Op) bool { return left[p] })
		if !out && op.Wall() >= since && op.HasStatements() {
			list, err := statements(op)
			if err != nil {
				return nil, err
			}
			out = slices.ContainsFunc(list, func(s *identity.Statement) bool { return s.As != nil && operators[*s.As] })
		}
		if out {
			left[op] = true
			continue
		}
		for _, p := range op.Parents() {
			delete(heads, p)
		}
		heads[op] = struct{}{}
	}
	if len(heads) > dag.MaxParents {
		return nil, fmt.Errorf("%w: %d keep heads, at most %d: name operations instead", ErrInvalid, len(heads), dag.MaxParents)
	}
	ids := make([]dag.ID, 0, len(heads))
	for op := range heads {
		ids = append(ids, op.ID())
	}
	slices.SortFunc(ids, dag.ID.Compare)
	return ids, nil
}

// subjects returns the keys that a restriction of subject binds, and the
// operators.
func subjects(r *identity.Roster, subject identity.StatementID, key *identity.PublicKey) (map[identity.PublicKey]bool, map[identity.StatementID]bool) {
	operators := make(map[identity.StatementID]bool)
	for _, o := range r.Operators() {
		for at := &o.ID; at != nil; {
			if *at == subject {
				operators[o.ID] = true
				break
			}
			above, ok := r.Operator(*at)
			if !ok {
				break
			}
			at = above.Sponsor
		}
	}
	authors := make(map[identity.PublicKey]bool)
	for _, a := range r.Nodes() {
		if (operators[a.Operator] || a.ID == subject) && (key == nil || *key == a.Key) {
			authors[a.Key] = true
		}
	}
	return authors, operators
}

// checkKeep parses what keep heads are asked for.
func checkKeep(q url.Values) (subject identity.StatementID, key *identity.PublicKey, before time.Time, err error) {
	fail := func(what string, err error) (identity.StatementID, *identity.PublicKey, time.Time, error) {
		return identity.StatementID{}, nil, time.Time{}, fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
	}
	if subject, err = identity.ParseStatementID(q.Get("subject")); err != nil {
		return fail("subject", err)
	}
	if q.Has("key") {
		k, err := identity.ParsePublicKey(q.Get("key"))
		if err != nil {
			return fail("key", err)
		}
		key = &k
	}
	if before, err = time.Parse(time.RFC3339, q.Get("before")); err != nil {
		return fail("before", err)
	}
	return subject, key, before, nil
}
