package car_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/car"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// file returns some operations as a file.
func file(tb testing.TB) ([]byte, *dagtest.Mesh) {
	tb.Helper()
	m := dagtest.New(tb, 3)
	c := m.Draw(`
		G -> a1{/k=1} -> b1 -> a2{/k=3}
		     |  -> c1{/k=v}
		     |  -> c1'{/j=v}
	`)
	c.Add()
	var heads []dag.ID
	for _, h := range m.Graph.Heads() {
		heads = append(heads, h.ID())
	}
	var b bytes.Buffer
	w, err := car.NewWriter(&b, heads)
	if err != nil {
		tb.Fatal(err)
	}
	for _, op := range m.Graph.Since(nil) {
		s := c.Signed(c.Name(op.ID()))
		if err := w.Op(s.Block(), s.Body()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), m
}

// TestRoundTrip reads a file into a fresh graph: the heads are those it says.
func TestRoundTrip(t *testing.T) {
	b, m := file(t)
	r, err := car.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	g := dag.NewGraph()
	for {
		block, body, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		u, err := dag.Decode(block, body)
		if err != nil {
			t.Fatal(err)
		}
		signed, errs := dag.Verify([]*dag.Unverified{u})
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		if _, _, err := g.Add(signed[0]); err != nil {
			t.Fatal(err)
		}
	}
	var heads []dag.ID
	for _, h := range g.Heads() {
		heads = append(heads, h.ID())
	}
	if g.Len() != m.Graph.Len() || !slices.Equal(heads, r.Heads()) || len(heads) != 3 {
		t.Errorf("%d ops, heads %v; want %d, %v", g.Len(), heads, m.Graph.Len(), r.Heads())
	}
}

// TestIPLD reads the sections as an IPLD tool does: each is a CID and data of its hash.
func TestIPLD(t *testing.T) {
	b, m := file(t)
	ids := make(map[string]bool)
	for n := 0; len(b) > 0; n++ {
		size, k := 0, 0
		for shift := 0; ; shift += 7 {
			size |= int(b[k]&0x7f) << shift
			if k++; b[k-1] < 0x80 {
				break
			}
		}
		section := b[k : k+size]
		b = b[k+size:]
		if n == 0 {
			continue // the header
		}
		k, c, err := cid.CidFromBytes(section)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := c.Prefix().Sum(section[k:])
		if err != nil || !sum.Equals(c) {
			t.Errorf("section %d: data of %v under %v, %v", n, sum, c, err)
		}
		ids[c.String()] = true
	}
	for _, op := range m.Graph.Since(nil) {
		if !ids[op.ID().String()] {
			t.Errorf("no section for %v", op.ID())
		}
	}
}

// TestDamage alters each byte, and cuts at each: nothing passes for another set of operations.
func TestDamage(t *testing.T) {
	whole, _ := file(t)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x04
		if err := read(b); err == nil {
			if r, err := car.NewReader(bytes.NewReader(b)); err == nil && i > 0 && len(r.Heads()) == 3 && i < 135 {
				continue // a root is only what the file says
			}
			t.Errorf("byte %d altered: no error", i)
		} else if !errors.Is(err, car.ErrFormat) {
			t.Errorf("byte %d altered: %v, want ErrFormat", i, err)
		}
	}
	cuts := 0
	for n := range whole {
		if err := read(whole[:n]); err == nil {
			cuts++ // between two sections: fewer operations than the roots say
		} else if !errors.Is(err, car.ErrFormat) {
			t.Errorf("cut at %d: %v, want ErrFormat", n, err)
		}
	}
	if cuts > 12 {
		t.Errorf("%d cuts pass, want no more than there are sections", cuts)
	}
}

func read(b []byte) error {
	r, err := car.NewReader(bytes.NewReader(b))
	for err == nil {
		_, _, err = r.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// FuzzReader: no bytes panic, and what is read is written as it was.
func FuzzReader(f *testing.F) {
	b, _ := file(f)
	f.Add(b)
	f.Add(b[:200])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := car.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		w, err := car.NewWriter(&again, r.Heads())
		if err != nil {
			t.Fatal(err)
		}
		for {
			block, body, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return
			}
			if err := w.Op(block, body); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Errorf("%x is written as %x, %v", b, again.Bytes(), err)
		}
	})
}
