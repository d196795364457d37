package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/identity/dagcbor"
	"github.com/google/go-cmp/cmp"
)

var (
	testMesh   = [32]byte{0: 0x4d, 31: 0x01}
	testFound  = StatementID{0: 0xf0, 31: 0x02}
	testPrev   = StatementID{0: 0xee, 31: 0x03}
	testFirst  = StatementID{0: 0x01}
	testSecond = StatementID{0: 0x02}
)

func sortedKeys(names ...string) (keys []PublicKey) {
	for _, n := range names {
		keys = append(keys, testKey(n).Public())
	}
	slices.SortFunc(keys, PublicKey.Compare)
	return keys
}

// A goldenStatement is one line of testdata/statements.json.
type goldenStatement struct {
	Name      string      `json:"name"`
	Kind      string      `json:"kind"`
	ID        StatementID `json:"id"`
	Issuer    PublicKey   `json:"issuer"`
	Payload   hexBytes    `json:"payload"`
	Statement hexBytes    `json:"statement"`
}

type namedDraft struct {
	name   string
	draft  Statement
	issuer string
}

// goldenDrafts has each kind in its smallest and in a full form.
func goldenDrafts() []namedDraft {
	grant := Grant{Role: RoleAdmin, Patterns: []Pattern{"/registry/*/team-a/**", `/plain/\*\\`, "\xff/**"}, Nodes: 300, Expires: 1_900_000_000_000}
	enrol := Enrol{Slot: 2, Node: testKey("node").Public(), Rotations: 3}
	enrol.Consent = SignConsent(testMesh, testFirst, enrol.Slot, testKey("node"))
	drafts := []namedDraft{
		{"found", Statement{Seq: 1, Content: Found{Nonce: [32]byte{1, 2, 3}, Threshold: 1, Founders: sortedKeys("founder")}}, "founder"},
		{"found by three", Statement{Seq: 1, Content: Found{Threshold: 2, Founders: sortedKeys("founder", "b", "c")}}, "founder"},
		{"admit in the founding op", Statement{Seq: 2, Prev: &testFound, Content: Admit{Name: "a", Keys: sortedKeys("a"), Grant: Grant{Role: RoleReader}}}, "founder"},
		{"admit with all", Statement{Mesh: &testMesh, As: &testFirst, Seq: 1 << 40, Prev: &testPrev,
			Content: Admit{Name: "Zweigstelle Süd 水", Keys: sortedKeys("a", "b", "c"), Grant: grant}}, "founder"},
		{"enrol", Statement{Mesh: &testMesh, As: &testFirst, Seq: 1, Content: enrol}, "operator"},
		{"policy, the default", Statement{Seq: 3, Prev: &testPrev, Content: Policy{Rules: []PolicyRule{rule("**", 0, ModeMerge)}}}, "founder"},
		{"invite", Statement{Mesh: &testMesh, Seq: 5, Prev: &testPrev, Content: Invite{Ticket: testKey("ticket").Public(),
			Host: testKey("node").Public(), Grant: Grant{Role: RoleWriter, Patterns: []Pattern{"**"}, Nodes: 1}, Expires: 1_800_000_000_000}}, "operator"},
		{"redeem", Statement{Mesh: &testMesh, Seq: 1, Content: Redeem{Invite: testSecond, Name: "new", Keys: sortedKeys("new")}}, "ticket"},
	}
	drafts = append(drafts, goldenRestrictions()...)
	for i := range drafts {
		drafts[i].draft.Issuer = testKey(drafts[i].issuer).Public()
	}
	return drafts
}

func mustSign(t testing.TB, draft Statement, key *PrivateKey) *Statement {
	t.Helper()
	draft.Issuer = key.Public()
	signer := func() (*Statement, error) { return SignStatement(draft, key) }
	switch draft.Kind() {
	case KindRedeem:
		signer = func() (*Statement, error) { return SignTicketStatement(draft, key) }
	case KindRotate:
		signer = func() (*Statement, error) { return SignRotation(draft, key) }
	}
	s, err := signer()
	if err != nil {
		t.Fatalf("sign %v: %v", draft.Kind(), err)
	}
	return s
}

func TestStatementGolden(t *testing.T) {
	drafts := goldenDrafts()
	var generated []goldenStatement
	for _, d := range drafts {
		s := mustSign(t, d.draft, testKey(d.issuer))
		generated = append(generated, goldenStatement{d.name, s.Kind().String(), s.ID(), s.Issuer, s.Payload(), s.Encoded()})
	}
	for i, g := range golden(t, "statements.json", generated) {
		s, err := DecodeStatement(g.Statement)
		if err != nil {
			t.Errorf("%s: DecodeStatement: %v", g.Name, err)
			continue
		}
		want := drafts[i].draft
		if diff := cmp.Diff(want, *s, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "sealed" }, cmp.Ignore())); diff != "" {
			t.Errorf("%s: decoded differently (-want +got):\n%s", g.Name, diff)
		}
		if !s.VerifySignature() || s.ID() != g.ID || s.ID() != sha256.Sum256(g.Payload) || !bytes.Equal(s.Encoded(), g.Statement) {
			t.Errorf("%s: signature %v, ID %v; want true, %v", g.Name, s.VerifySignature(), s.ID(), g.ID)
		}
		if e, ok := s.Content.(Enrol); ok && !VerifyConsent(testMesh, testFirst, e.Slot, e.Node, e.Consent) {
			t.Errorf("%s: VerifyConsent refuses", g.Name)
		}
	}
}

// TestStatementEncoding writes one statement out by hand, after docs/op.md.
func TestStatementEncoding(t *testing.T) {
	k := testKey("founder")
	s := mustSign(t, Statement{Seq: 1, Content: Found{Nonce: [32]byte{9}, Threshold: 1, Founders: sortedKeys("founder")}}, k)
	pub, sig := k.Public(), s.Signature()
	want := slices.Concat(
		[]byte{0x82, 0x89, 0x01, 0xf6, 0x58, 32}, pub[:],
		[]byte{0xf6, 0x01, 0xf6, 0x80, 0x01, 0x83, 0x58, 32, 9}, make([]byte, 31),
		[]byte{0x01, 0x81, 0x58, 32}, pub[:],
		[]byte{0x58, 64}, sig[:])
	if !bytes.Equal(s.Encoded(), want) {
		t.Errorf("Encoded() = %x, want %x", s.Encoded(), want)
	}
}

func TestStatementIDText(t *testing.T) {
	id := testFirst
	text := "stmt:01" + strings.Repeat("00", 31)
	if id.String() != text {
		t.Errorf("String() = %q, want %q", id, text)
	}
	var got StatementID
	if err := got.UnmarshalText([]byte(text)); err != nil || got != id {
		t.Errorf("UnmarshalText = %v, %v; want %v", got, err, id)
	}
	for _, in := range []string{"", text[5:], text[:68], text + "00", "STMT:" + text[5:], strings.Replace(text, "01", "0A", 1), strings.Replace(text, "01", "0g", 1)} {
		if err := got.UnmarshalText([]byte(in)); !errors.Is(err, ErrStatementText) || got != id {
			t.Errorf("UnmarshalText(%q) = %v, %v; want %v and no change", in, got, err, ErrStatementText)
		}
	}
}

func TestSignStatementRefusals(t *testing.T) {
	k, other := testKey("founder"), testKey("other")
	found := Statement{Issuer: k.Public(), Seq: 1, Content: Found{Threshold: 1, Founders: sortedKeys("founder")}}
	redeem := Statement{Issuer: k.Public(), Seq: 1, Content: Redeem{Name: "x", Keys: sortedKeys("x")}}
	if _, err := SignStatement(found, other); !errors.Is(err, ErrStatementSigner) {
		t.Errorf("another key: %v, want %v", err, ErrStatementSigner)
	}
	if _, err := SignStatement(redeem, k); !errors.Is(err, ErrStatementSigner) {
		t.Errorf("a redeem signed as statement: %v, want %v", err, ErrStatementSigner)
	}
	if _, err := SignTicketStatement(found, k); !errors.Is(err, ErrStatementSigner) {
		t.Errorf("a found signed as ticket: %v, want %v", err, ErrStatementSigner)
	}
	if _, err := SignRotation(redeem, k); !errors.Is(err, ErrStatementSigner) {
		t.Errorf("a redeem signed as rotation: %v, want %v", err, ErrStatementSigner)
	}
	if _, err := SignStatement(Statement{Issuer: k.Public(), Seq: 1}, k); !errors.Is(err, ErrStatementKind) {
		t.Errorf("no content: %v, want %v", err, ErrStatementKind)
	}
	failing := failingSigner{k.Public()}
	if _, err := SignStatement(found, failing); !errors.Is(err, errSigner) {
		t.Errorf("failing signer: %v, want %v", err, errSigner)
	}
}

var errSigner = errors.New("agent has gone away")

type failingSigner struct{ pub PublicKey }

func (s failingSigner) Public() PublicKey                     { return s.pub }
func (failingSigner) SignStatement([]byte) (Signature, error) { return Signature{}, errSigner }

// TestSignatureIsNotContent: a second valid signature of one payload makes no
// second statement.
func TestSignatureIsNotContent(t *testing.T) {
	d := goldenDrafts()[0]
	s := mustSign(t, d.draft, testKey(d.issuer))
	forged := slices.Clone(s.Encoded())
	forged[len(forged)-1] ^= 1
	f, err := DecodeStatement(forged)
	if err != nil {
		t.Fatal(err)
	}
	if f.ID() != s.ID() || f.VerifySignature() {
		t.Errorf("forged signature: ID %v, verifies %v; want %v, false", f.ID(), f.VerifySignature(), s.ID())
	}
}

// A refusalVector is one line of testdata/statement_refusals.json: a statement
// with one fault, and the kind of error that it is refused with.
type refusalVector struct {
	Name      string   `json:"name"`
	Error     string   `json:"error"`
	Statement hexBytes `json:"statement"`
}

var refusalErrors = []error{
	ErrKeyNonCanonical, ErrKeySmallOrder, ErrPattern,
	ErrStatementSize, ErrStatementVersion, ErrStatementKind, ErrStatementChain, ErrStatementMesh, ErrStatementCount,
	ErrStatementOrder, ErrStatementName, ErrStatementRole, ErrStatementMode, ErrStatementVotes, ErrStatementAs, ErrStatementForm, ErrStatementNumber,
	dagcbor.ErrTruncated, dagcbor.ErrMalformed, dagcbor.ErrTooLong, dagcbor.ErrTrailing,
}

// raw encodes a statement without any check.
func raw(s Statement) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = append(b, rawPayload(s)...)
	return dagcbor.AppendBytes(b, make([]byte, 64))
}

func rawPayload(s Statement) []byte {
	b := append(dagcbor.AppendArray(nil, payloadFields), statementVersion)
	if s.Mesh == nil {
		b = dagcbor.AppendNull(b)
	} else {
		b = dagcbor.AppendLink(b, *s.Mesh)
	}
	b = dagcbor.AppendUint(appendOptional(dagcbor.AppendBytes(b, s.Issuer[:]), s.As), s.Seq)
	b = appendOptional(b, s.Prev)
	b = dagcbor.AppendArray(b, len(s.Supersedes))
	for _, id := range s.Supersedes {
		b = dagcbor.AppendBytes(b, id[:])
	}
	return s.Content.append(dagcbor.AppendUint(b, uint64(s.Kind())))
}

func generateRefusals() (vectors []refusalVector) {
	add := func(name string, b []byte, want error) {
		vectors = append(vectors, refusalVector{name, want.Error(), b})
	}
	issuer := testKey("founder").Public()
	change := func(name string, want error, s Statement, f func(s *Statement)) {
		s.Issuer = issuer
		f(&s)
		add(name, raw(s), want)
	}
	keys := sortedKeys("a", "b")
	grant := Grant{Role: RoleWriter, Patterns: []Pattern{"**"}, Nodes: 1}
	found := Statement{Seq: 1, Content: Found{Threshold: 1, Founders: keys}}
	admit := Statement{Mesh: &testMesh, Seq: 1, Content: Admit{Name: "n", Keys: keys, Grant: grant}}
	enrol := Statement{Mesh: &testMesh, As: &testFirst, Seq: 1, Content: Enrol{Node: keys[0]}}
	invite := Statement{Mesh: &testMesh, Seq: 1, Content: Invite{Ticket: keys[0], Host: keys[1], Grant: grant}}
	readmit := Statement{Mesh: &testMesh, Seq: 1, Supersedes: []StatementID{testFirst}, Content: Readmit{}}
	small, noPoint := PublicKey{0: 1}, PublicKey(bytes.Repeat([]byte{0xff}, 32))

	change("seq 0", ErrStatementChain, found, func(s *Statement) { s.Seq = 0 })
	change("seq 1 with prev", ErrStatementChain, found, func(s *Statement) { s.Prev = &testPrev })
	change("seq 2 without prev", ErrStatementChain, found, func(s *Statement) { s.Seq = 2 })
	change("found names a mesh", ErrStatementMesh, found, func(s *Statement) { s.Mesh = &testMesh })
	change("issuer of small order", ErrKeySmallOrder, found, func(s *Statement) { s.Issuer = small })
	change("issuer is no point", ErrKeyNonCanonical, found, func(s *Statement) { s.Issuer = noPoint })
	change("supersedes not ascending", ErrStatementOrder, readmit, func(s *Statement) { s.Supersedes = []StatementID{testSecond, testFirst} })
	change("supersedes one twice", ErrStatementOrder, readmit, func(s *Statement) { s.Supersedes = []StatementID{testFirst, testFirst} })
	change("threshold 0", ErrStatementVotes, found, func(s *Statement) { s.Content = Found{Threshold: 0, Founders: keys} })
	change("threshold 3 of 2", ErrStatementVotes, found, func(s *Statement) { s.Content = Found{Threshold: 3, Founders: keys} })
	change("no founders", ErrStatementCount, found, func(s *Statement) { s.Content = Found{Threshold: 1} })
	change("founders not ascending", ErrStatementOrder, found, func(s *Statement) { s.Content = Found{Threshold: 1, Founders: []PublicKey{keys[1], keys[0]}} })
	change("a founder twice", ErrStatementOrder, found, func(s *Statement) { s.Content = Found{Threshold: 1, Founders: []PublicKey{keys[0], keys[0]}} })
	change("17 founders", dagcbor.ErrTooLong, found, func(s *Statement) { s.Content = Found{Threshold: 1, Founders: make([]PublicKey, MaxKeys+1)} })
	change("a founder of small order", ErrKeySmallOrder, found, func(s *Statement) { s.Content = Found{Threshold: 1, Founders: []PublicKey{small}} })

	withAdmit := func(name string, want error, f func(a *Admit)) {
		change(name, want, admit, func(s *Statement) { a := s.Content.(Admit); f(&a); s.Content = a })
	}
	withAdmit("no name", ErrStatementName, func(a *Admit) { a.Name = "" })
	withAdmit("name with an escape", ErrStatementName, func(a *Admit) { a.Name = "\x1b[2J" })
	withAdmit("name with a line end", ErrStatementName, func(a *Admit) { a.Name = "a\nb" })
	withAdmit("name with a C1 control", ErrStatementName, func(a *Admit) { a.Name = "a\u0085" })
	withAdmit("name of 129 bytes", dagcbor.ErrTooLong, func(a *Admit) { a.Name = strings.Repeat("n", MaxNameSize+1) })
	withAdmit("name that is not UTF-8", dagcbor.ErrMalformed, func(a *Admit) { a.Name = "\xff" })
	withAdmit("operator without keys", ErrStatementCount, func(a *Admit) { a.Keys = nil })
	withAdmit("role 0", ErrStatementRole, func(a *Admit) { a.Role = 0 })
	withAdmit("role 4", ErrStatementRole, func(a *Admit) { a.Role = 4 })
	withAdmit("an empty pattern", ErrPattern, func(a *Admit) { a.Patterns = []Pattern{""} })
	withAdmit("** before the last segment", ErrPattern, func(a *Admit) { a.Patterns = []Pattern{"**/a"} })
	withAdmit("* within a segment", ErrPattern, func(a *Admit) { a.Patterns = []Pattern{"a*"} })
	withAdmit("a stray backslash", ErrPattern, func(a *Admit) { a.Patterns = []Pattern{`\a`} })
	withAdmit("pattern of 1025 bytes", dagcbor.ErrTooLong, func(a *Admit) { a.Patterns = []Pattern{Pattern(strings.Repeat("p", MaxPatternSize+1))} })
	withAdmit("33 patterns", dagcbor.ErrTooLong, func(a *Admit) { a.Patterns = slices.Repeat([]Pattern{"**"}, MaxPatterns+1) })

	change("node of small order", ErrKeySmallOrder, enrol, func(s *Statement) { s.Content = Enrol{Node: small} })
	change("ticket is no point", ErrKeyNonCanonical, invite, func(s *Statement) { s.Content = Invite{Ticket: noPoint, Host: keys[1], Grant: grant} })
	change("host of small order", ErrKeySmallOrder, invite, func(s *Statement) { s.Content = Invite{Ticket: keys[0], Host: small, Grant: grant} })
	change("invite to role 4", ErrStatementRole, invite, func(s *Statement) { s.Content = Invite{Ticket: keys[0], Host: keys[1], Grant: Grant{Role: 4}} })
	change("no rules", ErrStatementCount, admit, func(s *Statement) { s.Content = Policy{} })
	change("257 rules", dagcbor.ErrTooLong, admit, func(s *Statement) {
		s.Content = Policy{Rules: slices.Repeat([]PolicyRule{rule("a", 0, ModeLWW)}, MaxRules+1)}
	})
	change("mode 0", ErrStatementMode, admit, func(s *Statement) { s.Content = Policy{Rules: []PolicyRule{rule("a", 0, 0)}} })
	change("mode 5", ErrStatementMode, admit, func(s *Statement) { s.Content = Policy{Rules: []PolicyRule{rule("a", 0, 5)}} })
	change("redeem with seq 2", ErrStatementChain, admit, func(s *Statement) {
		s.Seq, s.Prev, s.Content = 2, &testPrev, Redeem{Name: "n", Keys: keys}
	})

	refuseRestrictions(change)

	// From here on the bytes themselves are at fault.
	admit.Issuer = issuer
	good := raw(admit)
	payload := rawPayload(admit)
	kindAt := bytes.Index(good, append([]byte{0xf6, 0x01, 0xf6, 0x80}, 2)) + 4
	splice := func(at, drop int, with ...byte) []byte {
		return slices.Concat(good[:at], with, good[at+drop:])
	}
	add("nothing", nil, dagcbor.ErrTruncated)
	add("cut", good[:len(good)-1], dagcbor.ErrTruncated)
	add("a byte more", append(slices.Clone(good), 0), dagcbor.ErrTrailing)
	add("longer than 16 KiB", append(slices.Clone(good), make([]byte, MaxStatementSize)...), ErrStatementSize)
	add("three elements", splice(0, 1, 0x83), dagcbor.ErrMalformed)
	add("payload of seven elements", splice(1, 1, 0x87), dagcbor.ErrMalformed)
	add("payload as byte string", dagcbor.AppendBytes(dagcbor.AppendBytes([]byte{0x82}, payload), make([]byte, 64)), dagcbor.ErrMalformed)
	add("version 2", splice(2, 1, 2), ErrStatementVersion)
	add("version 1 in two bytes", splice(2, 1, 0x18, 1), dagcbor.ErrMalformed)
	add("mesh as byte string", splice(3, 2), dagcbor.ErrMalformed)
	add("kind 0", splice(kindAt, 1, 0), ErrStatementKind)
	add("kind 12, reserved", splice(kindAt, 1, 12), ErrStatementKind)
	add("kind 15", splice(kindAt, 1, 15), ErrStatementKind)
	add("kind 258, which is 2 in a byte", splice(kindAt, 1, 0x19, 1, 2), ErrStatementKind)
	add("content of another kind", splice(kindAt, 1, 3), dagcbor.ErrMalformed)
	add("signature of 63 bytes", dagcbor.AppendBytes(append([]byte{0x82}, payload...), make([]byte, 63)), dagcbor.ErrMalformed)
	add("signature of 65 bytes", dagcbor.AppendBytes(append([]byte{0x82}, payload...), make([]byte, 65)), dagcbor.ErrTooLong)
	add("indefinite array", slices.Concat([]byte{0x9f}, good[1:], []byte{0xff}), dagcbor.ErrMalformed)
	roleAt := bytes.Index(good, []byte{2, 0x81, 0x42, '*', '*', 1})
	add("role 258, which is 2 in a byte", splice(roleAt, 1, 0x19, 1, 2), ErrStatementRole)
	return vectors
}

func TestStatementRefusals(t *testing.T) {
	if _, err := DecodeStatement(raw(Statement{Issuer: testKey("a").Public(), Seq: 1, Content: Found{Threshold: 1, Founders: sortedKeys("a")}})); err != nil {
		t.Fatalf("the vectors' own encoder: %v", err)
	}
	covered := map[error]bool{}
	for _, v := range golden(t, "statement_refusals.json", generateRefusals()) {
		s, err := DecodeStatement(v.Statement)
		if err == nil || s != nil {
			t.Errorf("%s: accepted", v.Name)
			continue
		}
		var kinds []string
		for _, e := range refusalErrors {
			if errors.Is(err, e) {
				kinds = append(kinds, e.Error())
				covered[e] = true
			}
		}
		if !slices.Equal(kinds, []string{v.Error}) {
			t.Errorf("%s: error %v, want %q", v.Name, err, v.Error)
		}
	}
	for _, e := range refusalErrors {
		if !covered[e] {
			t.Errorf("no vector is refused with %q", e)
		}
	}
}

// TestDraftNumbers: what no decoder could read back is not encoded.
func TestDraftNumbers(t *testing.T) {
	k, big := testKey("a"), uint64(1)<<63
	for i, c := range []Content{
		Admit{Name: "n", Keys: sortedKeys("a"), Grant: Grant{Role: RoleReader, Nodes: big}},
		Admit{Name: "n", Keys: sortedKeys("a"), Grant: Grant{Role: RoleReader, Expires: big}},
		Quota{Bytes: big},
		Quota{Writes: big},
		Narrow{Role: RoleReader, Nodes: big},
		Policy{Rules: []PolicyRule{rule("**", big, ModeLWW)}},
		Invite{Ticket: k.Public(), Host: k.Public(), Grant: Grant{Role: RoleReader}, Expires: big},
	} {
		if _, err := SignStatement(Statement{Issuer: k.Public(), Seq: 1, Content: c}, k); !errors.Is(err, ErrStatementNumber) {
			t.Errorf("case %d: %v, want %v", i, err, ErrStatementNumber)
		}
	}
}

func TestNames(t *testing.T) {
	for _, v := range []struct{ got, want string }{
		{fmt.Sprint(KindFound, KindAdmit, KindEnrol, KindPolicy, KindInvite, KindRedeem, Kind(0), Kind(15)), "found admit enrol policy invite redeem 0 15"},
		{fmt.Sprint(RoleReader, RoleWriter, RoleAdmin, Role(0), Role(200)), "reader writer admin 0 200"},
		{fmt.Sprint(ModeMerge, ModeLWW, ModeLocal, ModeOwned, Mode(5)), "merge lww local owned 5"},
	} {
		if v.got != v.want {
			t.Errorf("names are %q, want %q", v.got, v.want)
		}
	}
	if text, err := json.Marshal([]any{RoleWriter, ModeLocal}); err != nil || string(text) != `["writer","local"]` {
		t.Errorf("as JSON = %s, %v", text, err)
	}
	var r Role
	if err := r.UnmarshalText([]byte("admin")); err != nil || r != RoleAdmin {
		t.Errorf("UnmarshalText(admin) = %v, %v", r, err)
	}
	for _, in := range []string{"", "king", "3"} {
		if err := r.UnmarshalText([]byte(in)); !errors.Is(err, ErrStatementRole) || r != RoleAdmin {
			t.Errorf("UnmarshalText(%q) = %v, %v; want %v and no change", in, r, err, ErrStatementRole)
		}
	}
}

// FuzzDecodeStatement: what is accepted has one encoding, and nothing panics.
func FuzzDecodeStatement(f *testing.F) {
	for _, d := range goldenDrafts() {
		f.Add(mustSign(f, d.draft, testKey(d.issuer)).Encoded())
	}
	for _, v := range generateRefusals() {
		f.Add([]byte(v.Statement))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := DecodeStatement(in)
		if err != nil {
			return
		}
		payload, err := s.draftPayload()
		if err != nil {
			t.Fatalf("accepted, but not encoded again: %v", err)
		}
		sig := s.Signature()
		again := dagcbor.AppendBytes(append(dagcbor.AppendArray(nil, 2), payload...), sig[:])
		if !bytes.Equal(again, in) || !bytes.Equal(s.Encoded(), in) || !bytes.Equal(s.Payload(), payload) {
			t.Errorf("decoded %x, encoded %x", in, again)
		}
	})
}
