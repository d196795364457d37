package identity_test

import (
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/identity"
)

// A founder founds a mesh, admits an operator to the keys below /registry/ and
// the operator enrols a node: the statements of a founding op.
func Example() {
	founder := identity.NewKeyFromSeed([32]byte{1})
	operator := identity.NewKeyFromSeed([32]byte{2})
	node := identity.NewKeyFromSeed([32]byte{3})
	sign := func(s identity.Statement, by *identity.PrivateKey) *identity.Statement {
		s.Issuer = by.Public()
		signed, err := identity.SignStatement(s, by)
		if err != nil {
			panic(err)
		}
		return signed
	}

	found := sign(identity.Statement{Seq: 1, Content: identity.Found{
		Threshold: 1, Founders: []identity.PublicKey{founder.Public()},
	}}, founder)
	foundID := found.ID()
	admit := sign(identity.Statement{Seq: 2, Prev: &foundID, Content: identity.Admit{
		Name: "site", Keys: []identity.PublicKey{operator.Public()},
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"/registry/**"}, Nodes: 1},
	}}, founder)
	operatorID := admit.ID()
	enrol := sign(identity.Statement{Seq: 1, As: &operatorID, Content: identity.Enrol{
		Slot: 0, Node: node.Public(),
		Consent: identity.SignConsent(found.ID(), admit.ID(), 0, node),
	}}, operator)

	var carried []identity.Carried
	for i, s := range []*identity.Statement{found, admit, enrol} {
		carried = append(carried, identity.Carried{Statement: s, Author: node.Public(), Seq: 1, Index: i, Founding: true})
	}
	roster := identity.EmptyRoster().With(carried...)
	standing := roster.Standing(node.Public())
	fmt.Println(standing.MayWrite([]byte("/registry/pods/web")))
	err := standing.MayWrite([]byte("/elsewhere"))
	fmt.Println(err, errors.Is(err, identity.ErrOutsideGrant))
	// Output:
	// <nil>
	// identity: outside the operator's grant: key "/elsewhere" true
}
