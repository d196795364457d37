package dag

// Since returns all ops that are neither in known nor in the past of any op
// of known, in causal order: an op after all its parents. The order is by
// (depth, ID), the same on every node. With no known ops it returns all. The
// slice is the caller's. It takes time in proportion to the result, the number
// of chains and of known ops, not to the size of the graph.
func (g *Graph) Since(known []*Op) []*Op {
	have := pastOf(known)
	g.mu.RLock()
	n, chains := g.beyond(have), make(tails, 0)
	for i, c := range g.chains {
		if tail := c.ops[have.get(uint32(i)):]; len(tail) > 0 {
			chains = append(chains, tail)
		}
	}
	g.mu.RUnlock() // what is appended to a chain from here on is not part of its tail
	return chains.merge(make([]*Op, 0, n))
}

// tails are ends of chains, none empty, each in causal order: a heap by their first op.
type tails [][]*Op

// merge appends the ops of all tails, in causal order, to ops. The tails are used up.
func (h tails) merge(ops []*Op) []*Op {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
	for len(h) > 1 {
		ops = append(ops, h[0][0])
		if h[0] = h[0][1:]; len(h[0]) == 0 {
			h[0], h = h[len(h)-1], h[:len(h)-1]
		}
		h.sink(0)
	}
	if len(h) == 1 {
		ops = append(ops, h[0]...)
	}
	return ops
}

// sink moves the tail at i to where its first op is not after that of its children.
func (h tails) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if compareOps(h[child][0], h[least][0]) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// CountSince returns how many ops [Graph.Since] would return, in time in
// proportion to the number of chains and of known ops.
func (g *Graph) CountSince(known []*Op) int {
	have := pastOf(known)
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.beyond(have)
}

// pastOf counts the ops that are in known or in the past of any op of known.
func pastOf(known []*Op) *clock {
	var have *clock
	for _, o := range known {
		if have.get(o.chain) <= o.pos { // else its past is there too
			have = union(have, o.past).raise(o.chain, o.pos+1)
		}
	}
	return have
}

// beyond returns how many ops of the graph a clock does not count. The caller
// holds the lock.
func (g *Graph) beyond(have *clock) (n int) {
	for i, c := range g.chains {
		n += len(c.ops) - int(have.get(uint32(i)))
	}
	return n
}
