package commit

import "time"

// trimsEvery is how often it is logged at most that the view compacts itself.
const trimsEvery = time.Minute

// checkHistory tells of compactions that no client asked for: other nodes' writes filled
// the history in memory (docs/view.md, "Amplification").
func (p *Pipeline) checkHistory(now time.Time) {
	trims := p.view.Trims()
	if trims == p.trims {
		return
	}
	p.cfg.Metrics.trims.Add(float64(trims - p.trims))
	p.trims = trims
	if now.Sub(p.warned) < trimsEvery {
		return
	}
	p.warned = now
	p.log.Warn("what other nodes write fills the history in memory: its oldest revisions are compacted though no client asked for it",
		"compact_revision", p.view.CompactRevision(), "history_bytes", p.view.Stats().Remote)
}
