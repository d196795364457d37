package identity

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

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
	if k := s.Kind(); k == KindFound && s.Mesh != nil || k == KindRotate && s.Mesh == nil {
		return fmt.Errorf("%w: %v", ErrStatementMesh, k)
	}
	switch s.Kind() {
	case KindFound, KindRedeem, KindRotate, KindVersion, KindEndorse:
		if s.As != nil {
			return fmt.Errorf("%w: %v as an operator", ErrStatementAs, s.Kind())
		}
	case KindEnrol:
		if s.As == nil {
			return fmt.Errorf("%w: %v as nobody", ErrStatementAs, s.Kind())
		}
	}
	switch s.Kind() {
	case KindPolicy, KindRevoke, KindNarrow, KindQuota:
	case KindReadmit:
		if len(s.Supersedes) == 0 {
			return fmt.Errorf("%w: a readmit supersedes nothing", ErrStatementCount)
		}
	default:
		if len(s.Supersedes) > 0 {
			return fmt.Errorf("%w: %v supersedes", ErrStatementCount, s.Kind())
		}
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
	if err := checkKeys(c.Founders); err != nil {
		return err
	}
	if c.Threshold < 1 || c.Threshold > uint64(len(c.Founders)) {
		return fmt.Errorf("%w: %d of %d", ErrStatementVotes, c.Threshold, len(c.Founders))
	}
	return nil
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
	if g.Nodes > dagcbor.MaxUint || g.Expires > dagcbor.MaxUint {
		return fmt.Errorf("%w: nodes or expires", ErrStatementNumber)
	}
	return nil
}

func (c Enrol) check() error {
	if c.Slot > dagcbor.MaxUint || c.Rotations > MaxRotations {
		return fmt.Errorf("%w: slot or rotations", ErrStatementNumber)
	}
	return nil
}

func (c Policy) check() error {
	if len(c.Rules) == 0 || len(c.Rules) > MaxRules {
		return fmt.Errorf("%w: %d rules", ErrStatementCount, len(c.Rules))
	}
	for _, r := range c.Rules {
		if err := r.check(); err != nil {
			return err
		}
	}
	return checkKeep(c.Keep)
}

func (r PolicyRule) check() error {
	if r.Mode < ModeMerge || r.Mode > ModeOwned {
		return fmt.Errorf("%w: %d", ErrStatementMode, uint8(r.Mode))
	}
	if (r.Owner != nil) != (r.Mode == ModeOwned) {
		return fmt.Errorf("%w: %v with or without an owner", ErrStatementMode, r.Mode)
	}
	if r.Priority > dagcbor.MaxUint {
		return fmt.Errorf("%w: priority", ErrStatementNumber)
	}
	if r.Form == nil {
		return nil
	}
	if n := len(r.Form.Versions); n == 0 || n > MaxVersions {
		return fmt.Errorf("%w: %d versions of a form", ErrStatementCount, n)
	}
	for _, text := range append([]string{r.Form.Kind}, r.Form.Versions...) {
		if text == "" || len(text) > MaxFormSize || !utf8.ValidString(text) {
			return ErrStatementForm
		}
	}
	return nil
}

func (c Revoke) check() error { return checkKeep(c.Keep) }

func (c Narrow) check() error {
	if err := (Grant{Role: c.Role, Patterns: c.Patterns, Nodes: c.Nodes}).check(); err != nil {
		return err
	}
	return checkKeep(c.Keep)
}

func (c Rotate) check() error {
	if c.Index < 1 || c.Index > MaxRotations {
		return fmt.Errorf("%w: index", ErrStatementNumber)
	}
	return nil
}

func (c Quota) check() error {
	if c.Bytes > dagcbor.MaxUint || c.Writes > dagcbor.MaxUint {
		return fmt.Errorf("%w: bytes or writes", ErrStatementNumber)
	}
	return nil
}

func (c Version) check() error {
	if c.Version > dagcbor.MaxUint {
		return fmt.Errorf("%w: version", ErrStatementNumber)
	}
	return nil
}

func (Readmit) check() error { return nil }

func (Endorse) check() error { return nil }

func checkKeep(keep [][32]byte) error {
	if len(keep) > MaxKeep {
		return fmt.Errorf("%w: %d keep heads", ErrStatementCount, len(keep))
	}
	if !ascending(keep, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }) {
		return fmt.Errorf("%w: keep heads", ErrStatementOrder)
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
