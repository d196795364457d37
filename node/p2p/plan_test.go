package p2p

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

func TestPlan(t *testing.T) {
	m := dagtest.New(t, 2)
	here, missing := m.Founding.ID(), dag.ID{1}
	now := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		name   string
		visits []visit
		want   int
	}{
		{"in any case", []visit{{"a", now, nil}}, 1},
		{"later", []visit{{"a", now.Add(time.Second), nil}}, 0},
		{"for a missing op", []visit{{"a", now, []dag.ID{here, missing}}}, 1},
		{"for one that arrived", []visit{{"a", now, []dag.ID{here}}}, 0},
		{"the earlier of two", []visit{{"a", now.Add(time.Second), nil}, {"a", now, []dag.ID{missing}}}, 1},
		{"joined with one in any case", []visit{{"a", now, []dag.ID{here}}, {"a", now, nil}}, 1},
		{"joined with a missing op", []visit{{"a", now, []dag.ID{here}}, {"a", now, []dag.ID{missing}}}, 1},
		{"two peers", []visit{{"a", now, nil}, {"b", now, nil}}, 2},
	} {
		pl := newPlan()
		for _, v := range test.visits {
			pl.add(v)
		}
		if ready, _ := pl.take(now, m.Graph, time.Hour); len(ready) != test.want {
			t.Errorf("%s: %d peers are due, want %d", test.name, len(ready), test.want)
		}
	}

	pl := newPlan()
	pl.add(visit{peer: "a", at: now})
	pl.take(now, m.Graph, time.Hour)
	pl.add(visit{peer: "a", at: now})
	ready, wait := pl.take(now, m.Graph, time.Hour)
	if len(ready) != 0 || wait != sessionGap {
		t.Errorf("right after a session: %v due, next in %v, want none for %v", ready, wait, sessionGap)
	}
	for i := range 2 * maxStandings {
		pl.add(visit{peer: peer.ID(rune(i)), at: now})
	}
	if len(pl.due) > maxStandings {
		t.Errorf("%d visits are planned, want at most %d", len(pl.due), maxStandings)
	}
}
