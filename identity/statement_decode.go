package identity

import (
	"crypto/sha256"
	"fmt"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// DecodeStatement parses a statement and checks its structure, the keys and
// patterns it names included. It does not verify the signature: see
// [Statement.VerifySignature]. It accepts exactly one encoding of a statement;
// errors are those listed beside [ErrStatementSize], of package dagcbor, and of
// keys and patterns. It keeps no reference to b.
func DecodeStatement(b []byte) (*Statement, error) {
	if len(b) > MaxStatementSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrStatementSize, len(b))
	}
	s, err := decodeStatement(append([]byte(nil), b...))
	if err != nil {
		return nil, fmt.Errorf("identity: decode statement: %w", err)
	}
	return s, nil
}

// AssembleStatement puts a payload and a signature made elsewhere (by
// `ssh-keygen -Y sign`, say) together, as [DecodeStatement] does, and returns
// [ErrStatementSigner] if the signature does not verify.
func AssembleStatement(payload []byte, sig Signature) (*Statement, error) {
	b := dagcbor.AppendArray(make([]byte, 0, len(payload)+len(sig)+8), 2)
	b = append(b, payload...)
	s, err := DecodeStatement(dagcbor.AppendBytes(b, sig[:]))
	if err != nil {
		return nil, err
	}
	if !s.VerifySignature() {
		return nil, fmt.Errorf("%w: signature does not verify", ErrStatementSigner)
	}
	return s, nil
}

func decodeStatement(b []byte) (*Statement, error) {
	s := &Statement{sealed: &sealed{encoded: b}}
	d := dagcbor.NewDecoder(b)
	d.Tuple(2)
	start := d.Offset()
	s.decodePayload(d)
	s.payload = b[start:d.Offset()]
	d.Fixed(s.signature[:])
	if err := d.Finish(); err != nil {
		return nil, err
	}
	s.id = sha256.Sum256(s.payload)
	return s, nil
}

func (s *Statement) decodePayload(d *dagcbor.Decoder) {
	d.Tuple(payloadFields)
	if v := d.Uint(); v != statementVersion {
		d.Fail(fmt.Errorf("%w: %d", ErrStatementVersion, v))
	}
	if !d.Null() {
		mesh := d.Link()
		s.Mesh = &mesh
	}
	s.Issuer = decodeKey(d)
	s.As = decodeOptional(d)
	s.Seq = d.Uint()
	s.Prev = decodeOptional(d)
	s.Supersedes = decodeList(d, maxSupersedes, decodeStatementID)
	s.Content = decodeContent(d)
	if d.Err() == nil {
		d.Fail(s.check())
	}
}

func decodeContent(d *dagcbor.Decoder) Content {
	kind := d.Uint()
	if d.Err() != nil {
		return nil
	}
	if kind > 0xff {
		d.Fail(fmt.Errorf("%w: %d", ErrStatementKind, kind))
		return nil
	}
	switch Kind(kind) {
	case KindFound:
		d.Tuple(3)
		var c Found
		d.Fixed(c.Nonce[:])
		c.Threshold = d.Uint()
		c.Founders = decodeKeys(d)
		return c
	case KindAdmit:
		d.Tuple(3)
		return Admit{Name: d.Text(MaxNameSize), Keys: decodeKeys(d), Grant: decodeGrant(d)}
	case KindEnrol:
		d.Tuple(4)
		c := Enrol{Slot: d.Uint(), Node: decodeKey(d), Rotations: d.Uint()}
		d.Fixed(c.Consent[:])
		return c
	case KindPolicy:
		d.Tuple(2)
		return Policy{Rules: decodeList(d, MaxRules, decodeRule), Keep: decodeKeep(d)}
	case KindInvite:
		d.Tuple(4)
		return Invite{Ticket: decodeKey(d), Host: decodeKey(d), Grant: decodeGrant(d), Expires: d.Uint()}
	case KindRedeem:
		d.Tuple(3)
		return Redeem{Invite: decodeStatementID(d), Name: d.Text(MaxNameSize), Keys: decodeKeys(d)}
	case KindRevoke:
		d.Tuple(3)
		c := Revoke{Subject: decodeStatementID(d)}
		if !d.Null() {
			key := decodeKey(d)
			c.Key = &key
		}
		c.Keep = decodeKeep(d)
		return c
	case KindNarrow:
		d.Tuple(5)
		return Narrow{
			Operator: decodeStatementID(d),
			Role:     Role(decodeSmall(d, ErrStatementRole)),
			Patterns: decodeList(d, MaxPatterns, decodePattern),
			Nodes:    d.Uint(),
			Keep:     decodeKeep(d),
		}
	case KindRotate:
		d.Tuple(4)
		c := Rotate{Enrolment: decodeStatementID(d), Index: d.Uint(), Key: decodeKey(d)}
		d.Fixed(c.Consent[:])
		return c
	case KindQuota:
		d.Tuple(3)
		return Quota{Subject: decodeStatementID(d), Bytes: d.Uint(), Writes: d.Uint()}
	case KindVersion:
		d.Tuple(1)
		return Version{Version: d.Uint()}
	case KindReadmit:
		d.Tuple(0)
		return Readmit{}
	case KindEndorse:
		d.Tuple(1)
		return Endorse{Statement: decodeStatementID(d)}
	}
	d.Fail(fmt.Errorf("%w: %d", ErrStatementKind, kind))
	return nil
}

func decodeGrant(d *dagcbor.Decoder) Grant {
	d.Tuple(4)
	return Grant{
		Role:     Role(decodeSmall(d, ErrStatementRole)),
		Patterns: decodeList(d, MaxPatterns, decodePattern),
		Nodes:    d.Uint(),
		Expires:  d.Uint(),
	}
}

func decodeRule(d *dagcbor.Decoder) PolicyRule {
	d.Tuple(5)
	return PolicyRule{
		Pattern:  decodePattern(d),
		Priority: d.Uint(),
		Mode:     Mode(decodeSmall(d, ErrStatementMode)),
		Owner:    decodeOptional(d),
		Form:     decodeForm(d),
	}
}

func decodeForm(d *dagcbor.Decoder) *Form {
	if d.Null() {
		return nil
	}
	d.Tuple(2)
	return &Form{Kind: d.Text(MaxFormSize), Versions: decodeList(d, MaxVersions, func(d *dagcbor.Decoder) string { return d.Text(MaxFormSize) })}
}

func decodeKeep(d *dagcbor.Decoder) [][32]byte {
	return decodeList(d, MaxKeep, (*dagcbor.Decoder).Link)
}

// decodeSmall reads an integer that must fit a byte, and fails with err if not.
func decodeSmall(d *dagcbor.Decoder, err error) uint8 {
	v := d.Uint()
	if v > 0xff {
		d.Fail(fmt.Errorf("%w: %d", err, v))
		return 0
	}
	return uint8(v)
}

func decodePattern(d *dagcbor.Decoder) Pattern {
	b := d.Bytes(MaxPatternSize)
	if d.Err() != nil {
		return ""
	}
	p, err := ParsePattern(b)
	d.Fail(err)
	return p
}

func decodeKeys(d *dagcbor.Decoder) []PublicKey { return decodeList(d, MaxKeys, decodeKey) }

func decodeKey(d *dagcbor.Decoder) (k PublicKey) {
	d.Fixed(k[:])
	if d.Err() == nil {
		d.Fail(k.Check())
	}
	return k
}

func decodeOptional(d *dagcbor.Decoder) *StatementID {
	if d.Null() {
		return nil
	}
	id := decodeStatementID(d)
	return &id
}

func decodeStatementID(d *dagcbor.Decoder) (id StatementID) {
	d.Fixed(id[:])
	return id
}

// decodeList reads an array of at most limit items; an empty one becomes nil.
func decodeList[T any](d *dagcbor.Decoder, limit int, item func(*dagcbor.Decoder) T) []T {
	n := d.Array(limit)
	if n == 0 {
		return nil
	}
	list := make([]T, 0, n)
	for range n {
		v := item(d)
		if d.Err() != nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}
