package mvcc

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

var (
	worlds    = flag.Int("worlds", 40, "how many random meshes the views are tested with")
	worldSeed = flag.Uint64("world", 0, "the first of them")
)

// TestWorlds grows meshes whose operators admit, restrict and widen, and whose nodes
// lie, delivers their ops in random causal orders, and compares the views with the
// definition, by the roster of the whole.
func TestWorlds(t *testing.T) {
	local, void := 0, 0
	for seed := *worldSeed; seed < *worldSeed+uint64(*worlds); seed++ {
		grow := dagtest.Grow
		if seed%2 == 1 {
			grow = dagtest.GrowMerging
		}
		w := grow(t, seed, 40)
		for order := range uint64(2) {
			l, n := checkWorld(t, w, rand.New(rand.NewPCG(seed, order)), fmt.Sprintf("world %d, order %d", seed, order))
			local, void = local+l, void+n
		}
	}
	t.Logf("%d keys were local, %d transactions void", local, void)
}

// checkWorld returns how many of the world's keys were local in the end, and how
// many transactions void.
func checkWorld(t *testing.T, w *dagtest.World, rng *rand.Rand, name string) (local, void int) {
	g := dag.NewGraph()
	v := New(Config{Schema: g.Schema})
	v.amplification = amplification{0, rng.Int64N(2000)}
	s := &simulation{mesh: w.Mesh, ops: make(map[dag.ID]delivered)}
	log := worldLog{testLog: testLog{graph: g}}
	roster := identity.EmptyRoster()
	for _, signed := range w.Shuffle(rng) {
		op, _, err := g.Add(signed)
		if err != nil {
			continue
		}
		d := delivered{op, signed.Transactions(), signed.Schemas()}
		s.ops[op.ID()] = d
		if r := g.Roster(); r != roster {
			changed := slices.DeleteFunc(g.Affected(roster, r), func(o *dag.Op) bool { return o == op })
			roster = r
			log.turns = append(log.turns, worldTurn{log.next(), r, changed})
			if err := v.Turn(r, changed, &log); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		v.Record(log.next())
		_, together := applied(t, v, op, d.ts, &log)
		log.add(testRecord{op: d, trail: bytes.Clone(v.Trail()), together: together})
		if rng.IntN(3) == 0 { // a client, who may write local keys only
			v.Record(log.next())
			key := dagtest.Keys[rng.IntN(len(dagtest.Keys))]
			if _, ch, err := v.Evaluate(put(key, fmt.Sprint("local ", rng.IntN(9))), outsider{}, testNow); err == nil {
				log.add(testRecord{changes: [][]byte{ch.Append(nil)}})
			}
		}
	}
	v.Publish()
	checkView(t, v)

	by := &verdicts{judge: judgeBy(roster)}
	want, got := s.judged(by), make(map[string]string)
	for key, it := range v.keys {
		if value, ok := it.replicated(); ok {
			got[key] = string(value)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s: replicated values (-want +got):\n%s", name, diff)
	}
	for _, key := range dagtest.Keys {
		if by.isLocal([]byte(key)) {
			local++
		}
	}
	for _, d := range s.ops {
		for _, tx := range d.ts {
			if by.void(d.op, tx) {
				void++
			}
		}
	}
	again := log.replay(t)
	if v.Head() != again.Head() {
		t.Fatalf("%s: revision %d when replayed, was %d", name, again.Head(), v.Head())
	}
	if diff := cmp.Diff(everything(t, v), everything(t, again)); diff != "" {
		t.Fatalf("%s: replay differs (-first +again):\n%s", name, diff)
	}
	return local, void
}

// outsider may write nothing that others see.
type outsider struct{}

func (outsider) MayWrite([]byte) error              { return errDenied }
func (outsider) MayWriteRange([]byte, []byte) error { return errDenied }
func (outsider) CheckValue([]byte, []byte) error    { return nil }

// worldLog is a log with the places in it where the roster changes.
type worldLog struct {
	testLog
	turns []worldTurn
}

type worldTurn struct {
	at      dag.Index // the record after it
	roster  *identity.Roster
	changed []*dag.Op
}

func (l *worldLog) replay(t *testing.T) *View {
	v := New(Config{Schema: l.graph.Schema})
	turns := l.turns
	for i, r := range l.records {
		at := dag.Index(i + 1)
		for len(turns) > 0 && turns[0].at == at {
			if err := v.Turn(turns[0].roster, turns[0].changed, l); err != nil {
				t.Fatal(err)
			}
			turns = turns[1:]
		}
		v.Record(at)
		for _, b := range r.changes {
			ch, err := DecodeChange(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Replay(ch); err != nil {
				t.Fatal(err)
			}
		}
		replayed(t, v, r, l)
		if !bytes.Equal(v.Trail(), r.trail) {
			t.Fatalf("record %d: trail %x when replayed, was %x", at, v.Trail(), r.trail)
		}
	}
	v.Publish()
	return v
}

// TestSwitchedSpans: the ranges have every key that is local by one roster only.
func TestSwitchedSpans(t *testing.T) {
	rule := func(pattern string, mode identity.Mode) identity.PolicyRule {
		return identity.PolicyRule{Pattern: identity.Pattern(pattern), Mode: mode}
	}
	merge := []identity.PolicyRule{rule("**", identity.ModeMerge)}
	for _, c := range []struct {
		before, after []identity.PolicyRule
		want          string
	}{
		{nil, merge, ""},
		{merge, merge, ""},
		{merge, append([]identity.PolicyRule{rule("/a/**", identity.ModeLocal)}, merge...), `["/a/"-"/a0"]`},
		{append([]identity.PolicyRule{rule("/a/*/b", identity.ModeLocal)}, merge...), merge, `["/a/"-"/a0"]`},
		{merge, append([]identity.PolicyRule{rule(`k\*`, identity.ModeLocal)}, merge...), `["k*"-"k*\x00"]`},
		{merge, append([]identity.PolicyRule{rule("\xff/*", identity.ModeLocal)}, merge...), `["\xff/"-"\xff0"]`},
		{merge, []identity.PolicyRule{rule("**", identity.ModeLocal)}, `[""-]`},
		{[]identity.PolicyRule{rule("/a/**", identity.ModeOwned), rule("**", identity.ModeLocal)}, []identity.PolicyRule{rule("**", identity.ModeLocal)}, `[""-]`},
	} {
		got := ""
		for _, s := range switchedSpans(&byRoster{rules: c.before}, &byRoster{rules: c.after}) {
			if got += fmt.Sprintf("[%q-", s.key); !s.open {
				got += fmt.Sprintf("%q", s.end)
			}
			got += "]"
		}
		if got != c.want {
			t.Errorf("switchedSpans(%v, %v) = %s, want %s", c.before, c.after, got, c.want)
		}
	}
}
