package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/record"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// PeersProtocol is the protocol by which nodes of a mesh tell each other where
// others are (docs/p2p.md, section 13).
const PeersProtocol protocol.ID = "/causeway/peers/0"

// directory holds where the connected nodes of the mesh say that they are. It
// is safe for concurrent use, and bounded by the number of connections.
type directory struct {
	n *Network

	mu      sync.Mutex
	records map[peer.ID]placed
}

// placed is a node's record, signed by it.
type placed struct {
	record []byte
	seq    uint64
}

func newDirectory(n *Network) *directory { return &directory{n: n, records: make(map[peer.ID]placed)} }

// openPlace verifies a record: who says so, where it is, and the record's number.
// The error wraps ErrMalformed.
func openPlace(b []byte) (info peer.AddrInfo, seq uint64, err error) {
	env, rec, err := record.ConsumeEnvelope(b, peer.PeerRecordEnvelopeDomain)
	if err != nil {
		return peer.AddrInfo{}, 0, fmt.Errorf("%w: record: %v", ErrMalformed, err)
	}
	r, ok := rec.(*peer.PeerRecord)
	if !ok || !r.PeerID.MatchesPublicKey(env.PublicKey) {
		return peer.AddrInfo{}, 0, fmt.Errorf("%w: a record of another peer", ErrMalformed)
	}
	return peer.AddrInfo{ID: r.PeerID, Addrs: r.Addrs}, r.Seq, nil
}

// own returns this node's record.
func (d *directory) own() []byte {
	book, ok := peerstore.GetCertifiedAddrBook(d.n.host.Peerstore())
	if !ok {
		return nil
	}
	env := book.GetPeerRecord(d.n.id)
	if env == nil {
		return nil // it has no address
	}
	b, err := env.Marshal()
	if err != nil || len(b) > maxPlace {
		return nil
	}
	return b
}

// keep keeps a record that p sent of itself, none if it is empty.
func (d *directory) keep(p peer.ID, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	info, seq, err := openPlace(b)
	if err != nil {
		return err
	}
	if info.ID != p {
		return fmt.Errorf("%w: a record of another peer than its sender", ErrMalformed)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.records[p]; (!ok || known.seq < seq) && d.n.connected(p) {
		d.records[p] = placed{b, seq}
	}
	return nil
}

// forget forgets a peer that is not connected any more.
func (d *directory) forget(p peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.records, p)
}

// others returns records of nodes that may sync, but for p's: as many as an
// answer holds, at random.
func (d *directory) others(p peer.ID) (out [][]byte) {
	roster := d.n.backend.Graph().Roster()
	d.mu.Lock()
	defer d.mu.Unlock()
	for q, r := range d.records {
		if q != p && d.n.admittedBy(roster, q) == nil {
			out = append(out, r.record)
		}
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	size := 0
	for i, b := range out {
		if size += len(b) + 8; i == maxPlaces || size > maxPeersFrame-64 {
			return out[:i]
		}
	}
	return out
}

// visit asks p where others are, unless it was asked lately.
func (d *directory) visit(p peer.ID) {
	due := false
	d.n.peers.with(p, func(st *peerState) {
		now := time.Now()
		if due = !d.n.cfg.NoPeerExchange && now.After(st.askAgain); due {
			st.askAgain = now.Add(peersAgain + jitter(peersAgain))
		}
	})
	if !due {
		return
	}
	d.n.start(func(ctx context.Context) {
		if err := d.ask(ctx, p); err != nil {
			d.n.log.Debug("addresses were not exchanged", "peer", p.String(), "error", err)
		}
	})
}

func (d *directory) ask(ctx context.Context, p peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, peersTime)
	defer cancel()
	str, err := d.n.host.NewStream(reach(ctx, "peers"), p, PeersProtocol)
	if err != nil {
		return err // it may not take part
	}
	return d.over(ctx, p, str, func(f *framer) error {
		if err := f.write(encodePlace(d.own())); err != nil {
			return err
		}
		b, err := f.read()
		if err != nil {
			return err
		}
		places, err := decodePlaces(b)
		if err != nil {
			return err
		}
		for _, b := range places {
			info, _, err := openPlace(b)
			if err != nil {
				return err // whoever passes on a record has verified it
			}
			d.n.learn(info)
		}
		return nil
	})
}

// serve answers a peer that asks where others are.
func (d *directory) serve(ctx context.Context, str network.Stream) {
	p := str.Conn().RemotePeer()
	err := d.n.admitted(p)
	if err == nil {
		within := false
		d.n.peers.with(p, func(st *peerState) { within = st.asks.take(1, time.Now()) })
		if !within {
			err = fmt.Errorf("%w: questions for addresses", ErrBudget)
			d.n.standings.report(p, reasonBudget, err)
		}
	} else if shutOut(err) {
		d.n.standings.report(p, reasonNotEnrolled, fmt.Errorf("addresses: %w", err))
	}
	if err != nil {
		_ = str.ResetWithError(codeOf(err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, peersTime)
	defer cancel()
	_ = d.over(ctx, p, str, func(f *framer) error {
		b, err := f.read()
		if err != nil {
			return err
		}
		place, err := decodePlace(b)
		if err != nil {
			return err
		}
		if err := d.keep(p, place); err != nil {
			return err
		}
		return f.write(encodePlaces(d.others(p)))
	})
}

// over runs the steps of an exchange, ends the stream, and blames the peer for
// what it did wrong.
func (d *directory) over(ctx context.Context, p peer.ID, str network.Stream, steps func(*framer) error) error {
	defer d.n.resetOnClose(str)()
	stop := context.AfterFunc(ctx, func() { _ = str.ResetWithError(codeClosing) })
	defer stop()
	f := newFramer(str, maxPeersFrame, d.n.timing.Stall)
	err := steps(f)
	d.n.account(p, f)
	if err == nil {
		return str.Close()
	}
	_ = str.ResetWithError(codeOf(err))
	if _, remote := resetCode(err); !remote && !errors.Is(ctx.Err(), context.Canceled) {
		d.n.blame(p, err)
	}
	return err
}

// learn takes a hint where a node of the mesh is, from whomever: it is dialled
// there if the roster here lets it sync and few enough are connected.
func (n *Network) learn(info peer.AddrInfo) {
	key, err := NodeKey(info.ID)
	if err != nil || info.ID == n.id {
		return
	}
	if n.backend.Graph().Roster().Standing(key).Err() == nil || n.book.has(info.ID) {
		n.book.hint(info)
	}
}

const peersVersion = 0

// encodePlace returns the question: [0, record], the record of who asks or empty.
func encodePlace(record []byte) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, peersVersion)
	return dagcbor.AppendBytes(b, record)
}

func decodePlace(p []byte) ([]byte, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	version := d.Uint()
	place := d.Bytes(maxPlace)
	if err := d.Finish(); err != nil || version != peersVersion {
		return nil, fmt.Errorf("%w: question for addresses, version %d: %v", ErrMalformed, version, err)
	}
	return place, nil
}

// encodePlaces returns the answer: [0, [record…]].
func encodePlaces(places [][]byte) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, peersVersion)
	b = dagcbor.AppendArray(b, len(places))
	for _, p := range places {
		b = dagcbor.AppendBytes(b, p)
	}
	return b
}

func decodePlaces(p []byte) (places [][]byte, err error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	version := d.Uint()
	for range d.Array(maxPlaces) {
		places = append(places, d.Bytes(maxPlace))
	}
	if err := d.Finish(); err != nil || version != peersVersion {
		return nil, fmt.Errorf("%w: answer with addresses, version %d: %v", ErrMalformed, version, err)
	}
	return places, nil
}
