package crdt

// A Fit says which values policy lets stand at a key.
type Fit struct {
	// Check says whether a value may stand. It must be pure.
	Check func(value []byte) bool
	// Parts, if there are any, are all that Check looks at in a value that merges, as names from the
	// outside in: it says the same of the value without what is neither one of them nor
	// around one.
	Parts [][]string
}

// Fits reports whether the value of t may stand; a nil f says so of any. Where f has
// parts, the value of a mergeable tree is not encoded for it.
func (f *Fit) Fits(t *Tree) bool {
	switch {
	case f == nil:
		return true
	case t.doc == nil || len(f.Parts) == 0:
		return f.Check(t.Value())
	}
	root := t.doc.get(valueKey).only(f.Parts)
	if t.schema.formatOf() == Protobuf {
		p := documentOf(t.schema).child(valueKey)
		return f.Check(root.appendMessage(append([]byte(nil), t.schema.prefix...), p))
	}
	return f.Check(root.appendJSON(nil))
}

// only returns n without what is not at one of the paths; whole if it has no named children.
func (n *node) only(paths [][]string) *node {
	if n.kind != mapping {
		return n
	}
	var kids []kid
	for i, path := range paths {
		var within [][]string // of the paths through this name
		first, whole := true, false
		for j, other := range paths {
			switch {
			case other[0] != path[0]:
			case len(other) == 1:
				whole = true
			default:
				within = append(within, other[1:])
			}
			first = first && (j >= i || other[0] != path[0])
		}
		if !first {
			continue
		}
		k := n.named(path[0])
		if k != nil && !whole {
			part := k.only(within)
			if part != k {
				part.name = k.name
			}
			k = part
		}
		if k != nil {
			kids = append(kids, kid{path[0], k})
		}
	}
	return &node{kind: mapping, kids: kids}
}

// named returns the child of that name, without making a list of those of a wide container.
func (n *node) named(key string) *node {
	if n.kids != nil || n.m == nil || n.m.wide == nil {
		return n.get(key)
	}
	if i := n.m.wide.order.find(key); i >= 0 {
		return n.m.wide.order.at(i).n
	}
	return nil
}
