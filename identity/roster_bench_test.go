package identity

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// unsigned returns a statement that passes for verified, to make many quickly.
func unsigned(tb testing.TB, d Statement) *Statement {
	tb.Helper()
	payload, err := d.draftPayload()
	if err != nil {
		tb.Fatal(err)
	}
	b := append(dagcbor.AppendArray(nil, 2), payload...)
	s, err := DecodeStatement(dagcbor.AppendBytes(b, make([]byte, 64)))
	if err != nil {
		tb.Fatal(err)
	}
	s.verify.Do(func() { s.good = true })
	return s
}

// bigSite is a mesh in which "an", a node of operator A, may write to
// /registry/*/team-a/**: with two narrows on A, 60 policy rules, and n other
// statements, in equal parts: operators, narrows of them, revokes by which nobody is
// revoked, and enrolments by nobody. It returns the last of these apart.
func bigSite(tb testing.TB, n int) (carried []Carried, last Carried) {
	m := newSite(tb)
	m.begin()
	one := after()
	a := m.admit("F", "a", []string{"A"}, RoleWriter, "/registry/**", "/other/**")
	m.enrol("A", a.ID(), 0, "an")
	m.settle(one)
	two := after(one)
	m.at(two, "node", m.draft("F", false, Narrow{Operator: a.ID(), Role: RoleWriter, Patterns: []Pattern{"/registry/*/team-a/**"}, Keep: keepOf(1)}), one)
	m.at(two, "node", m.draft("F", false, Narrow{Operator: a.ID(), Role: RoleWriter, Patterns: []Pattern{"/registry/deployments/**"}, Keep: keepOf(1)}), one)
	rules := Policy{Keep: keepOf(1)}
	for i := range 60 {
		p := fmt.Sprintf("/registry/%s/team-%d/**", []string{"*", "pods", "deployments"}[i%3], i)
		rules.Rules = append(rules.Rules, rule(Pattern(p), uint64(i%7), Mode(1+i%4)))
	}
	m.at(two, "node", m.draft("F", false, rules), one)
	start := len(m.carried)
	var operator StatementID
	for i := range n {
		d := Statement{Mesh: &m.founding, Issuer: testKey("F").Public(), Seq: 1}
		id := StatementID{0: 0xaa}
		binary.BigEndian.PutUint64(id[8:], uint64(i))
		switch i % 4 {
		case 0:
			d.Content = Admit{Name: fmt.Sprint("operator ", i), Keys: sortedKeys("A"), Grant: Grant{Role: RoleWriter, Patterns: []Pattern{"/other/**"}, Nodes: 1}}
		case 1:
			d.Content = Narrow{Operator: operator, Role: RoleReader, Keep: keepOf(1)}
		case 2:
			d.Content = Revoke{Subject: id}
		case 3:
			d.As, d.Content = &id, Enrol{Node: testKey("an").Public()}
		}
		s := unsigned(tb, d)
		if i%4 == 0 {
			operator = s.id
		}
		c := Carried{Statement: s, Op: [32]byte{4}, At: two, Author: testKey("node").Public(), Seq: 9, Index: i}
		if i%4 == 1 {
			c.Keep = []Place{one}
		}
		m.carried = append(m.carried, c)
	}
	if n == 0 {
		return m.carried, m.carried[start-1]
	}
	return m.carried[:len(m.carried)-1], m.carried[len(m.carried)-1]
}

// BenchmarkMayWrite judges one write as the view does, the author's standing
// looked up anew, in rosters of different sizes.
func BenchmarkMayWrite(b *testing.B) {
	key := []byte("/registry/deployments/team-a/frontend-7d5c6b")
	for _, n := range []int{1, 1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			carried, _ := bigSite(b, n)
			r, node, at := EmptyRoster().With(carried...), testKey("an").Public(), after()
			r.Standing(node) // derived once
			b.ReportAllocs()
			for b.Loop() {
				if err := r.StandingAt(node, at).MayWrite(key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMayWriteRange(b *testing.B) {
	carried, _ := bigSite(b, 1000)
	r, node := EmptyRoster().With(carried...), testKey("an").Public()
	key, end := []byte("/registry/deployments/team-a/"), []byte("/registry/deployments/team-a0")
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Standing(node).MayWriteRange(key, end); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStandingAtKept asks about a place that restrictions keep.
func BenchmarkStandingAtKept(b *testing.B) {
	carried, _ := bigSite(b, 1000)
	r, node := EmptyRoster().With(carried...), testKey("an").Public()
	at := carried[0].At
	b.ReportAllocs()
	for b.Loop() {
		if r.StandingAt(node, at) == r.Standing(node) {
			b.Fatal("nothing keeps it")
		}
	}
}

// BenchmarkRosterWith adds a statement to many and asks for a standing: one
// that stands, so that everything is derived anew, and one without power.
func BenchmarkRosterWith(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		carried, _ := bigSite(b, n)
		node := testKey("an").Public()
		for _, name := range []string{"operator", "powerless"} {
			b.Run(fmt.Sprint(n, "/", name), func(b *testing.B) {
				last := carried[len(carried)-1]
				d := Statement{Mesh: last.Statement.Mesh, Issuer: testKey("F").Public(), Seq: 2, Prev: &testPrev,
					Content: Admit{Name: "last", Keys: sortedKeys("A"), Grant: Grant{Role: RoleReader}}}
				if name == "powerless" {
					d.Issuer = testKey("nobody").Public()
				}
				last.Statement = unsigned(b, d)
				r := EmptyRoster().With(carried...)
				r.Standing(node)
				b.ReportAllocs()
				for b.Loop() {
					if r.With(last).Standing(node).Err() != nil {
						b.Fatal("not enrolled")
					}
				}
			})
		}
	}
}

// BenchmarkRosterUnion joins two rosters that each have one statement more than
// a thousand they share.
func BenchmarkRosterUnion(b *testing.B) {
	carried, last := bigSite(b, 1000)
	n := len(carried) - 1
	r := EmptyRoster().With(carried[:n]...)
	x, y := r.With(carried[n]), r.With(last)
	b.ReportAllocs()
	for b.Loop() {
		if Union(x, y).Len() != r.Len()+2 {
			b.Fatal("not joined")
		}
	}
}

// TestMayWriteAllocates: judging a write or a range allocates nothing.
func TestMayWriteAllocates(t *testing.T) {
	carried, _ := bigSite(t, 100)
	r, node, at := EmptyRoster().With(carried...), testKey("an").Public(), after()
	key, end := []byte("/registry/deployments/team-a/"), []byte("/registry/deployments/team-a0")
	if n := testing.AllocsPerRun(100, func() {
		s := r.StandingAt(node, at)
		if s != r.Standing(node) || s.MayWrite(key) != nil || s.MayWriteRange(key, end) != nil {
			t.Error("refused, or not the standing of now")
		}
	}); n != 0 {
		t.Errorf("MayWrite and MayWriteRange allocate %v times", n)
	}
}

// TestRosterMemory: rosters that each hold one statement more than the one
// before share what they have in common, be the statements powerless or not,
// whether or not all of them are asked.
func TestRosterMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	carried, last := bigSite(t, 1000)
	carried = append(carried, last)
	node := testKey("an").Public()
	perRoster := func(n int) uint64 {
		start := len(carried) - 1000
		r := EmptyRoster().With(carried[:start]...)
		rosters := make([]*Roster, 0, n)
		before := heap()
		for _, c := range carried[start : start+n] {
			r = r.With(c)
			r.Standing(node)
			rosters = append(rosters, r)
		}
		per := (heap() - before) / uint64(n)
		runtime.KeepAlive(rosters)
		return per
	}
	few, many := perRoster(125), perRoster(1000)
	t.Logf("a roster takes %d bytes among 125, %d among 1000", few, many)
	if many > 2*few || many > 8<<10 {
		t.Errorf("a roster takes %d bytes among 125, %d among 1000: they do not share", few, many)
	}
}

// TestMatcher: the trie finds what the patterns one by one do.
func TestMatcher(t *testing.T) {
	patterns := []Pattern{"**", "*", "a", "/", "", "a/**", "a/*", "*/b", "*/b/**", `a/\*`, `a/\\`, "a/b/c", "/**", "//**", "*/*/*", "a/b/**"}
	keys := []string{"", "a", "b", "/", "a/", "a/b", "a/b/", "a/b/c", "a/*", `a/\`, "//", "//x", "x/b", "x/b/y/z", "a//", "*"}
	ends := []string{"", "b", "a0", "a/c", "a/b0", "a/b/d", "b0"}
	for mask := range 1 << len(patterns) {
		if mask%7 != 0 && mask > 1<<10 {
			continue
		}
		var set []Pattern
		root := &matcher{}
		for i, p := range patterns {
			if mask>>i&1 == 1 && p != "" {
				set = append(set, p)
				if slot := root.slot(p); *slot == 0 {
					*slot = uint64(len(set))
				}
			}
		}
		root.settle()
		g := newGrants([][]Pattern{set})
		for _, key := range keys {
			first := uint64(slices.IndexFunc(set, func(p Pattern) bool { return p.Match([]byte(key)) }) + 1)
			if got := root.first([]byte(key), 0); got != first {
				t.Fatalf("first(%q) of %q = %d, want %d", key, set, got, first)
			}
			if got := g.match([]byte(key)); got != (first > 0) {
				t.Fatalf("match(%q) of %q = %v", key, set, got)
			}
			for _, end := range append(ends, key+"\x00") {
				want := slices.ContainsFunc(set, func(p Pattern) bool { return p.MatchRange([]byte(key), []byte(end)) })
				if got := g.matchRange([]byte(key), []byte(end)); got != want {
					t.Fatalf("matchRange(%q, %q) of %q = %v, want %v", key, end, set, got, want)
				}
			}
		}
	}
	// More sets than one trie holds, of which none implies another.
	var sets [][]Pattern
	for i := range 130 {
		sets = append(sets, []Pattern{"all", Pattern(fmt.Sprint("only/", i))})
	}
	if n := len(fold(append(slices.Clone(sets), sets[:maxFold]...))); n != len(sets) {
		t.Errorf("130 sets, and 64 of them again, fold to %d", n)
	}
	g := newGrants(fold(sets))
	if !g.match([]byte("all")) || g.match([]byte("only/129")) || g.match([]byte("only/3")) {
		t.Errorf("130 sets: all %v, only the last %v", g.match([]byte("all")), g.match([]byte("only/129")))
	}
}

func TestFold(t *testing.T) {
	wide, a, b := []Pattern{"**"}, []Pattern{"/a/**"}, []Pattern{"/b/**", "/c/**"}
	for _, v := range []struct {
		in   [][]Pattern
		want int
	}{
		{[][]Pattern{wide}, 1}, {[][]Pattern{wide, wide}, 1}, {[][]Pattern{wide, a}, 1}, {[][]Pattern{a, wide}, 1},
		{[][]Pattern{wide, a, b}, 2}, {[][]Pattern{b, a, wide, b}, 2}, {[][]Pattern{a, nil, b}, 1}, {nil, 0},
	} {
		if got := fold(v.in); len(got) != v.want {
			t.Errorf("fold(%q) = %q, want %d sets", v.in, got, v.want)
		}
	}
}
