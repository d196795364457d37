package adversary

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pubsubpb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A Peer speaks the protocols of a mesh byte by byte, from a libp2p host of its
// own. Nothing answers the nodes' own streams unless the test says what.
type Peer struct {
	host.Host
	tb    testing.TB
	Key   *identity.PrivateKey
	mesh  dag.ID
	topic *pubsub.Topic // once it gossiped
}

// NewPeer makes a peer with that key and connects it to the sites. It ends with the test.
func (m *Mesh) NewPeer(tb testing.TB, key *identity.PrivateKey, sites ...*Site) *Peer {
	tb.Helper()
	p := NewPeer(tb, key, m.World.Founding.ID())
	for _, s := range sites {
		p.Dial(s.Address())
	}
	return p
}

// NewPeer makes a peer that is connected to nobody. It ends with the test.
func NewPeer(tb testing.TB, key *identity.PrivateKey, mesh dag.ID) *Peer {
	tb.Helper()
	seed := key.Seed()
	priv, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(priv), libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport), libp2p.NoListenAddrs,
		libp2p.DisableRelay(), libp2p.Ping(false), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.ForceReachabilityPrivate())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.Close() })
	return &Peer{Host: h, tb: tb, Key: key, mesh: mesh}
}

// Dial connects to a node, and ends the test if it cannot.
func (p *Peer) Dial(addr string) {
	p.tb.Helper()
	if err := p.TryDial(addr); err != nil {
		p.tb.Fatal(err)
	}
}

// TryDial connects to a node.
func (p *Peer) TryDial(addr string) error {
	info, err := p2p.ParsePeerAddr(addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), Within)
	defer cancel()
	return p.Connect(ctx, info)
}

func id(addr string) peer.ID {
	info, err := p2p.ParsePeerAddr(addr)
	if err != nil {
		panic(err) // a node's own address
	}
	return info.ID
}

// Connected reports whether the peer is connected to a site.
func (p *Peer) Connected(s *Site) bool {
	return p.Host.Network().Connectedness(id(s.Address())) == network.Connected
}

// Sync opens a sync with a site and sends the frames, then raw bytes behind
// them. It returns nil if the site does not let it.
func (p *Peer) Sync(s *Site, raw []byte, frames ...[]byte) network.Stream {
	ctx, cancel := context.WithTimeout(context.Background(), Within)
	defer cancel()
	stream, err := p.NewStream(network.WithNoDial(ctx, "attack"), id(s.Address()), p2p.SyncProtocol)
	if err != nil {
		return nil
	}
	_ = stream.SetWriteDeadline(time.Now().Add(Within))
	// The site may hang up before all is written.
	_, _ = stream.Write(append(framed(frames...), raw...))
	return stream
}

// Open is the frames of a sync that states nothing.
func (p *Peer) Open() [][]byte { return [][]byte{hello(), claim{mesh: p.mesh}.encode()} }

// SendOps opens a sync with a site and sends it ops, in frames of a size that is allowed.
func (p *Peer) SendOps(s *Site, ops ...encodedOp) network.Stream {
	const most = 200 << 10 // a frame of several
	frames := p.Open()
	size, from := 0, 0
	for i, op := range ops {
		n := len(op.block) + len(op.body)
		if size += n; size > most && i > from {
			frames = append(frames, opsFrame(ops[from:i]...))
			size, from = n, i
		}
	}
	return p.Sync(s, nil, append(frames, opsFrame(ops[from:]...))...)
}

// deliver sends ops to a site until it holds the last of them: it may be busy.
func (p *Peer) deliver(s *Site, ops ...encodedOp) {
	p.tb.Helper()
	u, err := dag.Decode(ops[len(ops)-1].block, ops[len(ops)-1].body)
	if err != nil {
		p.tb.Fatal(err)
	}
	last := u.ID()
	Eventually(p.tb, "the liar's ops are at "+s.Name, func() bool {
		if s.Has(p.tb, last) {
			return true
		}
		stream := p.SendOps(s, ops...)
		if stream == nil {
			return false
		}
		defer stream.Reset()
		for began := time.Now(); time.Since(began) < time.Second; time.Sleep(10 * time.Millisecond) {
			if s.Has(p.tb, last) {
				return true
			}
		}
		return false
	}, func() string {
		peer, _ := s.Peer(p.tb, p.Key.Public())
		return fmt.Sprintf("the liar: %+v", peer)
	})
}

// Answer has f answer the syncs that nodes open with the peer.
func (p *Peer) Answer(f func(network.Stream)) { p.SetStreamHandler(p2p.SyncProtocol, f) }

// state answers a sync by the rules, but for what it states and what it gives:
// a claim, those frames, and, once the node has answered, that it wants no more.
func (p *Peer) state(s network.Stream, c claim, frames ...[]byte) {
	_, _ = s.Write(framed(append(append([][]byte{c.encode()}, frames...), endFrame())...))
	end := endFrame()
	for {
		frame, err := readFrame(s)
		if err != nil {
			_ = s.Reset()
			return
		}
		if bytes.Equal(frame, end) {
			break
		}
	}
	_, _ = s.Write(framed(finFrame(true)))
	_ = s.CloseWrite()
	drain(s)
}

// swallow reads an answer to its end and says that it took what came, so that more does. It
// returns the bytes of the frames.
func swallow(s network.Stream) (n int64) {
	const unit, every = 256 << 10, 8
	untold := 0
	for {
		frame, err := readFrame(s)
		n += int64(len(frame))
		switch {
		case err != nil, bytes.Equal(frame, endFrame()), bytes.Equal(frame, cutFrame()):
			return n
		case bytes.HasPrefix(frame, opsFrame()):
			if untold += (len(frame) + unit - 1) / unit; untold >= every {
				_, _ = s.Write(framed(ackFrame(untold)))
				untold = 0
			}
		}
	}
}

// readFrame reads one frame, of at most the largest size, and opens it if it is compressed.
func readFrame(s network.Stream) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	frame := make([]byte, min(n&^compressed, 8<<20))
	if _, err := io.ReadFull(s, frame); err != nil || n&compressed == 0 {
		return frame, err
	}
	return io.ReadAll(flate.NewReader(bytes.NewReader(frame[min(4, len(frame)):])))
}

// Gossip sends messages to all nodes that the peer is connected to, once they listen.
func (p *Peer) Gossip(messages ...[]byte) {
	p.tb.Helper()
	if p.topic == nil {
		ctx, cancel := context.WithCancel(context.Background())
		p.tb.Cleanup(cancel)
		ps, err := pubsub.NewGossipSub(ctx, p.Host, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithFloodPublish(true),
			pubsub.WithMaxMessageSize(4<<20), pubsub.WithPeerOutboundQueueSize(4096),
			pubsub.WithMessageIdFn(func(m *pubsubpb.Message) string { sum := sha256.Sum256(m.Data); return string(sum[:]) }))
		if err != nil {
			p.tb.Fatal(err)
		}
		if p.topic, err = ps.Join(p2p.Topic(p.mesh)); err != nil {
			p.tb.Fatal(err)
		}
	}
	peers := len(p.Host.Network().Peers())
	Eventually(p.tb, "the nodes listen to the liar", func() bool {
		return len(p.topic.ListPeers()) >= min(peers, len(p.Host.Network().Peers()))
	})
	for _, data := range messages {
		if err := p.topic.Publish(context.Background(), data); err != nil {
			p.tb.Fatal(err)
		}
	}
}

// hold keeps a session alive as a node does that has nothing to send yet: by
// empty frames, until the node ends it or the test does.
func hold(ctx context.Context, s network.Stream, every time.Duration, part []byte) {
	go drain(s)
	for {
		select {
		case <-ctx.Done():
			_ = s.Reset()
			return
		case <-time.After(every):
		}
		if _, err := s.Write(part); err != nil {
			_ = s.Reset()
			return
		}
	}
}

// drain reads a stream to its end and returns how many bytes came.
func drain(s network.Stream) int64 {
	n, _ := io.Copy(io.Discard, s)
	return n
}
