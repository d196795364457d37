package identity

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// A StatementID names a statement: the SHA-256 of its payload, without the signature.
type StatementID [32]byte

const statementPrefix = "stmt:"

// ParseStatementID parses the text form, "stmt:" and 64 lower-case hex digits,
// or returns [ErrStatementText].
func ParseStatementID(s string) (StatementID, error) {
	text, ok := strings.CutPrefix(s, statementPrefix)
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != len(StatementID{}) || strings.ToLower(text) != text {
		return StatementID{}, ErrStatementText
	}
	return StatementID(b), nil
}

// String returns the text form that [ParseStatementID] reads.
func (id StatementID) String() string { return statementPrefix + hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler] with the form of [StatementID.String].
func (id StatementID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseStatementID]
// does. On error id is left as it was.
func (id *StatementID) UnmarshalText(text []byte) error {
	parsed, err := ParseStatementID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Compare orders IDs by their bytes: -1, 0 or +1.
func (id StatementID) Compare(b StatementID) int { return bytes.Compare(id[:], b[:]) }

// A Statement is what an operator, a founder or a ticket key declares
// (docs/op.md, section 6). The exported fields are its content; fill them to
// make a draft for [SignStatement], and treat those of a statement that
// [DecodeStatement] or a signing function returned as read only. Only such a
// one has an ID, an encoding and a signature; the methods about them panic on
// a draft.
type Statement struct {
	Mesh       *[32]byte     // the founding op; nil in a statement of the founding op itself
	Issuer     PublicKey     // whose signature it bears
	As         *StatementID  // the operator for whom the issuer speaks; nil for a founder's vote, a redeem and a rotate
	Seq        uint64        // 1 + the issuer's previous statement's
	Prev       *StatementID  // the issuer's previous statement; nil iff Seq is 1
	Supersedes []StatementID // strictly ascending
	Content    Content       // what it says, by value

	*sealed
}

// sealed is what a signed statement has and a draft has not.
type sealed struct {
	id        StatementID
	encoded   []byte
	payload   []byte // within encoded
	signature Signature
	verify    sync.Once
	good      bool // once verify is done
	consent   atomic.Pointer[consentVerdict]
}

// ID returns the hash of the statement's payload.
func (s *Statement) ID() StatementID { return s.id }

// Encoded returns the statement's one encoding, signature included; read only.
func (s *Statement) Encoded() []byte { return s.encoded }

// Payload returns the part of the encoding that is signed; read only.
func (s *Statement) Payload() []byte { return s.payload }

// Signature returns the signature, which [Statement.VerifySignature] judges.
func (s *Statement) Signature() Signature { return s.signature }

// Kind returns the kind of the content, or 0 if there is none.
func (s *Statement) Kind() Kind {
	if s.Content == nil {
		return 0
	}
	return s.Content.kind()
}

// VerifySignature reports whether the issuer signed the statement: in the
// domain of tickets if it redeems one, in that of rotations if it rotates, as
// SSH signature otherwise. The first
// call takes about 50 µs, later ones return what it found.
func (s *Statement) VerifySignature() bool {
	s.verify.Do(func() {
		if d := s.Kind().domain(); d != "" {
			s.good = Verify(s.Issuer, d, s.payload, s.signature)
		} else {
			s.good = verifyStatement(s.Issuer, s.payload, s.signature)
		}
	})
	return s.good
}

// SSHSignature returns the statement's signature as a file that
// `ssh-keygen -Y verify -n statement@causeway` checks against
// [Statement.Payload] on standard input. It means nothing for a redeem and a
// rotate, which no SSH key signs.
func (s *Statement) SSHSignature() []byte { return FormatSSHSignature(s.Issuer, s.signature) }

// SignStatement encodes the draft, has it signed and returns it as
// [DecodeStatement] would. It returns the decoder's error for a malformed
// draft, [ErrStatementSigner] if signer is not the draft's issuer or the draft
// redeems a ticket or rotates a key, and what the signer returned.
func SignStatement(draft Statement, signer StatementSigner) (*Statement, error) {
	if draft.Kind().domain() != "" || signer.Public() != draft.Issuer {
		return nil, ErrStatementSigner
	}
	return sign(draft, signer.SignStatement)
}

// SignTicketStatement is [SignStatement] for a draft that redeems a ticket, signed by the ticket's key.
func SignTicketStatement(draft Statement, ticket *PrivateKey) (*Statement, error) {
	return signInDomain(draft, ticket, DomainTicket)
}

// SignRotation is [SignStatement] for a draft that rotates a node's key, signed by the old one.
func SignRotation(draft Statement, node *PrivateKey) (*Statement, error) {
	return signInDomain(draft, node, DomainRotate)
}

func signInDomain(draft Statement, key *PrivateKey, d Domain) (*Statement, error) {
	if draft.Kind().domain() != d || key.Public() != draft.Issuer {
		return nil, ErrStatementSigner
	}
	return sign(draft, func(payload []byte) (Signature, error) { return key.Sign(d, payload), nil })
}

// domain returns the domain in which statements of the kind are signed, or ""
// if that is SSH's.
func (k Kind) domain() Domain {
	switch k {
	case KindRedeem:
		return DomainTicket
	case KindRotate:
		return DomainRotate
	}
	return ""
}

func sign(draft Statement, signer func([]byte) (Signature, error)) (*Statement, error) {
	payload, err := draft.draftPayload()
	if err != nil {
		return nil, err
	}
	sig, err := signer(payload)
	if err != nil {
		return nil, fmt.Errorf("identity: sign statement: %w", err)
	}
	return AssembleStatement(payload, sig)
}
