package p2p

import (
	"bytes"
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
)

func TestRequest(t *testing.T) {
	node := identity.NewKeyFromSeed([32]byte{1})
	r := NewRequest(dag.ID{2}, identity.StatementID{3}, 4, node)
	got, err := ParseRequest("\n" + r.Text() + " \n")
	if err != nil || *got != *r {
		t.Fatalf("ParseRequest(Text()) = %+v, %v, want %+v", got, err, r)
	}
	for name, alter := range map[string]func(*Request){
		"mesh":     func(r *Request) { r.Mesh[0] ^= 1 },
		"operator": func(r *Request) { r.Operator[0] ^= 1 },
		"slot":     func(r *Request) { r.Slot++ },
		"node":     func(r *Request) { r.Node = identity.NewKeyFromSeed([32]byte{9}).Public() },
		"consent":  func(r *Request) { r.Consent[0] ^= 1 },
	} {
		altered := *r
		alter(&altered)
		if _, err := ParseRequest(altered.Text()); !errors.Is(err, ErrRequest) {
			t.Errorf("ParseRequest with another %s = %v, want ErrRequest", name, err)
		}
	}
	for _, text := range []string{"", "causeway-request:", r.Text()[:40], r.Text() + "A", "causeway-pass:" + r.Text()[len(requestPrefix):]} {
		if _, err := ParseRequest(text); !errors.Is(err, ErrRequest) {
			t.Errorf("ParseRequest(%q) = %v, want ErrRequest", text, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(NewRequest(dag.ID{2}, identity.StatementID{3}, 4, identity.NewKeyFromSeed([32]byte{1})).Text())
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRequest(text); err == nil && r.Text() != trimmed(text) {
			t.Errorf("ParseRequest(%q).Text() = %q", text, r.Text())
		}
	})
}

func FuzzPass(f *testing.F) {
	p, _, _ := testPass(f)
	text, err := p.Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePass(text)
		if err != nil {
			return
		}
		if again, err := p.Text(); err != nil || again != trimmed(text) {
			t.Errorf("ParsePass(%q).Text() = %q, %v", text, again, err)
		}
	})
}

func trimmed(text string) string { return string(bytes.TrimSpace([]byte(text))) }

// testPass returns the pass of a node, its key, and the founding op of its mesh.
func testPass(tb testing.TB) (*Pass, identity.PublicKey, *dag.Signed) {
	m := dagtest.New(tb, 1)
	mesh := [32]byte(m.Founding.ID())
	operator, node := m.Key("team"), m.Key("team's node")
	admit := m.State(m.OperatorKey(), &mesh, identity.Admit{Name: "team", Keys: []identity.PublicKey{operator.Public()},
		Grant: identity.Grant{Role: identity.RoleWriter, Patterns: []identity.Pattern{"**"}, Nodes: 1}})
	id := admit.ID()
	enrol := m.Issue(operator, identity.Statement{Mesh: &mesh, As: &id, Content: identity.Enrol{
		Node: node.Public(), Consent: identity.SignConsent(mesh, id, 0, node)}})
	op := m.Sign(dagtest.Draft{Parents: []dag.ID{m.Founding.ID()}, Statements: []*identity.Statement{admit, enrol}})
	host, err := PeerID(m.Author(0))
	if err != nil {
		tb.Fatal(err)
	}
	p, err := NewPass(m.Founding.ID(), m.Author(0), []string{"/ip4/127.0.0.1/tcp/7600/p2p/" + host.String()}, op.Block(), op.Body())
	if err != nil {
		tb.Fatal(err)
	}
	return p, node.Public(), m.Founding
}

func TestPass(t *testing.T) {
	p, node, founding := testPass(t)
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePass(text)
	if err != nil {
		t.Fatal(err)
	}
	j, err := got.Joined(node)
	if err != nil {
		t.Fatal(err)
	}
	if j.Mesh != founding.ID() || j.Host != p.Host || len(j.Addrs) != 1 {
		t.Errorf("Joined() = %+v, want mesh %s and host %s", j, founding.ID(), p.Host)
	}
	if _, err := got.Joined(p.Host); !errors.Is(err, ErrPass) {
		t.Errorf("Joined(another node) = %v, want ErrPass", err)
	}

	altered := *p
	altered.Block = bytes.Clone(p.Block)
	altered.Block[len(altered.Block)-1] ^= 1 // the signature
	meshless := *p
	meshless.Block, meshless.Body = founding.Block(), founding.Body()
	for name, q := range map[string]*Pass{"an altered op": &altered, "an op of no mesh": &meshless} {
		text, err := q.Text()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePass(text); !errors.Is(err, ErrPass) {
			t.Errorf("ParsePass with %s = %v, want ErrPass", name, err)
		}
	}
	for _, text := range []string{"", "causeway-pass:", text[:60], "causeway-request:" + text[len(passPrefix):]} {
		if _, err := ParsePass(text); !errors.Is(err, ErrPass) {
			t.Errorf("ParsePass(%q) = %v, want ErrPass", text, err)
		}
	}
	for _, addrs := range [][]string{nil, {"nowhere"}} {
		if _, err := NewPass(p.Mesh, p.Host, addrs, p.Block, p.Body); !errors.Is(err, ErrPass) {
			t.Errorf("NewPass(%q) = %v, want ErrPass", addrs, err)
		}
	}
}
