package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile"
)

// maxIdle bounds, in stall times, how long a peer may say only that it is alive: it
// may be admitting what is not acknowledged yet, 3 MiB at most.
const maxIdle = 6

// maxSession bounds one session's time, and so how long a peer can hold its slot.
const maxSession = 10 * time.Minute

// exchange is one sync session on one stream: it moves frames between the
// stream and a [reconcile.Session], and ops to the backend.
type exchange struct {
	n      *Network
	peer   peer.ID
	stream network.Stream
	frames *framer
	gotten []dag.ID // ops the peer sent that are delivered now

	sending, receiving *piece // of each of the two goroutines
}

func newExchange(n *Network, p peer.ID, s network.Stream) *exchange {
	frames := newFramer(s, reconcile.MaxFrame, n.timing.Stall)
	frames.short = true
	frames.turn = func() (*piece, error) { return n.remote.begin(n.ctx) }
	return &exchange{n: n, peer: p, stream: s, frames: frames}
}

// hello sends the first frame. As long as no session with the peer completed,
// it shows how this node came in.
func (x *exchange) hello() error {
	var in introduction
	if st, _ := x.n.peers.get(x.peer); st.lastSync.IsZero() {
		in = x.n.introduction
	}
	return x.frames.write(encodeHello(in))
}

// readHello reads the peer's first frame.
func (x *exchange) readHello() (introduction, error) {
	x.frames.limit = maxIntroduction
	p, err := x.frames.read()
	x.frames.limit = reconcile.MaxFrame
	if err != nil {
		return nil, err
	}
	return decodeHello(p)
}

// run runs the session to its end, ends the stream, and blames the peer for
// what it did wrong. Nil means that both sides hold what the other stated.
func (x *exchange) run(ctx context.Context) error {
	heads := x.n.backend.Graph().Heads()
	work, err := x.n.remote.begin(ctx)
	if err != nil {
		_ = x.stream.ResetWithError(codeClosing)
		return err
	}
	session, err := x.open()
	work.end(0)
	if err != nil {
		_ = x.stream.ResetWithError(codeClosing)
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = x.stream.ResetWithError(codeClosing) })
	defer stop()

	received := make(chan struct{}, 1) // Receive returned: Next may have frames
	sent := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := x.send(ctx, session, received)
		if err != nil {
			cancel() // ends the reading too
		}
		sent <- err
	})
	err = x.receive(ctx, session, received)
	if err != nil {
		_ = x.stream.ResetWithError(codeOf(err))
		cancel()
	}
	close(received)
	wg.Wait()
	err = cause(err, <-sent)
	x.n.blame(x.peer, err)
	stop()
	_ = x.stream.Close()
	x.n.account(x.peer, x.frames)
	x.n.syncer.setAnchor(x.peer, session.Memory())
	x.n.peers.with(x.peer, func(st *peerState) { st.again.owe(float64(session.Stats().BytesAgain), time.Now()) })
	return x.conclude(session, heads, err)
}

// cause returns which of the errors of reading and writing says why the
// session ended: each side's end makes the other fail too.
func cause(read, write error) error {
	_, remoteRead := resetCode(read)
	_, remoteWrite := resetCode(write)
	switch {
	case read == nil || remoteRead:
		return errors.Join(read, write)
	case write == nil || errors.Is(write, context.Canceled):
		return read
	case remoteWrite || errors.Is(read, network.ErrReset):
		return write
	}
	return read
}

// resetCode returns the code with which the peer reset the stream, if it did.
func resetCode(err error) (network.StreamErrorCode, bool) {
	var reset *network.StreamError
	if errors.As(err, &reset) && reset.Remote {
		return reset.ErrorCode, true
	}
	return 0, false
}

func (x *exchange) open() (*reconcile.Session, error) {
	cfg := reconcile.Config{Mesh: x.n.mesh, Memory: x.n.syncer.anchor(x.peer), Without: x.n.reserve.waits,
		Between: func() { x.receiving.rest() }}
	_, _ = rand.Read(cfg.Salt[:]) // it never fails
	x.n.peers.with(x.peer, func(st *peerState) { cfg.MaxAgain = st.again.left(time.Now()) })
	if cfg.MaxAgain <= 0 {
		cfg.MaxAgain = -1
	}
	session, err := reconcile.New(restingSource{x.n.backend, x}, cfg)
	if errors.Is(err, reconcile.ErrMemory) {
		cfg.Memory = nil
		session, err = reconcile.New(restingSource{x.n.backend, x}, cfg)
	}
	return session, err
}

// send writes the session's frames until it has no more. While it waits it
// sends empty frames, which say that this side is alive: it may be admitting
// what the peer sent.
func (x *exchange) send(ctx context.Context, session *reconcile.Session, received <-chan struct{}) error {
	alive := time.NewTicker(max(x.n.timing.Stall/4, time.Millisecond))
	defer alive.Stop()
	for open := true; ; {
		work, err := x.n.remote.begin(ctx)
		if err != nil {
			return err
		}
		x.sending = work
		frame, done, err := session.Next()
		work.end(len(frame))
		switch {
		case err != nil:
			return err
		case frame != nil:
			if err := x.pay(ctx, len(frame)); err != nil {
				return err
			}
			if err := x.frames.write(frame); err != nil {
				return err
			}
			continue
		case done:
			// The peer, being done as well, may have closed already.
			_ = x.stream.CloseWrite()
			return nil
		case !open:
			return nil // the reader ended; it knows why
		}
		select {
		case _, open = <-received:
		case <-alive.C:
			if x.frames.write(nil) != nil {
				alive.Stop() // the peer may be done and gone; the reader finds out
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pay takes n bytes from the peer's budget, and waits while it is overdrawn.
func (x *exchange) pay(ctx context.Context, n int) error {
	var wait time.Duration
	x.n.peers.with(x.peer, func(st *peerState) { wait = st.serve.owe(float64(n), time.Now()) })
	if wait == 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive reads frames until the session is done. While one frame's operations
// are admitted, the next one's are read and verified.
func (x *exchange) receive(ctx context.Context, session *reconcile.Session, received chan<- struct{}) (err error) {
	admitted := func() error { return nil } // waits for what is being admitted
	defer func() {
		if aerr := admitted(); err == nil {
			err = aerr
		}
	}()
	last := time.Now() // a frame came that says anything
	alive := newBucket(aliveRate, aliveBurst, last)
	for !session.Done() {
		frame, err := x.frames.read()
		if err != nil {
			if errors.Is(err, io.EOF) {
				// All that the peer had to send came, or it hung up; our own
				// last frame may still be on its way.
				return nil
			}
			return err
		}
		if len(frame) == 0 {
			if time.Since(last) > maxIdle*x.n.timing.Stall {
				return fmt.Errorf("%w: nothing but signs of life", ErrStalled)
			}
			if !alive.take(1, time.Now()) {
				return fmt.Errorf("%w: more than %d signs of life a second", ErrStalled, aliveRate)
			}
			continue
		}
		last = time.Now()
		if !reconcile.IsOps(frame) {
			if err := admitted(); err != nil {
				return err
			}
		}
		if x.receiving, err = x.n.remote.begin(ctx); err != nil {
			return err
		}
		ops, err := session.Receive(frame)
		x.receiving.end(len(frame))
		if err != nil {
			return err
		}
		if len(ops) > 0 {
			signed, err := x.check(ctx, ops)
			if err != nil {
				return err
			}
			if err := admitted(); err != nil {
				return err
			}
			admitted = x.deliver(ctx, signed)
		}
		poke(received)
	}
	return nil
}

// errShutOut says that the peer will not sync with this node.
var errShutOut = fmt.Errorf("%w or revoked: so says the peer of this node", ErrNotEnrolled)

// errSettled marks an error for which the peer was reported already.
var errSettled = errors.New("p2p: op not admitted")

// check verifies ops.
func (x *exchange) check(ctx context.Context, ops []*dag.Unverified) ([]*dag.Signed, error) {
	for _, u := range ops {
		if mesh := u.Header().Mesh; u.ID() != x.n.mesh && (mesh == nil || *mesh != x.n.mesh) {
			return nil, fmt.Errorf("%w: op %v", ErrMesh, u.ID())
		}
	}
	signed, err := x.n.verify(ctx, ops)
	if err != nil {
		return nil, err
	}
	for _, s := range signed {
		x.gotten = append(x.gotten, s.ID())
	}
	return signed, nil
}

// deliver gives ops to the backend, and returns what waits until it has them,
// which can be called again.
func (x *exchange) deliver(ctx context.Context, ops []*dag.Signed) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		if err = x.n.slow(ctx, ops); err != nil {
			return
		}
		if err = x.n.delivery.synced(ctx, x.peer, x.n.reserve.sift(ops)); err != nil {
			err = fmt.Errorf("%w: %w", errSettled, err)
		}
	}()
	return func() error {
		<-done
		return err
	}
}

// conclude records the session's result.
func (x *exchange) conclude(session *reconcile.Session, heads []*dag.Op, err error) error {
	g := x.n.backend.Graph()
	var held []*dag.Op
	for _, id := range x.gotten {
		if op, ok := g.Get(id); ok {
			held = append(held, op)
		}
	}
	if session.Complete() {
		x.n.peers.synced(x.peer, append(held, heads...), nil)
		return nil
	}
	code, _ := resetCode(err)
	switch {
	case code == codeBusy:
		return ErrBusy
	case code == codeNotEnrolled:
		err = errShutOut
	case code == codeBudget:
		err = fmt.Errorf("%w: so says the peer of this node", ErrBudget)
	case err == nil:
		stats := session.Stats()
		if len(held)+stats.OpsSent > 0 {
			// It may have ended at a limit: there is more, and this part is done.
			x.n.syncer.want(x.peer, x.n.timing.Settle)
		}
		switch {
		case stats.Spared > 0:
			err = fmt.Errorf("%w: the peer has none for %d of them", ErrWaits, stats.Spared)
		case len(x.n.reserve.waits()) > 0:
			err = fmt.Errorf("%w: this node has none", ErrWaits)
		case len(held)+stats.OpsSent > 0:
			err = errors.New("p2p: the session ended before all was exchanged")
		default:
			err = errors.New("p2p: the peer ended the session early")
		}
	}
	x.n.peers.synced(x.peer, held, err)
	return err
}

// account adds the bytes of a peer's stream to the peer's and the node's totals.
func (n *Network) account(p peer.ID, f *framer) {
	n.metrics.bytes.WithLabelValues("in").Add(float64(f.in))
	n.metrics.bytes.WithLabelValues("out").Add(float64(f.out))
	n.peers.with(p, func(st *peerState) {
		st.in += f.in
		st.out += f.out
	})
}

// blame reports what a peer did wrong on a stream, if err says that it did.
func (n *Network) blame(p peer.ID, err error) {
	var refusal *dag.Refusal
	s := n.standings
	switch {
	case err == nil, errors.Is(err, errSettled):
	case shutOut(err):
		s.report(p, reasonNotEnrolled, err)
	case errors.Is(err, ErrFrameTooLong), errors.Is(err, reconcile.ErrLimit):
		s.report(p, reasonOversize, err)
	case errors.Is(err, ErrMesh), errors.Is(err, reconcile.ErrMesh):
		s.report(p, reasonMesh, err)
	case errors.Is(err, ErrStalled):
		s.report(p, reasonStalled, err)
	case errors.As(err, &refusal):
		s.report(p, refused(refusal), err)
	case errors.Is(err, ErrMalformed), errors.Is(err, reconcile.ErrMalformed):
		s.report(p, reasonMalformed, err)
	case errors.Is(err, reconcile.ErrProtocol):
		s.report(p, reasonProtocol, err)
	}
}

// codeOf returns the code for resetting a stream after err.
func codeOf(err error) network.StreamErrorCode {
	switch {
	case shutOut(err):
		return codeNotEnrolled
	case errors.Is(err, ErrBusy):
		return codeBusy
	case errors.Is(err, ErrBudget):
		return codeBudget
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return codeClosing
	}
	return codeProtocol
}
