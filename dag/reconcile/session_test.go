package reconcile

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
)

// open starts a session of r and returns it with its opening frame taken.
func open(t *testing.T, r *replica, cfg Config) *Session {
	t.Helper()
	cfg.Mesh = r.m.id
	s, err := New(r, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if frame, done, err := s.Next(); frame == nil || done || err != nil {
		t.Fatalf("Next = %x, %t, %v, want a summary", frame, done, err)
	}
	return s
}

// answer takes frames until there are none.
func answer(t *testing.T, s *Session) (frames []message) {
	t.Helper()
	for {
		frame, _, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if frame == nil {
			return frames
		}
		m, err := decodeMessage(frame)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, m)
	}
}

// hopeless returns symbols that decode to nothing.
func hopeless(n int) []riblt.Symbol {
	sketch := make([]riblt.Symbol, n)
	for i := range sketch {
		sketch[i].Hash = uint64(i + 1)
	}
	return sketch
}

// TestOutOfPlace: each script ends with a frame that has no place there. A
// dash stands for taking all frames that the session has to send.
func TestOutOfPlace(t *testing.T) {
	m := newMesh(t, 2)
	r := m.newReplica(true)
	r.write(0, 1)
	unknown := []ref{{author: tag{1}, seq: 1}}
	block, body, err := r.Fetch(r.graph.Founding().ID())
	if err != nil {
		t.Fatal(err)
	}

	mesh := meshTag(salt{}, m.id)
	empty := &summary{mesh: mesh}
	full := &summary{mesh: mesh, purpose: purposeFull}
	repair := &summary{mesh: mesh, purpose: purposeRepair}
	plain := &summary{mesh: mesh, purpose: purposePlain}
	short := &summary{mesh: mesh, sketch: hopeless(2)}
	ops := batch{slices.Concat(block, body)}
	next := &symbols{sketch: hopeless(3)}
	var take message // nil
	for _, c := range []struct {
		name   string
		frames []message
		want   error
	}{
		{"ops first", []message{ops}, ErrProtocol},
		{"done first", []message{end{}}, ErrProtocol},
		{"ask first", []message{ask{}}, ErrProtocol},
		{"fin first", []message{fin{}}, ErrProtocol},
		{"full first", []message{full}, ErrProtocol},
		{"repair first", []message{repair}, ErrProtocol},
		{"wrong mesh", []message{&summary{mesh: tag{1}}}, ErrMesh},
		{"two summaries", []message{empty, empty}, ErrProtocol},
		{"full unasked", []message{empty, full}, ErrProtocol},
		{"full twice", []message{&summary{mesh: mesh, anchor: unknown}, take, full, full}, ErrProtocol},
		{"full of another mesh", []message{&summary{mesh: mesh, anchor: unknown}, take, &summary{mesh: tag{1}, purpose: purposeFull}}, ErrMesh},
		{"repair before the answer", []message{empty, repair}, ErrProtocol},
		{"repair twice", []message{empty, take, repair, take, repair}, ErrProtocol},
		{"repair after fin", []message{empty, take, fin{}, repair}, ErrProtocol},
		{"fin before the answer", []message{empty, fin{}}, ErrProtocol},
		{"fin twice", []message{empty, take, fin{}, fin{}}, ErrProtocol},
		{"done twice", []message{empty, end{}, end{}}, ErrProtocol},
		{"ops after done", []message{empty, end{}, ops}, ErrProtocol},
		{"ask without an anchor", []message{empty, ask{}}, ErrProtocol},
		{"after the end", []message{empty, take, end{}, take, fin{}, fin{}}, ErrProtocol},
		{"without twice", []message{without{[]tag{{1}}}, without{[]tag{{1}}}}, ErrProtocol},
		{"ops after without", []message{without{[]tag{{1}}}, ops}, ErrProtocol},
		{"ack first", []message{ack{1}}, ErrProtocol},
		{"ack of what was not sent", []message{empty, ack{1}}, ErrProtocol},
		{"ack too many", []message{empty, take, ack{2}}, ErrProtocol},
		{"more first", []message{more{}}, ErrProtocol},
		{"symbols first", []message{&symbols{sketch: hopeless(1)}}, ErrProtocol},
		{"more without a sketch", []message{empty, more{}}, ErrProtocol},
		{"symbols unasked", []message{empty, &symbols{sketch: hopeless(1)}}, ErrProtocol},
		{"vector unasked", []message{empty, plain}, ErrProtocol},
		{"vector twice", []message{short, plain, plain}, ErrProtocol},
		{"vector of another salt", []message{short, &summary{salt: salt{1}, mesh: meshTag(salt{1}, m.id), purpose: purposePlain}}, ErrProtocol},
		{"end while asked for more", []message{short, plain, take, end{}, take, fin{}, end{}}, ErrProtocol},
		{"symbols without end", []message{short, next, next, next, next}, ErrProtocol},
		{"too many symbols", []message{short, &symbols{sketch: hopeless(MaxSymbols - 1)}}, ErrLimit},
		{"unsound op", []message{empty, batch{block[:40]}}, ErrMalformed},
		{"cut body", []message{empty, batch{block}}, ErrMalformed},
		{"op and a half", []message{empty, batch{slices.Concat(block, body, block[:100])}}, ErrMalformed},
	} {
		s := open(t, r, Config{})
		for i, m := range c.frames {
			if m == nil {
				answer(t, s)
				continue
			}
			us, err := s.Receive(m.encode())
			if i < len(c.frames)-1 {
				if err != nil {
					t.Errorf("%s: frame %d: %v", c.name, i, err)
				}
				continue
			}
			if !errors.Is(err, c.want) || us != nil {
				t.Errorf("%s: Receive = %v, %v, want %v", c.name, us, err, c.want)
			}
		}
		if _, done, err := s.Next(); !done || !errors.Is(err, c.want) {
			t.Errorf("%s: Next afterwards = %t, %v, want %v", c.name, done, err, c.want)
		}
		if s.Done() || s.Complete() {
			t.Errorf("%s: the session claims to have ended well", c.name)
		}
	}
}

// TestAskTwice: the state is stated in full once.
func TestAskTwice(t *testing.T) {
	m := newMesh(t, 1)
	r := m.newReplica(true)
	s := open(t, r, Config{Memory: memory{anchor: []dag.ID{m.id}}.encode()})
	for i, want := range []error{nil, nil, ErrProtocol} {
		var m message = ask{}
		if i == 0 {
			m = &summary{mesh: meshTag(salt{}, r.m.id)}
		}
		if _, err := s.Receive(m.encode()); !errors.Is(err, want) {
			t.Errorf("frame %d: Receive = %v, want %v", i, err, want)
		}
	}
}

// TestUnmetClaim: a peer that states what it never sends costs one repair, and
// leaves the anchor as it was.
func TestUnmetClaim(t *testing.T) {
	m := newMesh(t, 1)
	r := m.newReplica(true)
	before := memory{anchor: []dag.ID{m.id}}.encode()
	s := open(t, r, Config{Memory: before})
	claim := &summary{mesh: meshTag(salt{}, m.id), vector: []tip{{ref: ref{tag{7}, 7, tag{7}}}}}
	for _, m := range []message{claim, end{}, end{}} {
		if _, err := s.Receive(m.encode()); err != nil {
			t.Fatal(err)
		}
	}
	var repairs, fins int
	for _, m := range answer(t, s) {
		switch m := m.(type) {
		case *summary:
			repairs++
		case fin:
			fins++
			if m.satisfied {
				t.Error("fin claims to be satisfied")
			}
		}
	}
	if repairs != 1 || fins != 1 {
		t.Errorf("%d repairs and %d fins, want 1 and 1", repairs, fins)
	}
	if got, err := decodeMemory(s.Memory()); err != nil || !slices.Equal(got.anchor, []dag.ID{m.id}) {
		t.Errorf("the anchor is %v, %v, want what it was", got.anchor, err)
	}
}

// TestChanceTag: if two branches of a forker have one tag by chance, at both
// sides, each believes for one session that it holds the other's. The next one finds out.
func TestChanceTag(t *testing.T) {
	m := newMesh(t, 2)
	a, b := m.newReplica(true), m.newReplica(true)
	founding := []*dag.Op{a.graph.Founding()}
	ours, theirs := a.mustAdd(a.signAt(1, nil, founding, 1)), b.mustAdd(b.signAt(1, nil, founding, 2))
	same := func(frame []byte) [][]byte {
		msg, err := decodeMessage(frame)
		if s, ok := msg.(*summary); ok && err == nil {
			for i, r := range s.vector {
				switch r.op {
				case s.salt.ref(ours).op:
					s.vector[i].op = s.salt.ref(theirs).op
				case s.salt.ref(theirs).op:
					s.vector[i].op = s.salt.ref(ours).op
				}
			}
			frame = s.encode()
		}
		return [][]byte{frame}
	}
	for i, tamper := range []func([]byte) [][]byte{same, nil} {
		x := &exchange{a: a, b: b, tamper: tamper, both: true}
		if err := x.run(); err != nil || x.errA != nil || x.errB != nil || !x.sa.Complete() || !x.sb.Complete() {
			t.Fatal(err, x.errA, x.errB, x.sa.Stats())
		}
		if want := 2 + i; a.graph.Len() != want || b.graph.Len() != want {
			t.Errorf("session %d: %d and %d ops, want %d", i, a.graph.Len(), b.graph.Len(), want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	m := newMesh(t, 1)
	if s, err := New(m.newReplica(true), Config{Mesh: m.id, Memory: []byte{1}}); !errors.Is(err, ErrMemory) || s != nil {
		t.Errorf("New = %v, %v, want ErrMemory", s, err)
	}
}

// failing is a source whose storage fails.
type failing struct{ *replica }

var errStorage = errors.New("storage failed")

func (failing) Fetch(dag.ID) ([]byte, []byte, error) { return nil, nil, errStorage }

func TestFetchFails(t *testing.T) {
	m := newMesh(t, 1)
	s, err := New(failing{m.newReplica(true)}, Config{Mesh: m.id})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Receive((&summary{mesh: meshTag(salt{}, m.id)}).encode()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if frame, done, err := s.Next(); frame != nil || !done || !errors.Is(err, errStorage) {
			t.Errorf("Next = %x, %t, %v, want %v", frame, done, err, errStorage)
		}
	}
	if _, err := s.Receive(end{}.encode()); !errors.Is(err, errStorage) {
		t.Errorf("Receive = %v, want %v", err, errStorage)
	}
}

// TestMaxBytes: a session sends no more than its limit, but the first op.
func TestMaxBytes(t *testing.T) {
	m := newMesh(t, 1)
	r := m.newReplica(true)
	for range 100 {
		r.write(0, 1000)
	}
	for _, limit := range []int64{1, 5000, 50_000, 1 << 20} {
		s := open(t, r, Config{MaxBytes: limit})
		if _, err := s.Receive((&summary{mesh: meshTag(salt{}, m.id)}).encode()); err != nil {
			t.Fatal(err)
		}
		frames := answer(t, s)
		st := s.Stats()
		if st.OpsSent == 0 || st.OpBytesSent > limit && st.OpsSent > 1 {
			t.Errorf("limit %d: sent %d ops in %d bytes", limit, st.OpsSent, st.OpBytesSent)
		}
		last, ok := frames[len(frames)-1].(end)
		if want := st.OpsSent < 101; !ok || last.cut != want {
			t.Errorf("limit %d: ended with %v after %d ops, want cut = %t", limit, last, st.OpsSent, want)
		}
	}
}

// TestWindow: an answer waits when the peer does not say that it takes it.
func TestWindow(t *testing.T) {
	m := newMesh(t, 1)
	r := m.newReplica(true)
	for range 50 {
		r.write(0, 200_000)
	}
	r.write(0, dag.MaxBody-100) // larger than what is left of any window
	s := open(t, r, Config{})
	if _, err := s.Receive((&summary{mesh: meshTag(salt{}, m.id)}).encode()); err != nil {
		t.Fatal(err)
	}
	acks := 0
	for sent := 0; ; acks++ {
		for _, msg := range answer(t, s) {
			switch msg := msg.(type) {
			case batch:
				sent += units(batchHead + len(msg.ops))
			case end:
				if st := s.Stats(); st.OpsSent != 52 || acks < 6 {
					t.Errorf("the answer ended after %d ops and %d acks, want all 52", st.OpsSent, acks)
				}
				return
			}
		}
		if sent < window || sent > maxUnacked {
			t.Fatalf("after %d acks %d units are on their way, want %d or a little more", acks, sent, window)
		}
		if _, err := s.Receive(ack{ackEvery}.encode()); err != nil {
			t.Fatal(err)
		}
		sent -= ackEvery
	}
}

// TestManyBranches: a forker with more branches than a vector states of one
// author is survived, and once the anchor covers them nothing is sent twice.
func TestManyBranches(t *testing.T) {
	m := newMesh(t, 2)
	a, b := m.newReplica(true), m.newReplica(true)
	const branches = 3 * MaxAuthorTips
	for i := range branches {
		for j, r := range []*replica{a, b} {
			r.mustAdd(r.signAt(1, nil, []*dag.Op{r.graph.Founding()}, 2*i+j))
		}
	}
	for i := range 8 {
		x := &exchange{a: a, b: b}
		if err := x.run(); err != nil || x.errA != nil || x.errB != nil {
			t.Fatal(err, x.errA, x.errB)
		}
		if want := 1 + 2*branches; a.graph.Len() != want || b.graph.Len() != want || !x.sa.Complete() {
			t.Fatalf("session %d: %d and %d ops, want %d", i, a.graph.Len(), b.graph.Len(), want)
		}
		if st := x.sa.Stats(); i == 7 && (st.OpsSent > 0 || st.OpsReceived > 0) {
			t.Errorf("session %d still sends what both hold: %+v", i, st)
		}
	}
}

// TestConcurrent runs both sides with a reader and a writer each, as a node
// does, while both graphs grow.
func TestConcurrent(t *testing.T) {
	m := newMesh(t, 3)
	a, b := &lockedReplica{replica: m.newReplica(true)}, &lockedReplica{replica: m.newReplica(true)}
	for range 300 {
		a.write(0, 2000)
		b.write(1, 2000)
	}
	sa, err := New(a, Config{Mesh: m.id})
	if err != nil {
		t.Fatal(err)
	}
	sb, err := New(b, Config{Mesh: m.id})
	if err != nil {
		t.Fatal(err)
	}
	ab, ba := make(chan []byte), make(chan []byte)
	var wg sync.WaitGroup
	wg.Go(func() { pump(t, a, sa, ab, ba) })
	wg.Go(func() { pump(t, b, sb, ba, ab) })
	wg.Go(func() {
		for range 50 {
			a.locked(func(r *replica) { r.write(2, 10) })
		}
	})
	wg.Wait()
	for _, s := range []*Session{sa, sb} {
		if !s.Done() || !s.Complete() || s.Stats().OpsReceived < 300 {
			t.Errorf("session not complete: %+v", s.Stats())
		}
	}
}

// pump is the shape of a node's use: the caller's goroutine reads, another
// writes and is woken after each frame read.
func pump(t *testing.T, r *lockedReplica, s *Session, out chan<- []byte, in <-chan []byte) {
	wake := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(out)
		for {
			frame, done, err := s.Next()
			switch {
			case err != nil:
				t.Error(err)
				return
			case frame != nil:
				out <- frame
			case done:
				return
			default:
				<-wake
			}
		}
	})
	for frame := range in {
		us, err := s.Receive(frame)
		if err == nil {
			r.locked(func(r *replica) { err = r.receive(us, false) })
		}
		if err != nil {
			t.Error(err)
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	wg.Wait()
}

// lockedReplica is a replica for several goroutines.
type lockedReplica struct {
	*replica
	mu sync.Mutex
}

func (r *lockedReplica) locked(fn func(*replica)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(r.replica)
}

func (r *lockedReplica) Fetch(id dag.ID) (block, body []byte, err error) {
	r.locked(func(r *replica) { block, body, err = r.Fetch(id) })
	return block, body, err
}

// FuzzSession: no sequence of frames causes a panic or an unbounded answer.
// The input is a list of frames, each after its length in two bytes.
func FuzzSession(f *testing.F) {
	m := newMesh(f, 2)
	r := m.newReplica(true)
	r.write(0, 1)
	sum, _, _ := stateOf(r.graph).summary(salt{}, m.id, purposeOpen, nil)
	again := *sum
	again.purpose = purposeFull
	script := func(ms ...message) (b []byte) {
		for _, m := range ms {
			frame := m.encode()
			b = append(append(b, byte(len(frame)>>8), byte(len(frame))), frame...)
		}
		return b
	}
	mesh := meshTag(salt{}, m.id)
	f.Add(script(sum, end{}, fin{satisfied: true}))
	f.Add(script(&summary{mesh: mesh, anchor: []ref{{tag{1}, 1, tag{1}}}}, &again, end{cut: true}, fin{}))
	f.Add(script(&summary{mesh: mesh}, ask{}, end{}, &summary{mesh: mesh, purpose: purposeRepair}, fin{}))
	f.Add(script(&summary{mesh: mesh, sketch: hopeless(2)}, &symbols{sketch: hopeless(2)}, &summary{mesh: mesh, purpose: purposePlain}, end{}, fin{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := New(r, Config{Mesh: m.id, Memory: memory{anchor: []dag.ID{m.id}}.encode(), sketchFrom: len(in) % 2})
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		for done := false; !done; {
			var frame []byte
			if frame, done, err = s.Next(); err != nil || frame == nil {
				if len(in) < 2 {
					break
				}
				n := min(int(in[0])<<8|int(in[1]), len(in)-2)
				_, _ = s.Receive(in[2 : 2+n])
				in = in[2+n:]
				_, _ = s.Memory(), s.Stats()
				continue
			}
			if frames++; frames > 10 {
				t.Fatalf("%d frames for a graph of two ops", frames)
			}
		}
	})
}
