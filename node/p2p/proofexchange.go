package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// ProofProtocol is the protocol by which proofs of forks spread.
const ProofProtocol protocol.ID = "/causeway/proofs/0"

// proofTime bounds one exchange of proofs.
const proofTime = time.Minute

// proofState is what is known of one peer and proofs.
type proofState struct {
	busy  bool
	told  int       // version of the proofs that both held after the last exchange
	at    time.Time // of that
	next  time.Time // none before
	start bucket    // exchanges that the peer starts
}

// loop exchanges proofs with the peers that may lack some.
func (ps *proofs) loop(ctx context.Context) {
	tick := time.NewTicker(ps.n.timing.SyncActive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ps.wake:
		case <-tick.C:
		}
		_, version := ps.authors()
		if version == 0 {
			continue
		}
		for _, p := range ps.n.host.Network().Peers() {
			if ps.n.admitted(p) == nil && ps.due(p, version) {
				ps.n.start(func(ctx context.Context) { ps.visit(ctx, p) })
			}
		}
	}
}

// due reports whether it is time to tell p, and if so claims p.
func (ps *proofs) due(p peer.ID, version int) (due bool) {
	now := time.Now()
	ps.n.peers.with(p, func(st *peerState) {
		s := &st.proofs
		due = !s.busy && now.After(s.next) && (s.told < version || now.Sub(s.at) > proofsAgain)
		s.busy = s.busy || due
	})
	return due
}

// visit runs one exchange with p, who was claimed.
func (ps *proofs) visit(ctx context.Context, p peer.ID) {
	version, err := ps.ask(ctx, p)
	now := time.Now()
	ps.n.peers.with(p, func(st *peerState) {
		s := &st.proofs
		s.busy = false
		if s.next = now.Add(ps.n.timing.SyncActive); err != nil {
			s.next = now.Add(ps.n.timing.SyncIdle)
			return
		}
		s.told, s.at = version, now
	})
	if err != nil {
		ps.n.log.Debug("proofs of forks were not exchanged", "peer", p.String(), "error", err)
	}
}

// ask opens a stream with p and exchanges proofs. It returns the version of
// those that p holds now.
func (ps *proofs) ask(ctx context.Context, p peer.ID) (version int, err error) {
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	str, err := ps.n.host.NewStream(reach(ctx, "proofs"), p, ProofProtocol)
	if err != nil {
		return 0, err
	}
	err = ps.over(ctx, p, str, func(f *framer) error {
		var mine []identity.PublicKey
		mine, version = ps.authors()
		if err := f.write(encodeProofList(mine)); err != nil {
			return err
		}
		if err := ps.receive(f); err != nil {
			return err
		}
		theirs, err := ps.readList(f)
		if err != nil {
			return err
		}
		return ps.send(f, theirs)
	})
	return version, err
}

// serve answers an exchange that a peer started.
func (ps *proofs) serve(ctx context.Context, str network.Stream) {
	p := str.Conn().RemotePeer()
	var within bool
	ps.n.peers.with(p, func(st *peerState) { within = st.proofs.start.take(1, time.Now()) })
	err := ps.n.admitted(p)
	if err == nil && !within {
		err = fmt.Errorf("%w: exchanges of proofs", ErrBudget)
		ps.n.standings.report(p, reasonBudget, err)
	}
	if err != nil {
		_ = str.ResetWithError(codeOf(err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	_ = ps.over(ctx, p, str, func(f *framer) error {
		theirs, err := ps.readList(f)
		if err != nil {
			return err
		}
		if err := ps.send(f, theirs); err != nil {
			return err
		}
		mine, _ := ps.authors()
		if err := f.write(encodeProofList(mine)); err != nil {
			return err
		}
		return ps.receive(f)
	})
}

// over runs the steps of an exchange, ends the stream, and blames the peer for
// what it did wrong.
func (ps *proofs) over(ctx context.Context, p peer.ID, str network.Stream, steps func(*framer) error) error {
	stop := context.AfterFunc(ctx, func() { _ = str.ResetWithError(codeClosing) })
	defer stop()
	f := newFramer(str, maxProofFrame, ps.n.timing.Stall)
	err := steps(f)
	ps.n.account(p, f)
	if err != nil {
		_ = str.ResetWithError(codeOf(err))
		if code, remote := resetCode(err); remote {
			return fmt.Errorf("p2p: the peer ended the exchange of proofs, code %d", code)
		}
		ps.n.blame(p, err)
		return err
	}
	return str.Close()
}

func (ps *proofs) readList(f *framer) ([]identity.PublicKey, error) {
	b, err := f.read()
	if err != nil {
		return nil, err
	}
	return decodeProofList(b)
}

// send sends the proofs of authors that are not in theirs.
func (ps *proofs) send(f *framer, theirs []identity.PublicKey) error {
	mine, _ := ps.authors()
	mine = slices.DeleteFunc(mine, func(a identity.PublicKey) bool {
		_, known := slices.BinarySearchFunc(theirs, a, identity.PublicKey.Compare)
		return known
	})
	for {
		var frame [][]byte
		for _, author := range mine[:min(len(mine), maxProofsFrame)] {
			b, err := ps.of(author)
			if err != nil {
				return err
			}
			frame = append(frame, b)
		}
		mine = mine[len(frame):]
		if err := f.write(encodeProofs(frame, len(mine) > 0)); err != nil || len(mine) == 0 {
			return err
		}
	}
}

// receive takes the proofs that a peer sends.
func (ps *proofs) receive(f *framer) error {
	for range maxProofs {
		b, err := f.read()
		if err != nil {
			return err
		}
		frame, more, err := decodeProofs(b)
		if err != nil {
			return err
		}
		for _, b := range frame {
			switch err := ps.take(b); {
			case errors.Is(err, dag.ErrForkProof):
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			case err != nil && !errors.Is(err, errUnplaced):
				return err
			}
		}
		if !more {
			return nil
		}
	}
	return fmt.Errorf("%w: more than %d frames of proofs", ErrMalformed, maxProofs)
}
