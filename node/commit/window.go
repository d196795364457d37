package commit

import (
	"github.com/causeway-sync/causeway/dag"
)

// windowBits is the width of a revision window: window e begins at e·2^40
// (docs/op.md, section 8).
const windowBits = 40

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

// reclaimWindow opens another window if an op with a lesser ID claims the same one.
func (p *Pipeline) reclaimWindow(op *dag.Op) {
	if p.claim == nil || op.Epoch() != p.epoch || op == p.claim {
		return
	}
	if id := op.ID(); id.Compare(p.claim.ID()) < 0 {
		p.log.Warn("another node claimed this node's revision window; moving to a new one", "epoch", p.epoch, "op", id)
		p.claimWindow()
	}
}

// claimWindow claims the next epoch with an own op and renumbers the view.
func (p *Pipeline) claimWindow() {
	if p.superseded.Load() {
		return // an own op would fork
	}
	epoch := p.graph.MaxEpoch() + 1
	recs, ok := p.own(dag.Body{}, 0, epoch, sealRecord{})
	if !ok {
		return
	}
	recs = append(recs, dag.Record{Kind: recordWindow, Payload: appendWindow(nil, epoch)})
	p.claim = p.tip
	p.openWindow(epoch)
	if _, ok := p.append(recs); ok {
		p.setReady()
	}
}

func (p *Pipeline) openWindow(epoch uint64) {
	p.epoch = epoch
	base := int64(epoch) << windowBits
	if epoch == 0 {
		base = 1
	}
	p.view.OpenWindow(base)
}

func (p *Pipeline) setReady() {
	if p.ready.CompareAndSwap(false, true) {
		close(p.readyCh)
	}
}
