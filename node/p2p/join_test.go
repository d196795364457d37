package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// invite makes a ticket of the mesh's founder for the host site.
func invite(t *testing.T, m *dagtest.Mesh, host *site, name string, expires time.Time) *Ticket {
	t.Helper()
	mesh := [32]byte(m.Founding.ID())
	key := m.Key("ticket " + name)
	s := m.StateAs(m.Operator, m.OperatorKey(), &mesh, identity.Invite{
		Ticket: key.Public(), Host: host.self,
		Grant:   identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"**"}, Nodes: 3},
		Expires: uint64(expires.UnixMilli()),
	})
	ticket, err := NewTicket(m.Founding.ID(), key, s, host.Addrs())
	if err != nil {
		t.Fatalf("NewTicket: %v", err)
	}
	return ticket
}

func redeemAs(t *testing.T, m *dagtest.Mesh, ticket *Ticket, who string) (*Joined, error) {
	t.Helper()
	return Redeem(t.Context(), RedeemConfig{
		Ticket: ticket, Node: m.Key("node of " + who), Operator: m.Key("operator of " + who), Name: who,
	})
}

// join redeems a ticket and opens the new node.
func join(t *testing.T, m *dagtest.Mesh, ticket *Ticket, who string) *site {
	t.Helper()
	j, err := redeemAs(t, m, ticket, who)
	if err != nil {
		t.Fatalf("Redeem: %v", err)
	}
	store := memstore.New()
	if err := SaveJoined(store, j); err != nil {
		t.Fatalf("SaveJoined: %v", err)
	}
	return openSite(t, siteConfig{mesh: j.Mesh, key: m.Key("node of " + who), store: store})
}

func hour() time.Time { return time.Now().Add(time.Hour).Truncate(time.Millisecond) }

func TestJoinByTicket(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	sites[0].put(t, "before", "v")
	ticket := invite(t, m, sites[0], "1", hour())
	text, err := ticket.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if ticket, err = ParseTicket(" " + text + "\n"); err != nil {
		t.Fatalf("ParseTicket(Secret()): %v", err)
	}
	newcomer := join(t, m, ticket, "ann")
	eventually(t, "the newcomer holds what the others do", equalHeads(sites[0], sites[1], newcomer))
	if a, ok := sites[1].backend.graph.Roster().Author(newcomer.self); !ok || a.OperatorName != "ann" {
		t.Errorf("Author(newcomer) = %+v, %v, want ann's node", a, ok)
	}
	id := newcomer.put(t, "after", "v")
	eventually(t, "the others hold what the newcomer writes", func() bool { return sites[0].holds(id) && sites[1].holds(id) })
	if sites[0].log.has(text) || newcomer.log.has(text) {
		t.Error("a log holds the ticket")
	}
}

func TestTicketReuse(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	ticket := invite(t, m, host, "1", hour())
	first, err := redeemAs(t, m, ticket, "ann")
	if err != nil {
		t.Fatalf("Redeem: %v", err)
	}
	ops := host.backend.graph.Len()
	again, err := redeemAs(t, m, ticket, "ann")
	if err != nil || again.Op != first.Op {
		t.Errorf("Redeem again by the same = %+v, %v, want op %v", again, err, first.Op)
	}
	if _, err := redeemAs(t, m, ticket, "eve"); !errors.Is(err, ErrTicketUsed) {
		t.Errorf("Redeem by another = %v, want ErrTicketUsed", err)
	}
	// A host that lost its record still knows by the roster.
	if err := host.store.ScanMeta(ticketMeta, func(name string, _ []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	id := ticket.Invite.ID()
	if err := host.store.PutMeta(fmt.Sprintf("%s%x", ticketMeta, id[:]), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := redeemAs(t, m, ticket, "eve"); !errors.Is(err, ErrTicketUsed) {
		t.Errorf("Redeem by another after the record was lost = %v, want ErrTicketUsed", err)
	}
	if n := host.backend.graph.Len(); n != ops {
		t.Errorf("the refused attempts made %d ops", n-ops)
	}
}

// TestTicketReserved has the host crash between binding the ticket and carrying it.
func TestTicketReserved(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	ticket := invite(t, m, host, "1", hour())
	cfg := RedeemConfig{Ticket: ticket, Node: m.Key("node of ann"), Operator: m.Key("operator of ann"), Name: "ann"}
	req, _, err := cfg.statements()
	if err != nil {
		t.Fatal(err)
	}
	st, err := parseRedemption(req)
	if err != nil {
		t.Fatal(err)
	}
	id := ticket.Invite.ID()
	use := ticketUse{redeem: st.redeem.ID(), enrol: st.enrol.ID(), expires: st.expires}
	if err := host.store.PutMeta(fmt.Sprintf("%s%x", ticketMeta, id[:]), use.encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := redeemAs(t, m, ticket, "eve"); !errors.Is(err, ErrTicketUsed) {
		t.Errorf("Redeem of a ticket bound to another = %v, want ErrTicketUsed", err)
	}
	if _, err := redeemAs(t, m, ticket, "ann"); err != nil {
		t.Errorf("Redeem of a ticket bound to oneself = %v, want success", err)
	}
}

func TestTicketRefused(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	other := dagtest.NewMesh(t, dagtest.Config{Name: "other", Authors: 1})

	expired := invite(t, m, sites[0], "expired", time.Now().Add(-time.Second).Truncate(time.Millisecond))
	if _, err := redeemAs(t, m, expired, "ann"); !errors.Is(err, ErrTicketExpired) {
		t.Errorf("expired: Redeem = %v, want ErrTicketExpired", err)
	}

	// A ticket of another mesh, by its founder, naming this host.
	mesh := [32]byte(other.Founding.ID())
	key := other.Key("ticket")
	s := other.StateAs(other.Operator, other.OperatorKey(), &mesh, identity.Invite{
		Ticket: key.Public(), Host: sites[0].self, Expires: uint64(hour().UnixMilli()),
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"**"}, Nodes: 1},
	})
	foreign, err := NewTicket(other.Founding.ID(), key, s, sites[0].Addrs())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := redeemAs(t, m, foreign, "ann"); !errors.Is(err, ErrMesh) {
		t.Errorf("another mesh: Redeem = %v, want ErrMesh", err)
	}

	// An invite that nobody with authority issued.
	mesh = m.Founding.ID()
	key = m.Key("forged ticket")
	s = m.State(m.Key("nobody"), &mesh, identity.Invite{
		Ticket: key.Public(), Host: sites[0].self, Expires: uint64(hour().UnixMilli()),
		Grant: identity.Grant{Role: identity.RoleAdmin, Patterns: []identity.Pattern{"**"}, Nodes: 1},
	})
	forged, err := NewTicket(m.Founding.ID(), key, s, sites[0].Addrs())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := redeemAs(t, m, forged, "ann"); !errors.Is(err, ErrRefused) {
		t.Errorf("no authority: Redeem = %v, want ErrRefused", err)
	}
	if n := sites[0].backend.graph.Len(); n != 1 {
		t.Errorf("the host made %d ops for refused tickets", n-1)
	}
}

// TestTicketOfAnotherHost presents a ticket to a node that it does not name.
func TestTicketOfAnotherHost(t *testing.T) {
	m := dagtest.New(t, 2)
	sites := members(t, m, 2, fast)
	ticket := invite(t, m, sites[0], "1", hour())
	cfg := RedeemConfig{Ticket: ticket, Node: m.Key("node of ann"), Operator: m.Key("operator of ann"), Name: "ann"}
	req, _, err := cfg.statements()
	if err != nil {
		t.Fatal(err)
	}
	var info peer.AddrInfo
	for _, a := range sites[1].Addrs() {
		if info, err = ParsePeerAddr(a); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := ask(t.Context(), cfg.Node, info, req)
	if err != nil || answer.code != joinHost {
		t.Errorf("asking another host: %+v, %v, want code %d", answer, err, joinHost)
	}
	// And with somebody else's statements.
	info, _ = ParsePeerAddr(sites[0].Addrs()[0])
	answer, err = ask(t.Context(), m.Key("node of eve"), info, req)
	if err != nil || answer.code != joinRefused {
		t.Errorf("redeeming for another node: %+v, %v, want code %d", answer, err, joinRefused)
	}
}

// TestJoinRateLimit has more join at once from one address than its budget
// allows: those told to wait come again by themselves.
func TestJoinRateLimit(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	expired := invite(t, m, host, "1", time.Now().Add(-time.Second).Truncate(time.Millisecond))
	var wg sync.WaitGroup
	for i := range joinAddrBurst + 4 {
		wg.Go(func() {
			if _, err := redeemAs(t, m, expired, fmt.Sprint("ann", i)); !errors.Is(err, ErrTicketExpired) {
				t.Errorf("Redeem = %v, want ErrTicketExpired", err)
			}
		})
	}
	wg.Wait()
	if host.count(t, "causeway_p2p_joins_total", "busy") == 0 {
		t.Errorf("of %d attempts none was told to wait", joinAddrBurst+4)
	}
	if n := host.misbehaved(t, string(reasonJoin)); n > 0 {
		t.Errorf("who was told to wait was blamed, %v times", n)
	}
}

// TestUnknownPeerShowsItsEnrolment has a newcomer meet a node that does not
// know of it, while the node that enrolled it is gone.
func TestUnknownPeerShowsItsEnrolment(t *testing.T) {
	m := dagtest.New(t, 2)
	host := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	ticket := invite(t, m, host, "1", hour())
	newcomer := join(t, m, ticket, "ann")
	eventually(t, "the newcomer synced", equalHeads(host, newcomer))
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	stranger := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled})
	if err := newcomer.AddPeer(stranger.Addrs()[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stranger let the newcomer in", equalHeads(stranger, newcomer))
	id := stranger.put(t, "k", "v")
	eventually(t, "and they go on", func() bool { return newcomer.holds(id) })
}

func TestTicketStaysSecret(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	ticket := invite(t, m, host, "1", hour())
	secret, err := ticket.Secret()
	if err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("ticket", "pointer", ticket, "value", *ticket)
	seed := ticket.Key.Seed()
	for _, s := range []string{
		fmt.Sprint(ticket), fmt.Sprintf("%v %+v %#v %s %q %x", *ticket, *ticket, *ticket, *ticket, *ticket, *ticket), log.String(),
	} {
		if strings.Contains(s, secret[len(ticketPrefix):]) || strings.Contains(s, fmt.Sprintf("%x", seed)) || !strings.Contains(s, "redacted") {
			t.Errorf("printed: %q, want it redacted", s)
		}
	}
}

func TestParseTicketRefuses(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	secret, err := invite(t, m, host, "1", hour()).Secret()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"other prefix": "ticket:" + secret[len(ticketPrefix):],
		"cut off":      secret[:len(secret)-8],
		"longer":       secret + "AAAA",
		"padded":       secret + "=",
		"flipped":      secret[:200] + string(secret[200]^1) + secret[201:],
		"too long":     ticketPrefix + strings.Repeat("A", maxTicketText),
		"garbage":      ticketPrefix + "!!!",
	} {
		if got, err := ParseTicket(text); !errors.Is(err, ErrTicket) {
			t.Errorf("%s: ParseTicket = %v, %v, want ErrTicket", name, got, err)
		} else if len(text) > 40 && strings.Contains(err.Error(), text[20:40]) {
			t.Errorf("%s: the error repeats the ticket: %v", name, err)
		}
	}
}

// TestJoinerListensToItsInviterOnly has a member of the mesh, whom a fresh
// joiner cannot know, sync with it before its inviter did.
func TestJoinerListensToItsInviterOnly(t *testing.T) {
	m := dagtest.New(t, 2)
	host := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: m.Enrolled})
	ticket := invite(t, m, host, "1", hour())
	addr := strings.TrimSuffix(host.Addrs()[0], "/p2p/"+host.ID().String())
	ops := []*dag.Signed{m.Founding}
	j, err := redeemAs(t, m, ticket, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	store := memstore.New()
	if err := SaveJoined(store, j); err != nil {
		t.Fatal(err)
	}
	newcomer := openSite(t, siteConfig{mesh: j.Mesh, key: m.Key("node of ann"), store: store})
	openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(1), ops: m.Enrolled, peers: newcomer.Addrs()})
	eventually(t, "the joiner refuses the member", func() bool { return newcomer.misbehaved(t, "not-enrolled") > 0 })
	if n := newcomer.backend.graph.Len(); n != 0 {
		t.Errorf("the joiner took %d ops from a peer it did not choose", n)
	}
	for _, op := range host.backend.graph.Since(nil)[1:] {
		ops = append(ops, host.backend.ops[op.ID()])
	}
	back := openSite(t, siteConfig{mesh: m.Founding.ID(), key: m.Node(0), ops: ops, listen: []string{addr}})
	eventually(t, "its inviter's return lets it in", equalHeads(back, newcomer))
}

// TestJoinGarbage has strangers send what is no request.
func TestJoinGarbage(t *testing.T) {
	m := dagtest.New(t, 1)
	host := members(t, m, 1, fast)[0]
	ticket := invite(t, m, host, "1", hour())
	twice := &joinRequest{mesh: m.Founding.ID(), invite: ticket.Invite.Encoded(), redeem: ticket.Invite.Encoded(), enrol: ticket.Invite.Encoded()}
	frame := func(p []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), p...) }
	for i, test := range []struct {
		raw    []byte
		reason string
	}{
		{frame([]byte("garbage")), "malformed"},
		{frame((&joinRequest{}).encode()), "malformed"},
		{frame(twice.encode()), "malformed"},
		{[]byte{0, 2, 0, 0}, "oversize"},
		{[]byte{0, 0, 1, 0, 'x'}, "stalled"},
	} {
		l := newLiar(t, m.Key(fmt.Sprint("stranger ", i)), host)
		s, err := l.NewStream(t.Context(), l.to, JoinProtocol)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Reset()
		if _, err := s.Write(test.raw); err != nil {
			t.Fatal(err)
		}
		eventually(t, test.reason, func() bool {
			return host.log.has("peer misbehaved", "peer="+l.ID().String(), "reason="+test.reason)
		})
	}
	if n := host.backend.graph.Len(); n != 1 {
		t.Errorf("garbage made %d ops", n-1)
	}
}

func TestNewTicketRefuses(t *testing.T) {
	m := dagtest.New(t, 2)
	host := members(t, m, 1, fast)[0]
	good := invite(t, m, host, "1", hour())
	for name, ticket := range map[string]func() (*Ticket, error){
		"another mesh": func() (*Ticket, error) { return NewTicket(dag.ID{1}, good.Key, good.Invite, good.Addrs) },
		"another key":  func() (*Ticket, error) { return NewTicket(good.Mesh, m.Key("x"), good.Invite, good.Addrs) },
		"no address":   func() (*Ticket, error) { return NewTicket(good.Mesh, good.Key, good.Invite, nil) },
		"an address that is none": func() (*Ticket, error) {
			return NewTicket(good.Mesh, good.Key, good.Invite, []string{"127.0.0.1:1"})
		},
		"another's address": func() (*Ticket, error) {
			return NewTicket(good.Mesh, good.Key, good.Invite, []string{"/ip4/127.0.0.1/tcp/1/p2p/" + testPeer(t, 1).ID.String()})
		},
		"no invite": func() (*Ticket, error) {
			return NewTicket(good.Mesh, good.Key, m.Founding.Statements()[0], good.Addrs)
		},
	} {
		if got, err := ticket(); got != nil || !errors.Is(err, ErrTicket) {
			t.Errorf("%s: NewTicket = %v, %v, want ErrTicket", name, got, err)
		}
	}
}
