package identity

import "sync/atomic"

// A Place is where an operation stands in causality. Two places are of one
// operation if they are equal (==).
type Place interface {
	// InPastOf reports whether the operation is strictly in the past of p's.
	InPastOf(p Place) bool
}

// Carried is a statement together with the operation that carries it.
type Carried struct {
	Statement *Statement // from DecodeStatement; its signature need not be known good
	Op        [32]byte   // the ID of the operation
	At        Place      // the operation; nil if it is after all others, or not known yet
	Author    PublicKey  // the operation's author
	Seq       uint64     // the operation's seq
	Index     int        // the statement's position in the operation, from 0
	Founding  bool       // whether the operation is the founding op

	// Keep are the operations that the statement's [Statement.KeepHeads] name,
	// in their order. All are in the past of the operation: else it does not
	// carry the statement, and the caller leaves it out. A Carried that lacks
	// them has no effect.
	Keep []Place
}

// A Roster says who may write what, by a set of carried statements
// (docs/roster.md). It is a pure function of that set and of causality: neither
// the order in which statements were added nor how often matters. Statements
// that are signed badly, name another mesh, or lack authority have no effect,
// but may gain it when others are added.
//
// A Roster is immutable and safe for concurrent use. Slices it returns are
// shared: do not modify them. Get the first with [EmptyRoster].
//
// Meshes have many rosters, one for each set of statements that some operation
// has in its past, so rosters share what they can: the statements, and what
// follows from those that make operators, restrict or set policy (a frame).
// What is derived is computed when first asked for, and of rosters that were
// not asked lately it is dropped.
type Roster struct {
	set     *set
	basis   *basis
	authors atomic.Pointer[authorTable]
}

var emptyRoster = &Roster{basis: &basis{}}

// EmptyRoster returns the roster of no statements; always the same one.
func EmptyRoster() *Roster { return emptyRoster }

// With returns the roster of r's statements and the given ones. If they add
// nothing it returns r itself. It verifies the signature of each statement that
// was not verified before.
func (r *Roster) With(carried ...Carried) *Roster {
	s := r.set
	for _, c := range carried {
		if e := newEntry(c, s); e != nil {
			s = s.put(e)
		}
	}
	return r.grown(s, nil)
}

// Union returns the roster of both sets of statements: a itself if it has all
// of b's, else b itself if that has all of a's, else a new one. It takes time
// in proportion to where the sets differ.
func Union(a, b *Roster) *Roster { return a.grown(a.set.join(b.set), b) }

// grown returns the roster of s, which holds all that r does and, if that is
// not nil, all that b does.
func (r *Roster) grown(s *set, b *Roster) *Roster {
	switch {
	case s == r.set:
		return r
	case b != nil && s == b.set:
		return b
	}
	grown := &Roster{set: s}
	switch {
	case r.basis.frame().same(s, r.set):
		grown.basis = r.basis
	case b != nil && b.basis != r.basis && b.basis.frame().same(s, b.set):
		grown.basis = b.basis
	default:
		recent := r.basis.recent
		if recent == nil {
			recent = newRecent()
		}
		grown.basis = &basis{set: s, recent: recent}
	}
	return grown
}

// Equal reports whether two rosters are of the same set of statements, as far
// as their carriers matter. Equal rosters answer every question alike.
func (r *Roster) Equal(b *Roster) bool {
	if r.set == b.set {
		return true
	}
	joined, isR, isB := joinSets(r.set, b.set)
	return joined != nil && isR && isB
}

// Mesh returns the founding op, or false if no statement founds a mesh.
func (r *Roster) Mesh() (founding [32]byte, ok bool) {
	f := r.basis.frame()
	return f.founding, f.found != nil
}

// Found returns the statement that founds the mesh, or nil.
func (r *Roster) Found() *Statement { return r.basis.frame().found }

// Version returns of which version an operation with the roster's statements
// in its past must be: the greatest that the root asks for, and [FirstVersion] at the least.
func (r *Roster) Version() uint64 { return r.basis.frame().version }

// Len returns how many statements the roster holds, effective or not.
func (r *Roster) Len() int { return r.set.len() }

// Statement returns a carried statement by its ID, effective or not, or nil.
func (r *Roster) Statement(id StatementID) *Statement {
	if e := r.set.get(id); e != nil {
		return e.statement
	}
	return nil
}

// Stands reports whether a carried statement stands: docs/roster.md, section 3.
// Whether a restriction that stands is also in force: [Roster.Restrictions].
func (r *Roster) Stands(id StatementID) bool {
	t, e := r.table(), r.set.get(id)
	f := t.frame
	if e == nil || f.found == nil || !e.in(f.founding) {
		return false
	}
	switch c := e.statement.Content.(type) {
	case Rotate:
		enrolment := r.set.get(c.Enrolment)
		return enrolment != nil && r.rotates(t, enrolment, id)
	case Redeem:
		_, ok := f.operators[id]
		return ok
	}
	_, ok := f.stands(e)
	return ok
}

// Next returns seq and prev for the issuer's next statement: those that follow
// its carried statement of the greatest seq (and, if its chain forks there, the
// least ID). It looks at every statement.
func (r *Roster) Next(issuer PublicKey) (seq uint64, prev *StatementID) {
	seq = 1
	founding := r.basis.frame().founding
	r.set.statements(func(e *entry) bool {
		s := e.statement
		if s.Issuer != issuer || !e.in(founding) {
			return true
		}
		if s.Seq >= seq || s.Seq == seq-1 && s.id.Compare(*prev) < 0 {
			id := s.id
			seq, prev = s.Seq+1, &id
		}
		return true
	})
	return seq, prev
}
