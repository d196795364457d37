package commit

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/causeway-sync/causeway/dag"
)

// windowBits is the width of a revision window: window e begins at e·2^40
// (docs/op.md, section 8).
const windowBits = 40

// A window has windowParts parts of 2^partBits revisions, which a node moves
// through when another one has claimed the window too. Each part is more
// revisions than a node makes before it hears of that.
const (
	partBits    = 34
	windowParts = 1 << (windowBits - partBits)
)

// pickTries bounds how often a window is picked that is claimed already: while one
// in a hundred is free, all of them fail with probability 2^-14 at most.
const pickTries = 1024

// A node's next window is picked among nextShare of those above its last, but
// nextLeast if there are as many: two clones that pick at once then pick
// different ones, and tens of claims leave half of the windows to pick from.
const (
	nextShare = 16
	nextLeast = 1024
)

// openWindowIfNeeded opens a revision window for the node's key if it has
// none: for a joined node's first, once the op that enrols it, and so everything before,
// has been delivered, from when on clients are served; and for one that it was
// rotated to. The founder's window is opened by [Found].
func (p *Pipeline) openWindowIfNeeded() {
	if p.opened == nil || p.opened.Author() != p.self {
		p.claimWindow()
	}
}

// noteRival remembers that op claims this node's window too, unless its author
// has done so before: that would be a liar, who could keep the node moving.
func (p *Pipeline) noteRival(op *dag.Op) {
	if p.claim != nil && op.Epoch() == p.window.epoch && op != p.claim && !p.met[op.Author()] {
		p.met[op.Author()] = true
		p.rivals = append(p.rivals, op)
	}
}

// answerRivals leaves the revisions behind that other nodes have also given, so
// that none of theirs is taken for one of this node's. A rival's op of a lesser
// ID keeps the window, and this node claims another. A rival of a greater one
// does that once it meets this node's op; but its clients may come here with
// revisions from before, so this node goes on in another part of the window.
func (p *Pipeline) answerRivals() {
	if len(p.rivals) == 0 || p.mayAuthor() != nil {
		return
	}
	least := slices.MinFunc(p.rivals, func(a, b *dag.Op) int { return a.ID().Compare(b.ID()) })
	id := least.ID()
	if id.Compare(p.claim.ID()) < 0 {
		p.log.Warn("another node claimed this node's revision window; moving to a new one", "epoch", p.window.epoch, "op", id, "author", least.Author())
		p.claimWindow()
	} else {
		p.log.Warn("another node claimed this node's revision window and must leave it; watchers and pagers start over", "epoch", p.window.epoch, "op", id, "author", least.Author())
		p.nextPart()
	}
	p.rivals = nil // also if no other window is free
}

// nextPart goes on in the next part of the window that no revision of this node is in.
func (p *Pipeline) nextPart() {
	w := p.window
	if !p.view.Unborn() {
		w.part = uint64(p.view.Head()) >> partBits & (windowParts - 1)
	}
	w.part++
	if w.part == windowParts {
		p.claimWindow() // 2^40 revisions later
		return
	}
	p.openWindow(w)
	p.stage(dag.Record{Kind: recordWindow, Payload: w.append(nil)})
	p.flush()
}

// claimWindow claims a window with an own op and renumbers the view. It leaves
// all as it was if the node must not make ops, or if no window is free.
func (p *Pipeline) claimWindow() {
	if p.mayAuthor() != nil || p.overQuota() {
		return
	}
	epoch, err := p.pickEpoch()
	if err != nil {
		p.log.Error("cannot claim a revision window", "err", err)
		return
	}
	if !p.own(dag.Body{}, 0, epoch, sealRecord{}) {
		return
	}
	w := windowRecord{epoch: epoch}
	p.stage(dag.Record{Kind: recordWindow, Payload: w.append(nil)})
	p.claim = p.tip
	p.openWindow(w)
	if p.flush() {
		p.setReady()
	}
}

// pickEpoch picks one of the windows that no op claims, uniformly: nodes that
// have not heard of each other pick different ones, and nobody can foresee which.
// A node that has a window picks among the next ones above it, so that its
// revisions do not go down, and so that many more are left above those. It
// fails if no window is free, or hardly any.
func (p *Pipeline) pickEpoch() (uint64, error) {
	last := p.window.epoch
	among := dag.MaxEpoch - last
	if last > 0 {
		among = min(among, max(among/nextShare, nextLeast))
	}
	for range pickTries {
		var b [4]byte
		if _, err := io.ReadFull(p.cfg.Random, b[:]); err != nil {
			return 0, err
		}
		epoch := last + uint64(binary.BigEndian.Uint32(b[:]))%(among+1)
		if epoch > last && !p.graph.Claimed(epoch) {
			return epoch, nil
		}
	}
	return 0, errNoWindow
}

// openWindow goes on in window w, and so answers all rivals so far. Where there
// never was a key it begins with the first one, but for a founder that begins in a later
// window: what it restores has been, if elsewhere.
func (p *Pipeline) openWindow(w windowRecord) {
	restored := p.opened == nil && w.epoch > 0 && p.tip.Author() == p.graph.Founding().Author()
	p.window, p.rivals, p.opened = w, nil, p.tip
	p.ownWindow.Store(&w)
	base := max(int64(w.epoch)<<windowBits|int64(w.part)<<partBits, 1)
	if p.view.Unborn() && !restored {
		p.view.BeginWindow(base)
	} else {
		p.view.OpenWindow(base)
	}
}

func (p *Pipeline) setReady() {
	if p.ready.CompareAndSwap(false, true) {
		close(p.readyCh)
	}
}
