package p2p

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// joined is an op by which a node shows how it came in, as encoded.
type joined struct{ block, body []byte }

// An introduction is the ops by which a node shows how it came in: the one that
// carries its enrolment, then those that carry its rotations.
type introduction []joined

// helloVersion is the version of the first frame of a sync and of a lane.
const helloVersion = 0

// encodeHello returns the first frame: [version, [[block, body]…]].
func encodeHello(in introduction) []byte {
	b := dagcbor.AppendArray(nil, 2)
	b = dagcbor.AppendUint(b, helloVersion)
	return in.append(b)
}

func (in introduction) append(b []byte) []byte {
	b = dagcbor.AppendArray(b, len(in))
	for _, op := range in {
		b = dagcbor.AppendArray(b, 2)
		b = dagcbor.AppendBytes(b, op.block)
		b = dagcbor.AppendBytes(b, op.body)
	}
	return b
}

// decodeHello parses the first frame; the introduction is empty if the peer shows nothing.
func decodeHello(p []byte) (introduction, error) {
	d := dagcbor.NewDecoder(p)
	d.Tuple(2)
	if v := d.Uint(); d.Err() == nil && v != helloVersion {
		return nil, fmt.Errorf("%w: hello version %d", reconcile.ErrVersion, v)
	}
	in := decodeIntroduction(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: hello: %v", ErrMalformed, err)
	}
	return in, nil
}

func decodeIntroduction(d *dagcbor.Decoder) (in introduction) {
	for range d.Array(maxIntroductionOps) {
		d.Tuple(2)
		in = append(in, joined{d.Bytes(maxIntroduction), d.Bytes(maxIntroduction)})
		if d.Err() != nil {
			return nil
		}
	}
	return in
}

// introductions holds the peers that showed an enrolment which this node has
// not delivered yet. It is bounded in number and time: their next sync brings
// the enrolment itself.
type introductions struct {
	mu     sync.Mutex
	peers  map[peer.ID]*introduced
	bucket bucket // for the signatures that showing costs us
}

// introduced is what a peer showed, and what a roster made of it.
type introduced struct {
	until   time.Time
	carried []identity.Carried
	roster  *identity.Roster // of which admits and knows are
	admits  bool             // the peer may sync
	knows   bool             // the peer has a place, revoked or not
}

// An introduction holds for introducedFor; at most maxIntroduced hold at a
// time, and introductionRate are looked at per second.
const (
	introducedFor     = 10 * time.Minute
	maxIntroduced     = 64
	introductionRate  = 5
	introductionBurst = 20
)

func newIntroductions() *introductions {
	return &introductions{peers: make(map[peer.ID]*introduced), bucket: newBucket(introductionRate, introductionBurst, time.Now())}
}

// admits reports whether p, whose key is that, may sync by the roster and what it showed.
func (i *introductions) admits(p peer.ID, key identity.PublicKey, roster *identity.Roster) bool {
	admits, _ := i.judge(p, key, roster)
	return admits
}

// knows reports whether p has a place by the roster and what it showed, revoked or not.
func (i *introductions) knows(p peer.ID, key identity.PublicKey, roster *identity.Roster) bool {
	_, knows := i.judge(p, key, roster)
	return knows
}

func (i *introductions) judge(p peer.ID, key identity.PublicKey, roster *identity.Roster) (admits, knows bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	in := i.peers[p]
	if in == nil || time.Now().After(in.until) {
		return false, false
	}
	if in.roster != roster {
		with := roster.With(in.carried...)
		in.roster = roster
		in.admits = with.Standing(key).Err() == nil
		_, in.knows = with.Author(key)
	}
	return in.admits, in.knows
}

func (i *introductions) allow() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.bucket.take(1, time.Now())
}

func (i *introductions) add(p peer.ID, carried []identity.Carried) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	for q, in := range i.peers {
		if now.After(in.until) {
			delete(i.peers, q)
		}
	}
	if _, known := i.peers[p]; known || len(i.peers) < maxIntroduced {
		i.peers[p] = &introduced{until: now.Add(introducedFor), carried: carried}
	}
}

// introduce looks at the ops by which an unknown peer shows how it came in
// (docs/p2p.md, section 5), and remembers them. It decides only whether the
// peer may speak with us; what counts in the mesh is decided when the ops are
// delivered. The caller then asks for the verdict. The error is ErrNotEnrolled
// if the ops give the peer no place in the roster.
func (n *Network) introduce(p peer.ID, in introduction) error {
	if len(in) == 0 {
		return ErrNotEnrolled
	}
	if !n.introductions.allow() {
		return ErrBusy
	}
	key, err := NodeKey(p)
	if err != nil {
		return err
	}
	roster := n.backend.Graph().Roster()
	var carried []identity.Carried
	for _, op := range in {
		u, err := dag.Decode(op.block, op.body)
		if err != nil {
			return fmt.Errorf("%w: introduction: %w", ErrMalformed, err)
		}
		h := u.Header()
		if h.Mesh == nil || *h.Mesh != n.mesh {
			return fmt.Errorf("%w: introduction", ErrMesh)
		}
		if roster.Standing(h.Author).Err() != nil {
			continue // it vouches for nobody; what it says may be known already
		}
		if _, errs := dag.Verify([]*dag.Unverified{u}); errs[0] != nil {
			return fmt.Errorf("%w: introduction: %w", ErrMalformed, errs[0])
		}
		carried = append(carried, carriedBy(u)...)
		roster = n.backend.Graph().Roster().With(carried...)
	}
	if _, ok := roster.Author(key); !ok {
		return fmt.Errorf("%w: nor does its introduction enrol it", ErrNotEnrolled)
	}
	n.introductions.add(p, carried)
	return nil
}

// carriedBy returns the statements of an op that is not delivered: as carried
// after everything. Restrictions are left out, as what they keep may not be here.
func carriedBy(u *dag.Unverified) []identity.Carried {
	var carried []identity.Carried
	for i, s := range u.Statements() {
		if s.KeepHeads() == nil {
			carried = append(carried, identity.Carried{
				Statement: s, Op: u.ID(), Author: u.Header().Author, Seq: u.Header().Seq, Index: i,
			})
		}
	}
	return carried
}

// Names of the named values by which a node remembers how it came in.
const introductionMeta = "p2p/introduction"

// SaveIntroduction adds an own op to those by which this node shows, from its
// next start on, peers that do not know it yet how it came in: of a rotation,
// the last op of the old key. One that is there already is not added again. Without room, at most 8 ops and 64 KiB, the oldest goes.
func SaveIntroduction(meta Meta, block, body []byte) error {
	in, err := loadIntroduction(meta)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(in, func(op joined) bool { return bytes.Equal(op.block, block) }) {
		return nil
	}
	return saveIntroduction(meta, append(in, joined{block, body}))
}

func saveIntroduction(meta Meta, in introduction) error {
	for len(in) > maxIntroductionOps || len(in) > 1 && len(encodeHello(in)) > maxIntroduction {
		in = in[1:]
	}
	if n := len(encodeHello(in)); n > maxIntroduction {
		return fmt.Errorf("%w: an op of %d bytes shows nobody an enrolment", ErrFrameTooLong, n)
	}
	if err := meta.PutMeta(introductionMeta, in.append(nil)); err != nil {
		return fmt.Errorf("p2p: store the enrolment: %w", err)
	}
	return nil
}

// loadIntroduction returns what SaveIntroduction stored, nothing if it did not.
func loadIntroduction(meta Meta) (introduction, error) {
	v, err := loadMeta(meta, introductionMeta)
	if err != nil || v == nil {
		return nil, err
	}
	d := dagcbor.NewDecoder(v)
	in := decodeIntroduction(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("p2p: stored enrolment: %w", err)
	}
	return in, nil
}
