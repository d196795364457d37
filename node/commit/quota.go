package commit

import "github.com/causeway-sync/causeway/etcdgw/mvcc"

const (
	// quotaWarn is the share of a quota, in percent, from which on the node warns.
	quotaWarn = 80
	// spareBytes and spareWrites of a quota are not given to clients, so that the
	// node can carry statements, a rotation of its key among them.
	spareBytes  = 16 << 10
	spareWrites = 64
	// frameBytes is the most that a transaction takes in an op's body besides
	// its writes, or an op besides its transactions.
	frameBytes = 64
)

// Percent returns how much of most is used, in percent; 0 if most is 0, which is no bound.
func Percent(used, most uint64) uint64 {
	switch {
	case most == 0:
		return 0
	case used >= most:
		return 100
	}
	return uint64(float64(used) / float64(most) * 100)
}

// owed is what answered changes, or those about to be, will add to the node's
// chain once they are sealed, from above.
type owed struct{ bytes, writes uint64 }

func (o *owed) add(ch *mvcc.Change) {
	if ch.Number > 0 {
		o.bytes += uint64(ch.Size()) + 2*frameBytes // it may begin an op
		o.writes += uint64(len(ch.Writes))
	}
}

// room returns how much the quota in force leaves for the next change.
func (p *Pipeline) room() mvcc.Room {
	maxBytes, maxWrites := p.auth.standing.Quota()
	room := mvcc.NoBound
	if maxBytes == 0 && maxWrites == 0 || p.tip == nil {
		return room
	}
	if maxBytes > 0 {
		room.Bytes = maxBytes - min(maxBytes, p.tip.Bytes()+p.owed.bytes+2*frameBytes+spareBytes)
	}
	if maxWrites > 0 {
		room.Writes = maxWrites - min(maxWrites, p.tip.Writes()+p.owed.writes+spareWrites)
	}
	return room
}

// overQuota reports whether the node's chain is beyond a quota, as after one
// that came later: then not even an empty op would be valid.
func (p *Pipeline) overQuota() bool {
	if p.auth.standing == nil || p.tip == nil {
		return false
	}
	maxBytes, maxWrites := p.auth.standing.Quota()
	return maxBytes > 0 && p.tip.Bytes() > maxBytes || maxWrites > 0 && p.tip.Writes() > maxWrites
}

// checkQuota warns, once each time, when the node's chain nears its quota.
func (p *Pipeline) checkQuota() {
	if p.auth.standing == nil || p.tip == nil {
		return
	}
	maxBytes, maxWrites := p.auth.standing.Quota()
	percent := max(Percent(p.tip.Bytes(), maxBytes), Percent(p.tip.Writes(), maxWrites))
	p.cfg.Metrics.quota.Set(float64(percent) / 100)
	near := percent >= quotaWarn
	switch {
	case near && !p.quotaNear:
		p.log.Warn("this node has used most of its quota; its operator or a sponsor can renew it",
			"percent", percent, "bytes", p.tip.Bytes(), "max_bytes", maxBytes, "writes", p.tip.Writes(), "max_writes", maxWrites)
	case !near && p.quotaNear:
		p.log.Info("the quota was renewed", "percent", percent)
	}
	p.quotaNear = near
}
