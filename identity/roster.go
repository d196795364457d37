package identity

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

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
	// carry the statement, and the caller leaves it out.
	Keep []Place
}

// A Roster says who may write what, by a set of carried statements. It is a
// pure function of that set: neither the order in which statements were added
// nor how often matters. Statements that are signed badly, name another mesh,
// or lack authority have no effect, but may gain it when others are added.
//
// A Roster is immutable and safe for concurrent use. Slices it returns are
// shared: do not modify them. Get the first with [EmptyRoster].
//
// Meshes have many rosters, one for each set of statements that some operation
// has in its past, so a roster holds pointers to what it shares with others.
type Roster struct {
	entries []*entry // the set, strictly ascending by entry.compare

	// What follows is derived from entries alone, by derive.
	founding  [32]byte // the founding op
	found     *Statement
	operators []*Operator // by ID
	authors   []*Author   // by node key
	invites   []invited   // by ID
	rules     []PolicyRule
}

// An entry is a statement with as much of its carrier as can matter: whether
// that is the founding op and, for a redeem, who carried it and where first.
// Two carriers that differ in nothing else are one entry.
type entry struct {
	statement *Statement
	founding  [32]byte  // the founding op that carries it; zero if another does
	author    PublicKey // of the carrier, for a redeem; else zero
	seq       uint64    // of the author's first carrier, for a redeem; else zero
	index     int       // as seq
}

// compare orders entries by all but seq and index.
func (e *entry) compare(b *entry) int {
	if e == b {
		return 0
	}
	if c := e.statement.id.Compare(b.statement.id); c != 0 {
		return c
	}
	if c := bytes.Compare(e.founding[:], b.founding[:]); c != 0 {
		return c
	}
	return e.author.Compare(b.author)
}

// before orders the places where an author carried a redeem.
func (e *entry) before(b *entry) bool {
	return e.seq < b.seq || e.seq == b.seq && e.index < b.index
}

// newEntry returns the carried statement's entry, or false if it can have no
// effect in any roster: its signature is bad, or it names no mesh outside a
// founding op, or one inside.
func newEntry(c Carried) (*entry, bool) {
	s := c.Statement
	if c.Founding != (s.Mesh == nil) || !s.VerifySignature() {
		return nil, false
	}
	e := &entry{statement: s}
	if c.Founding {
		e.founding = c.Op
	}
	if s.Kind() == KindRedeem {
		e.author, e.seq, e.index = c.Author, c.Seq, c.Index
	}
	return e, true
}

var emptyRoster = &Roster{}

// EmptyRoster returns the roster of no statements; always the same one.
func EmptyRoster() *Roster { return emptyRoster }

// With returns the roster of r's statements and the given ones. If they add
// nothing it returns r itself. It verifies the signature of each statement that
// was not verified before.
func (r *Roster) With(carried ...Carried) *Roster {
	var added []*entry
	for _, c := range carried {
		if e, ok := newEntry(c); ok {
			added = append(added, e)
		}
	}
	slices.SortFunc(added, func(a, b *entry) int {
		return cmp.Or(a.compare(b), cmp.Compare(a.seq, b.seq), cmp.Compare(a.index, b.index))
	})
	added = slices.CompactFunc(added, func(a, b *entry) bool { return a.compare(b) == 0 })
	if includes(r.entries, added) {
		return r
	}
	return derive(join(r.entries, added))
}

// Union returns the roster of both sets of statements: a itself if it has all
// of b's, else b itself if that has all of a's, else a new one. It takes time
// linear in the two sets, none if a and b are the same pointer.
func Union(a, b *Roster) *Roster {
	switch {
	case a == b || includes(a.entries, b.entries):
		return a
	case includes(b.entries, a.entries):
		return b
	}
	return derive(join(a.entries, b.entries))
}

// includes reports whether joining bs to as would change nothing.
func includes(as, bs []*entry) bool {
	for _, b := range bs {
		for len(as) > 0 && as[0].compare(b) < 0 {
			as = as[1:]
		}
		if len(as) == 0 || as[0].compare(b) != 0 || b.before(as[0]) {
			return false
		}
		as = as[1:]
	}
	return true
}

// join merges two sorted sets. Of a redeem that one author carried twice the
// first place stays.
func join(as, bs []*entry) []*entry {
	joined := make([]*entry, 0, len(as)+len(bs))
	for len(as) > 0 && len(bs) > 0 {
		switch c := as[0].compare(bs[0]); {
		case c < 0:
			joined, as = append(joined, as[0]), as[1:]
		case c > 0:
			joined, bs = append(joined, bs[0]), bs[1:]
		default:
			first := as[0]
			if bs[0].before(first) {
				first = bs[0]
			}
			joined, as, bs = append(joined, first), as[1:], bs[1:]
		}
	}
	return slices.Clip(append(append(joined, as...), bs...))
}

// Equal reports whether two rosters are of the same set of statements, as far
// as their carriers matter. Equal rosters answer every question alike.
func (r *Roster) Equal(b *Roster) bool {
	return r == b || slices.EqualFunc(r.entries, b.entries, func(x, y *entry) bool {
		return x.compare(y) == 0 && !x.before(y) && !y.before(x)
	})
}

// Mesh returns the founding op, or false if no statement founds a mesh.
func (r *Roster) Mesh() (founding [32]byte, ok bool) { return r.founding, r.found != nil }

// Found returns the statement that founds the mesh, or nil.
func (r *Roster) Found() *Statement { return r.found }

// Author returns what a node may do, or false if it is not enrolled. The
// result is shared: read only.
func (r *Roster) Author(node PublicKey) (*Author, bool) {
	i, ok := slices.BinarySearchFunc(r.authors, node, compareNode)
	if !ok {
		return nil, false
	}
	return r.authors[i], true
}

func compareNode(a *Author, node PublicKey) int { return a.Node.Compare(node) }

func notEnrolled(node PublicKey) error { return fmt.Errorf("%w: %v", ErrNotEnrolled, node) }

func outside(key []byte) error { return fmt.Errorf("%w: key %s", ErrOutsideGrant, quoteKey(key)) }

func outsideRange(key, end []byte) error {
	return fmt.Errorf("%w: range %s to %s", ErrOutsideGrant, quoteKey(key), quoteKey(end))
}

// quoteKey quotes a key for an error, cut to a length that suits a log line.
// It copies, so that the caller's key need not live on the heap.
func quoteKey(key []byte) string {
	const most = 256
	if len(key) > most {
		return fmt.Sprintf("%q… (%d bytes)", string(key[:most]), len(key))
	}
	return fmt.Sprintf("%q", string(key))
}
