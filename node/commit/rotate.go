package commit

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// DefaultRotateWait bounds the random time that a superseded node waits before
// it rotates its key: clones of one directory that notice each other at once
// should not take the same index.
const DefaultRotateWait = 5 * time.Second

// Cause says why a key was rotated.
type Cause uint8

// Causes of a rotation. Their values are in the log (docs/node.md, "Records").
const (
	// CauseRequest: somebody asked for it.
	CauseRequest Cause = 1 + iota
	// CauseOwnKey: an op of the old key came up that this node has not made.
	CauseOwnKey
	// CauseSibling: an op came up of another key at the old key's place.
	CauseSibling
)

// A PastKey is a key that the node had before.
type PastKey struct {
	Key   identity.PublicKey
	Cause Cause
	Shown dag.ID    // the op that was the cause; zero on request
	Last  dag.ID    // its last op, which carries the rotation
	At    time.Time // by this node's clock
}

// rotationRecord is the payload of a recordRotation.
type rotationRecord struct {
	cause Cause
	key   identity.PublicKey // the node's from here on
	shown dag.ID             // zero if cause is CauseRequest
}

func (r rotationRecord) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.cause))
	b = append(b, r.key[:]...)
	if r.shown != (dag.ID{}) {
		b = append(b, r.shown[:]...)
	}
	return b
}

func decodeRotation(payload []byte) (rotationRecord, error) {
	r := reader{rest: payload}
	cause := r.uint()
	rec := rotationRecord{cause: Cause(cause)}
	bare := len(rec.key)
	if r.err != nil || cause < uint64(CauseRequest) || cause > uint64(CauseSibling) ||
		(rec.cause == CauseRequest) != (len(r.rest) == bare) || len(r.rest) != bare && len(r.rest) != bare+len(rec.shown) {
		return rotationRecord{}, errMalformedRecord
	}
	copy(rec.key[:], r.rest)
	copy(rec.shown[:], r.rest[bare:])
	return rec, nil
}

// supersession says that this node's place is used by somebody else, too.
type supersession struct {
	cause Cause
	op    *dag.Op // the end of the other's chain
}

// place is the writer's knowledge of who else uses the node's place in the mesh.
type place struct {
	siblings []identity.PublicKey // other keys at the node's place
	doubted  bool                 // look again: the roster changed, or an op came of the key or a sibling
	changed  bool                 // the roster did: what could not be rotated may now
	rotateAt time.Time            // when to rotate; zero if there is no reason, or no use in trying
}

// noteAuthor remembers to look again if op was made at this node's place. Own
// ops are not passed to it.
func (p *Pipeline) noteAuthor(op *dag.Op) {
	if op.Author() == p.self {
		p.place.doubted = true
	}
	for _, key := range p.place.siblings {
		if op.Author() == key {
			p.place.doubted = true
		}
	}
}

// checkPlace finds out whether the graph holds ops that somebody else made at
// this node's place, and stops the node's writing if so. It runs when there is
// nothing unsealed.
func (p *Pipeline) checkPlace() {
	if !p.place.doubted {
		return
	}
	changed := p.place.changed
	p.place.doubted, p.place.changed = false, false
	p.place.siblings = p.graph.Roster().Siblings(p.self)
	found := p.findOther()
	before := p.superseded.Swap(found)
	switch {
	case found == nil && before == nil:
	case found == nil:
		p.place.rotateAt = time.Time{}
		p.stuck.Store(nil)
		p.log.Warn("nobody else may write at this node's place any more: writing again")
	case before == nil:
		p.log.Error("another holder of this node's place in the mesh has written: this data directory is an old copy, or the key runs elsewhere too; refusing to write",
			"op", found.op.ID(), "author", found.op.Author(), "seq", found.op.Seq())
		p.planRotation()
	case changed:
		p.planRotation()
	}
}

// findOther returns what of this node's place is not of its own log, nil if nothing.
func (p *Pipeline) findOther() *supersession {
	for _, tip := range p.graph.Tips(p.self) {
		if tip != p.tip {
			return &supersession{CauseOwnKey, tip}
		}
	}
	for _, key := range p.place.siblings {
		if tips := p.graph.Tips(key); len(tips) > 0 {
			return &supersession{CauseSibling, tips[0]}
		}
	}
	return nil
}

// planRotation sets a random time for the rotation, unless one is set.
func (p *Pipeline) planRotation() {
	if !p.place.rotateAt.IsZero() || p.rotated.Load() {
		return
	}
	var b [4]byte
	if _, err := io.ReadFull(p.cfg.Random, b[:]); err != nil {
		p.log.Error("no random wait before the rotation", "err", err)
	}
	wait := time.Duration(float64(p.cfg.RotateWait) * float64(binary.BigEndian.Uint32(b[:])) / (1 << 32))
	p.place.rotateAt = time.Now().Add(wait)
}

// rotateWhenDue rotates the key of a superseded node once its wait is over. A
// rotation that is refused is tried again when the roster changes.
func (p *Pipeline) rotateWhenDue() {
	s := p.superseded.Load()
	if s == nil || p.place.rotateAt.IsZero() || time.Now().Before(p.place.rotateAt) {
		return
	}
	p.place.rotateAt = time.Time{}
	if _, err := p.rotate(s.cause, s.op.ID()); err != nil && p.Err() == nil {
		p.stuck.Store(&err)
		p.log.Error("cannot rotate this node's key: it stays read-only", "err", err)
	}
}

// Rotate gives the node a new key, on request. When it returns, the last op of
// the old key is durable and the pipeline makes no more of its own: the node goes on
// when its log is opened with the new key. Errors: ErrNotReady, ErrSuperseded
// (the node will rotate by itself), ErrRotated, ErrVersion, ErrAllowance,
// ErrNoRotation, identity.ErrRevoked, a *dag.Refusal where the quota is used up, ErrStopped, ctx's.
func (p *Pipeline) Rotate(ctx context.Context) (identity.PublicKey, error) {
	if !p.ready.Load() {
		return identity.PublicKey{}, ErrNotReady
	}
	r := &rotation{done: make(chan rotated, 1)}
	select {
	case p.rotations <- r:
	case <-ctx.Done():
		return identity.PublicKey{}, ctx.Err()
	case <-p.stopped:
		return identity.PublicKey{}, ErrStopped
	}
	done := <-r.done // the writer has it and answers
	return done.key, done.err
}

// rotation is a request for a new key.
type rotation struct{ done chan rotated }

type rotated struct {
	key identity.PublicKey
	err error
}

func (p *Pipeline) rotateOnRequest(r *rotation) {
	if err := p.mayAuthor(); err != nil {
		r.done <- rotated{err: err}
		return
	}
	key, err := p.rotate(CauseRequest, dag.ID{})
	r.done <- rotated{key, err}
}

// rotate makes the last op of the node's key, which names the next one
// (docs/node.md, "Rotation"). From then on this pipeline makes no ops.
func (p *Pipeline) rotate(cause Cause, shown dag.ID) (identity.PublicKey, error) {
	statement, next, err := p.signRotation()
	if err != nil {
		return identity.PublicKey{}, err
	}
	body := dag.Body{Statements: [][]byte{statement.Encoded()}}
	if cause != CauseRequest {
		err = p.sign(p.headerAfter(p.end(), body), body, sealRecord{})
	} else if !p.stageSeals() {
		err = ErrStopped
	} else {
		err = p.tryOwn(body, 0, 0, sealRecord{})
	}
	if err != nil {
		p.flush()
		return identity.PublicKey{}, fmt.Errorf("commit: rotate the key: %w", err)
	}
	rec := rotationRecord{cause: cause, key: next, shown: shown}
	if _, ok := p.graph.Roster().Author(next); !ok {
		// The op stays: it says what it says. But the node does not go where nobody would follow.
		p.flush()
		return identity.PublicKey{}, fmt.Errorf("%w: the rotation has no effect", ErrNoRotation)
	}
	p.stage(dag.Record{Kind: recordRotation, Payload: rec.append(nil)})
	if !p.flush() {
		return identity.PublicKey{}, ErrStopped
	}
	old := p.self
	p.notePast(rec)
	p.rotated.Store(true)
	p.log.Warn("rotated this node's key; the node opens again with the new one", "old", old, "new", next, "op", p.tip.ID())
	if p.cfg.OnRotate != nil {
		p.cfg.OnRotate()
	}
	return next, nil
}

// signRotation makes a new key, durably, and the statement by which the old one names it.
func (p *Pipeline) signRotation() (*identity.Statement, identity.PublicKey, error) {
	roster := p.graph.Roster()
	author, ok := roster.Author(p.self)
	switch {
	case p.rotated.Load():
		return nil, identity.PublicKey{}, ErrRotated
	case !ok:
		return nil, identity.PublicKey{}, identity.ErrNotEnrolled
	}
	if err := roster.Standing(p.self).Err(); err != nil {
		return nil, identity.PublicKey{}, err
	}
	if p.cfg.NextKey == nil {
		return nil, identity.PublicKey{}, ErrNoRotation
	}
	index := nextIndex(roster, author)
	if index > author.Rotations {
		return nil, identity.PublicKey{}, fmt.Errorf("%w: index %d of %d", ErrAllowance, index, author.Rotations)
	}
	next, err := p.cfg.NextKey()
	if err != nil {
		return nil, identity.PublicKey{}, fmt.Errorf("%w: %w", ErrNoRotation, err)
	}
	mesh := [32]byte(p.cfg.Mesh)
	seq, prev := roster.Next(p.self)
	s, err := identity.SignRotation(identity.Statement{
		Mesh: &mesh, Issuer: p.self, Seq: seq, Prev: prev,
		Content: identity.Rotate{Enrolment: author.ID, Index: index, Key: next.Public(),
			Consent: identity.SignRotationConsent(mesh, author.ID, index, next)},
	}, p.key)
	return s, next.Public(), err
}

// nextIndex returns the index above all that are taken of an author's enrolment.
func nextIndex(roster *identity.Roster, author *identity.Author) uint64 {
	index := author.Index
	for _, a := range roster.Nodes() {
		if a.ID == author.ID {
			index = max(index, a.Index)
		}
	}
	return index + 1
}

// end returns the op that the last op of a superseded node's key follows: the
// end of the key's chain or, where that has forked, the node's own end of it.
func (p *Pipeline) end() *dag.Op {
	tips := p.graph.Tips(p.self)
	switch {
	case len(tips) == 1:
		return tips[0]
	case p.tip != nil:
		return p.tip
	default:
		return tips[0] // superseded without an own op: others made several
	}
}

// headerAfter returns the header of an op with prev as its only parent.
func (p *Pipeline) headerAfter(prev *dag.Op, body dag.Body) dag.Header {
	id := prev.ID()
	return dag.Header{
		Mesh: &p.cfg.Mesh, Seq: prev.Seq() + 1, Prev: &id, Parents: []dag.ID{id}, Depth: prev.Depth() + 1,
		Bytes: prev.Bytes() + uint64(len(body.Encode())), Writes: prev.Writes(),
	}
}

// notePast remembers the key that a rotation ended: the one that made the tip.
func (p *Pipeline) notePast(rec rotationRecord) {
	k := PastKey{Key: p.tip.Author(), Cause: rec.cause, Shown: rec.shown, Last: p.tip.ID(), At: time.UnixMilli(int64(p.tip.Wall())).UTC()}
	var past []PastKey
	if before := p.past.Load(); before != nil {
		past = append(past, *before...)
	}
	past = append(past, k)
	p.past.Store(&past)
}

// chooseKey takes, of the configured keys, the one that the log says is the
// node's.
func (p *Pipeline) chooseKey() error {
	p.key = p.cfg.Key
	if named := p.named; named != nil && *named != p.key.Public() {
		if p.cfg.Next == nil || *named != p.cfg.Next.Public() {
			return fmt.Errorf("%w: the log names %s, the file holds %s", ErrKey, *named, p.key.Public())
		}
		p.key = p.cfg.Next
	}
	p.self = p.key.Public()
	return nil
}

// LastRotation returns the last op of the key that the node had before its
// present one, if it had one.
func (p *Pipeline) LastRotation() (dag.ID, bool) {
	past := p.past.Load()
	if past == nil {
		return dag.ID{}, false
	}
	return (*past)[len(*past)-1].Last, true
}
