package identity

import "slices"

// A Difference says of which operations the effect may differ between two
// rosters: whether their transactions count, or what their range deletes pass over.
type Difference struct {
	// Authors are the keys of whose operations some may differ by what restricts them.
	Authors []AuthorDifference
	// Policies: of all authors' operations those may differ that are not within
	// each of these, by policy.
	Policies [][]Place
}

// An AuthorDifference says which of an author's operations may differ: those
// that are not within each of Keeps. What keeps nothing is nil, so that all may differ.
type AuthorDifference struct {
	Key   PublicKey
	Keeps [][]Place
}

// Difference compares two rosters, in proportion to the statements in which
// they differ, and to the operators if one of those is no enrolment.
// Authors are ascending by key.
func (r *Roster) Difference(b *Roster) Difference {
	if r == b {
		return Difference{}
	}
	var d Difference
	keys := map[PublicKey]bool{}
	r.set.beyond(b.set, func(e *entry) { r.named(e, keys); b.named(e, keys) })
	b.set.beyond(r.set, func(e *entry) { r.named(e, keys); b.named(e, keys) })
	f, g := r.basis.frame(), b.basis.frame()
	if f != g {
		for id := range f.operators {
			if !sameChain(f.operators[id], g.operators[id]) {
				r.namedBy(id, keys)
				b.namedBy(id, keys)
			}
		}
		for id := range g.operators {
			if f.operators[id] == nil {
				r.namedBy(id, keys)
				b.namedBy(id, keys)
			}
		}
		changed(f.restrict, g.restrict, func(subject StatementID) {
			for _, in := range []*Roster{r, b} {
				if e := in.set.get(subject); e != nil {
					in.named(e, keys)
				}
			}
		})
		d.Policies = policyDifference(f, g)
	}
	for key := range keys {
		if keeps := authorDifference(r.record(key), b.record(key)); keeps != nil {
			d.Authors = append(d.Authors, AuthorDifference{key, keeps})
		}
	}
	slices.SortFunc(d.Authors, func(a, b AuthorDifference) int { return a.Key.Compare(b.Key) })
	return d
}

// named adds the keys that an enrolment or rotation makes authors, and those
// that depend on it.
func (r *Roster) named(e *entry, keys map[PublicKey]bool) {
	id := e.statement.id
	switch c := e.statement.Content.(type) {
	case Enrol:
		keys[c.Node] = true
	case Rotate:
		keys[c.Key] = true
		id = c.Enrolment
	default:
		return
	}
	r.set.under(id[:], func(e *entry) bool {
		if c, ok := e.statement.Content.(Rotate); ok {
			keys[c.Key] = true
		}
		return true
	})
}

// namedBy adds the keys that an operator's enrolments name.
func (r *Roster) namedBy(operator StatementID, keys map[PublicKey]bool) {
	r.set.under(operator[:], func(e *entry) bool {
		if e.statement.Kind() == KindEnrol {
			r.named(e, keys)
		}
		return true
	})
}

func sameChain(a, b *operator) bool {
	return b != nil && slices.EqualFunc(a.chain, b.chain, func(x, y *issued) bool { return x.id() == y.id() })
}

// changed calls f with each subject that two maps restrict differently.
func changed(as, bs map[StatementID][]*issued, f func(StatementID)) {
	same := func(x, y *issued) bool { return x.id() == y.id() }
	for subject, a := range as {
		if !slices.EqualFunc(a, bs[subject], same) {
			f(subject)
		}
	}
	for subject := range bs {
		if as[subject] == nil {
			f(subject)
		}
	}
}

// authorDifference returns what the restrictions keep that only one of two
// records has; what keeps nothing if they are of different authors; nil if
// they say the same.
func authorDifference(a, b *record) (keeps [][]Place) {
	only := func(as, bs []*issued) {
		for _, s := range as {
			if !slices.ContainsFunc(bs, func(t *issued) bool { return s.id() == t.id() }) {
				keeps = append(keeps, s.entry.keep)
			}
		}
	}
	several := a != nil && a.next != nil
	for ; a != nil && b != nil; a, b = a.next, b.next {
		if a.ID != b.ID || a.Index != b.Index || several && !a.by.equal(b.by) {
			return [][]Place{nil}
		}
		only(a.restrictions, b.restrictions)
		only(b.restrictions, a.restrictions)
	}
	if a != nil || b != nil {
		return [][]Place{nil}
	}
	return keeps
}

// policyDifference is the same for the policies that stand and that only a
// policy may supersede, and for those that were superseded otherwise.
func policyDifference(f, g *frame) (keeps [][]Place) {
	type state struct {
		stands bool
		ended  bool
	}
	read := func(f *frame) map[StatementID]state {
		m := map[StatementID]state{}
		for _, p := range f.policies {
			m[p.id()] = state{true, p.ended != nil}
		}
		return m
	}
	before, after := read(f), read(g)
	for _, p := range f.policies {
		if after[p.id()] != before[p.id()] {
			keeps = append(keeps, p.entry.keep)
		}
	}
	for _, p := range g.policies {
		if !before[p.id()].stands {
			keeps = append(keeps, p.entry.keep)
		}
	}
	return keeps
}
