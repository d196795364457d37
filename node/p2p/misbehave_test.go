package p2p

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// liar is a peer that speaks our protocols byte by byte.
type liar struct {
	host.Host
	t     *testing.T
	to    peer.ID
	topic *pubsub.Topic // once it published
}

// newLiar connects a liar with that key to the site.
func newLiar(t *testing.T, key *identity.PrivateKey, to *site) *liar {
	t.Helper()
	h, err := newHost(key, hostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	info, err := ParsePeerAddr(to.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Connect(t.Context(), info); err != nil {
		t.Fatal(err)
	}
	return &liar{Host: h, t: t, to: to.ID()}
}

// send opens a sync stream and writes the frames, then raw bytes. It returns
// nil if the site does not let it.
func (l *liar) send(raw []byte, frames ...[]byte) network.Stream {
	s, err := l.NewStream(l.t.Context(), l.to, SyncProtocol)
	if err != nil {
		return nil
	}
	l.t.Cleanup(func() { s.Reset() })
	var b []byte
	for _, f := range frames {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	// The site may hang up before all is written.
	_, _ = s.Write(append(b, raw...))
	return s
}

func hello() []byte { return encodeHello(nil) }

// summary is an opening summary of nothing.
func summary(mesh dag.ID) []byte {
	salt := [8]byte{1}
	name := sha256.Sum256(append(salt[:], mesh[:]...))
	b := dagcbor.AppendArray(nil, 11)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendBytes(b, name[:6])
	b = dagcbor.AppendBytes(b, salt[:])
	b = dagcbor.AppendUint(b, 0)
	for range 3 { // anchor, branches, vector
		b = dagcbor.AppendArray(b, 0)
	}
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendBytes(b, nil) // filter
	return dagcbor.AppendBytes(b, nil)
}

func opsFrame(blocks ...[2][]byte) []byte {
	b := dagcbor.AppendArray(nil, 1)
	b = dagcbor.AppendUint(b, 1)
	for _, op := range blocks {
		b = append(append(b, op[0]...), op[1]...)
	}
	return b
}

func encoded(s *dag.Signed) [2][]byte { return [2][]byte{s.Block(), s.Body()} }

// forged is s with another signature.
func forged(s *dag.Signed) [2][]byte {
	block := append([]byte(nil), s.Block()...)
	block[len(block)-40] ^= 1
	return [2][]byte{block, s.Body()}
}

// badOps are ops that no correct node accepts, with the reason for which they
// are refused. base is the author's first op.
func badOps(m *dagtest.Mesh, author int, base dag.ID) map[string][2][]byte {
	other := dagtest.NewMesh(new(nothing), dagtest.Config{Name: "other", Authors: 1})
	put := []dag.Transaction{{dagtest.Put("k", "bad")}}
	founding := m.Founding.ID()
	bad := func(edit func(*dag.Header)) [2][]byte {
		return encoded(m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{base}, Transactions: put, Edit: edit}))
	}
	own := m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{base}, Transactions: put})
	return map[string][2][]byte{
		"refused-bad-signature":     forged(own),
		"other-mesh":                encoded(other.Sign(dagtest.Draft{Parents: []dag.ID{other.Founding.ID()}, Transactions: put})),
		"refused-wrong-depth":       bad(func(h *dag.Header) { h.Depth = 9 }),
		"refused-wrong-epoch":       bad(func(h *dag.Header) { h.Epoch = dag.MaxEpoch + 1 }),
		"refused-prev-other-author": bad(func(h *dag.Header) { h.Prev, h.Seq = &founding, 2 }),
		"refused-wrong-seq":         bad(func(h *dag.Header) { h.Seq = 7 }),
		"refused-parents-not-antichain": encoded(m.Sign(dagtest.Draft{
			Author: author, Parents: []dag.ID{base, founding}, Transactions: put,
		})),
		"refused-wrong-bytes-total": bad(func(h *dag.Header) { h.Bytes++ }),
		"refused-not-enrolled": encoded(m.Sign(dagtest.Draft{
			Key: m.Key("nobody"), Parents: []dag.ID{founding}, Transactions: put,
		})),
		"refused-malformed":  {own.Block()[:50], own.Body()},
		"refused-body-roots": {own.Block(), bytes.Replace(own.Body(), []byte("bad"), []byte("mad"), 1)},
		"refused-unknown-schema": encoded(m.Sign(dagtest.Draft{Author: author, Parents: []dag.ID{base},
			Transactions: []dag.Transaction{{dagtest.PutUnder(dag.SchemaIDOf(nil), "k", "bad")}}})),
	}
}

// nothing is a testing.TB for making ops in a table.
type nothing struct{ testing.TB }

func (*nothing) Helper() {}

// TestLiars has one enrolled peer after another misbehave at a site that syncs
// with a good one all the while.
func TestLiars(t *testing.T) {
	m := dagtest.New(t, 40)
	sites := members(t, m, 2, fast)
	victim, good := sites[0], sites[1]
	gossips(t, sites...)

	open := [][]byte{hello(), summary(m.Founding.ID())}
	type attack struct {
		name, reason string
		run          func(*liar)
	}
	attacks := []attack{
		{"garbage for a hello", "malformed", func(l *liar) { l.send(nil, []byte("garbage")) }},
		{"garbage for a summary", "malformed", func(l *liar) { l.send(nil, hello(), []byte("\x8b\x00garbage")) }},
		{"garbage later", "malformed", func(l *liar) { l.send(nil, append(open, []byte{0xff})...) }},
		{"an oversized frame", "oversize", func(l *liar) { l.send([]byte{0xff, 0xff, 0xff, 0xff}, open...) }},
		{"an oversized hello", "oversize", func(l *liar) { l.send([]byte{0, 2, 0, 0}) }},
		{"another mesh", "other-mesh", func(l *liar) { l.send(nil, hello(), summary(dag.ID{1})) }},
		{"ops before a summary", "protocol", func(l *liar) { l.send(nil, hello(), opsFrame(encoded(m.Founding))) }},
		{"a stalled frame", "stalled", func(l *liar) { l.send([]byte{0, 0, 1, 0, 'x'}, open...) }},
		{"a stalled hello", "stalled", func(l *liar) { l.send([]byte{0}) }},
		{"too many sessions", "budget", func(l *liar) {
			for range sessionBurst + 20 {
				l.send(nil, hello())
			}
		}},
		{"a session left hanging", "stalled", func(l *liar) {
			l.SetStreamHandler(SyncProtocol, func(s network.Stream) { <-t.Context().Done(); s.Reset() })
		}},
	}
	base := m.Sign(dagtest.Draft{Author: 2, Parents: []dag.ID{m.Founding.ID()}})
	if err := victim.backend.Admit(t.Context(), []*dag.Signed{base})[0]; err != nil {
		t.Fatal(err)
	}
	for reason, op := range badOps(m, 2, base.ID()) {
		attacks = append(attacks,
			attack{"sync of " + reason, reason, func(l *liar) { l.send(nil, append(open, opsFrame(op))...) }},
			attack{"gossip of " + reason, reason, func(l *liar) { l.publish(m.Founding.ID(), encodeGossipOp(op[0], op[1])) }},
		)
	}
	attacks = append(attacks,
		attack{"gossip of garbage", "malformed", func(l *liar) { l.publish(m.Founding.ID(), []byte("garbage")) }},
		attack{"gossip of another's heads", "protocol", func(l *liar) {
			l.publish(m.Founding.ID(), encodeGossipHeads(good.self, []dag.ID{{1}}))
		}},
	)

	var wg sync.WaitGroup
	for i, a := range attacks {
		l := newLiar(t, m.Node(2+i), victim)
		a.run(l)
		wg.Go(func() {
			named := func() bool {
				return victim.log.has("peer misbehaved", "peer="+l.ID().String(), "reason="+a.reason)
			}
			last := time.Now()
			eventually(t, a.name+" is named in the log", func() bool {
				// The site may have been busy with a session of its own.
				if !named() && time.Since(last) > 3*time.Second {
					a.run(l)
					last = time.Now()
				}
				return named()
			})
		})
		if i%5 == 0 {
			id := good.put(t, fmt.Sprintf("good%d", i), "v")
			took := eventually(t, "the good peer's op arrives during "+a.name, func() bool { return victim.holds(id) })
			if took > 3*time.Second {
				t.Errorf("%s: the good peer's op took %v", a.name, took)
			}
		}
	}
	wg.Wait()
	for _, a := range attacks {
		if victim.misbehaved(t, a.reason) == 0 {
			t.Errorf("%s: no metric counts %s", a.name, a.reason)
		}
	}
	if want := 2 + (len(attacks)+4)/5; victim.backend.graph.Len() != want {
		t.Errorf("the victim holds %d ops, want %d: those of the good peer", victim.backend.graph.Len(), want)
	}
	eventually(t, "the victim's heads are the good peer's", equalHeads(victim, good))
	if _, banned := victim.standings.banned(good.ID()); banned {
		t.Error("the good peer was banned")
	}
	if victim.standings.last(good.ID()) != "" {
		t.Errorf("the good peer was blamed for %s", victim.standings.last(good.ID()))
	}
}

// publish sends a message by gossip, as soon as the victim listens.
func (l *liar) publish(mesh dag.ID, data []byte) {
	l.t.Helper()
	if l.topic == nil {
		ctx, cancel := context.WithCancel(context.Background())
		l.t.Cleanup(cancel)
		ps, err := pubsub.NewGossipSub(ctx, l.Host, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
			pubsub.WithMessageIdFn(messageID), pubsub.WithFloodPublish(true))
		if err != nil {
			l.t.Fatal(err)
		}
		if l.topic, err = ps.Join(Topic(mesh)); err != nil {
			l.t.Fatal(err)
		}
	}
	eventually(l.t, "the victim listens to the liar", func() bool { return len(l.topic.ListPeers()) > 0 })
	if err := l.topic.Publish(l.t.Context(), data); err != nil {
		l.t.Fatal(err)
	}
}

// TestStrangerIsRefused has a node of nobody try the gated protocols.
func TestStrangerIsRefused(t *testing.T) {
	m := dagtest.New(t, 1)
	victim := members(t, m, 1, fast)[0]
	l := newLiar(t, m.Key("nobody"), victim)
	s := l.send(nil, hello(), summary(m.Founding.ID()))
	_, err := io.ReadAll(s)
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled {
		t.Errorf("reading the refused stream: %v, want a reset with code %d", err, codeNotEnrolled)
	}
	g, err := l.NewStream(t.Context(), l.to, pubsub.GossipSubDefaultProtocols...)
	if err == nil {
		_, err = io.ReadAll(g)
	}
	if !errors.Is(err, network.ErrReset) {
		t.Errorf("gossip with the site: %v, want a reset", err)
	}
	eventually(t, "both are counted", func() bool { return victim.misbehaved(t, "not-enrolled") >= 2 })
	if _, banned := victim.standings.banned(l.ID()); banned {
		t.Error("a stranger was banned for knocking")
	}
}

// TestForgedIntroduction shows ops that do not enrol who shows them.
func TestForgedIntroduction(t *testing.T) {
	m := dagtest.New(t, 1)
	victim := members(t, m, 1, fast)[0]
	nobody := m.Key("nobody")
	mesh := [32]byte(m.Founding.ID())
	enrol := m.StateAs(m.Operator, nobody, &mesh, identity.Enrol{
		Node: nobody.Public(), Consent: identity.SignConsent(mesh, m.Operator, 0, nobody),
	})
	self := m.Sign(dagtest.Draft{Key: nobody, Parents: []dag.ID{m.Founding.ID()}, Statements: []*identity.Statement{enrol}})
	l := newLiar(t, nobody, victim)
	other := m.Sign(dagtest.Draft{Parents: []dag.ID{m.Founding.ID()}})
	for name, op := range map[string][2][]byte{
		"signed by itself": encoded(self),
		"of others":        encoded(other),
		"the founding":     encoded(m.Founding),
		"forged":           forged(other),
		"garbage":          {[]byte("garbage"), nil},
		"none":             {},
	} {
		if err := victim.introduce(l.ID(), introduction{{op[0], op[1]}}); err == nil || victim.admitted(l.ID()) == nil {
			t.Errorf("introduce(%s) = %v, want an error", name, err)
		}
	}
	b := encodeHello(introduction{{self.Block(), self.Body()}})
	_, err := io.ReadAll(l.send(nil, b, summary(m.Founding.ID())))
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled {
		t.Errorf("reading the refused stream: %v, want a reset with code %d", err, codeNotEnrolled)
	}
}

// TestHonestRelayOfOrphans has a peer gossip an op whose past the site lacks:
// no lie, and the site asks that peer for the past.
func TestHonestRelayOfOrphans(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := members(t, m, 1, fast)
	l := newLiar(t, m.Node(2), sites[0])
	first := m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{m.Founding.ID()}})
	second := m.Sign(dagtest.Draft{Author: 1, Parents: []dag.ID{first.ID()}})
	l.publish(m.Founding.ID(), encodeGossipOp(second.Block(), second.Body()))
	eventually(t, "the op waits in the pool", func() bool { return sites[0].delivery.pool.Has(second.ID()) })
	if last := sites[0].standings.last(l.ID()); last != "" && last != "stalled" {
		t.Errorf("the relay was blamed for %q", last)
	}
	l.publish(m.Founding.ID(), encodeGossipOp(first.Block(), first.Body()))
	eventually(t, "both ops are delivered", func() bool { return sites[0].holds(first.ID()) && sites[0].holds(second.ID()) })
	if ops, _ := sites[0].delivery.pool.Len(); ops != 0 {
		t.Errorf("the pool still holds %d ops", ops)
	}
}

// TestForkIsNamed has an enrolled author sign two ops at one place: both
// count, the log names it, and the peer that relays them is not blamed.
func TestForkIsNamed(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := members(t, m, 2, fast)
	base := []dag.ID{m.Founding.ID()}
	a := m.Sign(dagtest.Draft{Author: 2, Parents: base, Transactions: []dag.Transaction{{dagtest.Put("k", "a")}}})
	b := m.Sign(dagtest.Draft{Author: 2, Parents: base, Transactions: []dag.Transaction{{dagtest.Put("k", "b")}}})
	for _, err := range sites[0].backend.Admit(t.Context(), []*dag.Signed{a, b}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both branches are delivered", func() bool { return sites[1].holds(a.ID()) && sites[1].holds(b.ID()) })
	eventually(t, "the forker is named", func() bool {
		return sites[1].log.has("forked", "author="+m.Author(2).String(), "operator=founder")
	})
	if last := sites[1].standings.last(sites[0].ID()); last != "" {
		t.Errorf("the relay was blamed for %q", last)
	}
}

// TestHangingPeersDoNotSlowSync surrounds a site with enrolled peers that take
// every session and never answer. Nothing but sync can bring the good peer's
// ops, and only the site starts syncs.
func TestHangingPeersDoNotSlowSync(t *testing.T) {
	m := dagtest.New(t, 10)
	timing := fast
	timing.Stall = time.Minute
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: timing})
	for i := range 6 {
		l := newLiar(t, m.Node(2+i), victim)
		l.SetStreamHandler(SyncProtocol, func(s network.Stream) { <-t.Context().Done(); s.Reset() })
		l.send(nil, hello())
	}
	good := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, timing: slow})
	if err := victim.AddPeer(good.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "they are connected", func() bool { return good.connected(victim.ID()) })
	good.backend.OnOp(func(*dag.Op, []byte, []byte) {})
	for i := range 5 {
		id := good.put(t, fmt.Sprintf("k%d", i), "v")
		took := eventually(t, "the good peer's op arrives", func() bool { return victim.holds(id) })
		if took > 5*time.Second {
			t.Errorf("an op took %v by sync with six peers hanging", took)
		}
	}
}
