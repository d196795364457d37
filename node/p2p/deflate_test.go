package p2p

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"testing"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
)

// squeezed is b as compress/flate makes it at a level.
func squeezed(t *testing.T, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDeflate(t *testing.T) {
	noise := make([]byte, 8<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	text := []byte(`{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-29T00:00:02Z"}`)
	varied := bytes.Repeat(text, 3)
	for _, c := range []struct {
		name string
		b    []byte
		pays bool
	}{
		{"nothing", nil, false},
		{"short", varied[:minDeflate-1], false},
		{"text", varied, true},
		{"noise", noise, false},
		{"half noise", append(bytes.Repeat(text, 40), noise[:4<<10]...), true},
		{"more than a receiver opens", make([]byte, 1<<20), false},
	} {
		z := deflate([]byte("head"), c.b, nil)
		if (z != nil) != c.pays {
			t.Errorf("%s: %d bytes became %d, want that it pays: %v", c.name, len(c.b), len(z), c.pays)
		}
		if z == nil {
			continue
		}
		if got, err := inflate(z[4:], len(c.b), nil); err != nil || !bytes.Equal(got, c.b) || len(z) >= len(c.b) {
			t.Errorf("%s: inflate gave %d bytes of %d from %d, %v", c.name, len(got), len(c.b), len(z), err)
		}
	}
	z := squeezed(t, varied, 6)
	for name, c := range map[string]struct {
		z []byte
		n int
	}{
		"cut":           {z[:len(z)-3], len(varied)},
		"trailing":      {append(bytes.Clone(z), 0), len(varied)},
		"longer":        {z, len(varied) - 1},
		"shorter":       {z, len(varied) + 1},
		"no stream":     {[]byte("\x07\x07\x07"), 3},
		"empty":         {nil, 0},
		"of nothing":    {nil, 1},
		"a bomb":        {squeezed(t, make([]byte, 1<<20), 9), 1 << 20},
		"a bomb, lying": {squeezed(t, make([]byte, 1<<20), 9), 1 << 10},
	} {
		if got, err := inflate(c.z, c.n, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("inflate(%s) = %d bytes, %v, want ErrMalformed", name, len(got), err)
		}
	}
}

// TestForwardedOnce has a liar send one op in several forms, and old ops again: each op
// goes on once, and the old ones not at all.
func TestForwardedOnce(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := members(t, m, 2, fast)
	gossips(t, sites...)
	base := []dag.ID{m.Founding.ID()}
	value := string(bytes.Repeat([]byte("a value that compresses "), 20))
	op := m.Sign(dagtest.Draft{Author: 2, Parents: base, Transactions: []dag.Transaction{{dagtest.Put("k", value)}}})
	l := newLiar(t, m.Node(2), sites[0])
	raw := &gossipMessage{block: op.Block(), body: op.Body()}
	forms := [][]byte{
		encodeGossipOp(raw.block, raw.body),
		encodeGossipShort(raw.block, len(raw.body), squeezed(t, raw.body, flate.HuffmanOnly)),
		encodeGossipShort(raw.block, len(raw.body), squeezed(t, raw.body, 9)),
		encodeGossipShort(raw.block, len(raw.body), squeezed(t, raw.body, flate.NoCompression)),
	}
	for _, data := range forms {
		l.publish(m.Founding.ID(), data)
	}
	eventually(t, "the op arrives", func() bool { return sites[0].holds(op.ID()) && sites[1].holds(op.ID()) })
	g := sites[0].gossip
	for i, data := range forms {
		if got := g.validate(t.Context(), l.ID(), &pubsub.Message{Message: &pb.Message{Data: data}}); got != pubsub.ValidationIgnore {
			t.Errorf("form %d of an op that was forwarded: %v, want that it is ignored", i, got)
		}
	}
	founding := encodeGossipOp(m.Founding.Block(), m.Founding.Body())
	if got := g.validate(t.Context(), l.ID(), &pubsub.Message{Message: &pb.Message{Data: founding}}); got != pubsub.ValidationIgnore {
		t.Errorf("an old op: %v, want that it is ignored", got)
	}
	if last := sites[0].standings.last(l.ID()); last != "" {
		t.Errorf("the peer was blamed for %q", last)
	}
}

func TestPassed(t *testing.T) {
	p := newPassed()
	id := func(i int) (id dag.ID) { id[0], id[1], id[2] = byte(i), byte(i>>8), 1; return id }
	if p.pass(id(0)) {
		t.Error("an op that was not delivered passes")
	}
	for i := range keptPassed {
		p.delivered(id(i))
	}
	p.delivered(id(0)) // it is known
	if !p.pass(id(0)) || p.pass(id(0)) {
		t.Error("a delivered op does not pass once")
	}
	p.delivered(id(keptPassed))
	if p.pass(id(0)) || len(p.ops) != keptPassed {
		t.Errorf("%d ops are kept, want the last %d", len(p.ops), keptPassed)
	}
	if !p.pass(id(keptPassed)) || !p.pass(id(1)) {
		t.Error("one of the last ops does not pass")
	}
}
