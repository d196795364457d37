package mvcc

import (
	"fmt"
	"sort"

	"github.com/causeway-sync/causeway/dag"
)

// Transaction returns the replicated writes of ch as a transaction of an own operation whose first
// transaction is the change numbered first; ch.Number ≥ first. It works on a
// decoded change too, and gives the same result as often as it is asked, as
// long as the changes below first are sealed. It may be called by any
// goroutine. The result shares its keys and values with ch.
func (v *View) Transaction(ch *Change, first uint64) dag.Transaction {
	t := make(dag.Transaction, 0, len(ch.Writes))
	for i := range ch.Writes {
		w := &ch.Writes[i]
		if w.Local {
			continue
		}
		out := dag.Write{Kind: w.Kind, Key: w.Key, End: w.End, Value: w.Value, Schema: w.Schema, Leased: w.Lease != 0}
		if w.Kind != dag.DeleteRange {
			out.Incarnation = v.incarnation(w.Birth, ch.Number, uint32(len(t)), first)
		}
		t = append(t, out)
	}
	return t
}

// incarnation puts b into the terms of an operation that begins with change first.
func (v *View) incarnation(b Birth, number uint64, index uint32, first uint64) dag.Incarnation {
	switch {
	case b.Operation != nil:
		return dag.Incarnation{Kind: dag.IncarnationPast, Op: *b.Operation, Tx: b.Tx, Write: b.Index}
	case b.Number == 0, b.Number == number && b.Index == index:
		return dag.Incarnation{Kind: dag.IncarnationSelf}
	case b.Number >= first:
		return dag.Incarnation{Kind: dag.IncarnationLocal, Tx: uint32(b.Number - first), Write: b.Index}
	}
	_, o := v.sealed(b.Number)
	if o == nil {
		panic(fmt.Sprintf("mvcc: change %d is referred to as sealed and is not", b.Number))
	}
	return dag.Incarnation{Kind: dag.IncarnationPast, Op: o.op.ID(), Tx: o.tx, Write: b.Index}
}

// Sealed says that the changes first … first+count-1 are the transactions
// 0 … count-1 of op. Changes are sealed in order, without gaps.
func (v *View) Sealed(first uint64, count int, op *dag.Op) {
	if count == 0 {
		return
	}
	if count > len(v.unsealed) || v.unsealed[0].number != first {
		panic(fmt.Sprintf("mvcc: %d changes from %d sealed while %d are open", count, first, len(v.unsealed)))
	}
	for i, o := range v.unsealed[:count] {
		o.op, o.tx = op, uint32(i)
	}
	if v.unsealed = v.unsealed[count:]; len(v.unsealed) == 0 {
		v.unsealed = nil // frees the origins
	}
	v.sealMu.Lock()
	v.seals = append(v.seals, seal{first, op})
	v.sealMu.Unlock()
}

// sealed returns the name of a change as a transaction of the operation that holds it, and
// the first change of that; nil if it is not sealed.
func (v *View) sealed(number uint64) (first uint64, o *origin) {
	v.sealMu.RLock()
	defer v.sealMu.RUnlock()
	i := sort.Search(len(v.seals), func(i int) bool { return v.seals[i].first > number }) - 1
	if i < 0 {
		return 0, nil
	}
	s := v.seals[i]
	return s.first, &origin{number: number, op: s.op, tx: uint32(number - s.first)}
}
