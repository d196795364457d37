package identity

import "github.com/causeway-sync/causeway/identity/dagcbor"

const (
	// statementVersion is the first element of a statement's payload.
	statementVersion = 1
	// payloadFields is how many elements that has, the content included.
	payloadFields = 9
)

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
	b := dagcbor.AppendArray(nil, payloadFields)
	b = dagcbor.AppendUint(b, statementVersion)
	if s.Mesh == nil {
		b = dagcbor.AppendNull(b)
	} else {
		b = dagcbor.AppendLink(b, *s.Mesh)
	}
	b = dagcbor.AppendBytes(b, s.Issuer[:])
	b = appendOptional(b, s.As)
	b = dagcbor.AppendUint(b, s.Seq)
	b = appendOptional(b, s.Prev)
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
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendText(b, c.Name)
	b = appendKeys(b, c.Keys)
	return c.Grant.append(b)
}

func (g Grant) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 4)
	b = dagcbor.AppendUint(b, uint64(g.Role))
	b = appendPatterns(b, g.Patterns)
	b = dagcbor.AppendUint(b, g.Nodes)
	return dagcbor.AppendUint(b, g.Expires)
}

func (c Enrol) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 4)
	b = dagcbor.AppendUint(b, c.Slot)
	b = dagcbor.AppendBytes(b, c.Node[:])
	b = dagcbor.AppendUint(b, c.Rotations)
	return dagcbor.AppendBytes(b, c.Consent[:])
}

func (c Policy) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 2)
	b = dagcbor.AppendArray(b, len(c.Rules))
	for _, r := range c.Rules {
		b = r.append(b)
	}
	return appendKeep(b, c.Keep)
}

func (r PolicyRule) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendBytes(b, []byte(r.Pattern))
	b = dagcbor.AppendUint(b, r.Priority)
	b = dagcbor.AppendUint(b, uint64(r.Mode))
	b = appendOptional(b, r.Owner)
	if r.Form == nil {
		return dagcbor.AppendNull(b)
	}
	b = dagcbor.AppendArray(b, 2)
	b = dagcbor.AppendText(b, r.Form.Kind)
	b = dagcbor.AppendArray(b, len(r.Form.Versions))
	for _, v := range r.Form.Versions {
		b = dagcbor.AppendText(b, v)
	}
	return b
}

func (c Invite) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 4)
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

func (c Revoke) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendBytes(b, c.Subject[:])
	if c.Key == nil {
		b = dagcbor.AppendNull(b)
	} else {
		b = dagcbor.AppendBytes(b, c.Key[:])
	}
	return appendKeep(b, c.Keep)
}

func (c Narrow) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 5)
	b = dagcbor.AppendBytes(b, c.Operator[:])
	b = dagcbor.AppendUint(b, uint64(c.Role))
	b = appendPatterns(b, c.Patterns)
	b = dagcbor.AppendUint(b, c.Nodes)
	return appendKeep(b, c.Keep)
}

func (c Rotate) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 4)
	b = dagcbor.AppendBytes(b, c.Enrolment[:])
	b = dagcbor.AppendUint(b, c.Index)
	b = dagcbor.AppendBytes(b, c.Key[:])
	return dagcbor.AppendBytes(b, c.Consent[:])
}

func (c Quota) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, 3)
	b = dagcbor.AppendBytes(b, c.Subject[:])
	b = dagcbor.AppendUint(b, c.Bytes)
	return dagcbor.AppendUint(b, c.Writes)
}

func (c Version) append(b []byte) []byte {
	return dagcbor.AppendUint(dagcbor.AppendArray(b, 1), c.Version)
}

func (Readmit) append(b []byte) []byte { return dagcbor.AppendArray(b, 0) }

func (c Endorse) append(b []byte) []byte {
	return dagcbor.AppendBytes(dagcbor.AppendArray(b, 1), c.Statement[:])
}

func appendOptional(b []byte, id *StatementID) []byte {
	if id == nil {
		return dagcbor.AppendNull(b)
	}
	return dagcbor.AppendBytes(b, id[:])
}

func appendKeep(b []byte, keep [][32]byte) []byte {
	b = dagcbor.AppendArray(b, len(keep))
	for _, op := range keep {
		b = dagcbor.AppendLink(b, op)
	}
	return b
}

func appendPatterns(b []byte, patterns []Pattern) []byte {
	b = dagcbor.AppendArray(b, len(patterns))
	for _, p := range patterns {
		b = dagcbor.AppendBytes(b, []byte(p))
	}
	return b
}

func appendKeys(b []byte, keys []PublicKey) []byte {
	b = dagcbor.AppendArray(b, len(keys))
	for _, k := range keys {
		b = dagcbor.AppendBytes(b, k[:])
	}
	return b
}
