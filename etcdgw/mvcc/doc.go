// Package mvcc is the materialised view of a mesh's state as one node serves
// it: a multi-version keyspace with etcd's semantics (revisions, versions,
// transactions, compaction, leases, watches) that takes in both the writes of
// this node's clients and the operations of other nodes. docs/view.md states
// its invariants; docs/op.md section 5 defines the value of a key.
//
// One goroutine, the writer, calls [View.Record], [View.Evaluate], [View.Replay],
// [View.Turn], [View.ApplyRemote], [View.ReplayRemote], [View.Transaction], [View.Sealed], [View.OpenWindow] and
// [View.Publish], in the order of the admission log. What it applies forms the
// head. Any number of other goroutines read ([View.Range], [View.ReadTxn],
// watches, leases) what has been published, and nothing later: a caller
// publishes what is durable.
//
// The view guarantees that it is a deterministic function of the sequence of
// calls the writer makes (clock and random lease IDs enter through Evaluate
// only, and their outcome is part of the [Change]), that the replicated keys
// and values are a function of the set of operations alone, the roster of which the
// view is given by Turn, that every change
// of what is visible has its own revision, and that a watcher is sent every
// event from its start on, once, in order, never part of a revision.
//
// It does not make anything durable, asks for the log again when the roster
// changes ([History]), does not check etcd's request syntax
// (empty keys, duplicate keys in a transaction, too many operations: the
// gateway does), and keeps everything in memory: live values and all history
// that is not compacted, of other nodes' up to a bound (docs/view.md, "Amplification").
//
// Slices that go in are kept and slices that come out are shared: neither may
// be modified by the caller, and neither is modified by the view.
package mvcc
