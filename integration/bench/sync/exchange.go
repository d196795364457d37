package main

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile"
)

// A result is what one reconciliation took.
type result struct {
	// roundTrips until both held the union, begun ones counted whole: the
	// paper counts requests with their answers.
	roundTrips int
	// overhead is what both sides sent, less the ops that the other lacked, in
	// bytes: the paper's definition.
	overhead int
}

// frameLength is what the transport adds to a message, ours or theirs, in bytes.
const frameLength = 4

// lacked returns the bytes of the ops that one of two nodes lacks.
func lacked(a, b *node) (size int) {
	for _, pair := range [][2]*node{{a, b}, {b, a}} {
		for id, s := range pair[0].ops {
			if _, ok := pair[1].ops[id]; !ok {
				size += len(s.Block()) + len(s.Body())
			}
		}
	}
	return size
}

// memories is what two nodes remember of each other.
type memories struct{ a, b []byte }

// reconcileOurs runs a session of two nodes in lockstep: both send what they
// have to say, then both receive it.
func reconcileOurs(a, b *node, m *memories) (result, error) {
	size := lacked(a, b)
	sa, err := a.session(m.a)
	if err != nil {
		return result{}, err
	}
	sb, err := b.session(m.b)
	if err != nil {
		return result{}, err
	}
	var traffic, flights int
	for n := 1; ; n++ {
		held := len(a.ops) + len(b.ops)
		toB, err := take(sa)
		if err != nil {
			return result{}, err
		}
		toA, err := take(sb)
		if err != nil {
			return result{}, err
		}
		if len(toA)+len(toB) == 0 {
			break
		}
		for _, to := range []struct {
			n      *node
			s      *reconcile.Session
			frames [][]byte
		}{{b, sb, toB}, {a, sa, toA}} {
			for _, frame := range to.frames {
				traffic += len(frame) + frameLength
				if err := to.n.receive(to.s, frame); err != nil {
					return result{}, err
				}
			}
		}
		if len(a.ops)+len(b.ops) > held {
			flights = n
		}
	}
	if !sa.Complete() || !sb.Complete() || len(a.ops) != len(b.ops) {
		return result{}, fmt.Errorf("the session is not complete: %+v, %+v", sa.Stats(), sb.Stats())
	}
	m.a, m.b = sa.Memory(), sb.Memory()
	return result{roundTrips: max(1, (flights+1)/2), overhead: traffic - size}, nil
}

func (n *node) session(memory []byte) (*reconcile.Session, error) {
	cfg := reconcile.Config{Mesh: n.mesh.id, Memory: memory, MaxBytes: reconcile.MaxSessionBytes}
	n.mesh.salt++
	binary.BigEndian.PutUint64(cfg.Salt[:], n.mesh.salt)
	return reconcile.New(n, cfg)
}

// take returns all that s has to send now.
func take(s *reconcile.Session) (frames [][]byte, err error) {
	for {
		frame, _, err := s.Next()
		if frame == nil || err != nil {
			return frames, err
		}
		frames = append(frames, frame)
	}
}

// receive admits the ops of a frame. One whose past is missing is dropped: the
// session asks for it again. Signatures are not looked at, since they are not measured here.
func (n *node) receive(s *reconcile.Session, frame []byte) error {
	ops, err := s.Receive(frame)
	if err != nil {
		return err
	}
	for _, op := range ops {
		_, err := n.add(dag.AssumeVerified(op))
		var missing *dag.MissingError
		if err != nil && !errors.As(err, &missing) {
			return err
		}
	}
	return nil
}
