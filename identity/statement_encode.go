package identity

import (
	"fmt"
	"unicode/utf8"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

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

// check refuses a statement whose fields are out of bounds or disagree. Both
// the encoder and the decoder call it; the type and length of the fields, keys
// and patterns are the decoder's matter.
func (s *Statement) check() error {
	if s.Seq == 0 || (s.Seq == 1) != (s.Prev == nil) {
		return fmt.Errorf("%w: seq is %d", ErrStatementChain, s.Seq)
	}
	if s.Seq > dagcbor.MaxUint {
		return fmt.Errorf("%w: seq", ErrStatementNumber)
	}
	if s.Kind() == KindFound && s.Mesh != nil {
		return ErrStatementMesh
	}
	if s.Kind() == KindRedeem && s.Seq != 1 {
		return fmt.Errorf("%w: a redeem begins its chain", ErrStatementChain)
	}
	if len(s.Supersedes) > maxSupersedes {
		return fmt.Errorf("%w: %d superseded", ErrStatementCount, len(s.Supersedes))
	}
	if !ascending(s.Supersedes, StatementID.Compare) {
		return fmt.Errorf("%w: supersedes", ErrStatementOrder)
	}
	return s.Content.check()
}

func (c Found) check() error {
	if c.Threshold != 1 {
		return fmt.Errorf("%w: it is %d", ErrStatementVotes, c.Threshold)
	}
	return checkKeys(c.Founders)
}

func (c Admit) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	if err := checkKeys(c.Keys); err != nil {
		return err
	}
	return c.Grant.check()
}

func (g Grant) check() error {
	if g.Role < RoleReader || g.Role > RoleAdmin {
		return fmt.Errorf("%w: %d", ErrStatementRole, uint8(g.Role))
	}
	if len(g.Patterns) > MaxPatterns {
		return fmt.Errorf("%w: %d patterns", ErrStatementCount, len(g.Patterns))
	}
	if g.Nodes > dagcbor.MaxUint {
		return fmt.Errorf("%w: nodes", ErrStatementNumber)
	}
	return nil
}

func (c Enrol) check() error {
	if c.Slot > dagcbor.MaxUint || c.Rotations > dagcbor.MaxUint {
		return fmt.Errorf("%w: slot or rotations", ErrStatementNumber)
	}
	return nil
}

func (c Policy) check() error {
	if len(c.Rules) == 0 || len(c.Rules) > MaxRules {
		return fmt.Errorf("%w: %d rules", ErrStatementCount, len(c.Rules))
	}
	for _, r := range c.Rules {
		if r.Mode < ModeMerge || r.Mode > ModeOwned {
			return fmt.Errorf("%w: %d", ErrStatementMode, uint8(r.Mode))
		}
		if r.Priority > dagcbor.MaxUint {
			return fmt.Errorf("%w: priority", ErrStatementNumber)
		}
	}
	return nil
}

func (c Invite) check() error {
	if c.Expires > dagcbor.MaxUint {
		return fmt.Errorf("%w: expires", ErrStatementNumber)
	}
	return c.Grant.check()
}

func (c Redeem) check() error {
	if err := checkName(c.Name); err != nil {
		return err
	}
	return checkKeys(c.Keys)
}

func checkKeys(keys []PublicKey) error {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return fmt.Errorf("%w: %d keys", ErrStatementCount, len(keys))
	}
	if !ascending(keys, PublicKey.Compare) {
		return fmt.Errorf("%w: keys", ErrStatementOrder)
	}
	return nil
}

// checkName refuses what could confuse a terminal. The code points are fixed
// here, not taken from a Unicode table that differs between builds.
func checkName(s string) error {
	if s == "" || len(s) > MaxNameSize || !utf8.ValidString(s) {
		return ErrStatementName
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r <= 0x9f {
			return ErrStatementName
		}
	}
	return nil
}

func ascending[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}
