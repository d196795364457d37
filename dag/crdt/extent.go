package crdt

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// An extent is what the bounds of docs/merge.md section 4 count, of a node. It
// is known without encoding, and a patch changes it along its path only
// (docs/merge.md section 8).
type extent struct {
	part
	wide *wide // of a container with more than chunkMax children
	sums sums
}

// A part is an extent as it adds up. Bytes are those of the compact JSON text,
// or of what is inside a message, or of all records of a collection.
type part struct {
	size   int // bytes
	nodes  int // nodes that the parser counts
	peak   int // the most that it had counted at one time: attempts at what became a leaf are taken back
	height int // levels below: of values in JSON, of containers in protobuf

	// Of JSON text, what its layout is made of.
	lines  int // line breaks, where it has indents
	levels int // the sum of their depths
	commas int
	colons int
}

// add appends b to a.
func (a *part) add(b *part) {
	a.peak = max(a.peak, a.nodes+b.peak)
	a.height = max(a.height, b.height)
	a.size += b.size
	a.nodes += b.nodes
	a.lines += b.lines
	a.levels += b.levels
	a.commas += b.commas
	a.colons += b.colons
}

// extent returns the extent of a node that Parse or Apply made.
func (n *node) extent() part {
	if n.m != nil {
		return n.m.part
	}
	return part{size: len(n.raw), nodes: 1, peak: 1}
}

// part returns what a child counts for in a container of the kind with context c.
func (c context) part(in kind, k *kid) part {
	e := k.n.extent()
	if c.p.inner().json {
		if in == mapping {
			e.size += len(`"":`) + max(len(k.key), len(k.n.name)) // a spelling is longer
			e.colons++
		}
		e.size++
		e.commas++
		e.lines++
		e.levels += e.lines
		e.height++
		return e
	}
	kc := c.child(in, k.key)
	p := part{size: k.n.fieldSize(kc), nodes: e.nodes, peak: e.peak}
	if k.n.kind != leaf {
		if p.height = 1; !kc.p.inner().json {
			p.height = e.height
		}
	}
	if t := c.p.typ(); t != nil && t.Kind == Map {
		p.size += protowire.SizeTag(1) + protowire.SizeBytes(len(k.key))
		p.size = protowire.SizeTag(c.num) + protowire.SizeBytes(p.size)
	}
	return p
}

// fieldSize returns the length of the records of n, in protobuf.
func (n *node) fieldSize(c context) int {
	switch _, collection := c.p.collection(); {
	case n.kind == leaf:
		return len(n.raw)
	case collection && !c.p.inner().json:
		return n.m.size
	}
	return protowire.SizeTag(c.num) + protowire.SizeBytes(n.m.size)
}

// whole returns the extent of a container whose children are sum.
func (c context) whole(sum part, empty bool) part {
	switch {
	case c.p.inner().json:
		sum.size += len("{}")
		sum.nodes++
		sum.peak = sum.nodes
		if !empty {
			sum.size-- // a comma
			sum.commas--
			sum.lines++
		}
	case c.p.isRecord():
		sum.nodes++
		sum.peak++
		sum.height++
	default:
		sum.height++
	}
	return sum
}

// measure notes the extent of a container with context c.
func (n *node) measure(c context) {
	n.m = &extent{}
	if len(n.kids) > chunkMax {
		n.m.wide = &wide{}
	}
	var sum part
	for i := range n.kids {
		n.kids[i].n.measureText()
		p := c.part(n.kind, &n.kids[i])
		sum.add(&p)
	}
	n.m.part = c.whole(sum, len(n.kids) == 0)
}

// measureLeaf notes the extent of a leaf that is worth it.
func (n *node) measureLeaf() {
	if len(n.raw) >= sumMin {
		n.m = &extent{part: n.extent()}
	}
}

// measureText notes the extent of a leaf of JSON text that is no scalar, of
// which the parser has noted the nodes. It waits until the leaf stays: objects
// with equal names in each other would be looked through again and again.
func (n *node) measureText() {
	if n.kind != leaf || n.m == nil || n.m.size > 0 {
		return
	}
	m := n.m.part
	m.size = len(n.raw)
	depth := 0
	line := func() {
		m.lines++
		m.levels += depth
	}
	for i := 0; i < len(n.raw); i++ {
		switch c := n.raw[i]; c {
		case '"':
			i += stringLength(n.raw[i:]) - 1
		case '{', '[':
			if n.raw[i+1] == c+2 {
				i++
				break
			}
			depth++
			m.height = max(m.height, depth)
			line()
		case '}', ']':
			depth--
			line()
		case ',':
			m.commas++
			line()
		case ':':
			m.colons++
		}
	}
	n.m.part = m
}

// length returns how long a JSON text of the extent m is in this style.
func (s style) length(m *part) int {
	n := m.size + m.commas*len(s.comma) + m.colons*len(s.colon) + len(s.end)
	if s.indent != "" {
		n += m.lines + m.levels*len(s.indent)
	}
	return n
}

// shown returns the style that a text of the extent m in style s is read to have.
func (s style) shown(m *part) style {
	if m.lines == 0 {
		s.indent = ""
	}
	if m.commas == 0 {
		s.comma = ""
	}
	switch {
	case m.colons > 0 && m.commas == 0 && s.indent == "":
		s.comma = s.colon
	case m.colons == 0 && s.indent != "":
		s.colon = " "
	case m.colons == 0:
		s.colon = s.comma
	}
	return s
}
