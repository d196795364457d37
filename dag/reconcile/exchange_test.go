package reconcile

import (
	"fmt"
	"math/rand/v2"

	"github.com/causeway-sync/causeway/identity"
)

// An exchange runs one session between two replicas.
type exchange struct {
	a, b     *replica
	maxBytes int64
	maxAgain int64
	sketch   int  // authors in a vector from which it becomes a sketch, if not 0
	fresh    bool // without what they remember of each other

	withoutB func() []identity.PublicKey // of b's Config

	rng *rand.Rand // if set, frames are sent and delivered in a random order
	cut int        // if not 0, the connection breaks after so many frames
	// tamper, if set, is what b sends instead of a frame, and with both also what a sends.
	tamper func(frame []byte) [][]byte
	both   bool
	// observe, if set, sees each frame as it is delivered.
	observe func(flight int, from *replica, frame []byte)

	sa, sb  *Session
	flights int // of a lockstep exchange: how often frames crossed
	settled int // the flight after which both graphs had all they would have
	errA    error
	errB    error
}

// side is one end of an exchange.
type side struct {
	r   *replica
	s   *Session
	in  [][]byte // sent by the other side, not delivered
	err error
}

// run carries the exchange to its end and stores what each remembers.
func (x *exchange) run() error {
	ca := Config{Mesh: x.a.m.id, Memory: x.a.peers[x.b], Salt: x.a.newSalt(), MaxBytes: x.maxBytes, MaxAgain: x.maxAgain, sketchFrom: x.sketch}
	cb := Config{Mesh: x.b.m.id, Memory: x.b.peers[x.a], Salt: x.b.newSalt(), MaxBytes: x.maxBytes, MaxAgain: x.maxAgain, sketchFrom: x.sketch}
	cb.Without = x.withoutB
	if x.fresh {
		ca.Memory, cb.Memory = nil, nil
	}
	var err error
	if x.sa, err = New(x.a, ca); err != nil {
		return err
	}
	if x.sb, err = New(x.b, cb); err != nil {
		return err
	}
	a, b := &side{r: x.a, s: x.sa}, &side{r: x.b, s: x.sb}
	if x.rng == nil {
		x.lockstep(a, b)
	} else {
		x.shuffled(a, b)
	}
	x.errA, x.errB = a.err, b.err
	x.a.peers[x.b] = x.sa.Memory()
	x.b.peers[x.a] = x.sb.Memory()
	return nil
}

// lockstep lets both sides send all they have, then both receive it, and so on:
// each flight is half a round trip.
func (x *exchange) lockstep(a, b *side) {
	for frames := 0; ; {
		before := a.r.graph.Len() + b.r.graph.Len()
		sent := x.send(a, b, -1) + x.send(b, a, -1)
		if sent == 0 {
			return
		}
		x.flights++
		for _, to := range []*side{b, a} {
			for len(to.in) > 0 {
				if frames++; x.cut > 0 && frames > x.cut {
					return
				}
				x.deliver(to, other(to, a, b))
			}
		}
		if a.r.graph.Len()+b.r.graph.Len() > before {
			x.settled = x.flights
		}
	}
}

// shuffled sends and delivers one frame at a time, whichever comes.
func (x *exchange) shuffled(a, b *side) {
	for frames, idle := 0, 0; idle < 64; {
		from, to := a, b
		if x.rng.IntN(2) == 0 {
			from, to = b, a
		}
		moved := false
		if x.rng.IntN(2) == 0 {
			moved = x.send(from, to, 1) > 0
		} else if len(to.in) > 0 {
			if frames++; x.cut > 0 && frames > x.cut {
				return
			}
			x.deliver(to, from)
			moved = true
		}
		if moved {
			idle = 0
		} else {
			idle++
		}
	}
}

// send moves up to n frames, all if negative, from one side to the other's queue.
func (x *exchange) send(from, to *side, n int) (sent int) {
	for ; n != 0 && from.err == nil; n-- {
		frame, _, err := from.s.Next()
		if err != nil {
			from.err = err
			return sent
		}
		if frame == nil {
			return sent
		}
		sent++
		if x.tamper != nil && (from.r == x.b || x.both) {
			to.in = append(to.in, x.tamper(frame)...)
		} else {
			to.in = append(to.in, frame)
		}
	}
	return sent
}

func (x *exchange) deliver(to, from *side) {
	frame := to.in[0]
	to.in = to.in[1:]
	if to.err != nil {
		return
	}
	if x.observe != nil {
		x.observe(x.flights, from.r, frame)
	}
	us, err := to.s.Receive(frame)
	if err == nil {
		err = to.r.receive(us, x.tamper != nil)
	}
	if err != nil {
		to.err = fmt.Errorf("receive: %w", err)
	}
}

func other(s, a, b *side) *side {
	if s == a {
		return b
	}
	return a
}
