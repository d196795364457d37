package p2p

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// peerMeta is the prefix of the names under which peers are remembered.
const peerMeta = "p2p/peer/"

// book holds the peers this node connects to by itself: configured ones, the
// inviter that its ticket named, and those it synced with. It is durable but
// for the configured ones, bounded, and safe for concurrent use.
type book struct {
	meta   Meta
	timing Timing

	mu      sync.Mutex
	entries map[peer.ID]*bookEntry
	wake    chan struct{} // an entry became due earlier
}

type bookEntry struct {
	info    peer.AddrInfo
	pinned  bool                  // configured: never forgotten
	stored  bool                  // in meta
	retired bool                  // the node has another key by now: not dialled
	hint    bool                  // others said where it is: forgotten if it is not there
	fails   int                   // attempts since the last that succeeded
	hints   []multiaddr.Multiaddr // where others said it is, the newest first
	seen    time.Time             // last added or remembered
	next    time.Time             // not dialled before
	wait    time.Duration
	dialing bool
}

// openBook loads the remembered peers. Entries that no longer parse are
// dropped: what they hold can be learnt again.
func openBook(meta Meta, t Timing) (*book, error) {
	b := &book{meta: meta, timing: t, entries: make(map[peer.ID]*bookEntry), wake: make(chan struct{}, 1)}
	err := meta.ScanMeta(peerMeta, func(name string, v []byte) error {
		id, err := peer.Decode(strings.TrimPrefix(name, peerMeta))
		if err != nil || len(b.entries) >= maxPeers {
			return nil
		}
		if addrs, seen, err := decodePeer(v); err == nil {
			b.entries[id] = &bookEntry{info: peer.AddrInfo{ID: id, Addrs: addrs}, seen: seen, stored: true}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("p2p: read remembered peers: %w", err)
	}
	return b, nil
}

func encodePeer(addrs []multiaddr.Multiaddr, seen time.Time) []byte {
	b := dagcbor.AppendArray(nil, 3)
	b = dagcbor.AppendUint(b, 0)
	b = dagcbor.AppendArray(b, len(addrs))
	for _, a := range addrs {
		b = dagcbor.AppendBytes(b, a.Bytes())
	}
	return dagcbor.AppendUint(b, uint64(max(0, seen.UnixMilli())))
}

func decodePeer(v []byte) (addrs []multiaddr.Multiaddr, seen time.Time, err error) {
	d := dagcbor.NewDecoder(v)
	d.Tuple(3)
	if version := d.Uint(); d.Err() == nil && version != 0 {
		return nil, time.Time{}, fmt.Errorf("%w: peer record version %d", ErrMalformed, version)
	}
	for range d.Array(maxTicketAddrs) {
		a, err := multiaddr.NewMultiaddrBytes(d.Bytes(maxAddr))
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("%w: %v", ErrAddress, err)
		}
		addrs = append(addrs, a)
	}
	seen = time.UnixMilli(int64(d.Uint()))
	return addrs, seen, d.Finish()
}

// pin adds a configured peer, or an address to one.
func (b *book) pin(info peer.AddrInfo) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := b.entry(info.ID)
	if err != nil {
		return err
	}
	e.pinned, e.hint = true, false
	e.seen = time.Now()
	for _, a := range info.Addrs {
		if !containsAddr(e.info.Addrs, a) {
			// The configured address is tried before what was remembered.
			e.info.Addrs = slices.Insert(e.info.Addrs, 0, a)
		}
	}
	e.info.Addrs = e.info.Addrs[:min(len(e.info.Addrs), maxTicketAddrs)]
	e.next, e.wait = time.Time{}, 0
	b.poke()
	return nil
}

// entry returns id's entry, which it makes if need be, in place of the one
// longest not seen if the book is full.
func (b *book) entry(id peer.ID) (*bookEntry, error) {
	if e := b.entries[id]; e != nil {
		return e, nil
	}
	if len(b.entries) >= maxPeers {
		var victim *bookEntry
		for _, e := range b.entries {
			if !e.pinned && (victim == nil || e.seen.Before(victim.seen)) {
				victim = e
			}
		}
		if victim == nil {
			return nil, fmt.Errorf("%w: more than %d configured peers", ErrConfig, maxPeers)
		}
		delete(b.entries, victim.info.ID)
		if err := b.meta.PutMeta(peerMeta+victim.info.ID.String(), nil); err != nil {
			return nil, fmt.Errorf("p2p: forget a peer: %w", err)
		}
	}
	e := &bookEntry{info: peer.AddrInfo{ID: id}}
	b.entries[id] = e
	return e, nil
}

// hint adds where others say that a peer is, unless the book is full. It takes
// nobody's place, nor that of addresses that proved good.
func (b *book) hint(info peer.AddrInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[info.ID]
	if e == nil {
		if len(b.entries) >= maxPeers {
			return
		}
		e = &bookEntry{info: peer.AddrInfo{ID: info.ID}, hint: true, seen: time.Now()}
		b.entries[info.ID] = e
	}
	news := false
	for _, a := range info.Addrs[:min(len(info.Addrs), maxTicketAddrs)] {
		if len(a.Bytes()) <= maxAddr && !containsAddr(e.info.Addrs, a) && !containsAddr(e.hints, a) {
			e.hints = slices.Insert(e.hints, 0, a)
			news = true
		}
	}
	e.hints = e.hints[:min(len(e.hints), maxTicketAddrs)]
	if news && !e.dialing {
		e.next, e.wait = time.Time{}, 0
		b.poke()
	}
}

// remember keeps the addresses of a peer, durably, if they are news. The
// write is skipped while only the time changed, but for once a day.
func (b *book) remember(id peer.ID, addrs []multiaddr.Multiaddr) error {
	addrs = addrs[:min(len(addrs), maxTicketAddrs)]
	if len(addrs) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := b.entry(id)
	if err != nil {
		return err
	}
	var kept []multiaddr.Multiaddr
	for _, a := range addrs {
		if len(a.Bytes()) <= maxAddr {
			kept = append(kept, a)
		}
	}
	news := !e.stored || time.Since(e.seen) > 24*time.Hour
	for _, a := range kept {
		news = news || !containsAddr(e.info.Addrs, a)
	}
	if !news {
		return nil
	}
	for _, a := range e.info.Addrs {
		if e.pinned && !containsAddr(kept, a) {
			kept = append(kept, a)
		}
	}
	e.info.Addrs = kept[:min(len(kept), maxTicketAddrs)]
	e.seen = time.Now()
	e.hint = false
	if err := b.meta.PutMeta(peerMeta+id.String(), encodePeer(e.info.Addrs, e.seen)); err != nil {
		return err
	}
	e.stored = true
	return nil
}

// inherit gives heir the place of old, whose node has changed its key: its
// addresses, and that it is configured. It reports whether that was news.
func (b *book) inherit(old, heir peer.ID) (news bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := b.entries[old]
	if from == nil {
		return false, nil
	}
	e, err := b.entry(heir)
	if err != nil {
		return false, err
	}
	for _, a := range from.info.Addrs {
		if !containsAddr(e.info.Addrs, a) && len(e.info.Addrs) < maxTicketAddrs {
			e.info.Addrs = append(e.info.Addrs, a)
			news = true
		}
	}
	news = news || !from.retired
	from.retired = true
	if !news {
		return false, nil
	}
	e.pinned, e.hint = e.pinned || from.pinned, false
	e.seen = time.Now()
	e.next, e.wait = time.Time{}, 0
	b.poke()
	if err := b.meta.PutMeta(peerMeta+heir.String(), encodePeer(e.info.Addrs, e.seen)); err != nil {
		return true, err
	}
	e.stored = true
	if from.stored {
		from.stored = false
		return true, b.meta.PutMeta(peerMeta+old.String(), nil)
	}
	return true, nil
}

func containsAddr(addrs []multiaddr.Multiaddr, a multiaddr.Multiaddr) bool {
	return slices.ContainsFunc(addrs, a.Equal)
}

// has reports whether this node connects to id by itself, and not because
// somebody said where it is.
func (b *book) has(id peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	return e != nil && !e.retired && !e.hint
}

// pinned reports whether id is configured, or the new key of a node that is.
func (b *book) pinned(id peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	return e != nil && e.pinned && !e.retired
}

// countPinned returns how many peers are configured.
func (b *book) countPinned() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if e.pinned && !e.retired {
			n++
		}
	}
	return n
}

// configured returns the addresses of configured peers, each with the peer's ID.
func (b *book) configured() (addrs []multiaddr.Multiaddr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if full, err := peer.AddrInfoToP2pAddrs(&e.info); err == nil && e.pinned {
			addrs = append(addrs, full...)
		}
	}
	return addrs
}

// retired reports whether id is an old key of a node that has another by now.
func (b *book) retired(id peer.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	return e != nil && e.retired
}

// addrs returns the addresses known for id, and whether it is configured.
func (b *book) addrs(id peer.ID) (addrs []multiaddr.Multiaddr, pinned bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil {
		return slices.Clone(e.info.Addrs), e.pinned
	}
	return nil, false
}

// ids returns the peers of the book, sorted.
func (b *book) ids() []peer.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]peer.ID, 0, len(b.entries))
	for id := range b.entries {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (b *book) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// retry makes id due for dialling soon, as after a lost connection.
func (b *book) retry(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entries[id]; e != nil && !e.dialing {
		e.wait = 0
		e.next = time.Now().Add(jitter(b.timing.DialMin))
		b.poke()
	}
}

// due returns the unconnected peers to dial now, configured ones first, which
// count as dialling until dialled is called, and when to ask again. If enough
// says that there are peers enough, only configured ones are dialled.
func (b *book) due(connected func(peer.ID) bool, most int, enough bool) (infos []peer.AddrInfo, again time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	again = b.timing.DialMax
	var ready []*bookEntry
	for id, e := range b.entries {
		switch {
		case e.retired || e.dialing || enough && !e.pinned || connected(id):
		case e.next.After(now):
			again = min(again, e.next.Sub(now))
		case e.pinned:
			ready = slices.Insert(ready, 0, e)
		default:
			ready = append(ready, e)
		}
	}
	if len(ready) > most {
		ready = ready[:most]
		again = min(again, b.timing.DialMin)
	}
	for _, e := range ready {
		e.dialing = true
		infos = append(infos, peer.AddrInfo{ID: e.info.ID, Addrs: slices.Concat(e.info.Addrs, e.hints)})
	}
	return infos, again
}

// dialled records the end of an attempt.
func (b *book) dialled(id peer.ID, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[id]
	if e == nil {
		return
	}
	e.dialing = false
	if e.fails++; ok {
		e.fails, e.wait, e.next = 0, 0, time.Time{}
	} else if e.hint && e.fails >= hintTries {
		delete(b.entries, id)
	} else {
		e.wait = min(b.timing.DialMax, max(b.timing.DialMin, 2*e.wait))
		e.next = time.Now().Add(jitter(e.wait))
	}
	b.poke()
}

// jitter returns a random time between half and one and a half of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d/2 + time.Duration(rand.Int64N(int64(d)))
}

// loadMeta returns a named value, nil if there is none.
func loadMeta(meta Meta, name string) ([]byte, error) {
	v, err := meta.GetMeta(name)
	if errors.Is(err, dag.ErrNotFound) {
		return nil, nil
	}
	return v, err
}
