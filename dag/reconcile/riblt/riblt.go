// Package riblt reconciles two sets of fixed-length items by rateless invertible
// Bloom lookup tables (Yang, Gilad and Alizadeh, "Practical Rateless Set
// Reconciliation", SIGCOMM 2024, arXiv 2402.02668).
//
// A set has an endless sequence of coded symbols; each is the sum (exclusive or)
// of the items that map to it, and of their hashes. Item by item it is the hash that decides
// where an item goes: to symbol i with probability 1/(1+i/2), so that the
// first symbol sums all items and later ones ever fewer. Both sides map an
// item alike, so that the difference of two sequences, symbol by symbol, is the
// sequence of the sets' symmetric difference, whatever the sets. From about
// 1.35 symbols per differing item (more for few: `go test -run Overhead -v`
// prints the table) [Decode] finds all of it. Symbols are never
// wasted: where a prefix is too short, more are added to it.
//
// Unlike the paper's, a symbol has no count: whether it sums a single item is
// told by the hash alone, and which side an item is of by looking it up.
//
// The hash must be keyed so that nobody who makes items can foresee it: else
// items can be made to map alike, and then nothing decodes. What a hostile
// peer sends costs bounded work and gives wrong items at worst.
//
// The package is pure and allocates in proportion to items and symbols.
package riblt

import (
	"errors"
	"math"
)

// ItemSize is the length of an item in bytes.
const ItemSize = 17

// An Item is an element of a set.
type Item [ItemSize]byte

// A Hash is a keyed hash of items. Distinct items should have the same one only by chance.
type Hash func(*Item) uint64

// MaxSymbols bounds a sequence of symbols: enough for about 48,000 differences.
const MaxSymbols = 1 << 16

// A Symbol is the sum of items, and the sum of their hashes.
type Symbol struct {
	Sum  Item
	Hash uint64
}

// Add adds an item of hash h to s, or takes it away again.
func (s *Symbol) Add(item *Item, h uint64) {
	for i, b := range item {
		s.Sum[i] ^= b
	}
	s.Hash ^= h
}

// Subtract takes the symbols b away from a, one by one; they are equally many.
func Subtract(a, b []Symbol) {
	for i := range a {
		a[i].Add(&b[i].Sum, b[i].Hash)
	}
}

// ErrIncomplete says that the symbols are too few to tell the items, or that
// they are not those of a set.
var ErrIncomplete = errors.New("riblt: the symbols do not decode")

// An Encoder makes the symbols of a set, some at a time. The zero value is the
// empty set. It is not safe for concurrent use.
type Encoder struct {
	items []mapped
	n     uint64 // symbols made
}

// mapped is an item and the next symbol it maps to.
type mapped struct {
	item Item
	hash uint64
	mapping
}

// NewEncoder returns an encoder of the set of items, each of which is there once.
func NewEncoder(hash Hash, items []Item) *Encoder {
	e := &Encoder{items: make([]mapped, len(items))}
	for i := range items {
		h := hash(&items[i])
		e.items[i] = mapped{item: items[i], hash: h, mapping: newMapping(h)}
	}
	return e
}

// Next returns the next n symbols of the sequence, of which no more than
// MaxSymbols are ever asked.
func (e *Encoder) Next(n int) []Symbol {
	symbols := make([]Symbol, n)
	first, end := e.n, e.n+uint64(n)
	for i := range e.items {
		m := &e.items[i]
		for m.index < end {
			symbols[m.index-first].Add(&m.item, m.hash)
			m.advance()
		}
	}
	e.n = end
	return symbols
}

// Decode returns the items that symbols sum, in no particular order: of the difference of two sequences
// the items that are in one of the sets only. It changes symbols. The error is ErrIncomplete; no
// items are returned then. Whatever the symbols, it finds no more
// items than there are symbols, and takes time in proportion to that.
func Decode(hash Hash, symbols []Symbol) ([]Item, error) {
	var items []Item
	pure := make([]int, 0, len(symbols)) // to be looked at
	for i := range symbols {
		pure = append(pure, i)
	}
	for len(pure) > 0 {
		i := pure[len(pure)-1]
		pure = pure[:len(pure)-1]
		s := symbols[i]
		if s == (Symbol{}) || hash(&s.Sum) != s.Hash || !maps(s.Hash, uint64(i)) {
			continue
		}
		if len(items) == len(symbols) {
			return nil, ErrIncomplete // no set: it could go on for ever
		}
		items = append(items, s.Sum)
		for m := newMapping(s.Hash); m.index < uint64(len(symbols)); m.advance() {
			symbols[m.index].Add(&s.Sum, s.Hash)
			pure = append(pure, int(m.index))
		}
	}
	for i := range symbols {
		if symbols[i] != (Symbol{}) {
			return nil, ErrIncomplete
		}
	}
	return items, nil
}

// maps reports whether an item of that hash maps to symbol i.
func maps(hash, i uint64) bool {
	m := newMapping(hash)
	for m.index < i {
		m.advance()
	}
	return m.index == i
}

// A mapping is the ascending sequence of symbols that an item maps to, all
// below MaxSymbols that there are.
type mapping struct {
	state uint64 // of splitmix64
	index uint64
}

// newMapping returns the mapping of an item at its first symbol, which is 0 for every item.
func newMapping(hash uint64) mapping { return mapping{state: hash} }

// uniformBits is the width of the uniform random number in advance: with an
// index below MaxSymbols nothing there exceeds 64 bits.
const uniformBits = 30

// advance moves to the next symbol.
//
// Having mapped to i, an item maps to none of i+1 … j with probability
// ∏ (1 - 1/(1+k/2)) = (i+1)(i+2) / ((j+1)(j+2)). So the next index is the least
// j for which a uniform u in (0,1] exceeds that, and in integers, with r = u·2^30,
// the least j with (j+1)(j+2) > ⌊(i+1)(i+2)·2^30 / r⌋. Floating point serves
// as a first guess only, so that every machine maps alike.
func (m *mapping) advance() {
	if m.index >= MaxSymbols {
		m.index = math.MaxUint64
		return
	}
	m.state += 0x9e3779b97f4a7c15
	z := m.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	r := z>>(64-uniformBits) + 1
	q := (m.index + 1) * (m.index + 2) << uniformBits / r
	j := uint64(math.Sqrt(float64(q)))
	for j*(j+1) > q && j > m.index+1 {
		j--
	}
	for (j+1)*(j+2) <= q || j <= m.index {
		j++
	}
	m.index = j
}
