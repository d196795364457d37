package mvcc

import (
	"fmt"

	"github.com/causeway-sync/causeway/dag"
)

// record is a record of the log with its replicated writes by key, so that a
// walk looks at those of its key only.
type record struct {
	txs    []recordTx
	places map[string][]place // of the single writes, in order
	size   int                // about what it takes, in bytes

	used uint64 // when it was looked for last
}

// recordTx is a transaction of a record.
type recordTx struct {
	origin *origin
	t      dag.Transaction
	// judged is the turn by whose verdicts void says whether it counts; 0 before the first.
	judged uint64
	void   bool
	// covered has what coveredIn says, once that was asked for.
	covered map[string][]int
}

// place is a single write of a record.
type place struct {
	tx    int // of the record's
	index uint32
	link  link
}

// add adds a transaction, with a link for each single write.
func (r *record) add(o *origin, t dag.Transaction, links []link) {
	n := len(r.txs)
	r.txs = append(r.txs, recordTx{origin: o, t: t})
	for i := range t {
		r.size += placeOverhead + len(t[i].Key) + len(t[i].Value)
		if w := &t[i]; w.Kind != dag.DeleteRange {
			key := string(w.Key)
			r.places[key] = append(r.places[key], place{n, uint32(i), links[0]})
			links = links[1:]
		}
	}
}

// voidIn reports whether the transaction does not count by the verdicts of now.
func (tx *recordTx) voidIn(v *View) bool {
	if tx.judged != v.turns {
		tx.judged, tx.void = v.turns, v.verdicts.void(tx.origin.op, tx.t)
	}
	return tx.void
}

// deletes returns the range deletes of the transaction that cover a key which it
// writes, too: see coveredIn.
func (tx *recordTx) deletes(key string) []int {
	if tx.covered == nil {
		tx.covered = coveredIn(tx.t)
	}
	return tx.covered[key]
}

// records are the records that walks read last. They belong to the writer.
type records struct {
	by    map[dag.Index]*record
	size  int
	clock uint64
}

// read returns record at of the log.
func (c *records) read(v *View, h History, at dag.Index) (*record, error) {
	c.clock++
	if r := c.by[at]; r != nil {
		r.used = c.clock
		return r, nil
	}
	ws, err := h.Writes(at)
	if err != nil {
		return nil, err
	}
	r, err := v.indexed(&ws)
	if err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrReplay, at, err)
	}
	if c.by == nil {
		c.by = make(map[dag.Index]*record)
	}
	r.used = c.clock
	c.by[at] = r
	for c.size += r.size; len(c.by) > 1 && (len(c.by) > keptRecords || c.size > keptRecordBytes); {
		oldest := at
		for i, x := range c.by {
			if x.used < c.by[oldest].used {
				oldest = i
			}
		}
		c.size -= c.by[oldest].size
		delete(c.by, oldest)
	}
	return r, nil
}

// indexed returns the writes of a record by key.
func (v *View) indexed(ws *Writes) (*record, error) {
	r := &record{places: make(map[string][]place)}
	if ws.Operation != nil {
		links, err := decodeTrail(ws.Trail, ws.Transactions)
		if err != nil {
			return nil, err
		}
		for i, t := range ws.Transactions {
			n := singles(t)
			r.add(&origin{op: ws.Operation, tx: uint32(i)}, t, links[:n])
			links = links[n:]
		}
		return r, nil
	}
	for _, ch := range ws.Changes {
		if ch.Number == 0 || len(v.unsealed) > 0 && ch.Number >= v.unsealed[0].number {
			continue // nothing replicated, or in no operation yet: see WritesOf
		}
		first, o := v.sealed(ch.Number)
		if o == nil {
			return nil, fmt.Errorf("change %d is not sealed", ch.Number)
		}
		var links []link
		for j := range ch.Writes {
			if w := &ch.Writes[j]; !w.Local && w.Kind != dag.DeleteRange {
				links = append(links, link{w.Prev, true, w.whole})
			}
		}
		r.add(o, v.Transaction(ch, first), links)
	}
	return r, nil
}

// applying is the operation whose transactions are being applied.
type applying struct {
	op    *dag.Op
	ts    []dag.Transaction
	links int // where in the view's received trail those begin of what record lacks
	// record has the first transactions by key, as many as were asked for.
	record *record
}

// read returns the record that the operation will be in, as far as it is applied.
func (c *applying) read(v *View) *record {
	if c.record == nil {
		c.record = &record{places: make(map[string][]place)}
	}
	for i := len(c.record.txs); i < len(c.ts); i++ {
		n := singles(c.ts[i])
		c.record.add(&origin{op: c.op, tx: uint32(i)}, c.ts[i], v.received[c.links:c.links+n])
		c.links += n
	}
	return c.record
}
