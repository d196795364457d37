package commit

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
)

const (
	// sealInterval is the least time between two own ops while clients write:
	// an op costs every receiver 60–200 µs of gossip, whatever it holds.
	sealInterval = 15 * time.Millisecond
	// sealRide is how long a seal that is due waits for a client batch whose
	// append it can share.
	sealRide = time.Millisecond
	// sealBytes is the size of pending transactions, in bytes, that is sealed at
	// once, and the size at which an op is closed and the next begun.
	sealBytes = 64 << 10
	// batchRequests and batchBytes bound the client requests of one append.
	batchRequests = 2048
	batchBytes    = 1 << 20
	// queueRequests bounds the requests that wait for the writer; more block in Submit.
	queueRequests = 8192
	// admitBytes bounds the received ops of one append, the last batch's excess aside.
	admitBytes = 4 << 20
	// publishBytes is how much received ops may make in memory, in bytes, before it is appended and
	// published: history is freed below what is published only.
	publishBytes = 32 << 20
	// queueAdmissions bounds the batches of received ops that wait; more block in Admit.
	queueAdmissions = 64
	// housekeeping is how often leases are checked, heads folded and compacted
	// history freed.
	housekeeping = 500 * time.Millisecond
	// foldHeads is how many heads may stand before an idle node folds them.
	foldHeads = 16
)

// Config configures a Pipeline.
type Config struct {
	Store dag.Store            // owned by the caller, who closes it after the pipeline
	Key   *identity.PrivateKey // the node's key
	// Next is the key that a rotation under way may have led to, nil if there is
	// none. The log decides which of the two is the node's; see [Pipeline.Key].
	Next *identity.PrivateKey
	Mesh dag.ID // the founding op's ID
	// NextKey makes a new key for a rotation. It is durable when it returns, and
	// is given as Next to the Open that follows. nil: the key is never rotated.
	NextKey func() (*identity.PrivateKey, error)
	// RotateWait bounds the random time that a superseded node waits before it rotates.
	// Default: DefaultRotateWait.
	RotateWait time.Duration
	// OnRotate is called once, from the writer, when the last op of the old key
	// is durable: the pipeline then waits to be closed. It must not block. May be nil.
	OnRotate func()
	// Quota bounds what clients may store, in bytes as mvcc.Stats.Stored counts
	// them; 0 is no bound. When it is reached, the alarm NOSPACE is raised for
	// what MemberID returns for the node's key.
	Quota    int64
	MemberID func(node identity.PublicKey) uint64
	// FreeSpace returns how many bytes are free for the store. Below LowSpace
	// clients may not put, below LastSpace not write. It is called often and must
	// not block. nil says that it cannot be told.
	FreeSpace func() (int64, error)
	// Logger defaults to slog.Default().
	Logger *slog.Logger
	// Metrics defaults to unregistered ones.
	Metrics *Metrics
	// Now defaults to time.Now. It decides wall times and lease expiry only.
	Now func() time.Time
	// Values says what the values are that clients put. May be nil, see mvcc.Config.
	Values mvcc.Values
	// Random is where revision windows are picked with, and the wait before a
	// rotation: crypto/rand.Reader, the default, but in tests.
	Random io.Reader
	// OnFatal is called once, from the writer, when the pipeline stops because
	// of an error; it must not block. May be nil.
	OnFatal func(error)
}

// Pipeline is the single writer of a node. Its methods are safe for concurrent use.
type Pipeline struct {
	cfg   Config
	log   *slog.Logger
	store dag.Store
	graph *dag.Graph
	view  *mvcc.View
	key   *identity.PrivateKey
	self  identity.PublicKey

	requests   chan *request
	admissions chan *admission
	carries    chan *carry
	rotations  chan *rotation
	looks      chan *look
	closing    chan struct{}
	closeOnce  sync.Once
	stopped    chan struct{} // closed when the writer has returned
	ready      atomic.Bool
	readyCh    chan struct{} // closed when ready
	failure    atomic.Pointer[error]
	superseded atomic.Pointer[supersession]
	rotated    atomic.Bool               // the key was rotated: no more ops of it
	stuck      atomic.Pointer[error]     // why the last rotation failed, nil if none did
	past       atomic.Pointer[[]PastKey] // oldest first
	ownTip     atomic.Pointer[dag.Op]    // the tip, for others than the writer
	ownWindow  atomic.Pointer[windowRecord]
	space      atomic.Int32 // a space
	onOp       atomic.Pointer[func(op *dag.Op, block, body []byte)]

	considered considerations

	// appended is closed and replaced after every append; Fetch waits on it.
	appendMu sync.Mutex
	appended chan struct{}

	// What follows belongs to the writer (and to Open before it starts).
	roster *identity.Roster // that the view has
	auth   authorizer       // by roster
	place  place
	named  *identity.PublicKey // the node's key by the log, nil before the first own op
	tip    *dag.Op             // own last op, nil before the first
	window windowRecord
	opened *dag.Op   // the tip when the window was opened, whose author's it is
	claim  *dag.Op   // own op that claimed the window, nil in window 0
	rivals []*dag.Op // others' that claim it too and were not answered yet
	// met are the authors of all rivals so far: for each, the node leaves its
	// revisions behind once.
	met      map[identity.PublicKey]bool
	unsealed []unsealedChange
	pending  int // bytes of unsealed
	owed     owed
	oldest   time.Time
	lastSeal time.Time
	staged   []dag.Record // to be appended next, see stage
	sealed   []sealedOp   // added to the graph, not yet durable
	foldAt   time.Time
	// sinceCheck are the bytes appended since the last look at the free space,
	// spaceErr its error.
	sinceCheck int
	spaceErr   error
	quotaNear  bool // it was warned of
	// trims is how often the view had compacted itself when that was looked at last, warned when it was logged last.
	trims  uint64
	warned time.Time
}

// unsealedChange is an answered (or about to be answered) change that no own op holds yet.
type unsealedChange struct {
	change *mvcc.Change
	at     dag.Index // the record that holds it
}

// sealedOp is an own op on its way to durability.
type sealedOp struct {
	op    *dag.Op
	block []byte
	body  []byte
}

// Open replays the store's log and starts the writer. The store must hold the
// mesh's founding op (see [Found]) or be empty, as after a join. Errors:
// ErrForeignMesh, ErrReplay, and what the store returns.
func Open(cfg Config) (*Pipeline, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.RotateWait == 0 {
		cfg.RotateWait = DefaultRotateWait
	}
	if cfg.MemberID == nil {
		cfg.MemberID = func(identity.PublicKey) uint64 { return 0 }
	}
	graph := dag.NewGraphOf(cfg.Mesh)
	p := &Pipeline{
		cfg:        cfg,
		log:        cfg.Logger,
		store:      cfg.Store,
		graph:      graph,
		view:       mvcc.New(mvcc.Config{Base: 1, Quota: cfg.Quota, Schema: graph.Schema, Values: cfg.Values}),
		requests:   make(chan *request, queueRequests),
		admissions: make(chan *admission, queueAdmissions),
		carries:    make(chan *carry),
		rotations:  make(chan *rotation),
		looks:      make(chan *look),
		closing:    make(chan struct{}),
		stopped:    make(chan struct{}),
		readyCh:    make(chan struct{}),
		appended:   make(chan struct{}),
		roster:     identity.EmptyRoster(),
		met:        make(map[identity.PublicKey]bool),
	}
	if err := p.replay(); err != nil {
		return nil, err
	}
	if err := p.chooseKey(); err != nil {
		return nil, err
	}
	p.adopt(p.roster)
	p.checkPlace()
	p.checkSpace()
	go p.run()
	return p, nil
}

// Graph returns the graph of all ops admitted. An own op may be in it an
// instant before it is durable; Fetch waits for that.
func (p *Pipeline) Graph() *dag.Graph { return p.graph }

// View returns the materialised view.
func (p *Pipeline) View() *mvcc.View { return p.view }

// OnOp sets what is called with every own op once it is durable, in order, from
// the writer. fn must not block, nor change the slices.
func (p *Pipeline) OnOp(fn func(op *dag.Op, block, body []byte)) { p.onOp.Store(&fn) }

// Ready reports whether clients may be served: the revision window is open.
func (p *Pipeline) Ready() bool { return p.ready.Load() }

// ReadyCh is closed once the pipeline is ready.
func (p *Pipeline) ReadyCh() <-chan struct{} { return p.readyCh }

// Key returns the public key of the node: Config's Key or Next, as the log says.
func (p *Pipeline) Key() identity.PublicKey { return p.self }

// Superseded reports whether writes are refused with ErrSuperseded.
func (p *Pipeline) Superseded() bool { return p.superseded.Load() != nil }

// Err returns why the pipeline stopped by itself, or nil.
func (p *Pipeline) Err() error {
	if e := p.failure.Load(); e != nil {
		return *e
	}
	return nil
}

// Close seals what was answered, makes it durable, and stops the writer. The
// store stays open. Closing again waits and returns the same.
func (p *Pipeline) Close() error {
	p.closeOnce.Do(func() { close(p.closing) })
	<-p.stopped
	return p.Err()
}

// run is the writer.
func (p *Pipeline) run() {
	defer close(p.stopped)
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	if len(p.unsealed) > 0 { // answered before a crash
		p.seal()
	}
	if p.Err() == nil {
		p.openWindowIfNeeded()
		p.answerRivals() // met before a crash
	}
	for p.Err() == nil {
		// Received ops are admitted between seals only, so that an op's parents
		// are what its transactions were evaluated against. Under a steady
		// stream of client requests that is at every seal that is due.
		admissions := p.admissions
		if len(p.unsealed) > 0 {
			if admissions = nil; len(p.admissions) > 0 && p.sealDue() {
				p.admit(<-p.admissions)
				continue
			}
			timer.Reset(time.Until(p.sealTime()))
		}
		select {
		case r := <-p.requests:
			p.commit(r)
		case a := <-admissions:
			p.admit(a)
		case c := <-p.carries:
			p.carry(c)
		case r := <-p.rotations:
			p.rotateOnRequest(r)
		case l := <-p.looks:
			p.lookNow(l)
		case <-timer.C:
			if len(p.unsealed) > 0 && len(p.admissions) == 0 {
				p.seal()
			}
		case <-tick.C:
			p.checkSpace()
			p.checkQuota()
			p.checkHistory(time.Now())
			p.expireLeases()
			p.foldWhenIdle()
			p.rotateWhenDue()
			p.view.Prune()
		case <-p.closing:
			p.drain()
			return
		}
	}
	p.refuseAll()
}

// sealDue reports whether own ops may be made of what is unsealed.
func (p *Pipeline) sealDue() bool {
	return p.pending >= sealBytes || !time.Now().Before(p.lastSeal.Add(sealInterval))
}

// sealTime returns when the oldest unsealed change must be sealed at the latest.
func (p *Pipeline) sealTime() time.Time {
	if p.pending >= sealBytes {
		return time.Time{}
	}
	t := p.oldest.Add(sealRide)
	if u := p.lastSeal.Add(sealInterval); u.After(t) {
		return u
	}
	return t
}

// drain answers what was accepted before closing and seals it.
func (p *Pipeline) drain() {
	for p.Err() == nil {
		select {
		case r := <-p.requests:
			p.commit(r)
			continue
		default:
		}
		break
	}
	if p.Err() == nil && len(p.unsealed) > 0 {
		p.seal()
	}
	p.refuseAll()
}

// refuseAll answers whatever is still queued. Submit, Admit and Carry
// themselves give up once stopped is closed.
func (p *Pipeline) refuseAll() {
	for {
		select {
		case r := <-p.requests:
			r.answer(nil, ErrStopped)
		case a := <-p.admissions:
			a.refuse(ErrStopped)
		case c := <-p.carries:
			c.done <- carried{err: ErrStopped}
		case r := <-p.rotations:
			r.done <- rotated{err: ErrStopped}
		case l := <-p.looks:
			l.done <- ErrStopped
		default:
			return
		}
	}
}

// stage puts a record at the end of those that the next flush appends, and
// returns where in the log it will be.
func (p *Pipeline) stage(rec dag.Record) dag.Index {
	at := p.nextIndex()
	p.staged = append(p.staged, rec)
	return at
}

// nextIndex returns where in the log the record that is staged next will be.
func (p *Pipeline) nextIndex() dag.Index { return p.store.Last() + dag.Index(len(p.staged)) + 1 }

// flush appends the staged records durably and publishes what they hold. On
// failure the pipeline stops for good: what is on the disk is then unknown.
// It reports whether the pipeline goes on.
func (p *Pipeline) flush() bool {
	recs := p.staged
	if p.Err() != nil || len(recs) == 0 {
		return p.Err() == nil
	}
	p.staged = nil
	start := time.Now()
	if _, err := p.store.Append(recs, true); err != nil {
		p.fail(fmt.Errorf("commit: append to the admission log: %w", err))
		return false
	}
	took := time.Since(start).Seconds()
	p.cfg.Metrics.appendSeconds.Observe(took)
	p.cfg.Metrics.fsyncSeconds.Observe(took)
	for _, rec := range recs {
		p.sinceCheck += len(rec.Payload)
		p.cfg.Metrics.logBytes.Add(float64(len(rec.Payload)))
	}
	if p.sinceCheck >= spaceCheck {
		p.checkSpace()
	}
	p.appendMu.Lock()
	close(p.appended)
	p.appended = make(chan struct{})
	p.appendMu.Unlock()
	onOp := p.onOp.Load()
	for _, s := range p.sealed {
		p.cfg.Metrics.sealed.Inc()
		if onOp != nil {
			(*onOp)(s.op, s.block, s.body)
		}
	}
	p.sealed = p.sealed[:0]
	p.view.Publish()
	return true
}

// fail stops the pipeline.
func (p *Pipeline) fail(err error) {
	if !p.failure.CompareAndSwap(nil, &err) {
		return
	}
	p.log.Error("the commit pipeline stopped; restart the node once the cause is mended", "err", err)
	if p.cfg.OnFatal != nil {
		p.cfg.OnFatal(err)
	}
}
