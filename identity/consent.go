package identity

import "github.com/causeway-sync/causeway/identity/dagcbor"

// SignConsent signs a node's consent to be enrolled in an operator's slot
// (docs/op.md, section 6). Where names what it is enrolled in: the mesh, or,
// for an enrolment in the founding op, the statement that founds.
func SignConsent(where [32]byte, operator StatementID, slot uint64, node *PrivateKey) Signature {
	return node.Sign(DomainConsent, consentPayload(where, operator, slot, node.Public()))
}

// VerifyConsent reports whether sig is the node's consent.
func VerifyConsent(where [32]byte, operator StatementID, slot uint64, node PublicKey, sig Signature) bool {
	return Verify(node, DomainConsent, consentPayload(where, operator, slot, node), sig)
}

// SignRotationConsent signs a new key's consent to succeed in an enrolment (docs/op.md, section 6).
func SignRotationConsent(mesh [32]byte, enrolment StatementID, index uint64, key *PrivateKey) Signature {
	return SignConsent(mesh, enrolment, index, key)
}

// VerifyRotationConsent reports whether sig is the new key's consent.
func VerifyRotationConsent(mesh [32]byte, enrolment StatementID, index uint64, key PublicKey, sig Signature) bool {
	return VerifyConsent(mesh, enrolment, index, key, sig)
}

func consentPayload(where [32]byte, operator StatementID, slot uint64, node PublicKey) []byte {
	b := dagcbor.AppendArray(nil, 4)
	b = dagcbor.AppendBytes(b, where[:])
	b = dagcbor.AppendBytes(b, operator[:])
	b = dagcbor.AppendUint(b, slot)
	return dagcbor.AppendBytes(b, node[:])
}

// A consentVerdict remembers whether a statement's consent is good, and for
// which place: in the founding op that depends on what founds.
type consentVerdict struct {
	where [32]byte
	good  bool
}

// consented reports whether an enrol or rotate bears the new key's consent, given the
// statement that founds the mesh. It remembers the answer.
func (s *Statement) consented(found StatementID) bool {
	where := [32]byte(found)
	if s.Mesh != nil {
		where = *s.Mesh
	}
	if v := s.consent.Load(); v != nil && v.where == where {
		return v.good
	}
	v := &consentVerdict{where: where}
	switch c := s.Content.(type) {
	case Enrol:
		v.good = VerifyConsent(where, *s.As, c.Slot, c.Node, c.Consent)
	case Rotate:
		v.good = VerifyRotationConsent(where, c.Enrolment, c.Index, c.Key, c.Consent)
	}
	s.consent.Store(v)
	return v.good
}
