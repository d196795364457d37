package p2p

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// A visit is a sync that is planned with a peer: to get the missing ops, if
// they are still missing by then, or in any case if there are none.
type visit struct {
	peer    peer.ID
	at      time.Time
	missing []dag.ID // at most maxMissing
}

// maxMissing bounds the ops that a planned sync remembers to be for; with more
// it takes place in any case.
const maxMissing = 256

// plan is when to sync with whom: one visit per peer, of at most maxStandings.
type plan struct {
	due     map[peer.ID]*visit
	started map[peer.ID]time.Time // the last start
}

func newPlan() *plan {
	return &plan{due: make(map[peer.ID]*visit), started: make(map[peer.ID]time.Time)}
}

// add plans v, at its time or with what is planned already, but not too soon
// after the last session with the peer.
func (pl *plan) add(v visit) {
	if last := pl.started[v.peer].Add(sessionGap); v.at.Before(last) {
		v.at = last
	}
	before := pl.due[v.peer]
	switch {
	case before == nil && len(pl.due) < maxStandings:
		pl.due[v.peer] = &v
	case before == nil:
	default:
		if v.at.Before(before.at) {
			before.at = v.at
		}
		if len(v.missing) == 0 || len(before.missing) == 0 || len(before.missing)+len(v.missing) > maxMissing {
			before.missing = nil
		} else {
			before.missing = append(before.missing, v.missing...)
		}
	}
}

// take returns the peers to sync with now, and how long until the next one, at
// most wait. Visits for ops that g holds by now are dropped.
func (pl *plan) take(now time.Time, g *dag.Graph, wait time.Duration) (ready []peer.ID, next time.Duration) {
	for p, v := range pl.due {
		if v.at.After(now) {
			wait = min(wait, v.at.Sub(now))
			continue
		}
		delete(pl.due, p)
		lacking := func(id dag.ID) bool { _, ok := g.Get(id); return !ok }
		if len(v.missing) > 0 && !slices.ContainsFunc(v.missing, lacking) {
			continue
		}
		pl.started[p] = now
		ready = append(ready, p)
	}
	if len(pl.started) > maxStandings {
		for p, at := range pl.started {
			if now.Sub(at) > sessionGap {
				delete(pl.started, p)
			}
		}
	}
	slices.Sort(ready)
	return ready, wait
}
