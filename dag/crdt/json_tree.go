package crdt

// A jsonBuilder makes the tree of a compact JSON text that scanJSON has checked.
type jsonBuilder struct {
	text  []byte
	pos   int
	nodes int // left
}

// parseJSON returns the tree of compact text at p, nil beyond a bound. Leaves alias the text.
func parseJSON(text []byte, p place) *node {
	b := jsonBuilder{text: text, nodes: MaxNodes}
	n := b.value(p.inner())
	if b.nodes < 0 {
		return nil
	}
	n.measureText()
	return n
}

// value reads one value of the type at p; what does not have its shape is a leaf.
func (b *jsonBuilder) value(p place) *node {
	before := b.nodes
	b.nodes--
	from := b.pos
	var n *node
	kind := Kind(0)
	if t := p.typ(); t != nil {
		kind = t.Kind
	}
	if p.role == plain {
		kind = Leaf
	}
	switch c := b.text[b.pos]; {
	case b.nodes < 0:
	case c == '{' && (kind == 0 || kind == Record || kind == Map):
		n = b.object(p)
	case c == '[' && (kind == 0 || kind == List || kind == Set || kind == Sequence):
		n = b.array(p, kind)
	}
	if n == nil {
		b.pos = from
		b.skip()
		n = &node{raw: b.text[from:b.pos:b.pos]}
		if c := n.raw[0]; b.nodes >= 0 && (c == '{' || c == '[') {
			n.m = &extent{part: part{nodes: before - b.nodes, peak: before - b.nodes}} // see measureText
		} else {
			n.measureLeaf()
		}
		return n
	}
	n.measure(context{p: p})
	return n
}

// skip passes over one value.
func (b *jsonBuilder) skip() {
	if c := b.text[b.pos]; c != '{' && c != '[' {
		b.pos += scalarLength(b.text[b.pos:])
		return
	}
	for depth := 0; ; {
		switch b.text[b.pos] {
		case '"':
			b.pos += stringLength(b.text[b.pos:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		b.pos++
		if depth == 0 {
			return
		}
	}
}

// object reads an object. It returns nil if two names are the same or one says nothing.
func (b *jsonBuilder) object(p place) *node {
	kids := []kid{}
	for b.pos++; b.text[b.pos] != '}'; {
		if b.text[b.pos] == ',' {
			b.pos++
		}
		key, spelling, ok := b.name()
		if !ok {
			return nil
		}
		n := b.value(p.child(key).inner())
		if b.nodes < 0 {
			return nil
		}
		if spelling != nil {
			n.name = spelling
		}
		kids = append(kids, kid{key, n})
	}
	b.pos++
	return newContainer(mapping, kids)
}

// name reads a member's name and the colon. The spelling is nil if it is the name itself.
func (b *jsonBuilder) name() (key string, spelling []byte, ok bool) {
	l := stringLength(b.text[b.pos:])
	inside := b.text[b.pos+1 : b.pos+l-1 : b.pos+l-1]
	b.pos += l + 1
	s, ok := unquote(inside)
	if len(s) != len(inside) || !ok {
		spelling = inside
	}
	return string(s), spelling, ok
}

// array reads an array. It returns nil if it has not the shape of its kind.
func (b *jsonBuilder) array(p place, kind Kind) *node {
	kids := []kid{}
	elem := p.child("").inner()
	for b.pos++; b.text[b.pos] != ']'; {
		if b.text[b.pos] == ',' {
			b.pos++
		}
		n := b.value(elem)
		if b.nodes < 0 {
			return nil
		}
		k := kid{n: n}
		switch kind {
		case List:
			var ok bool
			if k.key, ok = itemKey(n, p); !ok {
				return nil
			}
		case Set:
			if c := n.raw[0]; c == '{' || c == '[' {
				return nil
			}
			k.key = string(n.raw)
		}
		kids = append(kids, k)
	}
	b.pos++
	switch kind {
	case List:
		return newContainer(list, kids)
	case Set:
		return newContainer(set, kids)
	}
	return newContainer(sequence, kids)
}

// appendJSON appends the compact text of n.
func (n *node) appendJSON(b []byte) []byte {
	kids := n.list()
	switch n.kind {
	case leaf:
		return append(b, n.raw...)
	case mapping:
		b = append(b, '{')
		for i := range kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			if k := &kids[i]; k.n.name != nil {
				b = append(b, k.n.name...)
			} else {
				b = appendEscaped(b, k.key)
			}
			b = append(b, '"', ':')
			b = kids[i].n.appendJSON(b)
		}
		return append(b, '}')
	}
	b = append(b, '[')
	for i := range kids {
		if i > 0 {
			b = append(b, ',')
		}
		b = kids[i].n.appendJSON(b)
	}
	return append(b, ']')
}

// appendEscaped appends the shortest spelling of a name. One with escapes is
// rarely spelled here: its member's assignments bring their author's spelling.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return b
}
