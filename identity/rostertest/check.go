package rostertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/causeway-sync/causeway/identity"
)

// Check compares all that a roster says with the model of those carried
// statements, as to each author at each place (nil is after everything) and
// each key. It returns the first difference.
func Check(r *identity.Roster, carried []identity.Carried, places []identity.Place, keys [][]byte) error {
	m := New(carried)
	for _, s := range m.order {
		if got, want := r.Stands(s.ID()), m.Stands(s.ID()); got != want {
			return fmt.Errorf("%v %v stands: %v, want %v", s.Kind(), s.ID(), got, want)
		}
	}
	for _, v := range r.Restrictions() {
		if got, want := v.InForce, m.InForce(v.Statement.ID()) && m.subjectStands(v.Statement); got != want {
			return fmt.Errorf("%v %v is in force: %v, want %v", v.Statement.Kind(), v.Statement.ID(), got, want)
		}
	}
	if got, want := r.Version(), m.Version(); got != want {
		return fmt.Errorf("version is %d, want %d", got, want)
	}
	authors := m.Keys()
	var listed []identity.PublicKey
	for _, a := range r.Nodes() {
		listed = append(listed, a.Key)
	}
	slices.SortFunc(listed, identity.PublicKey.Compare)
	if !slices.Equal(listed, authors) {
		return fmt.Errorf("authors are %v, want %v", listed, authors)
	}
	for _, key := range authors {
		if err := m.checkAuthor(r, key); err != nil {
			return err
		}
	}
	authors = append(authors, identity.PublicKey{1})
	for _, at := range places {
		for _, key := range keys {
			if err := m.checkRule(r, authors[0], at, key); err != nil {
				return err
			}
			for _, author := range authors {
				if err := m.checkWrite(r, author, at, key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *Model) checkAuthor(r *identity.Roster, key identity.PublicKey) error {
	want, _ := m.Author(key)
	a, ok := r.Author(key)
	if !ok {
		return fmt.Errorf("%v is not enrolled", key)
	}
	got := Author{Enrolment: a.ID, Operator: a.Operator, Slot: a.Slot, Index: a.Index}
	if a.Rotation != nil {
		got.Rotation = *a.Rotation
	}
	if got != want {
		return fmt.Errorf("author %v is %+v, want %+v", key, got, want)
	}
	if got, want := r.Siblings(key), m.Siblings(key); !slices.Equal(got, want) {
		return fmt.Errorf("siblings of %v are %v, want %v", key, got, want)
	}
	bytes, writes := r.Standing(key).Quota()
	if b, w := m.Quota(key); b != bytes || w != writes {
		return fmt.Errorf("quota of %v is %d, %d, want %d, %d", key, bytes, writes, b, w)
	}
	if _, _, err := m.restrictions(key, nil); (a.Revoked != nil) != errors.Is(err, identity.ErrRevoked) {
		return fmt.Errorf("author %v is revoked by %v, want %v", key, a.Revoked, err)
	}
	return nil
}

func (m *Model) checkRule(r *identity.Roster, author identity.PublicKey, at identity.Place, key []byte) error {
	got, gotOK := r.StandingAt(author, at).Rule(key)
	want, wantOK := m.Rule(at, key)
	if gotOK != wantOK || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("at %v: rule of %q is %v, %+v, want %v, %+v", at, key, gotOK, got, wantOK, want)
	}
	return nil
}

func (m *Model) checkWrite(r *identity.Roster, author identity.PublicKey, at identity.Place, key []byte) error {
	s := r.StandingAt(author, at)
	if got, want := s.MayWrite(key), m.MayWrite(author, at, key); !errors.Is(got, want) {
		return fmt.Errorf("at %v: %v may write %q: %v, want %v", at, author, key, got, want)
	}
	end := append(slices.Clone(key), 0xff)
	if got, want := s.MayWriteRange(key, end), m.MayWriteRange(author, at, key, end); !errors.Is(got, want) {
		return fmt.Errorf("at %v: %v may write the range of %q: %v, want %v", at, author, key, got, want)
	}
	return nil
}
