package demo

import (
	"context"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/admin"
)

// Report is what the honest sites hold in the end.
type Report struct {
	Agree bool         `json:"agree"` // equal heads, state hash and values
	Sites []SiteReport `json:"sites"`
	Lies  []Lie        `json:"lies"`
}

// SiteReport is what one site holds.
type SiteReport struct {
	Name      string          `json:"name"`
	Heads     []dag.ID        `json:"heads"`
	Ops       uint64          `json:"ops"`
	Forks     int             `json:"forks"`
	Revision  int64           `json:"revision"` // local: it may differ
	StateHash admin.StateHash `json:"state_hash"`
	Door      string          `json:"door"`  // the key written on both sides of the cut
	Claim     string          `json:"claim"` // the key that the liar forked
}

// statuses asks every site.
func (r *run) statuses(ctx context.Context) ([]admin.Status, error) {
	var all []admin.Status
	for _, s := range r.sites() {
		st, err := s.node.Status(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	return all, nil
}

// sameState reports whether all have the same heads and state hash.
func sameState(all []admin.Status) bool {
	for _, st := range all {
		if st.StateHash != all[0].StateHash || !slices.Equal(st.Heads, all[0].Heads) {
			return false
		}
	}
	return true
}

// report compares the sites.
func (r *run) report(ctx context.Context) (Report, error) {
	all, err := r.statuses(ctx)
	if err != nil {
		return Report{}, err
	}
	rep := Report{Agree: sameState(all), Lies: r.lies}
	for i, s := range r.sites() {
		st := all[i]
		sr := SiteReport{Name: s.name, Heads: st.Heads, Ops: st.Ops, Forks: st.Forks, Revision: st.Revision, StateHash: st.StateHash}
		if sr.Door, err = s.get(ctx, doorKey); err != nil {
			return Report{}, err
		}
		if sr.Claim, err = s.get(ctx, claimKey); err != nil {
			return Report{}, err
		}
		rep.Sites = append(rep.Sites, sr)
		if first := rep.Sites[0]; sr.Door != first.Door || sr.Claim != first.Claim {
			rep.Agree = false
		}
	}
	return rep, nil
}
