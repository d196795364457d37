package dag_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCausality(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> a1 -> b1 -> a2
		     |  -> c1 -> c2
		b1, c2 -> d1
	`)
	c.Add()
	for _, test := range []struct{ op, past string }{
		{"a1", "G"},
		{"b1", "G a1"},
		{"a2", "G a1 b1"},
		{"c2", "G a1 c1"},
		{"d1", "G a1 b1 c1 c2"},
	} {
		var past []string
		for _, name := range append([]string{"G"}, c.Names...) {
			if c.Op(test.op).InPast(c.Op(name)) {
				past = append(past, name)
			}
		}
		if got := strings.Join(past, " "); got != test.past {
			t.Errorf("past of %s = %s, want %s", test.op, got, test.past)
		}
	}
	heads := strings.Fields(c.NamesOf(m.Graph.Heads()))
	slices.Sort(heads)
	if diff := cmp.Diff([]string{"a2", "d1"}, heads); diff != "" {
		t.Errorf("heads: %s", diff)
	}
	for _, test := range []struct{ known, since string }{
		{"", "G a1 b1 c1 a2 c2 d1"},
		{"G", "a1 b1 c1 a2 c2 d1"},
		{"a2", "c1 c2 d1"},
		{"c2 b1", "a2 d1"},
		{"d1 a2", ""},
	} {
		var known []*dag.Op
		for _, name := range strings.Fields(test.known) {
			known = append(known, c.Op(name))
		}
		got := m.Graph.Since(known)
		want := strings.Fields(test.since)
		slices.SortFunc(want, func(a, b string) int { return dag.CompareWrites(c.Op(a), 0, 0, c.Op(b), 0, 0) })
		if c.NamesOf(got) != strings.Join(want, " ") {
			t.Errorf("Since(%s) = %s, want %s", test.known, c.NamesOf(got), strings.Join(want, " "))
		}
	}
}

// TestEpochs: a window may be claimed by any number of ops that do not see each
// other, and windows need no order.
func TestEpochs(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> b1{+epoch=8388607} -> b2{+epoch=1} -> b2a{+epoch=5}
		b1 -> c1{+epoch=1}
		G -> d1{+epoch=1} -> d2{+epoch=8388607}
		b1 -> b2'{+epoch=1}
		b2a, c1, d2 -> a2{+epoch=4}
	`)
	c.Add()
	again := m.Sign(dagtest.Draft{Author: 0, Parents: []dag.ID{c.ID("a2")}, Epoch: 1})
	if _, _, err := m.Graph.Add(again); dag.ReasonOf(err) != dag.ReasonEpoch {
		t.Errorf("Add of a claim of what three of the past claim: %v, want %v", err, dag.ReasonEpoch)
	}
}

func TestOpFields(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw("G -> b1{+epoch /k=1} -> c1{+epoch} -> b2{-/k}")
	c.Add()
	b1, b2, c1 := c.Op("b1"), c.Op("b2"), c.Op("c1")
	h := c.Signed("b2").Header()
	if b2.Seq() != 2 || b2.Prev() != b1 || b2.Author() != m.Author(1) || b2.Wall() != h.Wall || b2.Depth() != 4 ||
		b2.Bytes() != h.Bytes || b2.Writes() != 2 || !b2.HasBody() || b2.HasStatements() || b2.Size() != int(h.Size) {
		t.Errorf("fields of %+v do not match header %+v", b2, h)
	}
	if b1.Epoch() != 1 || c1.Epoch() != 2 || b2.Epoch() != 0 {
		t.Errorf("epochs %d %d %d, want 1 2 0", b1.Epoch(), c1.Epoch(), b2.Epoch())
	}
	for epoch, want := range map[uint64]bool{0: false, 1: true, 2: true, 3: false, 1<<32 + 1: false} {
		if got := m.Graph.Claimed(epoch); got != want {
			t.Errorf("Claimed(%d) = %v, want %v", epoch, got, want)
		}
	}
	if got := b1.Parents(); len(got) != 1 || got[0] != m.Graph.Founding() {
		t.Errorf("parents of b1 = %v", got)
	}
	if len(m.Graph.Founding().Parents()) != 0 || !m.Graph.Founding().HasStatements() {
		t.Error("the founding op has parents or lacks statements")
	}
	if got := len(m.Graph.Authors()); got != 3 {
		t.Errorf("%d authors, want 3", got)
	}
	if got := m.Graph.Tips(m.Key("stranger").Public()); got != nil {
		t.Errorf("tips of a stranger = %v", got)
	}
}

func TestInPastAllocatesNothing(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw("G -> b1 -> c1 -> b2")
	c.Add()
	a, b := c.Op("b2"), c.Op("c1")
	if n := testing.AllocsPerRun(100, func() { a.InPast(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSequentialAuthorSharesMemory: an author alone adds no clock for each op.
func TestSequentialAuthorSharesMemory(t *testing.T) {
	m := dagtest.New(t, 3)
	ops := chain(m, 1000)
	m.Add(ops[0])
	i := 1
	if n := testing.AllocsPerRun(len(ops)-2, func() {
		m.Add(ops[i])
		i++
	}); n > 4 {
		t.Errorf("%v allocations for each op", n)
	}
}

func TestCompareWrites(t *testing.T) {
	m := dagtest.New(t, 3)
	c := m.Draw("G -> b1 -> b2\nG -> c1")
	c.Add()
	b1, b2, c1 := c.Op("b1"), c.Op("b2"), c.Op("c1")
	if dag.CompareWrites(b1, 9, 9, b2, 0, 0) != -1 || dag.CompareWrites(b2, 0, 0, c1, 9, 9) != 1 {
		t.Error("depth does not decide first")
	}
	if got, want := dag.CompareWrites(b1, 9, 9, c1, 0, 0), b1.ID().Compare(c1.ID()); got != want {
		t.Errorf("at equal depth %d, want the IDs' %d", got, want)
	}
	if dag.CompareWrites(b1, 0, 9, b1, 1, 0) != -1 || dag.CompareWrites(b1, 1, 1, b1, 1, 0) != 1 || dag.CompareWrites(b1, 1, 1, b1, 1, 1) != 0 {
		t.Error("within an op, transaction and then write must decide")
	}
}

// TestGraphAgainstModel draws random DAGs of several authors, some of whom
// fork, and compares every answer with one found by walking breadth first.
func TestGraphAgainstModel(t *testing.T) {
	m := dagtest.New(t, 12)
	rapid.Check(t, func(t *rapid.T) {
		d := drawn{t: t, m: m, g: dag.NewGraph(), pasts: make(map[dag.ID]map[dag.ID]bool)}
		d.add(m.Founding)
		authors := rapid.IntRange(1, m.Authors()).Draw(t, "authors")
		for range rapid.IntRange(1, 40).Draw(t, "ops") {
			d.step(rapid.IntRange(0, authors-1).Draw(t, "author"))
		}
		d.checkPast(d.g)
		d.checkSince()

		// Another order of arrival, the same answers.
		again := dag.NewGraph()
		left := slices.Clone(d.all)
		for len(left) > 0 {
			i := rapid.IntRange(0, len(left)-1).Draw(t, "next")
			if _, _, err := again.Add(left[i]); err == nil {
				left = slices.Delete(left, i, i+1)
			} else if dag.ReasonOf(err) != 0 {
				t.Fatalf("refused in another order: %v", err)
			}
		}
		d.checkPast(again)
	})
}

type drawn struct {
	t     *rapid.T
	m     *dagtest.Mesh
	g     *dag.Graph
	all   []*dag.Signed
	pasts map[dag.ID]map[dag.ID]bool // of each op, itself included
}

func (d *drawn) add(s *dag.Signed) {
	if _, _, err := d.g.Add(s); err != nil {
		d.t.Fatalf("add: %v", err)
	}
	d.all = append(d.all, s)
	d.pasts[s.ID()] = d.m.Past(s.ID())
}

// step makes an op of the author's on a random part of the graph. Mostly it
// goes on from its greatest op there, now and then from any other or none.
func (d *drawn) step(author int) {
	seen := d.m.Past(rapid.SampledFrom(d.all).Draw(d.t, "seen").ID(), rapid.SampledFrom(d.all).Draw(d.t, "seen too").ID())
	draft := dagtest.Draft{Author: author, Parents: d.heads(seen)}
	var own []dag.ID
	for _, s := range d.all {
		if seen[s.ID()] && s.Header().Author == d.m.Author(author) {
			own = append(own, s.ID())
		}
	}
	switch rapid.IntRange(0, 7).Draw(d.t, "prev") {
	case 0:
		draft.First = true
	case 1:
		if len(own) > 0 {
			draft.Prev = &own[rapid.IntRange(0, len(own)-1).Draw(d.t, "own")]
		}
	}
	draft.Epoch = rapid.SampledFrom([]uint64{0, 0, 0, 1, 2, 3}).Draw(d.t, "epoch")
	s := d.m.Sign(draft)
	chain := make(map[dag.ID]bool)
	for p := s.Header().Prev; p != nil; p = d.m.Header(*p).Prev {
		chain[*p] = true
	}
	if slices.ContainsFunc(own, func(id dag.ID) bool { return !chain[id] }) {
		if _, _, err := d.g.Add(s); dag.ReasonOf(err) != dag.ReasonForkedPast {
			d.t.Fatalf("op with a fork of its author's in its past: %v", err)
		}
		return
	}
	for id := range seen {
		if draft.Epoch != 0 && d.m.Header(id).Epoch == draft.Epoch {
			if _, _, err := d.g.Add(s); dag.ReasonOf(err) != dag.ReasonEpoch {
				d.t.Fatalf("op that claims what its past claims: %v", err)
			}
			return
		}
	}
	if _, ok := d.pasts[s.ID()]; !ok {
		d.add(s)
	}
}

// heads returns the ops of set that are in no other's past.
func (d *drawn) heads(set map[dag.ID]bool) []dag.ID {
	var heads []dag.ID
	for id := range set {
		head := true
		for other := range set {
			head = head && (other == id || !d.pasts[other][id])
		}
		if head {
			heads = append(heads, id)
		}
	}
	slices.SortFunc(heads, dag.ID.Compare)
	return heads
}

func (d *drawn) checkPast(g *dag.Graph) {
	set := make(map[dag.ID]bool)
	forked := make(map[identity.PublicKey]bool)
	type place struct {
		author identity.PublicKey
		prev   dag.ID
	}
	taken := make(map[place]bool)
	for _, s := range d.all {
		set[s.ID()] = true
		at := place{author: s.Header().Author}
		if s.Header().Prev != nil {
			at.prev = *s.Header().Prev
		}
		forked[at.author] = forked[at.author] || taken[at]
		taken[at] = true
	}
	for _, a := range d.all {
		oa, ok := g.Get(a.ID())
		if !ok {
			d.t.Fatalf("Get(%v): not there", a.ID())
		}
		for _, b := range d.all {
			ob, _ := g.Get(b.ID())
			if got, want := oa.InPast(ob), a != b && d.pasts[a.ID()][b.ID()]; got != want {
				d.t.Fatalf("%v in the past of %v: got %v, want %v", b.ID(), a.ID(), got, want)
			}
			if oa.InPast(ob) && dag.CompareWrites(ob, 0, 0, oa, 0, 0) != -1 {
				d.t.Fatalf("the order does not extend causality")
			}
		}
	}
	if diff := cmp.Diff(d.heads(set), idsOf(g.Heads())); diff != "" {
		d.t.Fatalf("heads: %s", diff)
	}
	for author, want := range forked {
		if got := g.Forked(author); got != want {
			d.t.Fatalf("%v forked: got %v, want %v", author, got, want)
		}
	}
	for _, f := range g.Forks() {
		a, b := d.m.Header(f.A), d.m.Header(f.B)
		if a.Author != f.Author || b.Author != f.Author || (a.Prev == nil) != (b.Prev == nil) || a.Prev != nil && *a.Prev != *b.Prev {
			d.t.Fatalf("%+v is no fork", f)
		}
	}
}

func (d *drawn) checkSince() {
	known := make([]*dag.Op, rapid.IntRange(0, 4).Draw(d.t, "known"))
	have := make(map[dag.ID]bool)
	for i := range known {
		id := rapid.SampledFrom(d.all).Draw(d.t, "op").ID()
		known[i], _ = d.g.Get(id)
		for past := range d.pasts[id] {
			have[past] = true
		}
	}
	var want []dag.ID
	for _, s := range d.all {
		if !have[s.ID()] {
			want = append(want, s.ID())
		}
	}
	slices.SortFunc(want, func(a, b dag.ID) int {
		oa, _ := d.g.Get(a)
		ob, _ := d.g.Get(b)
		return dag.CompareWrites(oa, 0, 0, ob, 0, 0)
	})
	if diff := cmp.Diff(want, idsOf(d.g.Since(known))); diff != "" {
		d.t.Fatalf("Since: %s", diff)
	}
}

func idsOf(ops []*dag.Op) []dag.ID {
	var ids []dag.ID
	for _, o := range ops {
		ids = append(ids, o.ID())
	}
	return ids
}

func TestDraft(t *testing.T) {
	m := dagtest.New(t, 140)
	if h, whole := dag.NewGraph().Draft(nil, 5, 2); !whole || h.Mesh != nil || h.Depth != 1 || h.Seq != 1 || h.Bytes != 5 || h.Writes != 2 {
		t.Errorf("draft of a founding op = %+v", h)
	}
	base := m.Graph.Heads()
	for i := 1; i < m.Authors(); i++ {
		m.Op(i, base, dag.Transaction{dagtest.Put("/k", "v")})
	}
	prev := m.Graph.Tips(m.Author(139))[0]
	for folds := 0; ; folds++ {
		h, whole := m.Graph.Draft(prev, 0, 0)
		s, err := dag.Sign(h, dag.Body{}, m.Node(139))
		if err != nil {
			t.Fatal(err)
		}
		prev = m.Add(s)
		if whole != (folds == 1) {
			t.Fatalf("fold %d: whole = %v", folds, whole)
		}
		if whole {
			break
		}
	}
	if heads := m.Graph.Heads(); len(heads) != 1 || heads[0] != prev {
		t.Errorf("%d heads after two folds, want 1", len(heads))
	}
}

func TestReadersBesideWriter(t *testing.T) {
	m := dagtest.New(t, 3)
	ops := make([]*dag.Signed, 0, 200)
	last := m.Founding.ID()
	for i := range cap(ops) {
		s := m.Sign(dagtest.Draft{Author: i % 3, Parents: []dag.ID{last}})
		ops, last = append(ops, s), s.ID()
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				heads := m.Graph.Heads()
				if since := m.Graph.Since(heads); len(since) > len(ops) {
					t.Errorf("Since(heads) = %d ops", len(since))
				}
				m.Graph.Tips(m.Author(1))
				m.Graph.Roster()
				heads[0].InPast(m.Graph.Founding())
			}
		})
	}
	for _, s := range ops {
		m.Add(s)
	}
	close(done)
	wg.Wait()
}

// TestManyChains compares clocks of thousands of chains with counting.
func TestManyChains(t *testing.T) {
	m := dagtest.New(t, 3)
	rng := rand.New(rand.NewPCG(1, 2))
	var ops []*dag.Op
	g := []dag.ID{m.Founding.ID()}
	for range 2000 { // b forks its first op again and again
		s := m.Sign(dagtest.Draft{Author: 1, Parents: g, First: true})
		ops = append(ops, m.Add(s))
	}
	rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	past := make(map[*dag.Op]bool)
	prev := m.Graph.Founding()
	for len(ops) > 0 {
		n := min(len(ops), dag.MaxParents-1)
		parents := append([]*dag.Op{prev}, ops[:n]...)
		if prev == m.Graph.Founding() {
			parents = parents[1:]
		}
		prev = m.Op(2, parents)
		for _, o := range ops[:n] {
			past[o] = true
		}
		ops = ops[n:]
		for _, o := range m.Graph.Since([]*dag.Op{prev}) {
			if past[o] || prev.InPast(o) {
				t.Fatalf("%v is in the past but since", o.ID())
			}
		}
		for o := range past {
			if !prev.InPast(o) {
				t.Fatalf("%v is not in the past", o.ID())
			}
		}
	}
}
