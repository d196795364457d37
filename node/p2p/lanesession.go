package p2p

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag/reconcile"
	"github.com/causeway-sync/causeway/identity"
)

// laneSession is one session of the statement lane, on one stream. One side
// asks until it is done, then the other.
type laneSession struct {
	l      *lanes
	n      *Network
	peer   peer.ID
	key    identity.PublicKey // the peer's
	stream network.Stream
	frames *framer
}

func newLaneSession(l *lanes, p peer.ID, s network.Stream) *laneSession {
	key, _ := NodeKey(p) // a peer ID without one passes no gate
	return &laneSession{l: l, n: l.n, peer: p, key: key, stream: s, frames: newFramer(s, maxLaneFrame, l.n.timing.Stall)}
}

// run runs the session's steps, ends the stream, and blames the peer for what
// it did wrong.
func (s *laneSession) run(ctx context.Context, steps func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.stream.ResetWithError(codeClosing) })
	defer stop()
	err := steps()
	if err != nil {
		_ = s.stream.ResetWithError(codeOf(err))
		if code, remote := resetCode(err); remote {
			return fmt.Errorf("p2p: the peer ended the statement lane, code %d", code)
		}
		s.n.blame(s.peer, err)
	} else {
		_ = s.stream.Close()
	}
	s.n.account(s.peer, s.frames)
	return err
}

// meet reads the peer's hello and lets it pass the gate, or not.
func (s *laneSession) meet() error {
	s.frames.limit = maxIntroduction
	p, err := s.frames.read()
	if err != nil {
		return err
	}
	in, err := decodeHello(p)
	if err != nil {
		return err
	}
	if err = s.l.admitted(s.peer); errors.Is(err, ErrNotEnrolled) {
		return s.n.introduce(s.peer, in)
	}
	return err
}

// exchange asks a question and returns the answer's first frame, of at most limit bytes.
func (s *laneSession) exchange(q *question, limit int) ([]byte, error) {
	if err := s.frames.write(q.encode()); err != nil {
		return nil, err
	}
	s.frames.limit = limit
	return s.frames.read()
}

// errNotAsked says that the peer answered what was not asked.
var errNotAsked = fmt.Errorf("%w: not what was asked for", reconcile.ErrProtocol)
