package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/causeway-sync/causeway/dag"
)

// TestTrace plays the scripts in testdata, which show every frame of a session.
// Run with -rewrite to write what they show now. The commands:
//
//	mesh nodes=(a,b) forkers=(x)     founds a mesh; node a writes as author a
//	write a [n=3] [size=10]          node a writes n ops
//	fork x at=a prev=x1 [on=(a2)]    author x signs an op on prev (none: its first) and on others, and gives it to node a;
//	                                 with n=3 two more after it
//	lose a                           node a loses its disk, but not what it remembers of peers
//	sync a b [cut=3] [max=1000]      a session, in lockstep
//
// Ops are named by author and seq; a prime marks a fork.
func TestTrace(t *testing.T) {
	datadriven.Walk(t, "testdata/trace", func(t *testing.T, path string) {
		tr := &trace{t: t}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			tr.t, tr.out = t, new(strings.Builder)
			if tr.mesh != nil {
				tr.mesh.t = t
			}
			tr.command(d)
			return tr.out.String()
		})
	})
}

type trace struct {
	t     *testing.T
	out   *strings.Builder
	mesh  *mesh
	nodes map[string]*replica
	order []string // names of authors
	names map[dag.ID]string
	ids   map[string]dag.ID
	size  int // of the next fork's body, so that no two are equal
}

func (tr *trace) command(d *datadriven.TestData) {
	switch d.Cmd {
	case "mesh":
		tr.found(d)
	case "write":
		node := d.CmdArgs[0].Key
		n, size := 1, 10
		d.MaybeScanArgs(tr.t, "n", &n)
		d.MaybeScanArgs(tr.t, "size", &size)
		for range n {
			tr.name(tr.nodes[node].write(slices.Index(tr.order, node), size))
		}
	case "fork":
		tr.fork(d)
	case "lose":
		tr.lose(d.CmdArgs[0].Key)
	case "sync":
		tr.sync(d)
	default:
		d.Fatalf(tr.t, "unknown command %s", d.Cmd)
	}
}

func (tr *trace) found(d *datadriven.TestData) {
	var nodes, forkers []string
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "nodes":
			nodes = arg.Vals
		case "forkers":
			forkers = arg.Vals
		}
	}
	tr.order = append(slices.Clone(nodes), forkers...)
	tr.mesh = newMesh(tr.t, len(tr.order))
	tr.nodes, tr.names, tr.ids = map[string]*replica{}, map[dag.ID]string{}, map[string]dag.ID{}
	for _, name := range nodes {
		tr.nodes[name] = tr.mesh.newReplica(true)
	}
	op := tr.nodes[nodes[0]].graph.Founding()
	tr.names[op.ID()], tr.ids[tr.order[0]+"1"] = tr.order[0]+"1", op.ID()
}

func (tr *trace) name(op *dag.Op) {
	author := ""
	for i, key := range tr.mesh.keys {
		if key.Public() == op.Author() {
			author = tr.order[i]
		}
	}
	name := fmt.Sprintf("%s%d", author, op.Seq())
	for {
		if _, taken := tr.ids[name]; !taken {
			break
		}
		name += "'"
	}
	tr.names[op.ID()], tr.ids[name] = name, op.ID()
	fmt.Fprintf(tr.out, "%s on %s\n", name, tr.list(op.Parents()))
}

func (tr *trace) list(ops []*dag.Op) string {
	var names []string
	for _, op := range ops {
		names = append(names, tr.names[op.ID()])
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (tr *trace) fork(d *datadriven.TestData) {
	var at, prevName string
	d.ScanArgs(tr.t, "at", &at)
	d.ScanArgs(tr.t, "prev", &prevName)
	r := tr.nodes[at]
	parents := []*dag.Op{r.graph.Founding()}
	var prev *dag.Op
	get := func(name string) *dag.Op {
		op, ok := r.graph.Get(tr.ids[name])
		if !ok {
			d.Fatalf(tr.t, "%s does not hold %s", at, name)
		}
		return op
	}
	if prevName != "none" {
		prev = get(prevName)
		parents = append(parents, prev)
	}
	for _, arg := range d.CmdArgs {
		if arg.Key == "on" {
			for _, name := range arg.Vals {
				parents = append(parents, get(name))
			}
		}
	}
	n := 1
	d.MaybeScanArgs(tr.t, "n", &n)
	for range n {
		tr.size++
		prev = r.mustAdd(r.signAt(slices.Index(tr.order, d.CmdArgs[0].Key), prev, dag.HeadsOf(parents), tr.size))
		tr.name(prev)
		parents = []*dag.Op{prev}
	}
}

func (tr *trace) lose(name string) {
	lost := tr.nodes[name]
	n := tr.mesh.newReplica(true)
	n.peers = lost.peers
	for _, peer := range tr.nodes {
		peer.peers[n] = peer.peers[lost]
	}
	tr.nodes[name] = n
}

func (tr *trace) sync(d *datadriven.TestData) {
	na, nb := d.CmdArgs[0].Key, d.CmdArgs[1].Key
	x := &exchange{a: tr.nodes[na], b: tr.nodes[nb]}
	var max int
	d.MaybeScanArgs(tr.t, "cut", &x.cut)
	d.MaybeScanArgs(tr.t, "max", &max)
	x.maxBytes = int64(max)
	flight := 0
	x.observe = func(n int, from *replica, frame []byte) {
		if n != flight {
			flight = n
			fmt.Fprintf(tr.out, "flight %d\n", n)
		}
		arrow := nb + "→" + na
		if from == x.a {
			arrow = na + "→" + nb
		}
		m, err := decodeMessage(frame)
		if err != nil {
			tr.t.Fatal(err)
		}
		fmt.Fprintf(tr.out, "  %s %s (%d bytes)\n", arrow, tr.show(m), len(frame))
	}
	if err := x.run(); err != nil {
		tr.t.Fatal(err)
	}
	if x.cut > 0 {
		fmt.Fprintln(tr.out, "the connection broke")
	}
	for _, side := range []struct {
		name string
		r    *replica
		s    *Session
		err  error
		peer *replica
	}{{na, x.a, x.sa, x.errA, x.b}, {nb, x.b, x.sb, x.errB, x.a}} {
		if side.err != nil {
			fmt.Fprintf(tr.out, "%s: %v\n", side.name, side.err)
			continue
		}
		st := side.s.Stats()
		fmt.Fprintf(tr.out, "%s: done %t, complete %t, %d round trips, %d ops sent, %d duplicates received, %d ops held, heads %s, anchor %s\n",
			side.name, side.s.Done(), side.s.Complete(), st.RoundTrips, st.OpsSent, st.Duplicates,
			side.r.graph.Len(), tr.list(side.r.graph.Heads()), tr.anchor(side.r.peers[side.peer]))
	}
}

func (tr *trace) anchor(b []byte) string {
	m, err := decodeMemory(b)
	if err != nil {
		tr.t.Fatal(err)
	}
	out := tr.idNames(m.anchor)
	if len(m.offered) > 0 {
		out += ", offered " + tr.idNames(m.offered)
	}
	return out
}

func (tr *trace) idNames(ids []dag.ID) string {
	if len(ids) == 0 {
		return "none"
	}
	var names []string
	for _, id := range ids {
		names = append(names, tr.names[id])
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// show describes a message.
func (tr *trace) show(m message) string {
	switch m := m.(type) {
	case *summary:
		named := make(map[tag]string)
		for id, name := range tr.names {
			named[m.salt.op(id).tag()] = name
		}
		list := func(refs []ref) string {
			var names []string
			for _, r := range refs {
				names = append(names, named[r.op])
			}
			slices.Sort(names)
			return strings.Join(names, " ")
		}
		var tips []ref
		for _, t := range m.vector {
			tips = append(tips, t.ref)
		}
		purposes := [...]string{"summary", "full summary", "repair", "vector"}
		out := fmt.Sprintf("%s: anchor [%s], tips [%s]", purposes[m.purpose], list(m.anchor), list(tips))
		if len(m.branches) > 0 {
			out += fmt.Sprintf(", branches [%s], filter of %d bytes", list(m.branches), len(m.filter.bits))
		}
		return out
	case batch:
		var names []string
		for rest := m.ops; len(rest) > 0; {
			u, next, err := dag.DecodeNext(rest)
			if err != nil {
				tr.t.Fatal(err)
			}
			names, rest = append(names, tr.names[u.ID()]), next
		}
		return "ops: " + strings.Join(names, " ")
	case end:
		if m.cut {
			return "end, more to come"
		}
		return "end"
	case ask:
		return "ask"
	case fin:
		return fmt.Sprintf("fin, satisfied %t", m.satisfied)
	}
	return "?"
}
