package mvcc

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
)

// Authorizer says what this node may write, by the roster that the view was
// given last. Of an error that is a gRPC status the client is told that; of any
// other the text, as the reason, with a code that fits.
type Authorizer interface {
	// MayWrite returns nil if the node may write key, which is not local. The
	// code is PermissionDenied.
	MayWrite(key []byte) error
	// MayWriteRange returns nil if the node may delete every key from key on that
	// is less than end, an empty end meaning no upper bound, with one write:
	// whatever it may not write itself such a write passes over.
	MayWriteRange(key, end []byte) error
	// CheckValue returns nil if value is of the form that policy demands of key.
	// The code is InvalidArgument.
	CheckValue(key, value []byte) error
}

// Evaluate evaluates a request at the head and applies what it does. The
// request is one of *pb.PutRequest, *pb.DeleteRangeRequest, *pb.TxnRequest,
// *pb.CompactionRequest, *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest,
// *pb.AlarmRequest and *ExpireRequest, or a *Guarded of one of these; it and its bytes are kept. The response is etcd's, with only
// the revision set in its header. The change is nil if nothing changed. A nil
// auth allows everything; now moves leases only.
//
// An error is a status as etcd's, or ErrUnknownRequest, and means that
// nothing was applied. Besides etcd's own reasons, ErrGRPCRequestTooLarge says
// that no operation could carry the change, and statuses with the codes
// PermissionDenied and InvalidArgument, and the reason in the text, that auth
// refuses a write or a value. The error of a guard is passed on. What alarms or the quota
// do not admit fails with ErrGRPCCorrupt or ErrGRPCNoSpace, before any other
// reason; to raise the alarm of a full quota is left to the caller.
func (v *View) Evaluate(req proto.Message, auth Authorizer, now time.Time) (proto.Message, *Change, error) {
	g, guarded := req.(*Guarded)
	if guarded {
		req = g.Message
	}
	if err := v.admits(req); err != nil {
		return nil, nil, err
	}
	if guarded {
		if err := g.Check(v.leases.attachedKeys); err != nil {
			return nil, nil, err
		}
	}
	var resp proto.Message
	var err error
	e := execution{v: v, rev: v.next()}
	switch r := req.(type) {
	case *pb.PutRequest:
		resp, err = v.evaluatePut(&e, r, auth)
	case *pb.DeleteRangeRequest:
		resp, err = v.evaluateDelete(&e, r, auth)
	case *pb.TxnRequest:
		resp, err = v.evaluateTxn(&e, r, auth)
	case *pb.CompactionRequest:
		resp, err = v.evaluateCompaction(&e, r)
	case *pb.LeaseGrantRequest:
		resp, err = v.evaluateGrant(&e, r, now)
	case *pb.LeaseRevokeRequest:
		resp, err = v.evaluateRevoke(&e, r, auth)
	case *pb.AlarmRequest:
		resp, err = v.evaluateAlarm(&e, r)
	case *ExpireRequest:
		resp, err = v.evaluateExpire(&e, r, auth, now)
	default:
		err = fmt.Errorf("%w: %T", ErrUnknownRequest, req)
	}
	if err != nil {
		return nil, nil, err
	}
	return resp, e.finish(), nil
}

// execution applies the writes of one change at revision rev.
type execution struct {
	v          *View
	rev        int64
	change     *Change
	origin     *origin // of the replicated writes, nil before the first
	replicated uint32  // how many there are
}

// record returns the change, made if need be.
func (e *execution) record() *Change {
	if e.change == nil {
		e.change = &Change{}
	}
	return e.change
}

// begin returns the change with room for another write.
func (e *execution) begin() *Write {
	c := e.record()
	if c.Writes == nil {
		c.Writes = c.one[:0]
	}
	c.Writes = append(c.Writes, Write{})
	return &c.Writes[len(c.Writes)-1]
}

// replicate returns the name of the next replicated write.
func (e *execution) replicate() write {
	if e.origin == nil {
		e.origin = &origin{number: e.v.number + 1}
	}
	e.replicated++
	return write{origin: e.origin, index: e.replicated - 1}
}

// wrote reports whether there is a write.
func (e *execution) wrote() bool { return e.change != nil && len(e.change.Writes) > 0 }

// revision returns the revision that the execution sees: the one it makes, if
// it has written, or the head's.
func (e *execution) revision() int64 {
	if e.wrote() {
		return e.rev
	}
	return e.v.head
}

// finish moves the head and returns the change, nil if there is none.
func (e *execution) finish() *Change {
	v := e.v
	if e.wrote() {
		v.head, e.change.Revision = e.rev, e.rev
	}
	if e.origin != nil {
		v.number, e.change.Number = e.origin.number, e.origin.number
		v.unsealed = append(v.unsealed, e.origin)
	}
	v.trim()
	return e.change
}

// birthOf names the write that created the life of it, which is visible.
func birthOf(it *item) Birth {
	b := it.front.birth
	if o := b.origin; o.number != 0 {
		return Birth{Number: o.number, Index: b.index}
	}
	id := b.origin.op.ID()
	return Birth{Operation: &id, Tx: b.origin.tx, Index: b.index}
}

// put writes what a client puts: as a patch where that says what the client
// changed, and else whole.
func (e *execution) put(key, value []byte, lease int64) {
	v := e.v
	it := v.keys[string(key)]
	if v.isLocalWrite(it, key) {
		e.write(key, lease, dag.Write{Kind: dag.Replace, Value: value}, state{value: value})
		return
	}
	w := dag.Write{Kind: dag.Replace, Value: value, Schema: dag.SchemaOpaque}
	s := state{value: value, schema: crdt.Opaque}
	if v.verdicts.merges(key) {
		s.schema = e.schemaFor(key, value)
		w.Schema = s.schema.ID()
		if it != nil && it.front.origin != nil {
			e.diff(it, &w, &s)
		}
	}
	e.write(key, lease, w, s)
}

// schemaFor returns how a value that is put merges. One that no operation
// carries yet goes with the change.
func (e *execution) schemaFor(key, value []byte) *crdt.Schema {
	v := e.v
	if v.values == nil {
		return nil
	}
	s := v.values.SchemaFor(key, value)
	if id := dag.SchemaID(s.ID()); !id.Carried() {
		return s
	} else if !v.knows(id) {
		c := e.record()
		c.Schemas = append(c.Schemas, s.Encoding())
		v.schemas.add(id, s)
		return s
	} else {
		return v.schema(id)
	}
}

// diff makes a patch of w, a replace of the value of it with that of s, if there
// is one that pays.
func (e *execution) diff(it *item, w *dag.Write, s *state) {
	old := it.state()
	if len(s.value) > crdt.MaxValue || len(old.value) > crdt.MaxValue || old.schema.ID() != s.schema.ID() || !mayPatch(s.value) {
		return
	}
	tree := crdt.Parse(s.value, s.schema)
	if tree.Opaque() {
		return
	}
	s.tree = tree
	p, ok := crdt.Diff(e.v.trees.of(it, &old), tree)
	if !ok || len(p.Encoding()) > max(len(s.value), smallPatch) {
		return
	}
	w.Kind, w.Value, w.Schema = dag.Patch, p.Encoding(), dag.SchemaJSON
	s.patches = old.patches
	s.patched()
}

// mayPatch reports whether a put of value may be a patch: it has parts.
func mayPatch(value []byte) bool {
	return len(value) > 0 && (value[0] == '{' || value[0] == '[') || bytes.HasPrefix(value, []byte("k8s\x00"))
}

// write applies a put of the replicated or the local value: w says how it is written, s what
// it leaves.
func (e *execution) write(key []byte, lease int64, put dag.Write, s state) {
	w := e.begin()
	v := e.v
	v.mu.Lock()
	it := v.intern(key)
	w.Kind, w.Key, w.Value, w.Schema, w.Lease = put.Kind, it.key(), put.Value, put.Schema, lease
	if w.Local = v.namespace(it); !w.Local {
		self := e.replicate()
		if it.front.origin != nil {
			self.birth = it.front.birth
			w.Birth = birthOf(it)
		} else {
			self.birth = incarnation{self.origin, self.index}
		}
		if w.Kind == dag.Patch {
			w.sum = checksum(s.value)
			if s.due() {
				w.whole, s.patches = &whole{s.schema.ID(), s.value}, 0
			}
		}
		it.front, it.schema, it.patches = self, s.schema, s.patches
		v.settle(it, false)
		v.merges.drop(it)
		if s.tree != nil {
			v.trees.keep(it, s.tree)
		}
		w.Prev = it.trail.own(v.record, self.origin)
	}
	v.setValue(it, e.rev, s.value, lease)
	v.mu.Unlock()
}

// isLocalWrite reports whether a write of key, whose item is it or nil, is of the local namespace.
func (v *View) isLocalWrite(it *item, key []byte) bool {
	if it == nil {
		return v.verdicts.isLocal(key)
	}
	return v.namespace(it)
}

// delete deletes one visible key: of an object for good, of another value what was seen.
func (e *execution) delete(it *item) {
	kind := dag.DeleteObserved
	if !it.local {
		if _, ok := dag.Object(it.newest.kv.Value); ok {
			kind = dag.DeleteFinal
		}
	}
	e.end(it, kind)
}

// end deletes one visible key.
func (e *execution) end(it *item, kind dag.WriteKind) {
	w := e.begin()
	w.Kind, w.Key, w.Local = kind, it.key(), it.local
	if !w.Local {
		w.Birth, w.Prev = birthOf(it), it.trail.own(e.v.record, e.replicate().origin)
		e.v.merges.drop(it)
	}
	e.v.mu.Lock()
	e.v.remove(it, e.rev)
	e.v.mu.Unlock()
}

// deleteSpan deletes items, all of the namespace that are visible in [key, end), with one write;
// an empty end means no upper bound.
func (e *execution) deleteSpan(key, end []byte, items []*item, local bool) {
	w := e.begin()
	w.Kind, w.Key, w.End, w.Local = dag.DeleteRange, key, end, local
	if !local {
		s := span{key: text(key), end: text(end), open: len(end) == 0}
		e.v.noteRanges(e.replicate().origin, []span{s}, false)
	}
	e.absent(items)
}

// absent makes items absent, in chunks so that readers need not wait for all of them.
func (e *execution) absent(items []*item) {
	for len(items) > 0 {
		n := min(len(items), chunkKeys)
		e.v.mu.Lock()
		for _, it := range items[:n] {
			e.v.merges.drop(it)
			e.v.remove(it, e.rev)
		}
		e.v.mu.Unlock()
		items = items[n:]
	}
}

// budget checks, before anything is applied, that a change is allowed and fits
// into an operation.
type budget struct {
	v      *View
	auth   Authorizer
	writes int
	bytes  int
	sent   Room // what of them is for other nodes
}

// allow counts a write of size bytes besides its overhead, local or not.
func (b *budget) allow(size int, local bool) error {
	b.writes++
	b.bytes += size + writeOverhead
	if b.writes > maxWrites || b.bytes > maxTransactionBytes {
		return rpctypes.ErrGRPCRequestTooLarge
	}
	if local {
		return nil
	}
	b.sent.Writes++
	b.sent.Bytes += uint64(size + writeOverhead)
	if b.sent.Writes > b.v.room.Writes || b.sent.Bytes > b.v.room.Bytes {
		return ErrNoRoom
	}
	return nil
}

// put checks a put.
func (b *budget) put(key, value []byte) error {
	size := len(value)
	if mayPatch(value) {
		size = max(size, smallPatch)
	}
	if err := b.key(key, size); err != nil {
		return err
	}
	if err := b.schema(key, value); err != nil || b.auth == nil {
		return err
	}
	if err := b.auth.CheckValue(key, value); err != nil {
		return refusal(codes.InvalidArgument, "etcdserver: value refused: ", err)
	}
	return nil
}

// schema checks a merge schema that a put may be the first to name. It is counted
// where there is a bound only: the change can always be sealed without it, as an operation
// of its own may carry the schema before.
func (b *budget) schema(key, value []byte) error {
	v := b.v
	if v.values == nil || v.room == NoBound || v.verdicts.isLocal(key) {
		return nil
	}
	s := v.values.SchemaFor(key, value)
	if v.knows(s.ID()) {
		return nil
	}
	if b.sent.Bytes += uint64(len(s.Encoding()) + schemaOverhead); b.sent.Bytes > v.room.Bytes {
		return ErrNoRoom
	}
	return nil
}

// key checks a write of key with size bytes of value.
func (b *budget) key(key []byte, size int) error {
	if len(key) > dag.MaxKey {
		return rpctypes.ErrGRPCRequestTooLarge // no operation could carry it
	}
	local := b.v.verdicts.isLocal(key) // and nobody else's business
	if !local {
		if err := b.mayWrite(key); err != nil {
			return err
		}
	}
	return b.allow(len(key)+size, local)
}

// mayWrite returns nil if the node may write key, which is replicated.
func (b *budget) mayWrite(key []byte) error {
	if b.auth == nil {
		return nil
	}
	if err := b.auth.MayWrite(key); err != nil {
		return refusal(codes.PermissionDenied, "etcdserver: permission denied: ", err)
	}
	return nil
}

// refusal returns err if it is a status, else one with the code and the texts,
// without the name of the package that says so: clients know none of them.
func refusal(code codes.Code, text string, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	reason := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "identity: "), "dag: ")
	return status.Error(code, text+reason)
}

// wholeRange reports whether [key, end) may be deleted with one write.
func (b *budget) wholeRange(key, end []byte) bool {
	return len(key) <= dag.MaxKey && len(end) <= dag.MaxKey &&
		(b.auth == nil || b.auth.MayWriteRange(key, upper(end)) == nil)
}
