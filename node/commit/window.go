package commit

import (
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

// openWindowIfEnrolled opens the first revision window of a joined node once
// the op that enrols it, and so everything before, has been delivered. From
// then on clients are served. The founder's window is opened by [Found].
func (p *Pipeline) openWindowIfEnrolled() {
	if p.ready.Load() {
		return
	}
	if _, ok := p.graph.Roster().Author(p.self); !ok {
		return
	}
	p.claimWindow()
}

// noteRival remembers that op claims this node's window too.
func (p *Pipeline) noteRival(op *dag.Op) {
	if p.claim != nil && op.Epoch() == p.window.epoch && op != p.claim {
		p.rival = op
	}
}

// answerRival leaves the revisions behind that another node has also given, so
// that none of its own is taken for one of this node's. If the rival's op has
// the lesser ID, it keeps the window, and this node claims the next. If not, the
// rival does that once it meets this node's op; but its clients may come here
// with revisions from before, so this node goes on in another part of the window.
func (p *Pipeline) answerRival() {
	op := p.rival
	if op == nil {
		return
	}
	p.rival = nil
	if id := op.ID(); id.Compare(p.claim.ID()) < 0 {
		p.log.Warn("another node claimed this node's revision window; moving to a new one", "epoch", p.window.epoch, "op", id)
		p.claimWindow()
		return
	}
	p.log.Warn("another node claimed this node's revision window and must leave it; watchers and pagers start over", "epoch", p.window.epoch, "op", op.ID())
	p.nextPart()
}

// nextPart goes on in the next part of the window that no revision of this node is in.
func (p *Pipeline) nextPart() {
	w := p.window
	w.part = uint64(p.view.Head())>>partBits&(windowParts-1) + 1
	if w.part == windowParts {
		p.claimWindow() // 2^40 revisions later
		return
	}
	p.openWindow(w)
	p.append([]dag.Record{{Kind: recordWindow, Payload: w.append(nil)}})
}

// claimWindow claims the next epoch with an own op and renumbers the view.
func (p *Pipeline) claimWindow() {
	if p.superseded.Load() {
		return // an own op would fork
	}
	w := windowRecord{epoch: p.graph.MaxEpoch() + 1}
	recs, ok := p.own(dag.Body{}, 0, w.epoch, sealRecord{})
	if !ok {
		return
	}
	recs = append(recs, dag.Record{Kind: recordWindow, Payload: w.append(nil)})
	p.claim = p.tip
	p.openWindow(w)
	if _, ok := p.append(recs); ok {
		p.setReady()
	}
}

func (p *Pipeline) openWindow(w windowRecord) {
	p.window, p.rival = w, nil
	base := int64(w.epoch)<<windowBits | int64(w.part)<<partBits
	p.view.OpenWindow(max(base, 1))
}

func (p *Pipeline) setReady() {
	if p.ready.CompareAndSwap(false, true) {
		close(p.readyCh)
	}
}
