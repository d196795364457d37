package crdt

import "slices"

// A splice is one change of chunks: at a child, and behind it.
type splice struct {
	at    int // -1: in front
	sets  bool
	n     *node // if sets: nil removes the child
	after []kid // new ones
}

// A splicer collects the splices of one patch.
type splicer map[int]*splice

func (s splicer) at(i int) *splice {
	p := s[i]
	if p == nil {
		p = &splice{at: i}
		s[i] = p
	}
	return p
}

// set makes n of the i-th child, or removes it.
func (s splicer) set(i int, n *node) {
	p := s.at(i)
	p.sets, p.n = true, n
}

// insert puts kids behind the i-th child, and behind what was put there before.
func (s splicer) insert(i int, kids ...kid) {
	p := s.at(i)
	p.after = append(p.after, kids...)
}

// list returns the splices in order.
func (s splicer) list() []splice {
	list := make([]splice, 0, len(s))
	for _, p := range s {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b splice) int { return a.at - b.at })
	return list
}

// edited returns the children after splices, which ascend by at.
func (cs chunks) edited(splices []splice, in kind, c context) chunks {
	out := make(chunks, 0, len(cs)+1)
	var pending []kid // changed, not cut yet
	flush := func() {
		if last := len(out) - 1; last >= 0 && len(pending) > 0 && len(out[last].kids)+len(pending) <= chunkMax {
			pending = append(slices.Clip(out[last].kids), pending...)
			out = out[:last]
		}
		out, pending = out.appendChunks(pending, in, c), nil
	}
	if len(splices) > 0 && splices[0].at < 0 {
		pending = append(pending, splices[0].after...)
		splices = splices[1:]
	}
	from := 0
	for _, k := range cs {
		to := from + len(k.kids)
		switch {
		case len(splices) > 0 && splices[0].at < to:
			pending = slices.Grow(pending, len(k.kids)+1)
			for i := range k.kids {
				if len(splices) == 0 || splices[0].at != from+i {
					pending = append(pending, k.kids[i])
					continue
				}
				s := &splices[0]
				splices = splices[1:]
				if !s.sets {
					pending = append(pending, k.kids[i])
				} else if s.n != nil {
					pending = append(pending, kid{k.kids[i].key, s.n})
				}
				pending = append(pending, s.after...)
			}
		case len(pending) > 0 && len(pending)+len(k.kids) <= chunkMax:
			pending = append(pending, k.kids...)
		case k.bare:
			flush()
			out = out.appendChunks(k.kids, in, c)
		default:
			flush()
			out = append(out, k)
		}
		from = to
	}
	flush()
	return out
}
