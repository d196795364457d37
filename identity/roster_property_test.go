package identity

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// pool makes carried statements at random, most of them with some effect in
// some set, many without: a few keys issue, host, enrol and redeem for each
// other, within and beyond their means. It is the same pool in every run.
var pool = sync.OnceValue(func() []Carried {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(names ...string) string { return names[rng.IntN(len(names))] }
	operators, nodes := []string{"F", "A", "B", "C"}, []string{"n1", "n2", "n3", "n4"}
	grant := func() Grant {
		all := []Pattern{"**", "/a/**", "/a/b/**", "/a/*", "/b/**", "/b/c"}
		return Grant{Role: Role(1 + rng.IntN(3)), Nodes: uint64(rng.IntN(3)), Patterns: all[rng.IntN(len(all)):][:1]}
	}
	type admission struct {
		id  StatementID
		key string
	}
	var admitted []admission
	var invites []StatementID
	var carried []Carried
	founds := []StatementID{}
	carry := func(key string, mesh *[32]byte, c Content) *Statement {
		d := Statement{Mesh: mesh, Issuer: testKey(key).Public(), Seq: 1, Content: c}
		if c.kind() != KindRedeem && rng.IntN(2) == 0 {
			d.Seq, d.Prev = 2, &testPrev
		}
		var s *Statement
		var err error
		if c.kind() == KindRedeem {
			s, err = SignTicketStatement(d, testKey(key))
		} else {
			s, err = SignStatement(d, testKey(key))
		}
		if err != nil {
			panic(err)
		}
		if rng.IntN(20) == 0 { // a bad signature
			b := slices.Clone(s.Encoded())
			b[len(b)-1] ^= 1
			if s, err = DecodeStatement(b); err != nil {
				panic(err)
			}
		}
		for range 1 + rng.IntN(2) {
			author := testKey(pick("n1", "n2")).Public()
			seq := uint64(1 + rng.IntN(4))
			founding := (mesh == nil) != (rng.IntN(20) == 0)
			op := [32]byte{1, byte(seq), author[0]}
			if founding {
				op = testMesh
			}
			carried = append(carried, Carried{Statement: s, Op: op, Author: author, Seq: seq, Index: rng.IntN(3), Founding: founding})
		}
		return s
	}
	for i := range 3 {
		f := carry(pick("F", "F", "A"), nil, Found{Nonce: [32]byte{byte(i)}, Threshold: 1, Founders: sortedKeys("F", "B")})
		founds = append(founds, f.ID())
	}
	for i := range 240 {
		mesh := &testMesh
		switch {
		case i < 12:
			mesh = nil
		case rng.IntN(20) == 0:
			mesh = &[32]byte{0xee}
		}
		key := pick(operators...)
		switch n := rng.IntN(10); {
		case n < 3 || i < 6:
			a := pick(operators...)
			s := carry(key, mesh, Admit{Name: fmt.Sprint("op", i), Keys: sortedKeys(a), Grant: grant()})
			admitted = append(admitted, admission{s.ID(), a})
		case n < 6:
			a, slot, node := admitted[rng.IntN(len(admitted))], uint64(rng.IntN(3)), pick(nodes...)
			op := a.id
			if rng.IntN(4) > 0 {
				key = a.key
			}
			where := testMesh
			if mesh == nil {
				where = founds[rng.IntN(len(founds))]
			}
			signer := testKey(node)
			if rng.IntN(10) == 0 {
				signer = testKey("stranger")
			}
			carry(key, mesh, Enrol{Operator: op, Slot: slot, Node: testKey(node).Public(), Consent: SignConsent(where, op, slot, signer)})
		case n < 7:
			carry(key, mesh, Policy{Rules: []PolicyRule{{grant().Patterns[0], uint64(rng.IntN(2)), Mode(1 + rng.IntN(4))}, {"/b/c", 1, ModeLWW}}[:1+rng.IntN(2)]})
		case n < 8 || len(invites) == 0:
			s := carry(key, mesh, Invite{Ticket: testKey(pick("t1", "t2")).Public(), Host: testKey(pick("n1", "n2")).Public(), Grant: grant()})
			invites = append(invites, s.ID())
		default:
			a := pick(operators...)
			s := carry(pick("t1", "t2"), mesh, Redeem{Invite: invites[rng.IntN(len(invites))], Name: fmt.Sprint("op", i), Keys: sortedKeys(a)})
			admitted = append(admitted, admission{s.ID(), a})
		}
	}
	return carried
})

// A modelRoster is the dumb model: it tries every statement again and again,
// after the words of docs/op.md, section 6, until nothing changes.
type modelRoster struct {
	Operators map[StatementID]Grant
	Nodes     map[PublicKey]StatementID
	Invites   map[StatementID]StatementID
	Policy    []PolicyRule
}

func model(set []Carried) modelRoster {
	m := modelRoster{map[StatementID]Grant{}, map[PublicKey]StatementID{}, map[StatementID]StatementID{}, nil}
	var found *Statement
	for _, c := range set {
		f, ok := c.Statement.Content.(Found)
		if ok && c.Founding && c.Statement.VerifySignature() && slices.Contains(f.Founders, c.Statement.Issuer) &&
			(found == nil || c.Statement.ID().Compare(found.ID()) < 0) {
			found = c.Statement
		}
	}
	if found == nil {
		return m
	}
	founder := func(k PublicKey) bool { return slices.Contains(found.Content.(Found).Founders, k) }
	keys, policies := map[StatementID][]PublicKey{}, map[StatementID]Policy{}
	within := func(issuer PublicKey, patterns []Pattern) bool {
		if founder(issuer) {
			return true
		}
		for id, g := range m.Operators {
			covered := func(b Pattern) bool {
				return slices.ContainsFunc(g.Patterns, func(a Pattern) bool { return a.Contains(b) })
			}
			if g.Role == RoleAdmin && slices.Contains(keys[id], issuer) && !slices.ContainsFunc(patterns, func(b Pattern) bool { return !covered(b) }) {
				return true
			}
		}
		return false
	}
	for before := -1; before != len(m.Operators)+len(m.Invites); {
		before = len(m.Operators) + len(m.Invites)
		for _, carrier := range set {
			s := carrier.Statement
			if !s.VerifySignature() || carrier.Founding != (s.Mesh == nil) || s.Mesh != nil && *s.Mesh != testMesh {
				continue
			}
			switch c := s.Content.(type) {
			case Admit:
				if within(s.Issuer, c.Patterns) {
					m.Operators[s.ID()], keys[s.ID()] = c.Grant, c.Keys
				}
			case Policy:
				var patterns []Pattern
				for _, r := range c.Rules {
					patterns = append(patterns, r.Pattern)
				}
				if within(s.Issuer, patterns) {
					policies[s.ID()] = c
				}
			case Invite:
				if !within(s.Issuer, c.Patterns) {
					continue
				}
				var places []Carried
				for _, p := range set {
					r, ok := p.Statement.Content.(Redeem)
					if ok && r.Invite == s.ID() && p.Author == c.Host && p.Statement.Issuer == c.Ticket && p.Statement.VerifySignature() &&
						p.Founding == (p.Statement.Mesh == nil) && (p.Statement.Mesh == nil || *p.Statement.Mesh == testMesh) {
						places = append(places, p)
					}
				}
				m.Invites[s.ID()] = StatementID{}
				if len(places) > 0 {
					first := slices.MinFunc(places, func(a, b Carried) int {
						return slices.Compare([]int{int(a.Seq), a.Index, a.Statement.ID().Compare(b.Statement.ID())}, []int{int(b.Seq), b.Index, 0})
					}).Statement
					m.Invites[s.ID()] = first.ID()
					m.Operators[first.ID()], keys[first.ID()] = c.Grant, first.Content.(Redeem).Keys
				}
			}
		}
	}
	type placed struct {
		id    StatementID
		index int
		PolicyRule
	}
	var rules []placed
	for id, p := range policies {
		for i, r := range p.Rules {
			rules = append(rules, placed{id, i, r})
		}
	}
	slices.SortFunc(rules, func(a, b placed) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), a.id.Compare(b.id), -cmp.Compare(a.index, b.index))
	})
	for _, r := range rules {
		m.Policy = append(m.Policy, r.PolicyRule)
	}
	for _, carrier := range set {
		s := carrier.Statement
		c, ok := s.Content.(Enrol)
		if !ok || !s.VerifySignature() || carrier.Founding != (s.Mesh == nil) || s.Mesh != nil && *s.Mesh != testMesh {
			continue
		}
		where := testMesh
		if s.Mesh == nil {
			where = found.ID()
		}
		g, admitted := m.Operators[c.Operator]
		if !admitted || !slices.Contains(keys[c.Operator], s.Issuer) || c.Slot >= g.Nodes || !VerifyConsent(where, c.Operator, c.Slot, c.Node, c.Consent) {
			continue
		}
		if old, ok := m.Nodes[c.Node]; !ok || s.ID().Compare(old) < 0 {
			m.Nodes[c.Node] = s.ID()
		}
	}
	return m
}

// facts reads the same off a Roster.
func facts(r *Roster) modelRoster {
	m := modelRoster{map[StatementID]Grant{}, map[PublicKey]StatementID{}, map[StatementID]StatementID{}, nil}
	for _, o := range r.Operators() {
		m.Operators[o.ID] = o.Grant
	}
	for _, e := range r.Nodes() {
		m.Nodes[e.Node] = e.ID
	}
	for _, i := range r.Invitations() {
		m.Invites[i.ID] = i.Redeemed
	}
	m.Policy = append(m.Policy, r.Policy()...)
	return m
}

// drawSet draws a part of the pool, in any order, with repetitions.
func drawSet(t *rapid.T, label string) []Carried {
	all := pool()
	n := rapid.IntRange(0, len(all)).Draw(t, label+" size")
	set := slices.Clone(rapid.Permutation(all).Draw(t, label)[:n])
	for _, c := range all[:6] { // a set that founds nothing says little
		if rapid.IntRange(0, 9).Draw(t, label+" begins") > 0 {
			set = append(set, c)
		}
	}
	return set
}

func TestRosterModel(t *testing.T) {
	seen := modelRoster{map[StatementID]Grant{}, map[PublicKey]StatementID{}, map[StatementID]StatementID{}, nil}
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, "set")
		want, got := model(set), facts(EmptyRoster().With(set...))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("roster (-model +got):\n%s", diff)
		}
		maps.Copy(seen.Operators, got.Operators)
		maps.Copy(seen.Nodes, got.Nodes)
		if len(got.Policy) > len(seen.Policy) {
			seen.Policy = got.Policy
		}
		for id, r := range got.Invites {
			if r != (StatementID{}) {
				seen.Invites[id] = r
			}
		}
	})
	if len(seen.Operators) < 10 || len(seen.Nodes) < 3 || len(seen.Policy) < 5 || len(seen.Invites) < 3 {
		t.Errorf("the pool is poor: %d operators, %d nodes, %d rules, %d redeemed invites ever effective",
			len(seen.Operators), len(seen.Nodes), len(seen.Policy), len(seen.Invites))
	}
}

// sameRoster compares all that two rosters hold.
func sameRoster(t *rapid.T, what string, a, b *Roster) {
	t.Helper()
	if !a.Equal(b) || !b.Equal(a) {
		t.Fatalf("%s: not Equal", what)
	}
	if diff := gocmp.Diff(facts(a), facts(b)); diff != "" {
		t.Fatalf("%s: rosters differ:\n%s", what, diff)
	}
	for _, e := range a.Nodes() {
		x, _ := a.Author(e.Node)
		y, _ := b.Author(e.Node)
		if diff := gocmp.Diff(x, y); diff != "" {
			t.Fatalf("%s: authors differ:\n%s", what, diff)
		}
	}
	if a.Found() != nil && a.Found().ID() != b.Found().ID() {
		t.Fatalf("%s: found by %v and %v", what, a.Found().ID(), b.Found().ID())
	}
}

// TestRosterOrder: any order, any grouping and any split joined by Union give
// the same roster.
func TestRosterOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t, "set")
		want := EmptyRoster().With(set...)

		one := EmptyRoster()
		for rest := rapid.Permutation(set).Draw(t, "order"); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "step")
			one, rest = one.With(rest[:n]...), rest[n:]
		}
		sameRoster(t, "another order", want, one)

		parts := [3]*Roster{EmptyRoster(), EmptyRoster(), EmptyRoster()}
		var split [3][]Carried
		for _, c := range set {
			to := rapid.IntRange(1, 7).Draw(t, "to") // a set of the parts
			for i := range parts {
				if to>>i&1 == 1 {
					split[i] = append(split[i], c)
				}
			}
		}
		for i := range parts {
			parts[i] = parts[i].With(split[i]...)
		}
		a, b, c := parts[0], parts[1], parts[2]
		sameRoster(t, "union", want, Union(Union(a, b), c))
		sameRoster(t, "union, other grouping", want, Union(a, Union(b, c)))
		sameRoster(t, "union, other order", want, Union(Union(c, b), a))
		if u := Union(a, b); Union(u, a) != u || Union(a, u) != u && !a.Equal(u) || u.With(split[1]...) != u {
			t.Fatalf("a union with its part is another roster")
		}
	})
}
