package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// everyKeys is how many keys lie between two reports of progress.
const everyKeys = 1024

// values computes every key's value by the definition of docs/merge.md,
// from the transactions that count by the roster of all operations, and compares
// the hash of all with the replayed view's.
func (c *check) values(log *replayed) error {
	roster := log.fresh.Roster()
	all := newWrites()
	ops := log.fresh.Since(nil)
	for i, op := range ops {
		if i%everyRecords == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
			c.progress(StepValues, uint64(i), uint64(len(ops)))
		}
		if !op.HasBody() {
			continue
		}
		signed, what, err := readOp(log, op.ID())
		if err != nil {
			return c.damage(StepValues, err)
		}
		if what != "" {
			return c.found(StepValues, "operation "+op.ID().String(), what)
		}
		c.report.Void += all.add(op, signed.Transactions(), dag.Judge(roster, op))
	}
	author, open := log.Unsealed()
	all.add(nil, open, unsealed{roster, author})
	c.report.Unsealed = len(open)
	return c.compare(log, all, open)
}

// unsealed is the judgement of what no operation holds yet. That it may be
// written was seen to when it was answered.
type unsealed struct {
	roster *identity.Roster
	author identity.PublicKey
}

func (unsealed) Void(dag.Transaction) error { return nil }

func (unsealed) Form([]byte) *identity.Form { return nil }

// Passes is what [dag.Judgement] says of the operation to come.
func (u unsealed) Passes(key []byte) bool {
	rule, ok := u.roster.PolicyOf(key)
	if !ok {
		return false
	}
	a, _ := u.roster.Author(u.author)
	return rule.Mode == identity.ModeLocal || rule.Mode == identity.ModeOwned && (a == nil || *rule.Owner != a.Operator)
}

// compare compares the values that the writes make with those of the view; open
// are the transactions that no operation holds yet.
func (c *check) compare(log *replayed, all *writes, open []dag.Transaction) error {
	roster := log.fresh.Roster()
	values := make(map[string][]byte)
	shown := make(map[dag.ID][]shownKey) // by the operation that wrote it
	merged := &merger{transactions: keptBodies(log, open), operation: log.fresh.Get, schema: log.schemas()}
	for i, key := range all.sorted() {
		if i%everyKeys == 0 {
			if err := c.ctx.Err(); err != nil {
				return err
			}
		}
		if rule, ok := roster.PolicyOf([]byte(key)); ok && rule.Mode == identity.ModeLocal {
			continue // no node shows what others wrote there
		}
		list := all.decide(key)
		switch w := &list[0]; {
		case len(list) > 1 || w.kind == dag.Patch:
			value, err := merged.value(list)
			if err != nil {
				return c.damage(StepValues, err)
			}
			if value != nil {
				values[key] = value
			}
		case w.kind != dag.Replace:
		case w.op == nil:
			values[key] = open[w.tx][w.index].Value
		default:
			shown[w.op.ID()] = append(shown[w.op.ID()], shownKey{key, w.tx, w.index})
		}
	}
	for id, written := range shown {
		signed, what, err := readOp(log, id)
		if err != nil {
			return c.damage(StepValues, err)
		}
		if what != "" {
			return c.found(StepValues, "operation "+id.String(), what)
		}
		for _, k := range written {
			values[k.key] = signed.Transactions()[k.tx][k.index].Value
		}
	}
	sum := stateHash(values)
	c.report.Keys, c.report.StateHash = len(values), "state:"+hex.EncodeToString(sum[:])
	view := log.View()
	if got := view.StateHash(); got != sum {
		return c.found(StepValues, "view", fmt.Sprintf(
			"the replayed view has hash state:%x, the operations make %d keys and hash state:%x", got, len(values), sum))
	}
	return nil
}

// A shownKey is a key and the write of an operation that gives it its value.
type shownKey struct {
	key       string
	tx, index uint32
}

// stateHash is the state hash of docs/view.md.
func stateHash(values map[string][]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte("causeway-state-v0\x00"))
	var length [binary.MaxVarintLen64]byte
	for _, key := range slices.Sorted(maps.Keys(values)) {
		h.Write(binary.AppendUvarint(length[:0], uint64(len(key))))
		h.Write([]byte(key))
		h.Write(binary.AppendUvarint(length[:0], uint64(len(values[key]))))
		h.Write(values[key])
	}
	return [32]byte(h.Sum(nil))
}

// A write is one write of an operation, by its place.
type write struct {
	op        *dag.Op // nil for the one to come, which has all others in its past
	tx, index uint32
	kind      dag.WriteKind
	form      *identity.Form // that policy demands of what a put leaves, nil for none
	number    int            // in the order of adding
}

// past reports whether w is in the past of v: an earlier index of the same
// operation counts as past.
func (w *write) past(v *write) bool {
	switch {
	case w.op == v.op:
		return cmp.Or(cmp.Compare(w.tx, v.tx), cmp.Compare(w.index, v.index)) < 0
	case w.op == nil:
		return false
	}
	return v.op == nil || v.op.InPast(w.op)
}

// writes are the writes of a set of operations.
type writes struct {
	keys   map[string][]write // of single keys, in the order they were added
	ranges []rangeDelete
	live   []int // indexes of ranges that may hold the next key asked for
	next   int   // the first of ranges that begins behind it
	number int   // how many were added
}

// A rangeDelete deletes the keys from key up to end, to the last if end is empty,
// but for those that it passes over.
type rangeDelete struct {
	write
	key, end string
	judge    judgement
}

// judgement says what an operation is worth: a [dag.Judgement].
type judgement interface {
	Void(t dag.Transaction) error
	Passes(key []byte) bool
	Form(key []byte) *identity.Form
}

func newWrites() *writes { return &writes{keys: make(map[string][]write)} }

// add adds the writes of those transactions of an operation that count, and
// returns how many do not. What is in its past must have been added.
func (s *writes) add(op *dag.Op, transactions []dag.Transaction, judge judgement) (void int) {
	for tx, t := range transactions {
		if judge.Void(t) != nil {
			void++
			continue
		}
		for i := range t {
			s.number++
			w := write{op: op, tx: uint32(tx), index: uint32(i), kind: t[i].Kind, number: s.number}
			if t[i].Kind.Puts() {
				w.form = judge.Form(t[i].Key)
			}
			if t[i].Kind == dag.DeleteRange {
				s.ranges = append(s.ranges, rangeDelete{w, string(t[i].Key), string(t[i].End), judge})
				continue
			}
			key := string(t[i].Key)
			s.keys[key] = append(s.keys[key], w)
		}
	}
	return void
}

// sorted returns the keys that anything was put at or that were deleted by name,
// in order. After it nothing is added, and decide is asked in this order.
func (s *writes) sorted() []string {
	slices.SortStableFunc(s.ranges, func(a, b rangeDelete) int { return cmp.Compare(a.key, b.key) })
	return slices.Sorted(maps.Keys(s.keys))
}

// schemas returns a function that finds merge schemas.
func (r *replayed) schemas() func(dag.SchemaID) ([]byte, bool) {
	open := make(map[dag.SchemaID][]byte)
	for _, b := range r.UnsealedSchemas() {
		open[dag.SchemaIDOf(b)] = b
	}
	return func(id dag.SchemaID) ([]byte, bool) {
		if b, ok := r.fresh.Schema(id); ok {
			return b, true
		}
		b, ok := open[id]
		return b, ok
	}
}

// keptOps is how many operations' transactions are kept while values are merged.
const keptOps = 64

// keptBodies returns a function that reads the transactions of operations, and
// keeps those read last; open are those of the one to come.
func keptBodies(log *replayed, open []dag.Transaction) func(*dag.Op) ([]dag.Transaction, error) {
	kept := make(map[dag.ID][]dag.Transaction)
	var order []dag.ID
	return func(op *dag.Op) ([]dag.Transaction, error) {
		if op == nil {
			return open, nil
		}
		id := op.ID()
		if ts, ok := kept[id]; ok {
			return ts, nil
		}
		signed, what, err := readOp(log, id)
		if err != nil {
			return nil, err
		}
		if what != "" {
			return nil, &dag.CorruptError{Key: "op " + id.String(), Offset: -1, Err: errors.New(what)}
		}
		if order = append(order, id); len(order) > keptOps {
			delete(kept, order[0])
			order = order[1:]
		}
		kept[id] = signed.Transactions()
		return kept[id], nil
	}
}
