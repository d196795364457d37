package mvcc

import (
	"bytes"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
)

// Replay applies a change that Evaluate made on the same state before, with the
// same outcome: revision, number, births, trails and what is local are checked. The error is
// ErrReplay, after which the view must not be used.
func (v *View) Replay(ch *Change) error {
	e := execution{v: v, rev: v.next()}
	if n := len(ch.Writes); n > 1 {
		e.record().Writes = make([]Write, 0, n)
	}
	if (ch.Number != 0) != ch.replicates() || (ch.Revision != 0) != (len(ch.Writes) > 0) {
		return fmt.Errorf("%w: change %d with revision %d has %d writes", ErrReplay, ch.Number, ch.Revision, len(ch.Writes))
	}
	if ch.Number != 0 && ch.Number != v.number+1 || ch.Revision != 0 && ch.Revision != e.rev {
		return fmt.Errorf("%w: change %d with revision %d, want change %d with revision %d", ErrReplay, ch.Number, ch.Revision, v.number+1, e.rev)
	}
	if ch.Grant.ID != 0 {
		if v.leases.granted(ch.Grant.ID) {
			return fmt.Errorf("%w: lease %x granted twice", ErrReplay, uint64(ch.Grant.ID))
		}
		v.leases.grant(ch.Grant, time.Time{})
	}
	for _, b := range ch.Schemas {
		id := dag.SchemaIDOf(b)
		v.schemas.learn(id, b)
	}
	if len(ch.Schemas) > 0 {
		e.record().Schemas = ch.Schemas
	}
	for i := range ch.Writes {
		if err := v.replayWrite(&e, &ch.Writes[i]); err != nil {
			return fmt.Errorf("%w: revision %d, write %d: %s", ErrReplay, ch.Revision, i, err)
		}
		switch got, want := &e.change.Writes[i], &ch.Writes[i]; {
		case got.Local != want.Local:
			return fmt.Errorf("%w: revision %d, write %d: policy of %q", ErrReplay, ch.Revision, i, want.Key)
		case got.Prev != want.Prev:
			return fmt.Errorf("%w: revision %d, write %d: %q was last written in record %d, recorded %d", ErrReplay, ch.Revision, i, want.Key, got.Prev, want.Prev)
		case !sameBirth(got, want):
			return fmt.Errorf("%w: revision %d, write %d: another life of %q", ErrReplay, ch.Revision, i, want.Key)
		}
	}
	if ch.Revoke != 0 {
		if !v.leases.granted(ch.Revoke) {
			return fmt.Errorf("%w: lease %x ends and was not granted", ErrReplay, uint64(ch.Revoke))
		}
		v.leases.end(ch.Revoke)
	}
	if ch.Compact != 0 {
		if ch.Compact <= v.compactAsked || ch.Compact > v.head {
			return fmt.Errorf("%w: compaction to %d of [%d, %d]", ErrReplay, ch.Compact, v.compactAsked, v.head)
		}
		v.compactTo(ch.Compact)
	}
	if c := ch.Alarm; c.Type != pb.AlarmType_NONE {
		if _, stands := v.alarms[c.Alarm]; stands == c.Raised {
			return fmt.Errorf("%w: alarm %v of member %x raised or ended twice", ErrReplay, c.Type, c.Member)
		}
		v.setAlarm(c)
	}
	e.finish()
	return nil
}

func (v *View) replayWrite(e *execution, w *Write) error {
	switch w.Kind {
	case dag.Replace:
		if w.Lease != 0 && !v.leases.granted(w.Lease) {
			return fmt.Errorf("lease %x does not exist", uint64(w.Lease))
		}
		e.write(w.Key, w.Lease, dag.Write{Kind: dag.Replace, Value: w.Value, Schema: w.Schema}, state{value: w.Value, schema: v.schema(w.Schema)})
	case dag.Patch:
		return v.replayPatch(e, w)
	case dag.DeleteObserved, dag.DeleteFinal:
		it := v.keys[string(w.Key)]
		if it == nil || it.visible() == nil {
			return fmt.Errorf("delete of %q, which is absent", w.Key)
		}
		e.end(it, w.Kind)
	case dag.DeleteRange:
		items := ofNamespace(v.visibleSpan(span{text(w.Key), text(w.End), len(w.End) == 0}), w.Local)
		if len(items) == 0 {
			return fmt.Errorf("delete of an empty range from %q", w.Key)
		}
		e.deleteSpan(w.Key, w.End, items, w.Local)
	default:
		return fmt.Errorf("kind of write %d", w.Kind)
	}
	return nil
}

// replayPatch applies a patch of this node. That it leaves the value that it
// left before is checked by a checksum.
func (v *View) replayPatch(e *execution, w *Write) error {
	if w.Lease != 0 && !v.leases.granted(w.Lease) {
		return fmt.Errorf("lease %x does not exist", uint64(w.Lease))
	}
	it := v.keys[string(w.Key)]
	if it == nil || it.front.origin == nil || v.namespace(it) {
		return fmt.Errorf("patch of %q, which is absent", w.Key)
	}
	s := it.state()
	tree, ok := v.trees.patch(it, &s, w.Value)
	if !ok {
		return fmt.Errorf("the patch of %q does not apply", w.Key)
	}
	s.take(tree)
	s.patched()
	if checksum(s.bytes()) != w.sum {
		return fmt.Errorf("the patch of %q makes another value", w.Key)
	}
	e.write(w.Key, w.Lease, dag.Write{Kind: dag.Patch, Value: w.Value}, s)
	got := &e.change.Writes[len(e.change.Writes)-1]
	if (got.whole == nil) != (w.whole == nil) || w.whole != nil && (w.whole.schema != got.whole.schema || !bytes.Equal(w.whole.value, s.value)) {
		return fmt.Errorf("another whole value of %q", w.Key)
	}
	return nil
}

func sameBirth(a, b *Write) bool {
	x, y := a.Birth, b.Birth
	if (x.Operation == nil) != (y.Operation == nil) || x.Operation != nil && *x.Operation != *y.Operation {
		return false
	}
	return x.Number == y.Number && x.Tx == y.Tx && x.Index == y.Index
}
