package p2p

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

// revoke makes a statement of the root that revokes an author's enrolment, but
// for the keep heads and their past.
func revoke(m *dagtest.Mesh, author int, keep ...dag.ID) *identity.Statement {
	a, ok := m.Graph.Roster().Author(m.Author(author))
	if !ok {
		panic("not enrolled")
	}
	c := identity.Revoke{Subject: a.Enrolment.ID}
	for _, id := range keep {
		c.Keep = append(c.Keep, id)
	}
	return m.State(m.FounderKey(0), nil, c)
}

func readmit(m *dagtest.Mesh, ends *identity.Statement) *identity.Statement {
	return m.Issue(m.FounderKey(0), identity.Statement{Supersedes: []identity.StatementID{ends.ID()}, Content: identity.Readmit{}})
}

// carry has the site carry statements in one op.
func (s *site) carry(t *testing.T, statements ...*identity.Statement) dag.ID {
	t.Helper()
	var encoded [][]byte
	for _, st := range statements {
		encoded = append(encoded, st.Encoded())
	}
	id, err := s.backend.Carry(t.Context(), encoded)
	if err != nil {
		t.Fatalf("carry: %v", err)
	}
	return id
}

func (s *site) standing(key identity.PublicKey) error {
	return s.backend.graph.Roster().Standing(key).Err()
}

// apart opens sites for the first n authors that are not connected.
func apart(t *testing.T, m *dagtest.Mesh, n int) []*site {
	t.Helper()
	var sites []*site
	for i := range n {
		sites = append(sites, openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(i), ops: m.Enrolled}))
	}
	return sites
}

func connect(t *testing.T, from, to *site) {
	t.Helper()
	if err := from.AddPeer(to.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
}

// TestLaneConvergence has each of two nodes know of the other's revocation, and
// of the end of its own: neither syncs with the other before the lane has told
// both.
func TestLaneConvergence(t *testing.T) {
	m := dagtest.New(t, 2)
	founding := m.Founding.ID()
	sites := apart(t, m, 2)
	of := []*identity.Statement{revoke(m, 0, founding), revoke(m, 1, founding)}
	end := []*identity.Statement{readmit(m, of[0]), readmit(m, of[1])}
	for i, s := range sites {
		s.carry(t, of[0], of[1], end[i])
		if err := s.standing(sites[1-i].self); !errors.Is(err, identity.ErrRevoked) {
			t.Fatalf("site %d: the other's standing is %v, want revoked", i, err)
		}
	}
	connect(t, sites[0], sites[1])
	eventually(t, "both are enrolled, by both", func() bool {
		for _, s := range sites {
			if s.standing(m.Author(0)) != nil || s.standing(m.Author(1)) != nil {
				return false
			}
		}
		return true
	})
	eventually(t, "they sync again", equalHeads(sites...))
	id := sites[0].put(t, "k", "v")
	eventually(t, "and gossip", func() bool { return sites[1].holds(id) })
	for i, s := range sites {
		if p := s.Peers(); len(p) != 1 || p[0].State != PeerEnrolled {
			t.Errorf("site %d: Peers() = %+v, want the other, enrolled", i, p)
		}
		if last := s.standings.last(sites[1-i].ID()); last != "" && last != "not-enrolled" {
			t.Errorf("site %d blames the other for %q", i, last)
		}
	}
}

// TestLaneTellsWhoIsRevoked has two nodes refuse each other where one is right.
func TestLaneTellsWhoIsRevoked(t *testing.T) {
	m := dagtest.New(t, 2)
	founding := m.Founding.ID()
	sites := apart(t, m, 2)
	of0, of1 := revoke(m, 0, founding), revoke(m, 1, founding)
	sites[0].carry(t, of1)
	sites[1].carry(t, of1, readmit(m, of1), of0)
	connect(t, sites[1], sites[0])
	eventually(t, "author 0 is revoked, author 1 is not, by both", func() bool {
		for _, s := range sites {
			if !errors.Is(s.standing(m.Author(0)), identity.ErrRevoked) || s.standing(m.Author(1)) != nil {
				return false
			}
		}
		return true
	})
	eventually(t, "the revoked one is shown as such", func() bool {
		p := sites[1].Peers()
		return len(p) == 1 && p[0].State == PeerRevoked && p[0].RevokedBy.Statement == of0.ID()
	})
	eventually(t, "the other as one that talks statements only", func() bool {
		p := sites[0].Peers()
		return len(p) == 1 && p[0].State == PeerStatements
	})
}

// TestRevokedNodeLearnsWhy revokes a node that is cut off and goes on writing.
func TestRevokedNodeLearnsWhy(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := apart(t, m, 2)
	last := sites[1].put(t, "k", "known")
	for _, err := range sites[0].backend.Admit(t.Context(), []*dag.Signed{sites[1].backend.ops[last]}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		sites[1].put(t, fmt.Sprintf("k%d", i), "unknown")
	}
	of := revoke(m, 1, last)
	sites[0].carry(t, of)
	connect(t, sites[1], sites[0])
	eventually(t, "the revoked node knows", func() bool { return errors.Is(sites[1].standing(sites[1].self), identity.ErrRevoked) })
	if a, _ := sites[1].backend.graph.Roster().Author(sites[1].self); a == nil || a.Revoked == nil || *a.Revoked != of.ID() {
		t.Errorf("Author(self) = %+v, want it revoked by %v", a, of.ID())
	}
	if sites[1].backend.considered != 0 {
		t.Error("the revoked node carries its revocation itself")
	}
	if n := sites[1].backend.graph.Len(); n != 13 {
		t.Errorf("the revoked node holds %d ops, want all its 13", n)
	}
	if n := sites[0].backend.graph.Len(); n != 3 {
		t.Errorf("the other node holds %d ops, want 3: nothing of what is not kept", n)
	}
}

// TestKeepHeadsPast has the past of keep heads, and nothing else, pass the lane.
func TestKeepHeadsPast(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := apart(t, m, 2)
	for i := range 300 {
		sites[0].put(t, fmt.Sprintf("k%d", i), "kept")
	}
	sites[1].put(t, "own", "v") // which the other never sees
	head := sites[0].put(t, "head", "v")
	later := sites[0].put(t, "later", "v")
	sites[0].carry(t, revoke(m, 2, head))
	sites[1].carry(t, revoke(m, 0, m.Founding.ID())) // nothing but the lane joins the two
	connect(t, sites[0], sites[1])
	eventually(t, "the keep head arrived", func() bool { return sites[1].holds(head) })
	eventually(t, "and the revocation", func() bool { return errors.Is(sites[1].standing(m.Author(2)), identity.ErrRevoked) })
	if sites[1].holds(later) {
		t.Error("an op after the keep head passed the lane")
	}
}

// TestRevokedPeerIsCutOff revokes and readmits a node while all are connected.
func TestRevokedPeerIsCutOff(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := members(t, m, 3, fast)
	gossips(t, sites...)
	first := sites[2].put(t, "k", "v")
	eventually(t, "all are equal", func() bool { return sites[0].holds(first) && equalHeads(sites...)() })
	of := revoke(m, 2, first)
	sites[0].carry(t, of)
	eventually(t, "all know, the revoked one too", func() bool {
		for _, s := range sites {
			if !errors.Is(s.standing(m.Author(2)), identity.ErrRevoked) {
				return false
			}
		}
		return true
	})
	eventually(t, "no gossip with it is left", func() bool {
		return len(sites[0].gossip.topic.ListPeers()) == 1 && len(sites[1].gossip.topic.ListPeers()) == 1
	})
	for _, s := range sites[:2] {
		if err := s.Sync(t.Context(), sites[2].ID()); !errors.Is(err, ErrRevoked) {
			t.Errorf("Sync with the revoked peer = %v, want ErrRevoked", err)
		}
	}
	hidden := sites[0].put(t, "k", "hidden")
	eventually(t, "the others go on", func() bool { return sites[1].holds(hidden) })
	_ = sites[2].Sync(t.Context())
	if sites[2].holds(hidden) {
		t.Error("the revoked node was given an op")
	}
	sites[1].carry(t, readmit(m, of))
	eventually(t, "the readmitted node holds all", func() bool { return sites[2].holds(hidden) && equalHeads(sites...)() })
	back := sites[2].put(t, "k", "back")
	eventually(t, "and writes again", func() bool { return sites[0].holds(back) && sites[1].holds(back) })
	gossips(t, sites...)
}

// TestLaneCarriesRedeems has an operator that came by ticket revoke somebody:
// who does not know the operator needs the op that redeemed the ticket.
func TestLaneCarriesRedeems(t *testing.T) {
	m := dagtest.New(t, 3)
	sites := apart(t, m, 3)
	// Author 0's op carries the redeem; author 1 knows of it, author 2 does not.
	ticket, boss := m.Key("ticket"), m.Key("boss")
	invite := m.StateAs(m.Operator, m.OperatorKey(), nil, identity.Invite{
		Ticket: ticket.Public(), Host: sites[0].self, Expires: 1,
		Grant: identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 1},
	})
	redeem := m.State(ticket, nil, identity.Redeem{Invite: invite.ID(), Name: "boss", Keys: []identity.PublicKey{boss.Public()}})
	below := m.StateAs(redeem.ID(), boss, nil, identity.Admit{Name: "below", Keys: []identity.PublicKey{m.Key("below").Public()},
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"/x/**"}, Nodes: 1}})
	sites[0].carry(t, invite, redeem, below)
	sites[0].carry(t, revoke(m, 2, m.Founding.ID()))
	connect(t, sites[2], sites[0])
	eventually(t, "the revoked node knows the operator, and whom it admitted", func() bool {
		r := sites[2].backend.graph.Roster()
		return r.Stands(redeem.ID()) && r.Stands(below.ID()) && errors.Is(sites[2].standing(sites[2].self), identity.ErrRevoked)
	})
}

// lane opens a stream of the statement lane and writes the frames.
func (l *liar) lane(frames ...[]byte) *framer {
	l.t.Helper()
	s, err := l.NewStream(l.t.Context(), l.to, LaneProtocol)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { s.Reset() })
	f := newFramer(s, 1<<20, 10*time.Second)
	for _, p := range frames {
		_ = f.write(p)
	}
	return f
}

var done = (&question{kind: laneDone}).encode()

// offer answers a site's list and gives, until the site says that it is done.
// It returns the statements that the site asked for.
func (l *liar) offer(f *framer, give func(name short) given, names func(salt *laneSalt) []short) (asked int, err error) {
	for {
		p, err := f.read()
		if err != nil {
			return asked, err
		}
		q, err := decodeQuestion(p)
		if err != nil {
			return asked, err
		}
		switch q.kind {
		case laneList:
			err = f.write(encodeShorts(laneListed, names(&q.salt)))
		case laneGive:
			var all []given
			for _, name := range q.shorts {
				asked++
				all = append(all, give(name))
			}
			err = f.write(encodeGiven(all))
		case laneDone:
			return asked, nil
		default:
			return asked, errPastAsked
		}
		if err != nil {
			return asked, err
		}
	}
}

var errPastAsked = errors.New("the site asked for the past")

// revokedLiar makes a site where author 1 is revoked, and a liar with that key.
func revokedLiar(t *testing.T, m *dagtest.Mesh) (*site, *liar) {
	t.Helper()
	timing := fast
	timing.LaneMin, timing.LaneMax = time.Hour, time.Hour // it opens a lane itself but once
	victim := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled, timing: timing})
	victim.carry(t, revoke(m, 1, m.Founding.ID()))
	l := newLiar(t, m.Node(1), victim)
	eventually(t, "the site tried the liar's lane", func() bool { return victim.count(t, "causeway_p2p_lanes_total", "out") > 0 })
	victim.idle(t, l)
	return victim, l
}

// idle waits until the site has no lane with the liar open.
func (s *site) idle(t *testing.T, l *liar) {
	t.Helper()
	eventually(t, "the site has no lane open", func() bool {
		st, _ := s.peers.get(l.ID())
		return !st.lane.busyIn && !st.lane.busyOut
	})
}

func TestLaneIgnoresJunk(t *testing.T) {
	m := dagtest.New(t, 2)
	victim, l := revokedLiar(t, m)
	// Statements that nobody asked the mesh for, well signed.
	nobody := m.Key("nobody")
	junk := make(map[identity.StatementID]*identity.Statement)
	for i := range maxTaken + 50 {
		s := m.State(nobody, nil, identity.Admit{Name: fmt.Sprint(i), Keys: []identity.PublicKey{nobody.Public()},
			Grant: identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 1}})
		junk[s.ID()] = s
	}
	var of map[short]*identity.Statement
	names := func(salt *laneSalt) []short {
		d := &desk{}
		for _, s := range junk {
			d.offered = append(d.offered, s)
		}
		var shorts []short
		shorts, of = d.shorts(salt)
		return shorts
	}
	give := func(name short) given { return given{statement: of[name].Encoded()} }
	ops := victim.backend.graph.Len()
	for i, want := range []int{maxTaken, 50, 0} {
		victim.idle(t, l)
		asked, err := l.offer(l.lane(encodeHello(nil), done), give, names)
		if err != nil || asked != want {
			t.Errorf("session %d: the site asked for %d statements, %v, want %d", i, asked, err, want)
		}
	}
	if n := victim.backend.graph.Len(); n != ops || victim.backend.considered != 0 {
		t.Errorf("junk made %d ops, and %d statements were considered", n-ops, victim.backend.considered)
	}
	if _, banned := victim.standings.banned(l.ID()); banned {
		t.Error("statements of no standing brought a ban: a correct peer may have them")
	}
	if got := victim.count(t, "causeway_p2p_statements_total", "idle"); got != maxTaken+50 {
		t.Errorf("%v statements were counted as idle, want %d", got, maxTaken+50)
	}
}

func TestLaneLies(t *testing.T) {
	for name, lie := range map[string]struct {
		reason string
		frames [][]byte
		forge  func(m *dagtest.Mesh, s *identity.Statement) given
	}{
		"a give before a list": {"protocol", [][]byte{encodeHello(nil), (&question{kind: laneGive}).encode()}, nil},
		"garbage":              {"malformed", [][]byte{encodeHello(nil), []byte("garbage")}, nil},
		"a garbage hello":      {"malformed", [][]byte{[]byte("garbage")}, nil},
		"an oversized hello":   {"oversize", [][]byte{make([]byte, maxIntroduction+1)}, nil},
		"an oversized answer":  {"oversize", [][]byte{encodeHello(nil), done, make([]byte, maxLaneFrame+1)}, nil},
		"a bad signature": {"malformed", [][]byte{encodeHello(nil)}, func(m *dagtest.Mesh, s *identity.Statement) given {
			b := append([]byte(nil), s.Encoded()...)
			b[len(b)-1] ^= 1
			return given{statement: b}
		}},
		"another statement": {"protocol", [][]byte{encodeHello(nil)}, func(m *dagtest.Mesh, s *identity.Statement) given {
			return given{statement: readmit(m, s).Encoded()}
		}},
		"no statement": {"malformed", [][]byte{encodeHello(nil)}, func(*dagtest.Mesh, *identity.Statement) given { return given{statement: []byte("x")} }},
	} {
		t.Run(name, func(t *testing.T) {
			m := dagtest.New(t, 3)
			victim, l := revokedLiar(t, m)
			s := revoke(m, 2, m.Founding.ID())
			f := l.lane(append(lie.frames, done)...)
			if lie.forge != nil {
				_, _ = l.offer(f, func(short) given { return lie.forge(m, s) },
					func(salt *laneSalt) []short { return []short{salt.short(s.ID())} })
			}
			eventually(t, "the lie is named", func() bool { return victim.misbehaved(t, lie.reason) > 0 })
			eventually(t, "the liar is banned", func() bool { _, is := victim.standings.banned(l.ID()); return is })
			if victim.backend.considered != 0 {
				t.Error("the site considered a forged statement")
			}
		})
	}
}

// TestLaneFlood opens more sessions than a peer may.
func TestLaneFlood(t *testing.T) {
	m := dagtest.New(t, 2)
	victim, l := revokedLiar(t, m)
	for range laneBurst + 3 {
		l.lane(encodeHello(nil))
	}
	eventually(t, "the flood is counted", func() bool { return victim.misbehaved(t, "budget") > 0 })
}

// TestLaneStoreBudget shows a revocation that the site needs, and sends, for the
// past of its keep head, ops that a revoked author makes without end.
func TestLaneStoreBudget(t *testing.T) {
	m := dagtest.New(t, 3)
	victim, l := revokedLiar(t, m)
	own := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled}).backend
	big := string(make([]byte, 256<<10))
	var flood []*dag.Signed
	for i := range 40 {
		id, err := own.put(fmt.Sprint(i), big)
		if err != nil {
			t.Fatal(err)
		}
		flood = append(flood, own.ops[id])
	}
	bait := revoke(m, 2, dag.ID{1}) // its keep head exists nowhere
	f := l.lane(encodeHello(nil), done)
	_, err := l.offer(f, func(short) given { return given{statement: bait.Encoded()} },
		func(salt *laneSalt) []short { return []short{salt.short(bait.ID())} })
	if !errors.Is(err, errPastAsked) {
		t.Fatalf("the site takes the bait: %v, want %v", err, errPastAsked)
	}
	for _, s := range flood {
		frame := append(laneOpsHead(moreFrames), s.Block()...)
		if f.write(append(frame, s.Body()...)) != nil {
			break
		}
	}
	eventually(t, "the site ends it", func() bool {
		_, err := f.read()
		code, remote := resetCode(err)
		return remote && code == codeBudget
	})
	stored := 0
	for _, s := range flood {
		if victim.holds(s.ID()) {
			stored += len(s.Block()) + len(s.Body())
		}
	}
	if stored == 0 || stored > laneStoreBurst+laneStoreRate*20 {
		t.Errorf("the site stored %d bytes of a revoked author, want some, at most %d", stored, laneStoreBurst)
	}
}

// TestLaneServesPastOfKeepHeadsOnly asks for the past of anything.
func TestLaneServesPastOfKeepHeadsOnly(t *testing.T) {
	m := dagtest.New(t, 2)
	victim, l := revokedLiar(t, m)
	secret := victim.put(t, "k", "secret")
	p, err := l.lane(encodeHello(nil), (&question{kind: lanePast, wanted: []dag.ID{secret}}).encode()).read()
	if err != nil {
		t.Fatal(err)
	}
	if ops, more, err := decodeLaneOps(p); err != nil || more != moreNone || len(ops) != 0 {
		t.Errorf("the site answered with %d ops, %d, %v, want none", len(ops), more, err)
	}
}

// TestStrangerOnTheLane has a node of nobody try.
func TestStrangerOnTheLane(t *testing.T) {
	m := dagtest.New(t, 1)
	victim := members(t, m, 1, fast)[0]
	l := newLiar(t, m.Key("nobody"), victim)
	_, err := io.ReadAll(l.lane(encodeHello(nil), done).s)
	if code, ok := resetCode(err); !ok || code != codeNotEnrolled {
		t.Errorf("reading the refused stream: %v, want a reset with code %d", err, codeNotEnrolled)
	}
}
