package main

import (
	"math/rand/v2"

	"github.com/causeway-sync/causeway/dag"
)

// A pair is two nodes before a reconciliation, and what they know of each other.
type pair struct {
	a, b   *node
	anchor []*dag.Op // the heads of both when they met last
	memory memories
}

// newPair returns two nodes that hold the founding ops.
func (m *mesh) newPair() (*pair, error) {
	p := new(pair)
	var err error
	if p.a, err = m.newNode(); err == nil {
		p.b, err = m.newNode()
	}
	return p, err
}

// meet reconciles the two and makes that the last time they met.
func (p *pair) meet() error {
	if _, err := reconcileOurs(p.a, p.b, &p.memory); err != nil {
		return err
	}
	p.anchor = p.a.graph.Heads()
	return nil
}

// clone returns the same pair again, to reconcile it in another way.
func (p *pair) clone() (*pair, error) {
	c, err := p.a.mesh.newPair()
	if err != nil {
		return nil, err
	}
	for _, nodes := range [][2]*node{{p.a, c.a}, {p.b, c.b}} {
		for _, op := range nodes[0].graph.Since(nodes[1].graph.Heads()) {
			if err := nodes[0].give(op, nodes[1]); err != nil {
				return nil, err
			}
		}
	}
	for _, op := range p.anchor {
		if own, ok := c.a.graph.Get(op.ID()); ok {
			c.anchor = append(c.anchor, own)
		}
	}
	c.memory = p.memory
	return c, nil
}

// chains is the paper's scenario: n common ops in a chain, after which the two
// reconciled, and then another chain of n at each.
func chains(m *mesh, _ *rand.Rand, n int) (*pair, error) {
	p, err := m.newPair()
	if err != nil {
		return nil, err
	}
	for range n {
		if _, err := p.a.write(0); err != nil {
			return nil, err
		}
	}
	if err := p.meet(); err != nil {
		return nil, err
	}
	for range n {
		if _, err := p.a.write(0); err != nil {
			return nil, err
		}
		if _, err := p.b.write(1); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// How the forking author of [forkers] goes about it.
const (
	forkNew    = iota // its first op since the two met differs: neither knows of it
	forkLater         // they have some of its ops since they met in common, got from others, and then it differs
	forkKnown         // it forked before, and both know
	forkOneWay        // it continues its chain towards one, and forks an older op of it towards the other, who so knows
)

// forkers is the paper's scenario, but that one op in ten, at random, is of an
// author who forks: the ops that the one node gets of it are not those that the other
// gets. How many each gets differs too.
func forkers(how int) func(m *mesh, rng *rand.Rand, n int) (*pair, error) {
	const forker = 2
	return func(m *mesh, rng *rand.Rand, n int) (*pair, error) {
		p, err := m.newPair()
		if err != nil {
			return nil, err
		}
		// last is the forker's last op at each node, older one that both hold.
		var last [2]*dag.Op
		var common []*dag.Op
		write := func(to *node, side, author int) error {
			if rng.IntN(10) > 0 {
				_, err := to.write(author)
				return err
			}
			on := []*dag.Op{to.graph.Founding()}
			if last[side] != nil {
				on[0], _ = to.graph.Get(last[side].ID())
				last[side] = on[0]
			}
			last[side], err = to.writeOn(forker, last[side], on)
			return err
		}
		for range n {
			if err := write(p.a, 0, 0); err != nil {
				return nil, err
			}
			if last[0] != nil {
				common = append(common, last[0])
			}
		}
		last[1] = last[0]
		if how == forkKnown && len(common) > 0 {
			// Another branch of some length from the same op.
			last[1] = common[rng.IntN(len(common))]
			for range 1 + rng.IntN(3) {
				if last[1], err = p.a.writeOn(forker, last[1], []*dag.Op{last[1]}); err != nil {
					return nil, err
				}
			}
		}
		if err := p.meet(); err != nil {
			return nil, err
		}
		if how == forkLater {
			// A third node's ops, which both have by other ways: they are since the anchor.
			for range rng.IntN(1 + n/10) {
				on := []*dag.Op{p.a.graph.Founding()}
				if last[0] != nil {
					on[0] = last[0]
				}
				if last[0], err = p.a.writeOn(forker, last[0], on); err != nil {
					return nil, err
				}
				if err := p.a.give(last[0], p.b); err != nil {
					return nil, err
				}
			}
			last[1] = last[0]
		}
		if how == forkOneWay && len(common) > 0 {
			last[1] = common[rng.IntN(len(common))]
		}
		for range n {
			if err := write(p.a, 0, 0); err != nil {
				return nil, err
			}
			if err := write(p.b, 1, 1); err != nil {
				return nil, err
			}
		}
		return p, nil
	}
}

// thirdParties: four authors, n ops of theirs that both nodes got from others
// since they met last, and ten more of which each node has five.
func thirdParties(m *mesh, rng *rand.Rand, n int) (*pair, error) {
	p, err := m.newPair()
	if err != nil {
		return nil, err
	}
	for author := range 4 {
		if _, err := p.a.write(author); err != nil {
			return nil, err
		}
	}
	if err := p.meet(); err != nil {
		return nil, err
	}
	for range n {
		op, err := p.a.write(rng.IntN(4))
		if err != nil {
			return nil, err
		}
		if err := p.a.give(op, p.b); err != nil {
			return nil, err
		}
	}
	for i := range 5 {
		if _, err := p.a.write(i % 2); err != nil {
			return nil, err
		}
		if _, err := p.b.write(2 + i%2); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// strangers: two nodes that never met hold the same ops of n authors, but for
// one each of a hundredth of the authors, of which each node has half.
func strangers(m *mesh, rng *rand.Rand, n int) (*pair, error) {
	const each = 3
	p, err := m.newPair()
	if err != nil {
		return nil, err
	}
	for range each {
		for author := range n {
			if author == 0 {
				continue // it wrote the founding ops
			}
			var prev *dag.Op
			parents := []*dag.Op{p.a.graph.Heads()[0]}
			if tips := p.a.graph.Tips(m.keys[author].Public()); len(tips) > 0 {
				prev = tips[0]
			}
			op, err := p.a.writeOn(author, prev, parents)
			if err != nil {
				return nil, err
			}
			if err := p.a.give(op, p.b); err != nil {
				return nil, err
			}
		}
	}
	for i, author := range rng.Perm(n - 1)[:n/100] {
		to := []*node{p.a, p.b}[i%2]
		if _, err := to.write(1 + author); err != nil {
			return nil, err
		}
	}
	return p, nil
}
