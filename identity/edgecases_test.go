package identity

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// The edge cases are those on which Ed25519 implementations differ: the 14
// encodings of the 8 points of small order as A and R (ZIP-215), and the cases
// of Chalkias, Garillot and Nikolaenko, "Taming the many EdDSAs" (2020), table
// 6, made anew for our domain: mixed-order points, cofactored and cofactorless
// verification, S not reduced, encodings that are not canonical.

// An edgeCase is one line of testdata/edgecases.json.
type edgeCase struct {
	Name      string   `json:"name"`
	Public    hexBytes `json:"public"`
	Payload   hexBytes `json:"payload"`
	Signature hexBytes `json:"signature"`
	Valid     bool     `json:"valid"`          // Verify's verdict
	Standard  bool     `json:"crypto_ed25519"` // that of Go's crypto/ed25519, which is cofactorless
	Key       string   `json:"key"`            // the error of Check, or "ok"
}

const edgeDomain = DomainOp

// torsion returns the points of small order, [i]T for T of order 8.
func torsion() (points [8]*edwards25519.Point) {
	// [L]P = [L-1]P + P lies in the small-order subgroup, and is of order 8 for a suitable P.
	minusOne := new(edwards25519.Scalar).Negate(scalar(1))
	for i := byte(2); ; i++ {
		p, err := new(edwards25519.Point).SetBytes(append([]byte{i}, make([]byte, 31)...))
		if err != nil {
			continue
		}
		t := new(edwards25519.Point).ScalarMult(minusOne, p)
		t.Add(t, p)
		if isIdentity(new(edwards25519.Point).ScalarMult(scalar(4), t)) {
			continue
		}
		for i := range points {
			points[i] = new(edwards25519.Point).ScalarMult(scalar(uint64(i)), t)
		}
		return points
	}
}

func isIdentity(p *edwards25519.Point) bool {
	return p.Equal(edwards25519.NewIdentityPoint()) == 1
}

func scalar(v uint64) *edwards25519.Scalar {
	var b [32]byte
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(b[:])
	if err != nil {
		panic(err)
	}
	return s
}

// encodings returns every 32-byte string that decodes to p: the canonical one
// first, then those with y + p and with the sign of a zero x.
func encodings(p *edwards25519.Point) (all [][32]byte) {
	canonical := [32]byte(p.Bytes())
	all = append(all, canonical)
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	le := canonical
	le[31] &= 0x7f
	slices.Reverse(le[:])
	y := new(big.Int).SetBytes(le[:])
	for _, candidate := range []*big.Int{y, new(big.Int).Add(y, prime)} {
		if candidate.BitLen() > 255 {
			continue
		}
		for _, sign := range []byte{0, 0x80} {
			var enc [32]byte
			candidate.FillBytes(enc[:])
			slices.Reverse(enc[:])
			enc[31] |= sign
			q, err := new(edwards25519.Point).SetBytes(enc[:])
			if err == nil && q.Equal(p) == 1 && enc != canonical {
				all = append(all, enc)
			}
		}
	}
	return all
}

func challenge(r, a [32]byte, payload []byte) *edwards25519.Scalar {
	h := sha512.New()
	h.Write(r[:])
	h.Write(a[:])
	h.Write(edgeDomain.message(payload))
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic(err)
	}
	return k
}

func generateEdgeCases() (cases []edgeCase) {
	add := func(name string, a, r, s [32]byte, payload []byte, valid bool) {
		c := edgeCase{Name: name, Public: a[:], Payload: payload, Signature: append(r[:len(r):len(r)], s[:]...), Valid: valid, Key: "ok"}
		c.Standard = ed25519.Verify(a[:], edgeDomain.message(payload), c.Signature)
		if err := PublicKey(a).Check(); err != nil {
			c.Key = err.Error()
		}
		cases = append(cases, c)
	}
	small := torsion()
	var smallEncodings [][32]byte
	for _, p := range small {
		smallEncodings = append(smallEncodings, encodings(p)...)
	}
	for i, a := range smallEncodings {
		for j, r := range smallEncodings {
			add(fmt.Sprintf("small order A %d, R %d, S 0", i, j), a, r, [32]byte{}, []byte("Zcash"), true)
		}
	}

	secret, nonce := scalar(0x1234567890abcdef), scalar(0xfedcba0987654321)
	A := new(edwards25519.Point).ScalarBaseMult(secret)
	R := new(edwards25519.Point).ScalarBaseMult(nonce)
	// build signs with A + ta as key and R + tr as commitment, under the
	// first payload for which the cofactorless equation holds or not, as wanted.
	build := func(name string, ta, tr *edwards25519.Point, cofactorless, valid bool, tweak func(s *[32]byte)) {
		a := [32]byte(new(edwards25519.Point).Add(A, ta).Bytes())
		r := [32]byte(new(edwards25519.Point).Add(R, tr).Bytes())
		for i := 0; ; i++ {
			payload := fmt.Appendf(nil, "message %d", i)
			k := challenge(r, a, payload)
			rest := new(edwards25519.Point).ScalarMult(k, ta) // R + [k]A - [S]B
			rest.Add(rest, tr)
			if isIdentity(rest) != cofactorless {
				continue
			}
			s := [32]byte(new(edwards25519.Scalar).MultiplyAdd(k, secret, nonce).Bytes())
			if tweak != nil {
				tweak(&s)
			}
			add(name, a, r, s, payload, valid)
			return
		}
	}
	zero, t8, t4 := small[0], small[1], small[2]
	build("ordinary", zero, zero, true, true, nil)
	build("A of mixed order, cofactorless holds", t8, zero, true, true, nil)
	build("A of mixed order, only cofactored holds", t8, zero, false, true, nil)
	build("R of mixed order, only cofactored holds", zero, t4, false, true, nil)
	build("A and R of mixed order, cofactorless holds", t8, t4, true, true, nil)
	build("A and R of mixed order, only cofactored holds", t8, t4, false, true, nil)
	build("S plus 1", zero, zero, true, false, func(s *[32]byte) { s[0]++ })
	build("S plus L", zero, zero, true, false, func(s *[32]byte) { addOrder(s, 1) })
	build("S plus 15 L", zero, zero, true, false, func(s *[32]byte) { addOrder(s, 15) })
	build("S of L itself for 0", zero, zero, true, false, func(s *[32]byte) { *s = [32]byte{}; addOrder(s, 1) })
	build("S with the top bit", zero, zero, true, false, func(s *[32]byte) { s[31] |= 0x80 })
	build("R for another", zero, zero, true, false, func(s *[32]byte) { *s = [32]byte{1} })

	// A small and R of mixed order, and the reverse.
	for i, a := range smallEncodings {
		r := [32]byte(new(edwards25519.Point).Add(R, t8).Bytes())
		add(fmt.Sprintf("small order A %d, R of mixed order", i), a, r, [32]byte(nonce.Bytes()), []byte("m"), true)
		ta := [32]byte(new(edwards25519.Point).Add(A, t8).Bytes())
		k := challenge(a, ta, []byte("m"))
		s := new(edwards25519.Scalar).Multiply(k, secret)
		add(fmt.Sprintf("A of mixed order, small order R %d", i), ta, a, [32]byte(s.Bytes()), []byte("m"), true)
	}

	// Bytes that are no point at all, for A and for R: y = 2 is on no point.
	none := [32]byte{2}
	for ; ; none[0]++ {
		if _, err := new(edwards25519.Point).SetBytes(none[:]); err != nil {
			break
		}
	}
	add("A is no point", none, [32]byte(zero.Bytes()), [32]byte{}, []byte("m"), false)
	add("R is no point", [32]byte(A.Bytes()), none, [32]byte{}, []byte("m"), false)

	// Encodings with y >= p of points outside the small-order subgroup.
	for low := byte(0); low < 19; low++ {
		enc := [32]byte{0: 0xed + low, 31: 0x7f}
		for i := 1; i < 31; i++ {
			enc[i] = 0xff
		}
		p, err := new(edwards25519.Point).SetBytes(enc[:])
		if err != nil || isIdentity(new(edwards25519.Point).MultByCofactor(p)) {
			continue
		}
		// Nobody knows the discrete logarithm of such an A, so that no S fits.
		add(fmt.Sprintf("A non-canonical, y of p+%d", low), enc, [32]byte(R.Bytes()), [32]byte(nonce.Bytes()), []byte("m"), false)
	}
	return cases
}

// addOrder adds n times L, the order of the base point, to a little-endian s.
func addOrder(s *[32]byte, n int64) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	le := *s
	slices.Reverse(le[:])
	v := new(big.Int).SetBytes(le[:])
	v.Add(v, order.Mul(order, big.NewInt(n)))
	v.FillBytes(le[:])
	slices.Reverse(le[:])
	*s = le
}

func TestEdgeCases(t *testing.T) {
	cases := golden(t, "edgecases.json", generateEdgeCases())
	good := testKey("good")
	single, keyErrors, differ := 0, map[string]int{}, 0
	for _, c := range cases {
		pub, sig := PublicKey(c.Public), Signature(c.Signature)
		if got := Verify(pub, edgeDomain, c.Payload, sig); got != c.Valid {
			t.Errorf("%s: Verify = %v, want %v", c.Name, got, c.Valid)
		}
		for n := range 3 { // alone, and among one or two good ones
			b := NewBatch(n + 1)
			for range n {
				b.Add(good.Public(), edgeDomain, []byte("x"), good.Sign(edgeDomain, []byte("x")))
			}
			b.Add(pub, edgeDomain, c.Payload, sig)
			if got := b.Verify(); got != c.Valid {
				t.Errorf("%s: Batch.Verify among %d others = %v, want %v", c.Name, n, got, c.Valid)
			}
		}
		if c.Valid {
			single++
		}
		if c.Valid != c.Standard {
			differ++
		}
		keyErrors[c.Key]++
		got := "ok"
		if err := pub.Check(); err != nil {
			got = err.Error()
		}
		if got != c.Key {
			t.Errorf("%s: Check() = %v, want %v", c.Name, got, c.Key)
		}
	}
	if differ < 100 {
		t.Errorf("crypto/ed25519 disagrees in %d cases only: these are no edge cases", differ)
	}
	t.Logf("%d cases, %d valid, %d on which crypto/ed25519 differs; keys: %v", len(cases), single, differ, keyErrors)

	all := NewBatch(len(cases))
	for _, c := range cases {
		if c.Valid {
			all.Add(PublicKey(c.Public), edgeDomain, c.Payload, Signature(c.Signature))
		}
	}
	if !all.Verify() {
		t.Errorf("all valid edge cases in one batch: refused")
	}
}

// TestSmallOrderEncodings checks the generator against the list of ZIP-215's
// own test vectors: the 14 encodings of points of small order.
func TestSmallOrderEncodings(t *testing.T) {
	// As in the test suites of ZIP-215 and of "Taming the many EdDSAs".
	want := []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	var got []string
	for i, p := range torsion() {
		for j, enc := range encodings(p) {
			got = append(got, hex.EncodeToString(enc[:]))
			wantErr := ErrKeySmallOrder
			if j > 0 {
				wantErr = ErrKeyNonCanonical
			}
			if err := PublicKey(enc).Check(); !errors.Is(err, wantErr) {
				t.Errorf("point %d, encoding %d: Check() = %v, want %v", i, j, err, wantErr)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("encodings of small order:\n%q\nwant\n%q", got, want)
	}
}
