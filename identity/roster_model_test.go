package identity_test

import (
	"flag"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/rostertest"
)

var (
	rosterSeed  = flag.Uint64("roster.seed", 0, "run the roster's model tests with this seed only")
	rosterSeeds = flag.Uint64("roster.seeds", 500, "how many seeds the roster's model tests run")
)

// TestRosterModel checks rosters of random histories. A failure names the
// seed, which -roster.seed replays.
func TestRosterModel(t *testing.T) {
	first, last := uint64(1), *rosterSeeds
	if *rosterSeed != 0 {
		first, last = *rosterSeed, *rosterSeed
	}
	seen := map[string]int{}
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 25)
		for _, check := range []func(*world, map[string]int) error{checkModel, checkOrder, checkDifference} {
			if err := check(w, seen); err != nil {
				t.Fatalf("-roster.seed=%d: %v", seed, err)
			}
		}
	}
	t.Log(seen)
	for _, what := range []string{"restricted", "void", "superseded", "revoked", "rotated", "siblings", "quota", "redeemed", "deep",
		"voted down", "may differ", "may not differ"} {
		if last-first >= 400 && seen[what] < 50 {
			t.Errorf("the worlds are poor: %s %d times", what, seen[what])
		}
	}
}

// checkModel: the roster of a history, of a part that is closed towards the
// past, and of an arbitrary part, says what the model says.
func checkModel(w *world, seen map[string]int) error {
	for part := range 3 {
		set := w.carried
		switch part {
		case 1:
			set = w.before(pick(w, w.ops))
		case 2:
			set = slices.DeleteFunc(slices.Clone(set), func(identity.Carried) bool { return w.rng.IntN(5) == 0 })
		}
		places := []identity.Place{nil, pick(w, w.ops), pick(w, w.ops), pick(w, w.ops)}
		r := identity.EmptyRoster().With(set...)
		if err := rostertest.Check(r, set, places, worldKeys); err != nil {
			return fmt.Errorf("part %d: %w", part, err)
		}
		if r.Found() != nil {
			tally(seen, r, set)
		}
	}
	return nil
}

// before returns what is carried by an op and its past.
func (w *world) before(o *op) (set []identity.Carried) {
	for _, c := range w.carried {
		if at := c.At.(*op); at == o || o.past[at] {
			set = append(set, c)
		}
	}
	return set
}

// tally counts what the generator reached.
func tally(seen map[string]int, r *identity.Roster, set []identity.Carried) {
	for _, c := range set {
		if s := c.Statement; !r.Stands(s.ID()) && s.As != nil {
			seen["void"]++
		} else if !r.Stands(s.ID()) && slices.Contains(r.Found().Content.(identity.Found).Founders, s.Issuer) {
			seen["voted down"]++
		}
	}
	for _, v := range r.Restrictions() {
		if v.InForce {
			seen["restricted"]++
		}
		if v.SupersededBy != nil {
			seen["superseded"]++
		}
	}
	for _, a := range r.Nodes() {
		if a.Revoked != nil {
			seen["revoked"]++
		}
		if a.Rotation != nil {
			seen["rotated"]++
		}
		if len(r.Siblings(a.Key)) > 0 {
			seen["siblings"]++
		}
		if b, w := r.Standing(a.Key).Quota(); b+w > 0 {
			seen["quota"]++
		}
	}
	for _, i := range r.Invitations() {
		if i.Redeemed != (identity.StatementID{}) {
			seen["redeemed"]++
		}
	}
	for _, o := range r.Operators() {
		if o.Rank > 2 {
			seen["deep"]++
		}
	}
}

// same reports in what two rosters of one set differ.
func same(a, b *identity.Roster, places []identity.Place) error {
	if !a.Equal(b) || !b.Equal(a) {
		return fmt.Errorf("not Equal")
	}
	for _, v := range []struct {
		what string
		a, b any
	}{
		{"nodes", a.Nodes(), b.Nodes()},
		{"operators", a.Operators(), b.Operators()},
		{"restrictions", a.Restrictions(), b.Restrictions()},
		{"policies", a.Policies(), b.Policies()},
		{"invitations", a.Invitations(), b.Invitations()},
		{"policy", a.Policy(), b.Policy()},
		{"size", a.Len(), b.Len()},
		{"found", a.Found(), b.Found()},
		{"version", a.Version(), b.Version()},
	} {
		if !reflect.DeepEqual(v.a, v.b) {
			return fmt.Errorf("%s differ:\n%+v\n%+v", v.what, v.a, v.b)
		}
	}
	for _, author := range a.Nodes() {
		if !slices.Equal(a.Siblings(author.Key), b.Siblings(author.Key)) {
			return fmt.Errorf("siblings of %v differ: %v and %v", author.Key, a.Siblings(author.Key), b.Siblings(author.Key))
		}
		for _, at := range places {
			s, t := a.StandingAt(author.Key, at), b.StandingAt(author.Key, at)
			for _, key := range worldKeys {
				if fmt.Sprint(s.MayWrite(key)) != fmt.Sprint(t.MayWrite(key)) {
					return fmt.Errorf("at %v: %v may write %q: %v and %v", at, author.Key, key, s.MayWrite(key), t.MayWrite(key))
				}
			}
		}
	}
	return nil
}

// checkOrder: a roster depends on its set alone. It is grown op by op along
// the history as a graph does, each asked so that frames are derived and shared;
// one by one in any order; and by unions in any grouping.
func checkOrder(w *world, _ map[string]int) error {
	places := []identity.Place{nil, pick(w, w.ops), pick(w, w.ops)}
	want := identity.EmptyRoster().With(w.carried...)

	all, each := identity.EmptyRoster(), map[*op]*identity.Roster{}
	for _, o := range w.ops {
		r := identity.EmptyRoster()
		for p := range o.past {
			r = identity.Union(r, each[p])
		}
		for _, c := range w.carried {
			if c.At == identity.Place(o) {
				r = r.With(c)
			}
		}
		r.Standing(pub(o.author))
		each[o] = r
		all = identity.Union(all, r)
		all.Standing(pub(o.author))
	}
	if err := same(want, all, places); err != nil {
		return fmt.Errorf("along the history: %w", err)
	}
	for range 3 {
		o := pick(w, w.ops)
		if err := same(identity.EmptyRoster().With(w.before(o)...), each[o], places); err != nil {
			return fmt.Errorf("up to %v: %w", o, err)
		}
	}

	shuffled := slices.Clone(w.carried)
	w.rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	one := identity.EmptyRoster()
	for _, c := range shuffled {
		one = one.With(c)
		one.Standing(pub("n1"))
	}
	if err := same(want, one, places); err != nil {
		return fmt.Errorf("one by one: %w", err)
	}
	var split [3][]identity.Carried
	for _, c := range shuffled {
		to := 1 + w.rng.IntN(7) // a set of the parts
		for i := range split {
			if to>>i&1 == 1 {
				split[i] = append(split[i], c)
			}
		}
	}
	var parts [3]*identity.Roster
	for i := range parts {
		parts[i] = identity.EmptyRoster().With(split[i]...)
		parts[i].Standing(pub("n1"))
	}
	a, b, c := parts[0], parts[1], parts[2]
	for name, u := range map[string]*identity.Roster{
		"(ab)c": identity.Union(identity.Union(a, b), c),
		"a(bc)": identity.Union(a, identity.Union(b, c)),
		"(cb)a": identity.Union(identity.Union(c, b), a),
	} {
		if err := same(want, u, places); err != nil {
			return fmt.Errorf("union %s: %w", name, err)
		}
		if identity.Union(u, a) != u || identity.Union(b, u) != u && !b.Equal(u) || u.With(split[2]...) != u {
			return fmt.Errorf("union %s with a part is another roster", name)
		}
	}
	return nil
}

// checkDifference: an operation of which no difference is reported is
// judged alike by both rosters.
func checkDifference(w *world, seen map[string]int) error {
	before := identity.EmptyRoster().With(w.before(pick(w, w.ops))...)
	after := identity.Union(before, identity.EmptyRoster().With(w.before(pick(w, w.ops))...))
	d := before.Difference(after)
	outside := func(keeps [][]identity.Place, o *op) bool {
		return slices.ContainsFunc(keeps, func(keep []identity.Place) bool { return !rostertest.Within(keep, o) })
	}
	for _, name := range worldNodes {
		for _, o := range w.ops[w.rng.IntN(8):] {
			differs := outside(d.Policies, o)
			for _, a := range d.Authors {
				differs = differs || a.Key == pub(name) && outside(a.Keeps, o)
			}
			if differs {
				seen["may differ"]++
				continue
			}
			seen["may not differ"]++
			x, y := before.StandingAt(pub(name), o), after.StandingAt(pub(name), o)
			for _, key := range worldKeys[:2] {
				if fmt.Sprint(x.MayWrite(key)) != fmt.Sprint(y.MayWrite(key)) {
					return fmt.Errorf("%v by %s, %q: %v before, %v after, and no difference is reported", o, name, key, x.MayWrite(key), y.MayWrite(key))
				}
			}
		}
	}
	return nil
}
