package node

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// keys answers about keys. It implements admin.Keys.
type keys struct{ log keyLog }

// keyLog is a log that runs or is only read.
type keyLog interface {
	Graph() *dag.Graph
	View() *mvcc.View
	KeyWrites(ctx context.Context, key []byte, most int) (*mvcc.KeyWrites, error)
	Unsettled(ctx context.Context, from []byte, most int) ([][]byte, error)
}

// Value implements admin.Keys.
func (k keys) Value(ctx context.Context, key []byte) (admin.KeyValue, error) {
	resp, err := k.log.View().Range(ctx, &pb.RangeRequest{Key: key})
	if err != nil {
		return admin.KeyValue{}, err
	}
	if len(resp.Kvs) == 0 {
		return admin.KeyValue{}, fmt.Errorf("key %q: %w", key, admin.ErrNotFound)
	}
	kv := resp.Kvs[0]
	return admin.KeyValue{Key: kv.Key, Value: kv.Value, CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision,
		Version: kv.Version, Lease: kv.Lease}, nil
}

// History implements admin.Keys.
func (k keys) History(ctx context.Context, key []byte, limit int) (admin.KeyHistory, error) {
	kw, err := k.log.KeyWrites(ctx, key, limit)
	if err != nil {
		return admin.KeyHistory{}, err
	}
	w := k.writers(kw)
	h := admin.KeyHistory{Key: key, Writes: []admin.KeyWrite{}, All: kw.All}
	for i := range kw.Writes {
		x := &kw.Writes[i]
		h.Writes = append(h.Writes, admin.KeyWrite{
			KeyWriter: w.of(x.Position()), Kind: writeKind(x.Kind), Value: x.Value, Schema: x.Schema, Leased: x.Leased, Void: x.Void, Counts: x.Counts,
		})
	}
	return h, nil
}

// Blame implements admin.Keys.
func (k keys) Blame(ctx context.Context, key []byte, limit int) (admin.KeyBlame, error) {
	kw, err := k.log.KeyWrites(ctx, key, limit)
	if err != nil {
		return admin.KeyBlame{}, err
	}
	r := kw.History.Value()
	if r.Tree == nil {
		return admin.KeyBlame{}, fmt.Errorf("key %q: %w", key, admin.ErrNotFound)
	}
	w := k.writers(kw)
	b := admin.KeyBlame{Key: key, Value: r.Tree.Value(), Merged: r.Merged, All: kw.All, Places: []admin.KeyPlace{}}
	for _, x := range kw.History.Blame() {
		b.Places = append(b.Places, admin.KeyPlace{Path: path(x.Path), Value: x.Value, Writer: w.of(x.Writer)})
	}
	return b, nil
}

// Conflicts implements admin.Keys.
func (k keys) Conflicts(ctx context.Context, from []byte, limit int) (admin.ConflictPage, error) {
	keys, err := k.log.Unsettled(ctx, from, limit+1)
	if err != nil {
		return admin.ConflictPage{}, err
	}
	page := admin.ConflictPage{Keys: []admin.KeyConflicts{}}
	if len(keys) > limit {
		keys, page.Next = keys[:limit], keys[limit]
	}
	for _, key := range keys {
		kw, err := k.log.KeyWrites(ctx, key, 0)
		if err != nil {
			return admin.ConflictPage{}, err
		}
		page.Keys = append(page.Keys, k.conflicts(key, kw))
	}
	return page, nil
}

// conflicts returns the conflicts of one key.
func (k keys) conflicts(key []byte, kw *mvcc.KeyWrites) admin.KeyConflicts {
	w := k.writers(kw)
	r := kw.History.Value()
	shown := admin.KeyConflicts{Key: key, Absent: r.Tree == nil, Merged: r.Merged, Writers: []admin.KeyWriter{}, Conflicts: []admin.Conflict{}}
	if r.Tree != nil {
		shown.Value = r.Tree.Value()
	}
	for _, number := range r.Heads {
		shown.Writers = append(shown.Writers, w.of(kw.Numbered(number).Position()))
	}
	for _, c := range kw.History.Conflicts() {
		x := admin.Conflict{Kind: c.Kind.String(), Path: path(c.Path), Shown: w.version(c.Shown), Lost: []admin.ConflictVersion{}}
		if c.Kind == crdt.Concurrent {
			x.Rule = c.Rule.String()
		}
		for _, v := range c.Lost {
			x.Lost = append(x.Lost, w.version(v))
		}
		shown.Conflicts = append(shown.Conflicts, x)
	}
	return shown
}

// path returns p, empty rather than nil.
func path(p []string) []string {
	if p == nil {
		return []string{}
	}
	return p
}

// writeKind is what a kind of write is called on the admin socket.
func writeKind(k dag.WriteKind) string {
	switch k {
	case dag.Replace:
		return "put"
	case dag.DeleteObserved:
		return "delete"
	}
	return k.String()
}

// writers knows who made the writes of a key.
type writers struct {
	ops    map[dag.ID]*dag.Op
	roster *identity.Roster
}

func (k keys) writers(kw *mvcc.KeyWrites) writers {
	w := writers{make(map[dag.ID]*dag.Op), k.log.Graph().Roster()}
	for i := range kw.Writes {
		w.ops[kw.Writes[i].Op.ID()] = kw.Writes[i].Op
	}
	return w
}

// of names the write at a position.
func (w writers) of(p crdt.Position) admin.KeyWriter {
	x := admin.KeyWriter{Op: p.Op, Transaction: p.Tx, Write: p.Write}
	if op := w.ops[p.Op]; op != nil {
		x.Author, x.Wall = op.Author(), admin.Moment(op.Wall())
		if a, ok := w.roster.Author(op.Author()); ok {
			x.Operator = a.OperatorName
		}
	}
	return x
}

func (w writers) version(v crdt.Version) admin.ConflictVersion {
	return admin.ConflictVersion{Writer: w.of(v.Writer), Value: v.Value, Deleted: v.Value == nil}
}
