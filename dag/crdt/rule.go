package crdt

import (
	"bytes"
	"cmp"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// choose returns the leaf that the rule at a slot makes of the live ones,
// least first.
func (st *state) choose(sl *slot, live []*event, c context, v view) *node {
	greatest := live[len(live)-1]
	if len(live) == 1 {
		return greatest.n
	}
	switch c.p.rule() {
	case WriteOnce:
		return live[0].n
	case Max:
		most := greatest
		for _, e := range live {
			if compareLeaves(e.n, most.n) > 0 {
				most = e
			}
		}
		return most.n
	case Counter:
		return st.count(sl, greatest, live, c, v)
	}
	return greatest.n
}

// count returns the greatest leaf plus what all others of the view added to
// what they saw, themselves live or in the past of one that is.
func (st *state) count(sl *slot, greatest *event, live []*event, c context, v view) *node {
	sum, ok := greatest.n.integer()
	if !ok {
		return greatest.n
	}
	writes := make([]int, len(live))
	for i, e := range live {
		writes[i] = e.write
	}
	below := st.l.covered(writes)
	for i := range sl.chains {
		for _, e := range sl.chains[i].events {
			if e.n == nil || !st.l.has(v, e.write) || e.write == greatest.write || st.l.before(e.write, greatest.write) {
				continue
			}
			if e.live == st.query || below(e.write) {
				sum += e.delta
			}
		}
	}
	return greatest.n.withInteger(sum)
}

// compareLeaves compares two leaves as the rule Max does.
func compareLeaves(a, b *node) int {
	x, ok := a.integer()
	y, ok2 := b.integer()
	if ok && ok2 {
		return cmp.Compare(x, y)
	}
	return bytes.Compare(a.raw, b.raw)
}

// integer reads a leaf as an integer of 64 bits: a JSON number in its
// shortest form, or one varint record.
func (n *node) integer() (int64, bool) {
	if n.kind != leaf || len(n.raw) == 0 {
		return 0, false
	}
	if c := n.raw[0]; c == '-' || c >= '0' && c <= '9' {
		if v, err := strconv.ParseInt(string(n.raw), 10, 64); err == nil && strconv.FormatInt(v, 10) == string(n.raw) {
			return v, true
		}
	}
	if r, ok := nextRecord(n.raw); ok && r.typ == protowire.VarintType && len(r.raw) == len(n.raw) {
		_, k := protowire.ConsumeVarint(n.raw)
		u, _ := protowire.ConsumeVarint(n.raw[k:])
		return int64(u), true
	}
	return 0, false
}

// withInteger returns n with another integer in the same form; sums wrap, so
// that the order of adding does not matter.
func (n *node) withInteger(v int64) *node {
	if c := n.raw[0]; c == '-' || c >= '0' && c <= '9' {
		if _, err := strconv.ParseInt(string(n.raw), 10, 64); err == nil {
			return &node{raw: strconv.AppendInt(nil, v, 10), name: n.name}
		}
	}
	_, k := protowire.ConsumeVarint(n.raw)
	return &node{raw: protowire.AppendVarint(append([]byte(nil), n.raw[:k]...), uint64(v)), name: n.name}
}
