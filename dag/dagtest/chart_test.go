package dagtest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/google/go-cmp/cmp"
)

// describe lists each op with its parents, prev, epoch and writes.
func describe(m *dagtest.Mesh, c *dagtest.Chart) string {
	var b strings.Builder
	for _, name := range c.Names {
		s := c.Signed(name)
		h := s.Header()
		var parents []string
		for _, p := range h.Parents {
			parents = append(parents, c.Name(p))
		}
		prev := "none"
		if h.Prev != nil {
			prev = c.Name(*h.Prev)
		}
		fmt.Fprintf(&b, "%s: on %s, prev %s, seq %d, depth %d, epoch %d, writes %d:", name, strings.Join(parents, "+"), prev, h.Seq, h.Depth, h.Epoch, h.Writes)
		for _, t := range s.Transactions() {
			for _, w := range t {
				fmt.Fprintf(&b, " %v %s %s%s", w.Kind, w.Key, w.End, w.Value)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestDraw(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> a1 -> b1{/k=v} -> a2
		     |  -> c1{-/k}
		b1, c1 -> d1{-/a../b +epoch}
		d1 -> d2{+epoch=7} -> b2
		d1 -> b2'{^b1} -> b9{^}
	`)
	want := `
a1: on G, prev G, seq 2, depth 2, epoch 0, writes 0:
b1: on a1, prev none, seq 1, depth 3, epoch 0, writes 1: replace /k v
a2: on b1, prev a1, seq 3, depth 4, epoch 0, writes 0:
c1: on a1, prev none, seq 1, depth 3, epoch 0, writes 1: delete-observed /k 
d1: on b1+c1, prev none, seq 1, depth 4, epoch 1, writes 1: delete-range /a /b
d2: on d1, prev d1, seq 2, depth 5, epoch 7, writes 1:
b2: on d2, prev b1, seq 2, depth 6, epoch 0, writes 1:
b2': on d1, prev b1, seq 2, depth 5, epoch 0, writes 1:
b9: on b2', prev none, seq 1, depth 6, epoch 0, writes 0:
`
	got := strings.Replace(describe(m, c), "on c1+b1", "on b1+c1", 1) // parents ascend by ID
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
	if n := len(m.Past(c.ID("d1"))); n != 5 {
		t.Errorf("d1 and its past are %d ops, want 5", n)
	}
	c.Add("a1", "b1", "c1", "d1", "b2'")
	if got := c.NamesOf(m.Graph.Heads()); got != "b2'" {
		t.Errorf("heads = %s", got)
	}
	if got := c.Op("b2'").Prev(); got != c.Op("b1") {
		t.Errorf("prev of b2' = %v", got)
	}
}

// TestDrawMerging: schemas, patches, final deletes and lives.
func TestDrawMerging(t *testing.T) {
	m := dagtest.New(t, 4)
	c := m.Draw(`
		one = text {"n": 1, "l": [{"k": 1}]}
		two = text {"n": 5, "l": [{"k": 1}]}
		S = schema n:counter l:list/k
		N = schema !nonsense
		G -> b1{+S +N /k@S=$one /j@N=x /i@opaque=} -> c1{/k#b1@S~$one>$two} -> d1{--/k#c1 -/j#b1}
		     b1                                    -> a1{/k#b1~[1]>[2]}
	`)
	var got strings.Builder
	for _, name := range c.Names {
		for _, w := range c.Signed(name).Transactions()[0] {
			life := "new"
			if w.Incarnation.Kind == dag.IncarnationPast {
				life = fmt.Sprintf("%s/%d", c.Name(w.Incarnation.Op), w.Incarnation.Write)
			}
			value := string(w.Value)
			if w.Kind == dag.Patch {
				p, err := crdt.DecodePatch(w.Value)
				if err != nil {
					t.Fatal(err)
				}
				value = p.String()
			}
			fmt.Fprintf(&got, "%s: %v %s of %s, %.14v, %s\n", name, w.Kind, w.Key, life, w.Schema, value)
		}
	}
	want := fmt.Sprintf(`b1: replace /k of new, %.14v, {"n": 1, "l": [{"k": 1}]}
b1: replace /j of new, %.14v, x
b1: replace /i of new, opaque, %s
c1: patch /k of b1/0, json, {in "value" {set "n" "5"}}
d1: delete-final /k of b1/0, json, %[3]s
d1: delete-observed /j of b1/1, json, %[3]s
a1: patch /k of b1/0, json, {in "value" {set 0 "2"}}
`, dag.SchemaIDOf(c.Signed("b1").Schemas()[0]), dag.SchemaIDOf([]byte("nonsense")), "")
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
	c.Add()
}

// fatal records the message that would have ended a test.
type fatal struct {
	testing.TB
	message string
}

func (f *fatal) Helper() {}
func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	panic(f)
}

func TestDrawErrors(t *testing.T) {
	for text, want := range map[string]string{
		"X -> a1":                   `no op "X" so far`,
		"G -> z1":                   "no author z",
		"G -> A1":                   "no author A",
		"G -> a1 -> a1":             "already drawn",
		"G -> a1{k}":                "not a write",
		"G -> a1{^x}":               `no op "x" so far`,
		"G -> a1 b1":                "is not an op",
		"G -> -> b1":                "is not an op",
		"G -> a1\n          | -> b": "nothing above",
		"A = admit king ** ":        "role",
		"A = grant writer **":       "no kind of statement",
		"R = revoke Ann":            `no statement "Ann"`,
		"n = enrol Ann":             `no operator "Ann"`,
		"b = enrol Home":            "a letter that no other has",
		"y = rotate x":              `no node "x"`,
		"R = revoke Home keep=a1":   `no op "a1"`,
		"P = policy /k":             "not a rule",
		"Q = quota Home bytes=x":    "invalid syntax",
		"G -> a1{!R}":               `no statement "R"`,
		"G -> a1{/k@S=v}":           `no schema "S"`,
		"G -> a1{+opaque}":          `no schema "opaque" to carry`,
		"S = schema n:number":       "no field of a schema",
		"G -> a1{/k=$v}":            `no text "v"`,
		"G -> a1{/k~1}":             "no new value",
		"G -> a1{/k~[>1}":           "no patch makes",
		"G -> a1{/k#b1=v}":          `no op "b1"`,
		"G -> a1 -> b1{-/k#a1}":     "does not put /k",
	} {
		f := &fatal{TB: t}
		m := dagtest.New(f, 2)
		func() {
			defer func() { _ = recover() }()
			m.Draw(text)
		}()
		if !strings.Contains(f.message, want) {
			t.Errorf("Draw(%q) failed with %q, want %q", text, f.message, want)
		}
	}
}

// TestDrawStatements: the words of a line and the content they make.
func TestDrawStatements(t *testing.T) {
	m := dagtest.NewMesh(t, dagtest.Config{Authors: 2, Founders: 2})
	c := m.Draw(`
		Ann = admit admin /a/** /b/* nodes=2
		x = enrol Ann slot=1 rotations=2
		y = rotate x index=2
		G -> a1{!Ann !x}
		R = revoke x key=y keep=a1 by=Ann
		N = narrow Ann writer /a/k nodes=1 by=root1
		M = readmit supersedes=R,N
		P = policy /k:7=owned:Ann /pods/**=lww:Pod,v1,v2
		I = invite reader host=b nodes=3
		Ivy = redeem I
		Q = quota x bytes=5
		V = version 3
		E = endorse N after=P
	`)
	id := func(name string) identity.StatementID { return c.Statement(name).ID() }
	content := func(name string) identity.Content { return c.Statement(name).Content }
	ann, y := id("Ann"), c.Statement("y").Content.(identity.Rotate).Key
	a1 := [32]byte(c.ID("a1"))
	for name, want := range map[string]identity.Content{
		"R": identity.Revoke{Subject: id("x"), Key: &y, Keep: [][32]byte{a1}},
		"N": identity.Narrow{Operator: ann, Role: identity.RoleWriter, Patterns: []identity.Pattern{"/a/k"}, Nodes: 1},
		"M": identity.Readmit{},
		"P": identity.Policy{Rules: []identity.PolicyRule{{Pattern: "/k", Priority: 7, Mode: identity.ModeOwned, Owner: &ann},
			{Pattern: "/pods/**", Mode: identity.ModeLWW, Form: &identity.Form{Kind: "Pod", Versions: []string{"v1", "v2"}}}}},
		"Q": identity.Quota{Subject: id("x"), Bytes: 5},
		"V": identity.Version{Version: 3},
		"E": identity.Endorse{Statement: id("N")},
	} {
		if diff := cmp.Diff(want, content(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if s := c.Statement("R"); s.As == nil || *s.As != ann {
		t.Error("R is not issued as Ann")
	}
	if s := c.Statement("N"); s.As != nil || s.Issuer != m.FounderKey(1).Public() {
		t.Error("N is not a vote of the second founder")
	}
	if s := c.Statement("E"); *s.Prev != id("P") || s.Seq != c.Statement("P").Seq+1 {
		t.Error("E does not follow P")
	}
	if len(c.Statement("M").Supersedes) != 2 || len(c.Signed("a1").Statements()) != 2 {
		t.Error("M does not supersede two, or a1 does not carry two")
	}
	c.Add()
	roster := m.Graph.Roster()
	x, _ := c.Key('x')
	if a, ok := roster.Author(x); !ok || a.Slot != 1 || a.Rotations != 2 || a.Operator != ann {
		t.Errorf("x is %+v", a)
	}
	_ = content("Ivy").(identity.Redeem)
	if i := content("I").(identity.Invite); i.Role != identity.RoleReader || i.Nodes != 3 || i.Host != m.Author(1) {
		t.Errorf("I is %+v", i)
	}
}

// TestGrow: a world is the same for a seed, its ops can come in another order,
// and all that can happen happens in some.
func TestGrow(t *testing.T) {
	kinds := make(map[identity.Kind]bool)
	writes := make(map[dag.WriteKind]int)
	refused, voided, unknown, under := 0, 0, 0, 0
	for seed := range uint64(30) {
		w := dagtest.GrowMerging(t, seed, 30)
		if again := dagtest.GrowMerging(t, seed, 30); again.Ops[len(again.Ops)-1].ID() != w.Ops[len(w.Ops)-1].ID() {
			t.Fatalf("seed %d grows two worlds", seed)
		}
		order := w.Shuffle(rand.New(rand.NewPCG(seed, 0)))
		g := dag.NewGraph()
		for _, s := range order {
			for _, statement := range s.Statements() {
				kinds[statement.Kind()] = true
			}
			for _, t := range s.Transactions() {
				for _, w := range t {
					writes[w.Kind]++
					if w.Schema.Carried() {
						under++
					}
				}
			}
			if _, _, err := g.Add(s); dag.ReasonOf(err) != 0 {
				refused++
				if dag.ReasonOf(err) == dag.ReasonSchema {
					unknown++
				}
			} else if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if len(order) != len(w.Ops) || g.Len() != w.Mesh.Graph.Len() {
			t.Errorf("seed %d: %d ops in another order, %d of them valid, want %d and %d", seed, len(order), g.Len(), len(w.Ops), w.Mesh.Graph.Len())
		}
		for _, s := range w.Ops {
			if o, ok := g.Get(s.ID()); ok && len(s.Transactions()) > 0 && dag.Judge(g.Roster(), o).Void(s.Transactions()[0]) != nil {
				voided++
			}
		}
	}
	if len(kinds) != 13 || refused < 100 || voided < 100 {
		t.Errorf("%d kinds of statements, %d ops refused, %d void", len(kinds), refused, voided)
	}
	for kind := dag.Replace; kind <= dag.DeleteRange; kind++ {
		if writes[kind] < 20 {
			t.Errorf("%d writes of kind %v", writes[kind], kind)
		}
	}
	if unknown < 10 || under < 100 {
		t.Errorf("%d values under a schema, %d ops refused for one", under, unknown)
	}
}

// TestLargeMesh: more authors than a founding op has room for, and members with grants.
func TestLargeMesh(t *testing.T) {
	m := dagtest.NewMesh(t, dagtest.Config{Authors: 150, Members: []dagtest.Member{
		{Role: identity.RoleWriter, Patterns: []string{"/a/**"}}, {Role: identity.RoleReader}}})
	if len(m.Enrolled) != 3 || m.Authors() != 152 {
		t.Errorf("%d ops enrol %d authors, want 3 and 152", len(m.Enrolled), m.Authors())
	}
	for i := range 150 {
		if err := m.Graph.Roster().Standing(m.Author(i)).MayWrite([]byte("/k")); err != nil {
			t.Fatalf("author %d: %v", i, err)
		}
	}
	m.Write(150, dagtest.Put("/a/k", "v"), dagtest.DeleteRange("/a/", "/a0"))
	if m.Write(151) == nil || m.Graph.Len() != 5 {
		t.Errorf("%d ops, want 5", m.Graph.Len())
	}
}

// TestFixed: keys, nonce and thus IDs never change from run to run.
func TestFixed(t *testing.T) {
	a, b := dagtest.New(t, 2), dagtest.New(t, 2)
	if a.Founding.ID() != b.Founding.ID() || a.Write(1, dagtest.Put("/k", "v")).ID() != b.Write(1, dagtest.Put("/k", "v")).ID() {
		t.Error("two meshes of one configuration differ")
	}
	if c := dagtest.NewMesh(t, dagtest.Config{Name: "c", Authors: 2}); c.Author(0) == a.Author(0) || c.Founding.ID() == a.Founding.ID() {
		t.Error("meshes of different names share keys")
	}
}
