package reconcile

import (
	"slices"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/reconcile/riblt"
	"github.com/causeway-sync/causeway/identity"
)

// A statement is what a peer's summary says, looked up in our graph.
type statement struct {
	*summary
	anchor  []*dag.Op // those of the summary's, once all are found
	without []tag     // authors whose operations its sender takes none of now

	// Of a sketch that decoded: our tips that the peer has too, and its others.
	decoded bool
	equal   []*dag.Op
	theirs  []ref
}

// names looks up the short names of one summary in a graph, which may grow meanwhile.
type names struct {
	g       *dag.Graph
	salt    salt
	authors map[tag]identity.PublicKey
	at      map[place]map[tag]*dag.Op
}

// place is where an op stands on its author's chain: of a forker, several do.
type place struct {
	author tag
	seq    uint64
}

func newNames(g *dag.Graph, s salt) *names {
	keys := g.Authors()
	n := &names{g: g, salt: s, authors: make(map[tag]identity.PublicKey, len(keys)), at: make(map[place]map[tag]*dag.Op)}
	for _, key := range keys {
		n.authors[s.author(key).tag()] = key
	}
	return n
}

// op returns the op of that name, nil if the graph does not hold it. The ops of
// one place are hashed once, however many names ask for them.
func (n *names) op(r ref) *dag.Op {
	p := place{r.author, r.seq}
	ops, ok := n.at[p]
	if !ok {
		key, known := n.authors[r.author]
		if !known {
			return nil
		}
		ops = make(map[tag]*dag.Op)
		for _, op := range n.g.At(key, r.seq) {
			ops[n.salt.op(op.ID()).tag()] = op
		}
		n.at[p] = ops
	}
	return ops[r.op]
}

// ops returns the ops of those names, and whether the graph holds all of them.
func (n *names) ops(refs []ref) (ops []*dag.Op, all bool) {
	all = true
	for _, r := range refs {
		if op := n.op(r); op != nil {
			ops = append(ops, op)
		} else {
			all = false
		}
	}
	return ops, all
}

// findAnchor looks up the anchor, without which the summary says too little to
// be answered, and reports whether all of it is there.
func (st *statement) findAnchor(n *names) (all bool) {
	st.anchor, all = n.ops(st.summary.anchor)
	return all
}

// decode finds out what the sketch says, if there is one: by the difference
// from what we would say in its place. It reports false if there are not enough symbols.
func (st *statement) decode(n *names) bool {
	if len(st.sketch) == 0 || st.decoded {
		return true
	}
	forked := make(map[tag]bool)
	for _, r := range st.branches {
		forked[r.author] = true
	}
	var ours []riblt.Item
	var tips []*dag.Op // of ours
	single, _ := stateOf(n.g).moved(st.anchor)
	for _, op := range single {
		if r := st.salt.ref(op); !forked[r.author] {
			ours, tips = append(ours, r.item()), append(tips, op)
		}
	}
	symbols := riblt.NewEncoder(st.salt.hash, ours).Next(len(st.sketch))
	riblt.Subtract(symbols, st.sketch)
	differing, err := riblt.Decode(st.salt.hash, symbols)
	if err != nil {
		return false
	}
	differs := make(map[riblt.Item]bool, len(differing))
	for _, item := range differing {
		differs[item] = true
	}
	for i, item := range ours {
		if differs[item] {
			delete(differs, item)
		} else {
			st.equal = append(st.equal, tips[i])
		}
	}
	for _, item := range differing {
		if differs[item] {
			st.theirs = append(st.theirs, refOf(item))
		}
	}
	st.decoded = true
	return true
}

// held returns the ops that st states and our graph holds, and whether that is
// all it states.
func (st *statement) held(n *names) (ops []*dag.Op, all bool) {
	all = st.decode(n)
	refs := slices.Concat(st.summary.anchor, st.branches, st.theirs)
	for _, t := range st.vector {
		refs = append(refs, t.ref)
	}
	found, ok := n.ops(refs)
	return append(found, st.equal...), all && ok
}
