package mvcc

import (
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/causeway-sync/causeway/dag"
)

// Config configures a [View].
type Config struct {
	// Base is the revision of the empty view. etcd's, and so a founder's, is 1,
	// which the zero value means too. A view that starts in a later window has
	// that window's first revision.
	Base int64
	// Quota bounds what clients may store, in bytes as Stats.Stored counts them, less
	// Stats.Remote. 0 is no bound. Other nodes' operations are never refused.
	Quota int64
	// MaxHistory bounds Stats.Remote, in bytes: beyond it the view compacts itself. 0 is a
	// quarter of Quota, at most 512 MiB, and that if there is no quota.
	MaxHistory int64
	// Schema returns the bytes of a merge schema that an operation carries, as
	// [dag.Graph.Schema] does. nil: there are none.
	Schema func(id dag.SchemaID) ([]byte, bool)
	// Values says what clients' values are. nil: they are plain JSON, or opaque.
	Values Values
}

// View is the materialised view. See the package documentation for who may
// call what.
type View struct {
	// mu guards what readers look at. Only the writer changes it, so the writer
	// itself reads without the lock.
	mu        sync.RWMutex
	keys      map[string]*item
	tree      *btree.BTreeG[entry] // all items
	live      *btree.BTreeG[entry] // the items visible at the head: it is counted
	history   history
	published int64 // revision that readers see
	compacted int64 // compact revision that readers see; 0 if nothing is compacted
	window    window
	bytes     int64 // of visible keys and values at the head
	// unsettledKeys is how many keys are unsettled at the head.
	unsettledKeys int
	outcomes      outcomes

	// pins counts the reads in progress by the compact revision they began
	// under: history from the least of them on stays.
	pinMu sync.Mutex
	pins  map[int64]int

	tallies tallies

	leases lessor

	// sealMu guards seals: Transaction may be called by any goroutine.
	sealMu sync.RWMutex
	seals  []seal

	// revision and compact mirror published and compacted.
	revision atomic.Int64
	compact  atomic.Int64
	// alarmsShown are the published alarms.
	alarmsShown atomic.Pointer[[]Alarm]

	hub hub

	hash stateHash

	// What follows belongs to the writer.
	head          int64
	quota         int64
	alarms        map[Alarm]struct{}
	alarmsChanged bool // since the last Publish
	headCompacted int64
	headWindow    window
	number        uint64 // of the last change with replicated writes
	stamp         uint64
	unsealed      []*origin
	dispatched    uint64 // sequence number of the first event not yet published
	renumbered    bool   // a window was opened since the last Publish
	touched       []touch
	sweep         sweep
	verdicts      verdicts
	room          Room
	record        dag.Index // that the writes which follow are in
	received      []link    // the trail of what ApplyRemote applied in record
	wholes        int       // bytes of the whole values in received
	applying      applying
	records       records
	turns         uint64 // how often verdicts may have changed, and 1
	trees         trees
	merges        merges
	values        Values
	schemas       schemas
	dead          *btree.BTreeG[deadKey]
	ranges        []rangeDeletes // in the order of the log
	amplification amplification
	maxHistory    int64
	remote        bool   // what is applied is not of this node
	trims         uint64 // how often trim has compacted
	madePublished int64  // history.made at the last Publish
	compactAsked  int64  // the revision of the last compaction by a client
}

// New returns an empty view at revision cfg.Base.
func New(cfg Config) *View {
	base := max(cfg.Base, 1)
	if cfg.MaxHistory == 0 {
		if cfg.MaxHistory = maxHistory; cfg.Quota > 0 {
			cfg.MaxHistory = min(maxHistory, cfg.Quota/historyShare)
		}
	}
	v := &View{
		keys:   make(map[string]*item),
		tree:   newTree(),
		live:   newTree(),
		pins:   make(map[int64]int),
		quota:  cfg.Quota,
		alarms: make(map[Alarm]struct{}),
		dead:   newDeadKeys(),
		room:   NoBound,
		turns:  1,
		values: cfg.Values,

		amplification: amplification{amplifyFactor, amplifySlack},
		maxHistory:    cfg.MaxHistory,

		schemas:   schemas{carried: cfg.Schema},
		head:      base,
		published: base,
	}
	if v.headWindow = (window{base: base, whole: v.Unborn()}); base > 1 {
		v.headCompacted = base
	}
	v.compacted, v.window = v.headCompacted, v.headWindow
	v.revision.Store(v.published)
	v.compact.Store(v.compacted)
	v.alarmsShown.Store(new([]Alarm))
	v.leases.init()
	v.hub.init(v)
	return v
}

// Head returns the revision of the last change applied, published or not.
// Only the writer may call it.
func (v *View) Head() int64 { return v.head }

// Revision returns the published revision. It never blocks.
func (v *View) Revision() int64 { return v.revision.Load() }

// CompactRevision returns the published compact revision: reads below it fail.
// 0 says that nothing is compacted. It never blocks.
func (v *View) CompactRevision() int64 { return v.compact.Load() }

// Stats are figures of a view. They are those of the head, which may be a few
// changes ahead of what is published.
type Stats struct {
	Keys      int   // visible keys
	Unsettled int   // keys that View.Unsettled lists, some of which may show a local value
	Bytes     int64 // of the visible keys and their values
	Stored    int64 // every version kept, live or not, with its overhead, and leases
	Remote    int64 // what of Stored is history that other nodes have made, and does not count in the quota
	History   int   // events kept for watches and reads in the past
	Leases    int
	Watchers  int
	Streams   int
	Lagging   int // watchers that are being served from history
}

// Stats returns figures for status and metrics.
func (v *View) Stats() Stats {
	v.mu.RLock()
	s := Stats{Keys: v.live.Len(), Unsettled: v.unsettledKeys, Bytes: v.bytes, Stored: v.history.bytes, Remote: v.history.remote, History: int(v.history.next - v.history.first)}
	v.mu.RUnlock()
	s.Leases = v.leases.count()
	s.Stored += leaseOverhead * int64(s.Leases)
	s.Watchers, s.Streams, s.Lagging = v.hub.count()
	return s
}

// Publish makes everything applied so far visible to readers and hands its
// events to the watchers. The writer calls it once what it applied is durable.
func (v *View) Publish() {
	from, to := v.dispatched, v.history.next
	if v.alarmsChanged {
		alarms := sortedAlarms(v.alarms)
		v.alarmsShown.Store(&alarms)
		v.alarmsChanged = false
	}
	if from == to && v.headCompacted == v.compacted && !v.renumbered && !v.leases.pending() {
		return
	}
	v.mu.Lock()
	v.published, v.compacted, v.window = v.head, v.headCompacted, v.headWindow
	v.leases.publish()
	v.mu.Unlock()
	v.revision.Store(v.head)
	v.compact.Store(v.headCompacted)
	v.hub.dispatch(from, to, v.renumbered)
	v.dispatched, v.renumbered, v.madePublished = to, false, v.history.made
	v.prune(max(pruneEvents, 4*int(to-from)))
}

// Unpublished returns how many bytes of versions were made since the last Publish, as Stats.Stored
// counts them: they are not freed before the next. Only the writer may call it.
func (v *View) Unpublished() int64 { return v.history.made - v.madePublished }

// intern returns the item of key, made if need be. Called with mu held.
func (v *View) intern(key []byte) *item {
	it := v.keys[string(key)]
	if it == nil {
		it = &item{name: text(key)}
		v.keys[it.name] = it
		v.tree.Set(entry{it.name, it})
		v.revive(it)
	}
	return it
}

// setValue makes value the visible one of it at revision rev. Called with mu held.
func (v *View) setValue(it *item, rev int64, value []byte, lease int64) {
	x := &version{item: it, prev: it.newest, local: it.local, remote: v.remote}
	x.kv.Key, x.kv.Value = it.key(), value
	x.kv.ModRevision, x.kv.Lease = rev, lease
	if old := it.visible(); old != nil {
		x.kv.CreateRevision, x.kv.Version = old.kv.CreateRevision, old.kv.Version+1
		v.bytes += int64(len(value) - len(old.kv.Value))
		if old.kv.Lease != lease {
			v.leases.detach(old.kv.Lease, it)
		}
	} else {
		x.kv.CreateRevision, x.kv.Version = rev, 1
		v.bytes += int64(len(it.name) + len(value))
		v.live.Set(entry{it.name, it})
	}
	v.leases.attach(lease, it)
	it.newest, it.kept = x, false
	v.history.append(x)
}

// remove makes it, which is visible, absent at revision rev, by a write of this
// node. Called with mu held.
func (v *View) remove(it *item, rev int64) {
	if !it.local {
		it.front, it.schema, it.patches = write{}, nil, 0
		v.settle(it, false)
	}
	v.setAbsent(it, rev)
}

// setAbsent adds a tombstone to it, which is visible, at revision rev. Called with mu held.
func (v *View) setAbsent(it *item, rev int64) {
	old := it.visible()
	x := &version{item: it, prev: it.newest, local: it.local, remote: v.remote}
	x.kv.Key, x.kv.ModRevision = it.key(), rev
	v.bytes -= int64(len(it.name) + len(old.kv.Value))
	v.live.Delete(entry{it.name, it})
	v.leases.detach(old.kv.Lease, it)
	it.newest = x
	v.history.append(x)
}

// seal says that the changes from first on, up to the next seal's first, are
// the transactions of op.
type seal struct {
	first uint64
	op    *dag.Op
}
