package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/commit"
)

// replayed is the log as a node would have it after its start, and the graph
// from which the values of keys are computed.
type replayed struct {
	*commit.Offline
	mesh  dag.ID
	fresh *dag.Graph // of all operations; made by the step of operations
}

// replay replays the log as a node does. It returns nil if that fails.
func (c *check) replay() (*replayed, error) {
	mesh, err := c.mesh()
	if err != nil || mesh == nil {
		return nil, err
	}
	store := watched{Store: c.store, check: c}
	offline, err := commit.OpenOffline(store, *mesh)
	switch {
	case errors.Is(err, commit.ErrReplay), errors.Is(err, commit.ErrForeignMesh):
		return nil, c.found(StepReplay, "log", err.Error())
	case err != nil:
		return nil, c.damage(StepReplay, err)
	}
	if key, ok := offline.Key(); ok && len(c.held) > 0 && !slices.Contains(c.held, key) {
		if err := c.found(StepReplay, nodeKeyFile, "it is another key than the log's, "+key.String()); err != nil {
			return nil, err
		}
	}
	c.report.Revision = offline.View().Revision()
	c.report.Forks = len(offline.Graph().Forks())
	return &replayed{Offline: offline, mesh: *mesh}, nil
}

// mesh returns the mesh that the log is of; of an empty log, what a join noted.
func (c *check) mesh() (*dag.ID, error) {
	if c.report.Mesh != nil {
		return c.report.Mesh, nil
	}
	if c.store.Last() > 0 {
		return nil, c.found(StepReplay, "record 1", "the log does not begin with the founding operation")
	}
	b, err := c.store.GetMeta(metaMesh)
	if errors.Is(err, dag.ErrNotFound) {
		return nil, c.found(StepReplay, "log", "it is empty: nothing was founded or joined here, or all is lost")
	}
	if err != nil {
		return nil, c.damage(StepReplay, err)
	}
	if len(b) != len(dag.ID{}) {
		return nil, c.found(StepReplay, "meta "+metaMesh, "it is no operation's ID")
	}
	mesh := dag.ID(b)
	c.report.Mesh = &mesh
	return &mesh, nil
}

// watched is a store that reports how far a scan is.
type watched struct {
	dag.Store
	check *check
}

// Scan implements [dag.Store].
func (w watched) Scan(from dag.Index, fn func(dag.Index, dag.Record) error) error {
	return w.Store.Scan(from, func(at dag.Index, rec dag.Record) error {
		if at%everyRecords == 0 {
			if err := w.check.ctx.Err(); err != nil {
				return err
			}
			w.check.progress(StepReplay, uint64(at), uint64(w.Last()))
		}
		return fn(at, rec)
	})
}

// operations decodes every operation strictly, from the bytes that a peer would
// be sent, and adds it to a fresh graph, in another order than the log's. It
// goes on to the values if that gives the same graph.
func (c *check) operations(log *replayed) (goOn bool, err error) {
	graph := dag.NewGraphOf(log.mesh)
	log.fresh = graph
	all := log.Graph().Since(nil)
	sound := true
	for i, op := range all {
		if i%everyRecords == 0 {
			if err := c.ctx.Err(); err != nil {
				return false, err
			}
			c.progress(StepOperations, uint64(i), uint64(len(all)))
		}
		signed, what, err := readOp(log, op.ID())
		if err != nil {
			if err := c.damage(StepOperations, err); err != nil {
				return false, err
			}
			sound = false
			continue
		}
		if what == "" {
			if _, _, err = graph.Add(signed); err != nil {
				what = err.Error()
			}
		}
		if missing := (*dag.MissingError)(nil); errors.As(err, &missing) {
			sound = false // a consequence of what was found before
			continue
		}
		if what != "" {
			if err := c.found(StepOperations, "operation "+op.ID().String(), what); err != nil {
				return false, err
			}
			sound = false
		}
	}
	if !sound {
		return false, nil
	}
	switch {
	case graph.Len() != len(all), len(graph.Forks()) != len(log.Graph().Forks()),
		!slices.EqualFunc(graph.Heads(), log.Graph().Heads(), func(a, b *dag.Op) bool { return a.ID() == b.ID() }):
		return false, c.found(StepOperations, "graph", "other operations, heads or forks if they are added in another order")
	}
	return true, nil
}

// readOp reads an operation from the log and decodes it. what says what is
// wrong with it; the error is the store's.
func readOp(log *replayed, id dag.ID) (signed *dag.Signed, what string, err error) {
	block, body, err := log.Fetch(id)
	if err != nil {
		return nil, "", err
	}
	u, err := dag.Decode(block, body)
	if err != nil {
		return nil, err.Error(), nil
	}
	if u.ID() != id {
		return nil, fmt.Sprintf("the log has operation %s in its place", u.ID()), nil
	}
	// The step of records has checked the signature, which is part of the ID.
	return dag.AssumeVerified(u), "", nil
}
