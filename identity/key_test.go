package identity

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// A keyForm is one line of testdata/keys.json: a key in all its forms.
type keyForm struct {
	Seed          hexBytes  `json:"seed"`
	Public        PublicKey `json:"public"`
	Hex           hexBytes  `json:"hex"`
	Fingerprint   string    `json:"fingerprint"`
	AuthorizedKey string    `json:"authorized_key"`
	OpSignature   hexBytes  `json:"op_signature"` // of "payload", domain causeway-op-v1
	Consent       hexBytes  `json:"consent_signature"`
	Ticket        hexBytes  `json:"ticket_signature"`
	SSH           hexBytes  `json:"ssh_signature"`
}

func TestKeyForms(t *testing.T) {
	var forms []keyForm
	for _, name := range []string{"", "a", "operator", "node"} {
		k := testKey(name)
		seed, pub, payload := k.Seed(), k.Public(), []byte("payload")
		op, consent, ticket := k.Sign(DomainOp, payload), k.Sign(DomainConsent, payload), k.Sign(DomainTicket, payload)
		ssh, err := k.SignStatement(payload)
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, keyForm{seed[:], pub, pub[:], pub.Fingerprint(), pub.AuthorizedKey(), op[:], consent[:], ticket[:], ssh[:]})
	}
	for _, f := range golden(t, "keys.json", forms) {
		if got := f.Public.String(); got != "ed25519:"+base64.RawStdEncoding.EncodeToString(f.Hex) {
			t.Errorf("String() = %q", got)
		}
		if got, comment, err := ParseAuthorizedKey(f.AuthorizedKey + " a comment\n"); err != nil || got != f.Public || comment != "a comment" {
			t.Errorf("ParseAuthorizedKey = %v, %q, %v; want %v", got, comment, err, f.Public)
		}
	}
}

func TestParsePublicKeyRefusals(t *testing.T) {
	good := testKey("a").Public().String()
	small := PublicKey{0: 1}.String()
	wide := PublicKey(bytes.Repeat([]byte{0xff}, 32)).String()
	for _, v := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", ErrKeyText},
		{"no prefix", strings.TrimPrefix(good, "ed25519:"), ErrKeyText},
		{"another prefix", "rsa" + good, ErrKeyText},
		{"upper-case prefix", "ED25519:" + good[8:], ErrKeyText},
		{"padded", good + "=", ErrKeyText},
		{"cut", good[:len(good)-1], ErrKeyText},
		{"bits after the last byte", good[:len(good)-1] + string(good[len(good)-1]+1), ErrKeyText},
		{"a line end within", good[:20] + "\n" + good[21:], ErrKeyText},
		{"URL alphabet", "ed25519:" + strings.Repeat("-", 43), ErrKeyText},
		{"white space", " " + good, ErrKeyText},
		{"small order", small, ErrKeySmallOrder},
		{"non-canonical", wide, ErrKeyNonCanonical},
	} {
		k := PublicKey{7}
		if err := k.UnmarshalText([]byte(v.in)); !errors.Is(err, v.want) || k != (PublicKey{7}) {
			t.Errorf("%s: UnmarshalText(%q) = %v, %v; want %v and no change", v.name, v.in, err, k, v.want)
		}
	}
	const ecdsaLine = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU="
	if _, _, err := ParseAuthorizedKey(ecdsaLine); !errors.Is(err, ErrKeyType) {
		t.Errorf("ParseAuthorizedKey of an ECDSA key: %v, want %v", err, ErrKeyType)
	}
	line := testKey("a").Public().AuthorizedKey()
	if _, _, err := ParseAuthorizedKey(line + "\n" + line); !errors.Is(err, ErrKeyText) {
		t.Errorf("ParseAuthorizedKey of two lines: %v, want %v", err, ErrKeyText)
	}
}

func TestGenerateKey(t *testing.T) {
	a, err := GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Public().Check(); err != nil {
		t.Errorf("Check of a new key: %v", err)
	}
	if b := NewKeyFromSeed(a.Seed()); b.Public() != a.Public() {
		t.Errorf("the key of the seed is %v, want %v", b.Public(), a.Public())
	}
	if _, err := GenerateKey(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Errorf("GenerateKey with too few random bytes: no error")
	}
}

// TestDomains: a signature verifies in its own domain only.
func TestDomains(t *testing.T) {
	k := testKey("a")
	domains := []Domain{DomainOp, DomainConsent, DomainTicket}
	for _, d := range domains {
		sig := k.Sign(d, []byte("payload"))
		for _, other := range domains {
			if got := Verify(k.Public(), other, []byte("payload"), sig); got != (d == other) {
				t.Errorf("signed for %s, Verify for %s = %v", d, other, got)
			}
		}
		if verifyStatement(k.Public(), []byte("payload"), sig) {
			t.Errorf("signed for %s, passes for a statement", d)
		}
	}
	sig, err := k.SignStatement([]byte("payload"))
	if err != nil || !verifyStatement(k.Public(), []byte("payload"), sig) {
		t.Errorf("SignStatement = %v, %v: does not verify", sig, err)
	}
	for _, d := range domains {
		if Verify(k.Public(), d, []byte("payload"), sig) {
			t.Errorf("a statement's signature passes for %s", d)
		}
	}
}

func TestBatchEmpty(t *testing.T) {
	if !NewBatch(0).Verify() {
		t.Errorf("an empty batch is refused")
	}
}

// TestRedacted prints a private key in every way we know of.
func TestRedacted(t *testing.T) {
	k := testKey("a secret seed of 32 bytes, no le")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "k", k, "v", *k, "s", struct{ K *PrivateKey }{k})
	asJSON, err := json.Marshal(k) //lint:ignore SA9005 that nothing is shown is the point
	if err != nil {
		t.Fatal(err)
	}
	out := log.String() + string(asJSON) + k.String() + k.GoString()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%T"} {
		out += fmt.Sprintf(verb+verb+verb, k, *k, []any{k})
	}
	seed := k.Seed()
	for _, secret := range []string{string(seed[:8]), fmt.Sprintf("%x", seed[:8]), fmt.Sprintf("%X", seed[:8]),
		fmt.Sprint(seed[:4])[1:12], base64.StdEncoding.EncodeToString(seed[:9])} {
		if strings.Contains(out, secret) {
			t.Errorf("the key's seed shows as %q in %s", secret, out)
		}
	}
	if reflect.TypeFor[PrivateKey]().Comparable() {
		t.Errorf("PrivateKey is comparable")
	}
}

func BenchmarkVerify(b *testing.B) {
	k := testKey("a")
	payload := make([]byte, 300)
	sig := k.Sign(DomainOp, payload)
	for b.Loop() {
		if !Verify(k.Public(), DomainOp, payload, sig) {
			b.Fatal("refused")
		}
	}
}

// BenchmarkBatch gives the time for each of 64 signatures.
func BenchmarkBatch(b *testing.B) {
	const n = 64
	k := testKey("a")
	payload := make([]byte, 300)
	sig := k.Sign(DomainOp, payload)
	for b.Loop() {
		batch := NewBatch(n)
		for range n {
			batch.Add(k.Public(), DomainOp, payload, sig)
		}
		if !batch.Verify() {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/signature")
}
