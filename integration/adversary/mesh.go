package adversary

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/liar"
	"github.com/causeway-sync/causeway/node/commit"
)

// Within bounds every wait for what must happen. It is generous: the machine may be busy.
const Within = 60 * time.Second

// LiarKeys are what every liar may write unless its test says otherwise.
const LiarKeys = "/liar/**"

// A Config says what a mesh has.
type Config struct {
	Name    string // of the mesh; keys follow from it
	Sites   int    // correct nodes
	Liars   int    // enrolled keys of operators of their own, which may write LiarKeys and Shared
	Shared  string // a pattern that liars may write as well as LiarKeys; none if empty
	Members []dagtest.Member
	Apart   bool     // the correct nodes are not told of each other
	Args    []string // of `causeway serve`, beside what the mesh gives

	// Disk, if not nil, is given each site's empty data directory.
	Disk func(site int, dir string)
}

// A Mesh has correct nodes, one operator's, and keys of liars, each another
// operator's.
type Mesh struct {
	tb     testing.TB
	World  *dagtest.Mesh // what founded it, and every key
	Sites  []*Site
	Mirror *liar.Liar // an honest node of the founder's that holds what the sites do, to sign upon; nil before NewMirror
	first  int        // the author number of the first liar
	used   int        // liars taken
	liars  int
	args   []string
	disk   func(site int, dir string)
}

// World returns the mesh of a config as it was founded, without nodes. Two calls
// return the same, also in two processes.
func World(tb testing.TB, cfg Config) *dagtest.Mesh {
	patterns := []string{LiarKeys}
	if cfg.Shared != "" {
		patterns = append(patterns, cfg.Shared)
	}
	world := dagtest.Config{Name: cfg.Name, Authors: 1 + cfg.Sites}
	for range cfg.Liars {
		world.Members = append(world.Members, dagtest.Member{Role: identity.RoleWriter, Patterns: patterns})
	}
	world.Members = append(world.Members, cfg.Members...)
	return dagtest.NewMesh(tb, world)
}

// OverQUIC says that nodes listen with QUIC in place of TCP, and liars come that way.
var OverQUIC bool

// New founds a mesh and starts its correct nodes, each with a client that
// writes, and waits until they agree. They end with the test.
func New(tb testing.TB, cfg Config) *Mesh {
	tb.Helper()
	m := &Mesh{tb: tb, World: World(tb, cfg), first: 1 + cfg.Sites, liars: cfg.Liars, args: cfg.Args, disk: cfg.Disk}
	var peers []string
	for i := range cfg.Sites {
		s := m.newSite(1+i, fmt.Sprintf("site-%d", i))
		if cfg.Apart {
			peers = nil
		}
		s.Start(peers...)
		peers = append(peers, s.Address())
		m.Sites = append(m.Sites, s)
	}
	if !cfg.Apart {
		m.Agree(tb)
	}
	return m
}

// newSite prepares the data directory of an author whose node was given the
// mesh's first operations.
func (m *Mesh) newSite(author int, name string) *Site {
	m.tb.Helper()
	node := harness.NewNode(m.tb)
	node.QUIC = OverQUIC
	if m.disk != nil {
		m.disk(author-1, node.Dir)
	}
	key := m.World.Node(author)
	if err := identity.WriteKeyFile(filepath.Join(node.Dir, "node.key"), key, name, nil); err != nil {
		m.tb.Fatal(err)
	}
	if err := identity.WriteKeyFile(filepath.Join(node.Dir, "operator.key"), m.World.OperatorKey(), "operator", nil); err != nil {
		m.tb.Fatal(err)
	}
	store, err := leveldb.Open(filepath.Join(node.Dir, "store"), leveldb.Options{})
	if err != nil {
		m.tb.Fatal(err)
	}
	p, err := commit.Open(commit.Config{Store: store, Key: key, Mesh: m.World.Founding.ID(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		m.tb.Fatal(err)
	}
	for _, err := range p.Admit(m.tb.Context(), m.World.Enrolled) {
		if err != nil {
			m.tb.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		m.tb.Fatal(err)
	}
	if err := store.Close(); err != nil {
		m.tb.Fatal(err)
	}
	return newSite(m.tb, node, key.Public(), name, m.args)
}

// Addresses returns where the sites listen for peers.
func (m *Mesh) Addresses() (addrs []string) {
	for _, s := range m.Sites {
		addrs = append(addrs, s.Address())
	}
	return addrs
}

// Liar returns the key of an enrolled liar that no test used before.
func (m *Mesh) Liar() *identity.PrivateKey {
	m.tb.Helper()
	if m.used == m.liars {
		m.tb.Fatal("no liar is left in the mesh")
	}
	m.used++
	return m.World.Node(m.first + m.used - 1)
}

// Member returns the node's key and the operator's of one of the config's members.
func (m *Mesh) Member(i int) (node, operator *identity.PrivateKey) {
	return m.World.Node(m.first + m.liars + i), m.World.Key(fmt.Sprintf("operator %d", m.liars+i))
}

// OperatorOf returns the private key of the operator of a liar's key, and its ID.
func (m *Mesh) OperatorOf(node *identity.PrivateKey) (*identity.PrivateKey, identity.StatementID) {
	m.tb.Helper()
	a, ok := m.World.Graph.Roster().Author(node.Public())
	if !ok {
		m.tb.Fatal("the mesh did not enrol that key")
	}
	for i := m.first; i < m.World.Authors(); i++ {
		if m.World.Author(i) == node.Public() {
			return m.World.Key(fmt.Sprintf("operator %d", i-m.first)), a.Operator
		}
	}
	return m.World.OperatorKey(), a.Operator
}

// NewMirror connects the founder's own node, an honest one, to all sites and
// waits until it holds what they do. It is there to sign upon.
func (m *Mesh) NewMirror(tb testing.TB) *liar.Liar {
	tb.Helper()
	l := liar.New(tb, m.World.Node(0), m.World.Founding.ID(), m.Addresses()...)
	m.CatchUp(tb, l)
	return l
}

// NewLiar connects a patched node with a liar's key to the sites at those
// addresses, and waits until it holds what they do.
func (m *Mesh) NewLiar(tb testing.TB, key *identity.PrivateKey, sites ...*Site) *liar.Liar {
	tb.Helper()
	var addrs []string
	for _, s := range sites {
		addrs = append(addrs, s.Address())
	}
	l := liar.New(tb, key, m.World.Founding.ID(), addrs...)
	m.CatchUp(tb, l, sites...)
	return l
}

// CatchUp waits until a patched node holds what the sites did at the call; no sites are all.
func (m *Mesh) CatchUp(tb testing.TB, l *liar.Liar, sites ...*Site) {
	tb.Helper()
	if len(sites) == 0 {
		sites = m.Sites
	}
	for _, s := range sites {
		for _, id := range s.Status(tb).Heads {
			l.WaitFor(id, Within)
		}
	}
}

// Carry has a correct node carry statements, and waits until all hold the operation.
func (m *Mesh) Carry(tb testing.TB, statements ...*identity.Statement) dag.ID {
	tb.Helper()
	id, err := m.Sites[0].Admin.Carry(tb.Context(), statements...)
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range m.Sites {
		s.WaitFor(tb, id)
	}
	return id
}

// Agree pauses the clients, waits until all correct nodes have equal heads and
// equal state, and returns it; the clients go on.
func (m *Mesh) Agree(tb testing.TB) {
	tb.Helper()
	for _, s := range m.Sites {
		defer s.Writer.Pause()()
	}
	Eventually(tb, "the correct nodes agree", func() bool {
		first := m.Sites[0].Status(tb)
		for _, s := range m.Sites[1:] {
			st := s.Status(tb)
			if st.StateHash != first.StateHash || fmt.Sprint(st.Heads) != fmt.Sprint(first.Heads) {
				return false
			}
		}
		return true
	}, m.describe)
}

func (m *Mesh) describe() (text string) {
	for _, s := range m.Sites {
		st, err := s.Admin.Status(m.tb.Context())
		text += fmt.Sprintf("%s: %d ops, %v, heads %d %v, err %v\n", s.Name, st.Ops, st.StateHash, len(st.Heads), st.Heads[:min(len(st.Heads), 4)], err)
		for _, p := range st.Peers {
			text += fmt.Sprintf("   %s %s connected %v lag %d misconduct %q error %q\n", p.PeerID, p.Operator, p.Connected, p.LagOps, p.Misconduct, p.LastError)
		}
	}
	return text
}

// Eventually waits until something holds, and otherwise ends the test with what describe says.
func Eventually(tb testing.TB, what string, holds func() bool, describe ...func() string) {
	tb.Helper()
	for deadline := time.Now().Add(Within); !holds(); time.Sleep(20 * time.Millisecond) {
		if !time.Now().After(deadline) {
			continue
		}
		for _, d := range describe {
			tb.Log(d())
		}
		tb.Fatalf("not within %v: %s", Within, what)
	}
}

// Link connects two correct nodes that were not told of each other: the second
// one starts again, and is told of the first.
func (m *Mesh) Link(tb testing.TB, a, b *Site) {
	tb.Helper()
	b.restart(a.Address())
}
