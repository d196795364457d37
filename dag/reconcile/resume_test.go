package reconcile

import (
	"math/rand/v2"
	"testing"
)

// TestResume: a transfer that is cut again and again goes on each time where
// it was. Nothing arrives twice; sent again is no more than what was on its
// way, which is no more than a window, though this transport takes anything.
func TestResume(t *testing.T) {
	const authors, ops = 8, 12_000
	seed := max(*seedFlag, 1)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newMesh(t, authors)
	a, b := m.newReplica(true), m.newReplica(false)
	for a.graph.Len() < ops {
		a.write(rng.IntN(authors), 700)
	}
	sent, received, twice, cuts := 0, 0, 0, 0
	frame := 0 // ops in the largest
	for {
		x := &exchange{a: a, b: b, rng: rng, cut: 4 + rng.IntN(20)}
		before := b.graph.Len()
		if err := x.run(); err != nil || x.errA != nil || x.errB != nil {
			t.Fatal(err, x.errA, x.errB)
		}
		sa, sb := x.sa.Stats(), x.sb.Stats()
		sent, received, twice = sent+sa.OpsSent, received+sb.OpsReceived, twice+sb.Duplicates
		if sa.OpsSent > 0 {
			frame = max(frame, int(int64(sa.OpsSent)*TargetFrame/sa.OpBytesSent)+1)
		}
		if x.sa.Complete() {
			break
		}
		if cuts++; b.graph.Len() == before && sb.OpsReceived > 0 {
			t.Fatalf("seed %d: session %d made no progress", seed, cuts)
		}
	}
	if b.graph.Len() != a.graph.Len() || twice > 0 || received != a.graph.Len() {
		t.Errorf("seed %d: %d ops received, %d of them twice, %d of %d held", seed, received, twice, b.graph.Len(), a.graph.Len())
	}
	if again := sent - a.graph.Len(); again > cuts*window*frame || cuts < 3 {
		t.Errorf("seed %d: %d ops sent again in %d cuts, at most %d each", seed, again, cuts, window*frame)
	}
	t.Logf("%d ops: %d cuts, %d sent again, %d received twice", a.graph.Len(), cuts, sent-a.graph.Len(), twice)
}

// TestBudget: a peer that claims to hold nothing is sent the history once, and
// again only within the budget for that. New operations do not count.
func TestBudget(t *testing.T) {
	m := newMesh(t, 1)
	r := m.newReplica(true)
	write := func(n int) {
		for range n {
			r.write(0, 1000)
		}
	}
	write(100)
	var memory []byte
	session := func(maxAgain int64, holds *summary) Stats {
		s := open(t, r, Config{Memory: memory, MaxAgain: maxAgain})
		for _, msg := range []message{holds, end{}} {
			if _, err := s.Receive(msg.encode()); err != nil {
				t.Fatal(err)
			}
		}
		answer(t, s)
		memory = s.Memory()
		return s.Stats()
	}
	nothing := &summary{mesh: meshTag(salt{}, m.id)}
	if st := session(-1, nothing); st.OpsSent != 101 || st.BytesAgain != 0 {
		t.Errorf("the first time: %+v, want 101 ops, none of them again", st)
	}
	for _, budget := range []int64{-1, 20_000, 50_000} {
		st := session(budget, nothing)
		if st.BytesAgain > max(budget, 0) || st.BytesAgain < budget-3000 || st.OpsSent > 0 != (budget > 0) {
			t.Errorf("again, with a budget of %d: %+v", budget, st)
		}
	}
	// What it did not get yet is not again, and is sent whatever the budget.
	holds, _, _ := stateOf(r.graph).summary(salt{}, m.id, purposeOpen, nil)
	write(10)
	if st := session(-1, holds); st.OpsSent != 10 || st.BytesAgain != 0 {
		t.Errorf("10 new ops: %+v", st)
	}
	if st := session(0, nothing); st.OpsSent != 111 || st.BytesAgain < 100_000 {
		t.Errorf("without a budget: %+v, want all 111 again", st)
	}
}
