package identity

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
)

// An entry is a statement of a roster, with as much of its carriers as can matter.
type entry struct {
	statement *Statement
	keep      []Place   // what its keep heads name
	carriers  *carriers // the least ones; at least one
}

// A carrier is an operation that carries a statement. What a restriction keeps
// is closed towards the past, so that a carrier with another in its past adds
// nothing; of a redeem, whose author counts, if that is of the same author.
type carrier struct {
	op     [32]byte
	at     Place // nil: after all others
	author PublicKey
	seq    uint64
	index  int
}

// newEntry returns the entry of one carriage, or nil if it can have no effect
// in any roster: its signature is bad, it names no mesh outside a founding op,
// or one inside, what it keeps is not there, or it rotates somebody else's key.
// Of a statement that is in known it takes that copy, which is verified.
func newEntry(c Carried, known *set) *entry {
	s := c.Statement
	if c.Founding != (s.Mesh == nil) || len(c.Keep) != len(s.KeepHeads()) || s.Kind() == KindRotate && c.Author != s.Issuer {
		return nil
	}
	if e := known.get(s.id); e != nil && e.statement.signature == s.signature {
		s = e.statement
	} else if !s.VerifySignature() {
		return nil
	}
	return &entry{statement: s, keep: c.Keep, carriers: newCarriers(carrier{c.Op, c.At, c.Author, c.Seq, c.Index})}
}

// topics appends what the statement is about. Each is narrowed by who issued
// it, where only some issuers count, so that others cannot crowd it.
func (e *entry) topics(t []topic) []topic {
	s := e.statement
	t = append(t, newTopic(s.id, 0))
	switch c := s.Content.(type) {
	case Found:
		return append(t, newTopic([32]byte{}, 0))
	case Enrol:
		return append(t, slotTopic(*s.As, c.Slot, s.Issuer), newTopic(c.Node, narrowAuthor))
	case Rotate:
		return append(t, newTopic(c.Enrolment, c.Index), newTopic(c.Key, narrowAuthor))
	case Redeem:
		return append(t, issuerTopic(c.Invite, s.Issuer))
	case Endorse:
		return append(t, issuerTopic(c.Statement, s.Issuer))
	}
	if s.As == nil {
		return append(t, newTopic(s.Issuer, narrowVotes))
	}
	return append(t, issuerTopic(*s.As, s.Issuer))
}

// issuerTopic is that of what an issuer said about a statement, or as an operator.
func issuerTopic(about StatementID, issuer PublicKey) topic {
	return newTopic(about, binary.BigEndian.Uint64(issuer[:8])|1<<63)
}

// slotTopic is that of an issuer's enrolments in a slot of an operator.
func slotTopic(operator StatementID, slot uint64, issuer PublicKey) topic {
	var place [40]byte
	binary.BigEndian.PutUint64(place[:8], slot)
	copy(place[8:], issuer[:])
	h := sha256.Sum256(place[:])
	return newTopic(operator, binary.BigEndian.Uint64(h[:8])&^(1<<63))
}

func (c *carrier) compare(d *carrier) int {
	known := func(at Place) int {
		if at == nil {
			return 1
		}
		return 0
	}
	return cmp.Or(bytes.Compare(c.op[:], d.op[:]), cmp.Compare(known(c.at), known(d.at)),
		c.author.Compare(d.author), cmp.Compare(c.seq, d.seq), cmp.Compare(c.index, d.index))
}

// covers reports whether d adds nothing to c, as carriers of one statement.
func (c *carrier) covers(d *carrier, redeem bool) bool {
	switch {
	case redeem && c.author != d.author:
		return false
	case c.at == nil && d.at == nil:
		return cmp.Or(cmp.Compare(c.seq, d.seq), c.compare(d)) <= 0
	case c.at == nil || d.at == nil:
		return d.at == nil
	case c.op == d.op:
		return c.index <= d.index
	}
	return c.at.InPastOf(d.at)
}

// joinEntries joins two entries of one statement, and reports whether the
// result is no more than a, and than b.
func joinEntries(a, b *entry) (joined *entry, isA, isB bool) {
	if a == b {
		return a, true, true
	}
	all, isA, isB := joinCarriers(a.carriers, b.carriers, a.statement.Kind() == KindRedeem)
	switch {
	case isA:
		return a, isA, isB
	case isB:
		return b, isA, isB
	}
	return &entry{statement: a.statement, keep: a.keep, carriers: all}, false, false
}

// equal reports whether two entries are of the same statement and carriers.
func (e *entry) equal(b *entry) bool {
	if e == b {
		return true
	}
	same := e.statement.id == b.statement.id
	differs := func(*carrier) { same = false }
	e.carriers.beyond(b.carriers, differs)
	b.carriers.beyond(e.carriers, differs)
	return same
}

// in reports whether the statement is one of the mesh with that founding op.
func (e *entry) in(founding [32]byte) bool {
	if mesh := e.statement.Mesh; mesh != nil {
		return *mesh == founding
	}
	return len(e.carriers.of(&founding)) > 0
}

// within reports whether a carrier that counts is within what is kept. Those
// of a redeem count that are its invite's host's.
func (e *entry) within(keep []Place, host *PublicKey) bool {
	return e.carriers.any(func(c *carrier) bool {
		return (host == nil || c.author == *host) && within(keep, c.at)
	})
}

// before reports whether the past of an operation carries the statement; that
// of the founding op has what it carries itself.
func (e *entry) before(at Place) bool {
	return e.carriers.any(func(c *carrier) bool {
		return c.at != nil && (c.at.InPastOf(at) || c.at == at && e.statement.Mesh == nil)
	})
}

// within reports whether an operation is one of those to keep or in the past of one.
func within(keep []Place, at Place) bool {
	if at == nil {
		return false
	}
	for _, head := range keep {
		if head == at || at.InPastOf(head) {
			return true
		}
	}
	return false
}
