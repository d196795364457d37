package reconcile

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
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

// TestOutOfPlace: each script ends with a frame that has no place there. A
// dash stands for taking all frames that the session has to send.
func TestOutOfPlace(t *testing.T) {
	m := newMesh(t, 2)
	r := m.newReplica(true)
	r.write(0, 1)
	tip0 := stateOf(r.graph).summary(m.id, purposeOpen, nil).tips[0]
	wrongSeq := tip0
	wrongSeq.seq++
	wrongAuthor := tip0
	wrongAuthor.author = m.keys[1].Public()
	unknown := []anchorOp{{id: id(1)}}
	block, body, err := r.Fetch(r.graph.Founding().ID())
	if err != nil {
		t.Fatal(err)
	}

	empty := &summary{mesh: m.id}
	full := &summary{mesh: m.id, purpose: purposeFull}
	repair := &summary{mesh: m.id, purpose: purposeRepair}
	ops := &batch{ops: []encodedOp{{block, body}}}
	var take message // nil
	for _, c := range []struct {
		name   string
		frames []message
		want   error
	}{
		{"ops first", []message{ops}, ErrProtocol},
		{"done first", []message{doneMessage{}}, ErrProtocol},
		{"ask first", []message{ask{}}, ErrProtocol},
		{"fin first", []message{fin{}}, ErrProtocol},
		{"full first", []message{full}, ErrProtocol},
		{"repair first", []message{repair}, ErrProtocol},
		{"wrong mesh", []message{&summary{mesh: id(1)}}, ErrMesh},
		{"two summaries", []message{empty, empty}, ErrProtocol},
		{"full unasked", []message{empty, full}, ErrProtocol},
		{"full twice", []message{&summary{mesh: m.id, anchor: unknown}, take, full, full}, ErrProtocol},
		{"full of another mesh", []message{&summary{mesh: m.id, anchor: unknown}, take, &summary{mesh: id(1), purpose: purposeFull}}, ErrMesh},
		{"repair before the answer", []message{empty, repair}, ErrProtocol},
		{"repair twice", []message{empty, take, repair, take, repair}, ErrProtocol},
		{"repair after fin", []message{empty, take, fin{}, repair}, ErrProtocol},
		{"fin before the answer", []message{empty, fin{}}, ErrProtocol},
		{"fin twice", []message{empty, take, fin{}, fin{}}, ErrProtocol},
		{"done twice", []message{empty, doneMessage{}, doneMessage{}}, ErrProtocol},
		{"ops after done", []message{empty, doneMessage{}, ops}, ErrProtocol},
		{"ask without an anchor", []message{empty, ask{}}, ErrProtocol},
		{"after the end", []message{empty, take, doneMessage{}, take, fin{}, fin{}}, ErrProtocol},
		{"wrong seq", []message{&summary{mesh: m.id, tips: []tip{wrongSeq}}}, ErrProtocol},
		{"wrong author", []message{&summary{mesh: m.id, tips: []tip{wrongAuthor}}}, ErrProtocol},
		{"unsound op", []message{empty, &batch{ops: []encodedOp{{block[:40], body}}}}, ErrMalformed},
		{"unsound body", []message{empty, &batch{ops: []encodedOp{{block, nil}}}}, ErrMalformed},
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
	s := open(t, r, Config{Anchor: encodeAnchor([]dag.ID{m.id})})
	for i, want := range []error{nil, nil, ErrProtocol} {
		var m message = ask{}
		if i == 0 {
			m = &summary{mesh: r.m.id}
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
	anchor := encodeAnchor([]dag.ID{m.id})
	s := open(t, r, Config{Anchor: anchor})
	claim := &summary{mesh: m.id, tips: []tip{{author: key(7), seq: 7, id: id(7), head: true}}}
	for _, m := range []message{claim, doneMessage{}, doneMessage{}} {
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
	if got := s.Anchor(); string(got) != string(anchor) {
		t.Errorf("Anchor() = %x, want what it was, %x", got, anchor)
	}
}

func TestNewErrors(t *testing.T) {
	m := newMesh(t, 1)
	if s, err := New(m.newReplica(true), Config{Mesh: m.id, Anchor: []byte{1}}); !errors.Is(err, ErrAnchor) || s != nil {
		t.Errorf("New = %v, %v, want ErrAnchor", s, err)
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
	if _, err := s.Receive((&summary{mesh: m.id}).encode()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if frame, done, err := s.Next(); frame != nil || !done || !errors.Is(err, errStorage) {
			t.Errorf("Next = %x, %t, %v, want %v", frame, done, err, errStorage)
		}
	}
	if _, err := s.Receive(doneMessage{}.encode()); !errors.Is(err, errStorage) {
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
		if _, err := s.Receive((&summary{mesh: m.id}).encode()); err != nil {
			t.Fatal(err)
		}
		frames := answer(t, s)
		st := s.Stats()
		if st.OpsSent == 0 || st.OpBytesSent > limit && st.OpsSent > 1 {
			t.Errorf("limit %d: sent %d ops in %d bytes", limit, st.OpsSent, st.OpBytesSent)
		}
		end, ok := frames[len(frames)-1].(doneMessage)
		if want := st.OpsSent < 101; !ok || end.more != want {
			t.Errorf("limit %d: ended with %v after %d ops, want more = %t", limit, end, st.OpsSent, want)
		}
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

// TestBound: a vector keeps heads before others, and no more than the bounds.
func TestBound(t *testing.T) {
	var tips []tip
	for i := range MaxTips {
		tips = append(tips, tip{author: identity.PublicKey{1, byte(i >> 8), byte(i)}, seq: 1})
	}
	for i := range 2 * MaxAuthorTips {
		tips = append(tips, tip{author: key(2), seq: uint64(i + 1), head: true})
	}
	got := bound(slices.Clone(tips))
	if len(got) != MaxTips {
		t.Errorf("bound keeps %d entries, want %d", len(got), MaxTips)
	}
	heads := 0
	for _, t := range got {
		if t.head {
			heads++
		}
	}
	if heads != MaxAuthorTips {
		t.Errorf("bound keeps %d heads of one author, want %d", heads, MaxAuthorTips)
	}
	s := &summary{tips: got}
	slices.SortFunc(s.tips, tip.compare)
	if _, err := decodeMessage(s.encode()); err != nil {
		t.Error(err)
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
	st := stateOf(r.graph)
	script := func(ms ...message) (b []byte) {
		for _, m := range ms {
			frame := m.encode()
			b = append(append(b, byte(len(frame)>>8), byte(len(frame))), frame...)
		}
		return b
	}
	f.Add(script(st.summary(m.id, purposeOpen, nil), doneMessage{}, fin{satisfied: true}))
	f.Add(script(&summary{mesh: m.id, anchor: []anchorOp{{id: id(1)}}}, st.summary(m.id, purposeFull, nil), doneMessage{more: true}, fin{}))
	f.Add(script(&summary{mesh: m.id}, ask{}, doneMessage{}, &summary{mesh: m.id, purpose: purposeRepair}, fin{}))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := New(r, Config{Mesh: m.id, Anchor: encodeAnchor([]dag.ID{m.id})})
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
				_, _ = s.Anchor(), s.Stats()
				continue
			}
			if frames++; frames > 10 {
				t.Fatalf("%d frames for a graph of two ops", frames)
			}
		}
	})
}
