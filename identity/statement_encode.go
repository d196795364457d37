package identity

import "github.com/causeway-sync/causeway/identity/dagcbor"

// statementVersion is the first element of a statement's payload.
const statementVersion = 0

// draftPayload encodes what is to be signed. It refuses what the decoder would
// refuse, except malformed patterns and keys, which the decoder finds when the
// signed statement is assembled.
func (s *Statement) draftPayload() ([]byte, error) {
	if s.Content == nil {
		return nil, ErrStatementKind
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	b := dagcbor.AppendArray(nil, 8)
	b = dagcbor.AppendUint(b, statementVersion)
	if s.Mesh == nil {
		b = dagcbor.AppendNull(b)
	} else {
		b = dagcbor.AppendLink(b, *s.Mesh)
	}
	b = dagcbor.AppendBytes(b, s.Issuer[:])
	b = dagcbor.AppendUint(b, s.Seq)
	if s.Prev == nil {
		b = dagcbor.AppendNull(b)
	} else {
		b = dagcbor.AppendBytes(b, s.Prev[:])
	}
	b = dagcbor.AppendArray(b, len(s.Supersedes))
	for _, id := range s.Supersedes {
		b = dagcbor.AppendBytes(b, id[:])
	}
	b = dagcbor.AppendUint(b, uint64(s.Kind()))
	return s.Content.append(b), nil
}

func (c Found) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendBytes(b, c.Nonce[:])
	b = dagcbor.AppendUint(b, c.Threshold)
	return appendKeys(b, c.Founders)
}

func (c Admit) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendText(b, c.Name)
	b = appendKeys(b, c.Keys)
	return c.Grant.append(b)
}

func (g Grant) append(b []byte) []byte {
	b = dagcbor.AppendUint(b, uint64(g.Role))
	b = dagcbor.AppendArray(b, len(g.Patterns))
	for _, p := range g.Patterns {
		b = dagcbor.AppendBytes(b, []byte(p))
	}
	return dagcbor.AppendUint(b, g.Nodes)
}

func (c Enrol) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendBytes(b, c.Operator[:])
	b = dagcbor.AppendUint(b, c.Slot)
	b = dagcbor.AppendBytes(b, c.Node[:])
	b = dagcbor.AppendUint(b, c.Rotations)
	return dagcbor.AppendBytes(b, c.Consent[:])
}

func (c Policy) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 1)
	b = dagcbor.AppendArray(b, len(c.Rules))
	for _, r := range c.Rules {
		b = dagcbor.AppendArray(b, 3)
		b = dagcbor.AppendBytes(b, []byte(r.Pattern))
		b = dagcbor.AppendUint(b, r.Priority)
		b = dagcbor.AppendUint(b, uint64(r.Mode))
	}
	return b
}

func (c Invite) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 6)
	b = dagcbor.AppendBytes(b, c.Ticket[:])
	b = dagcbor.AppendBytes(b, c.Host[:])
	b = c.Grant.append(b)
	return dagcbor.AppendUint(b, c.Expires)
}

func (c Redeem) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendBytes(b, c.Invite[:])
	b = dagcbor.AppendText(b, c.Name)
	return appendKeys(b, c.Keys)
}

func appendKeys(b []byte, keys []PublicKey) []byte {
	b = dagcbor.AppendArray(b, len(keys))
	for _, k := range keys {
		b = dagcbor.AppendBytes(b, k[:])
	}
	return b
}
