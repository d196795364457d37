package commit

import (
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// State says what a node does with its place in the mesh.
type State string

// States of a node. In all of them it serves reads once it is ready, and receives.
const (
	StateJoining    State = "joining"    // its enrolment is not delivered yet
	StateWriting    State = "writing"    // as it should
	StateSuperseded State = "superseded" // somebody else writes at its place: it waits to rotate its key
	StateStuck      State = "stuck"      // superseded, and its key cannot be rotated
	StateRotating   State = "rotating"   // its key was rotated: it opens again
	StateRevoked    State = "revoked"    // by a statement in force
	StateVersion    State = "outdated"   // the mesh has moved to a format that this build does not know
)

// A Story is what became of a node's key, for its status.
type Story struct {
	State  State
	Reason string // why it does not write; empty while it does

	Key       identity.PublicKey
	Index     uint64 // of the key among those of its enrolment
	Greatest  uint64 // the greatest index that the enrolment's keys have
	Rotations uint64 // up to which index they may be rotated
	Past      []PastKey

	// Epoch and Part name the revision window.
	Epoch, Part uint64

	// Bytes and Writes are the running totals of the node's chain, MaxBytes and
	// MaxWrites what its quota allows; 0 is no bound.
	Bytes, MaxBytes, Writes, MaxWrites uint64
}

// Story returns what became of the node's key so far.
func (p *Pipeline) Story() Story {
	s := Story{Key: p.self}
	roster := p.graph.Roster()
	if a, ok := roster.Author(p.self); ok {
		s.Index, s.Rotations = a.Index, a.Rotations
		s.Greatest = nextIndex(roster, a) - 1
	}
	if past := p.past.Load(); past != nil {
		s.Past = *past
	}
	if tip := p.ownTip.Load(); tip != nil {
		s.Bytes, s.Writes = tip.Bytes(), tip.Writes()
	}
	if w := p.ownWindow.Load(); w != nil {
		s.Epoch, s.Part = w.epoch, w.part
	}
	standing := roster.Standing(p.self)
	s.MaxBytes, s.MaxWrites = standing.Quota()
	s.State, s.Reason = p.state(roster.Version(), standing.Err())
	return s
}

func (p *Pipeline) state(version uint64, standing error) (State, string) {
	other := p.superseded.Load()
	switch {
	case p.rotated.Load():
		return StateRotating, "the key was rotated; the node opens again with the new one"
	case errors.Is(standing, identity.ErrRevoked):
		return StateRevoked, standing.Error()
	case other != nil:
		reason := fmt.Sprintf("op %s of %s, seq %d, is not of this node", other.op.ID(), other.op.Author(), other.op.Seq())
		if err := p.stuck.Load(); err != nil {
			return StateStuck, reason + ", and the key cannot be rotated: " + (*err).Error()
		}
		return StateSuperseded, reason
	case standing != nil:
		return StateJoining, standing.Error()
	case version != dag.Version:
		return StateVersion, ErrVersion.Error()
	case !p.ready.Load():
		return StateJoining, "no revision window is open"
	}
	return StateWriting, ""
}
