package dag_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// A shape is a way in which authors build on each other.
type shape struct {
	name    string
	authors int
	// parents returns the indexes of op i's parents among the ops, -1 for the founding op.
	parents func(i, authors int) []int
}

// shapes: one author alone, some who always see each other's last op, and
// many who work at the same time and see each other once a round.
var shapes = []shape{
	{"sequential", 1, func(i, _ int) []int { return []int{i - 1} }},
	{"alternating-10", 10, func(i, _ int) []int { return []int{i - 1} }},
	{"rounds-100", 100, func(i, n int) []int {
		if i < n {
			return []int{-1}
		}
		before := i - i%n - n
		return []int{before + i%n, before + (i+1)%n} // one's own and a neighbour's
	}},
}

// build makes count signed ops of that shape, each with one put.
func (sh shape) build(b *testing.B, count int) (*dagtest.Mesh, []*dag.Signed) {
	m := dagtest.New(b, sh.authors)
	ops := make([]*dag.Signed, count)
	last := make([]*dag.ID, sh.authors)
	g := m.Enrolled[len(m.Enrolled)-1].ID()
	last[0] = &g
	transaction := []dag.Transaction{{dagtest.Put("/registry/pods/default/web", "value")}}
	for i := range ops {
		d := dagtest.Draft{Author: i % sh.authors, Transactions: transaction}
		for _, p := range sh.parents(i, sh.authors) {
			if p < 0 {
				d.Parents = append(d.Parents, g)
			} else if len(d.Parents) == 0 || d.Parents[0] != ops[p].ID() {
				d.Parents = append(d.Parents, ops[p].ID())
			}
		}
		d.Prev = last[d.Author]
		d.First = d.Prev == nil
		ops[i] = m.Sign(d)
		id := ops[i].ID()
		last[d.Author] = &id
	}
	return m, ops
}

// BenchmarkAdd adds 100,000 ops and reports what an op costs in memory, the
// graph's index of IDs included.
func BenchmarkAdd(b *testing.B) {
	const count = 100_000
	for _, sh := range shapes {
		b.Run(sh.name, func(b *testing.B) {
			m, ops := sh.build(b, count)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var g *dag.Graph
			for b.Loop() {
				g = dag.NewGraph()
				for _, s := range m.Enrolled {
					if _, _, err := g.Add(s); err != nil {
						b.Fatal(err)
					}
				}
				for _, s := range ops {
					if _, _, err := g.Add(s); err != nil {
						b.Fatal(err)
					}
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "heap-B/op")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/add")
			runtime.KeepAlive(g)
			runtime.KeepAlive(m)
			runtime.KeepAlive(ops)
		})
	}
}

func BenchmarkInPast(b *testing.B) {
	for _, sh := range shapes {
		m, ops := sh.build(b, 10_000)
		g := m.Graph
		linked := make([]*dag.Op, len(ops))
		for i, s := range ops {
			o, _, err := g.Add(s)
			if err != nil {
				b.Fatal(err)
			}
			linked[i] = o
		}
		b.Run(sh.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % len(linked)
				linked[len(linked)-1-i/2].InPast(linked[i])
			}
		})
	}
}

// BenchmarkVerify: time for each op, by the size of the batch.
func BenchmarkVerify(b *testing.B) {
	_, ops := shapes[1].build(b, 256)
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("batch-", size), func(b *testing.B) {
			us := make([]*dag.Unverified, size)
			for i := range us {
				us[i] = ops[i].Unverified
			}
			for b.Loop() {
				if _, errs := dag.Verify(us); errs[0] != nil {
					b.Fatal(errs[0])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/signature")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	_, ops := shapes[1].build(b, 100)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s := ops[i%len(ops)]
		if _, err := dag.Decode(s.Block(), s.Body()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkSign(b *testing.B) {
	m, ops := shapes[0].build(b, 1)
	h := *ops[0].Header()
	body := dag.Body{Transactions: [][]byte{dag.Transaction{dagtest.Put("/registry/pods/default/web", "value")}.Append(nil)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dag.Sign(h, body, m.Node(0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSince: a peer lacks the last hundred of 10,000 ops.
func BenchmarkSince(b *testing.B) {
	m, ops := shapes[1].build(b, 10_000)
	var known *dag.Op
	for i, s := range ops {
		o := m.Add(s)
		if i == len(ops)-101 {
			known = o
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(m.Graph.Since([]*dag.Op{known})); n != 100 {
			b.Fatal(n)
		}
	}
}

// BenchmarkClaim: a forker has claimed one window in 5,000 branches. An op with
// as many branches of another author in its past, and the forker's last, claims it too.
func BenchmarkClaim(b *testing.B) {
	const branches, epoch = 5_000, 9
	m := dagtest.New(b, 4)
	g := []dag.ID{m.Founding.ID()}
	var claim dag.ID
	var past []dag.ID
	for range branches {
		claim = m.Add(m.Sign(dagtest.Draft{Author: 1, Parents: g, First: true, Epoch: epoch})).ID()
		past = append(past, m.Add(m.Sign(dagtest.Draft{Author: 2, Parents: g, First: true})).ID())
		if len(past) == dag.MaxParents {
			past = []dag.ID{m.Add(m.Sign(dagtest.Draft{Author: 0, Parents: past})).ID()}
		}
	}
	s := m.Sign(dagtest.Draft{Author: 3, Parents: append(past, claim), Epoch: epoch})
	for b.Loop() {
		if _, _, err := m.Graph.Add(s); dag.ReasonOf(err) != dag.ReasonEpoch {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/branches, "ns/claim")
}

// crowd makes a mesh in which so many operators were admitted by statements, each
// with a node; half of them were narrowed, a tenth revoked, and as many policies stand.
// It returns an op of each node, with one write.
func crowd(tb testing.TB, operators int) (*dagtest.Mesh, []*dag.Signed) {
	m := dagtest.New(tb, 1)
	var statements []*identity.Statement
	parent := m.Founding.ID()
	carry := func(most int) {
		if len(statements) > most {
			s := m.Sign(dagtest.Draft{Parents: []dag.ID{parent}, Statements: statements})
			m.Add(s)
			statements, parent = nil, s.ID()
		}
	}
	nodes := make([]*identity.PrivateKey, operators)
	key := func(i int) string { return fmt.Sprintf("/registry/pods/team-%d/web", i) }
	for i := range nodes {
		name, operator := fmt.Sprint(i), m.Key(fmt.Sprint("operator ", i))
		nodes[i] = m.Key("node " + name)
		pattern := identity.Pattern(fmt.Sprintf("/registry/*/team-%d/**", i))
		admit := m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Admit{Name: name, Keys: []identity.PublicKey{operator.Public()},
			Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{pattern}, Nodes: 1}}})
		id := admit.ID()
		enrol := m.Issue(operator, identity.Statement{As: &id, Content: identity.Enrol{Node: nodes[i].Public(),
			Consent: identity.SignConsent(m.Founding.ID(), id, 0, nodes[i])}})
		statements = append(statements, admit, enrol)
		switch {
		case i%10 == 0:
			statements = append(statements, m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Revoke{Subject: id, Keep: [][32]byte{parent}}}))
		case i%2 == 0:
			statements = append(statements, m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Narrow{Operator: id, Role: identity.RoleWriter,
				Patterns: []identity.Pattern{"/registry/pods/**"}, Nodes: 1, Keep: [][32]byte{parent}}}))
			statements = append(statements, m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Policy{
				Rules: []identity.PolicyRule{{Pattern: pattern, Priority: 1, Mode: identity.ModeOwned, Owner: &id}}, Keep: [][32]byte{parent}}}))
		}
		carry(dag.MaxStatements - 5)
	}
	carry(0)
	var ops []*dag.Signed
	for i, node := range nodes {
		if i%10 != 0 {
			ops = append(ops, m.Sign(dagtest.Draft{Key: node, Parents: []dag.ID{parent}, First: true,
				Transactions: []dag.Transaction{{dagtest.Put(key(i), "value")}}}))
		}
	}
	return m, ops
}

// BenchmarkJudge: what it costs to decide whether an op's one write counts, by
// the number of operators. There are some three statements for each.
func BenchmarkJudge(b *testing.B) {
	for _, operators := range []int{10, 1_000, 5_000} {
		m, signed := crowd(b, operators)
		var ops []*dag.Op
		for _, s := range signed {
			ops = append(ops, m.Add(s))
		}
		roster := m.Graph.Roster()
		b.Run(fmt.Sprint("operators-", operators), func(b *testing.B) {
			b.ReportAllocs()
			for i := range ops { // each author is looked up once before
				if err := dag.Judge(roster, ops[i]).Void(signed[i].Transactions()[0]); err != nil {
					b.Fatal(err)
				}
			}
			i := 0
			for b.Loop() {
				i = (i + 1) % len(ops)
				if err := dag.Judge(roster, ops[i]).Void(signed[i].Transactions()[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidate: what each of a thousand writes costs the validation of an
// op, hashing and signature apart.
func BenchmarkValidate(b *testing.B) {
	for _, operators := range []int{10, 1_000, 5_000} {
		m, signed := crowd(b, operators)
		h := signed[0].Header()
		var t dag.Transaction
		for i := range 1_000 {
			t = append(t, dagtest.Put(fmt.Sprint("/registry/pods/team-1/", i), "value"))
		}
		op := m.Sign(dagtest.Draft{Key: m.Key("node 1"), Parents: h.Parents, First: true, Transactions: []dag.Transaction{t}})
		wrong := m.Sign(dagtest.Draft{Key: m.Key("node 1"), Parents: h.Parents, First: true,
			Transactions: []dag.Transaction{t, {dagtest.Put("/elsewhere", "value")}}})
		b.Run(fmt.Sprint("operators-", operators), func(b *testing.B) {
			for b.Loop() { // the last write is refused, so that the graph stays as it is
				if _, _, err := m.Graph.Add(wrong); dag.ReasonOf(err) != dag.ReasonGrant {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(t)), "ns/write")
		})
		m.Add(op)
	}
}

// BenchmarkAffected: one operator of many is revoked; ten of the ops are its.
func BenchmarkAffected(b *testing.B) {
	m, signed := crowd(b, 1_000)
	for _, s := range signed {
		m.Add(s)
	}
	before := m.Graph.Roster()
	heads := m.Graph.Heads()[:1]
	a, _ := before.Author(signed[0].Header().Author)
	revoke := m.Issue(m.OperatorKey(), identity.Statement{Content: identity.Revoke{Subject: a.Operator}})
	m.Add(m.Sign(dagtest.Draft{Parents: []dag.ID{heads[0].Parents()[0].ID()}, Statements: []*identity.Statement{revoke}}))
	after := m.Graph.Roster()
	b.ReportAllocs()
	for b.Loop() {
		if n := len(m.Graph.Affected(before, after)); n != 1 {
			b.Fatal(n)
		}
	}
}
