package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// TestNamesByID: nobody can take the name of somebody else's ID, and the
// beginning of two IDs names neither.
func TestNamesByID(t *testing.T) {
	id := func(b ...byte) (id identity.StatementID) { copy(id[:], b); return id }
	digits := func(id identity.StatementID) string { return hex.EncodeToString(id[:]) }
	victim, liar := id(1, 2, 3, 4, 5), id(9)
	first, second := id(7, 7, 7, 7, 1), id(7, 7, 7, 7, 2)
	s := site{roster: admin.Roster{
		Operators: []admin.Operator{
			{ID: victim, Name: "site"},
			{ID: liar, Name: victim.String()}, {ID: id(10), Name: digits(victim)}, {ID: id(11), Name: "07070707"},
		},
		Restrictions: []admin.Restriction{{ID: first}},
		Policies:     []admin.Policy{{ID: second}},
		Invitations:  []admin.Invitation{{ID: first}, {ID: second}},
	}}
	for _, text := range []string{victim.String(), digits(victim)} {
		if o, err := s.operator(text); err != nil || o.ID != victim {
			t.Errorf("operator %s is %v, %v", text, o, err)
		}
	}
	for _, short := range []string{"07070707", "stmt:07070707"} {
		if got, err := s.restriction(short); err == nil || !strings.Contains(err.Error(), "several") {
			t.Errorf("restriction %s is %s, %v; want an error that there are several", short, got, err)
		}
		if got, err := s.invitation(short); err == nil || !strings.Contains(err.Error(), "several") {
			t.Errorf("invite %s is %v, %v; want an error that there are several", short, got, err)
		}
	}
	if got, err := s.revocationsOf("07070707"); err == nil {
		t.Errorf("07070707 names two restrictions and an operator, and ends %v", got)
	}
	if got, err := s.restriction(second.String()); err != nil || got != second {
		t.Errorf("restriction %s is %s, %v", second, got, err)
	}
}
