package mvcc

import (
	"sort"

	"github.com/causeway-sync/causeway/dag"
)

// rangeDeletes are the range deletes of one received operation, or of one change
// of this node. They are in no key's trail, and so kept.
type rangeDeletes struct {
	at  dag.Index // the record that holds them
	txs []txRanges
}

// txRanges is what one transaction deletes by range.
type txRanges struct {
	origin *origin
	spans  []span // as a spanSet has them
	void   bool
}

// noteRanges remembers what a transaction deletes by range: spans, as a set has them.
func (v *View) noteRanges(o *origin, spans []span, void bool) {
	for i := range spans { // they may be part of a whole request
		spans[i] = spans[i].clone()
	}
	n := len(v.ranges)
	if n == 0 || o.op == nil || v.ranges[n-1].op() != o.op {
		v.ranges = append(v.ranges, rangeDeletes{at: v.record})
		n++
	}
	d := &v.ranges[n-1]
	d.txs = append(d.txs, txRanges{o, spans, void})
}

// rangesSince returns the range deletes of record at and those after it.
func (v *View) rangesSince(at dag.Index) []rangeDeletes {
	i := sort.Search(len(v.ranges), func(i int) bool { return v.ranges[i].at >= at })
	return v.ranges[i:]
}

// deletesUnsealed reports whether a change that is not sealed deletes a range with name in it.
func (v *View) deletesUnsealed(name string) bool {
	for i := len(v.ranges) - 1; i >= 0 && v.ranges[i].op() == nil; i-- {
		for _, tx := range v.ranges[i].txs {
			if spansContain(tx.spans, name) {
				return true
			}
		}
	}
	return false
}

// op returns the operation, nil while it is a change that is not sealed.
func (d *rangeDeletes) op() *dag.Op { return d.txs[0].origin.op }

// judge takes in the verdicts that differ from those before.
func (d *rangeDeletes) judge(voided map[txName]bool) {
	for i := range d.txs {
		tx := &d.txs[i]
		if void, ok := voided[txName{tx.origin.op, tx.origin.tx}]; ok {
			tx.void = void
		}
	}
}

// spansContain reports whether name is in one of spans, as a set has them.
func spansContain(spans []span, name string) bool {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].key > name })
	return i > 0 && spans[i-1].contains(name)
}
