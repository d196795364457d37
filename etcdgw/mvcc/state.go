package mvcc

import (
	"math"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// state is what the replicated writes of a key make of it.
type state struct {
	writer    write        // of the value; zero if the key is absent
	value     []byte       // see bytes
	schema    *crdt.Schema // how the value merges
	tree      *crdt.Tree   // of value and schema, nil if it was not needed
	unsettled bool         // see item
	patches   uint16       // see item
	// link says that a patch of the operation being applied left the value, which
	// nothing was concurrent with: it is 1 and the place of its link in View.received. Else it is 0.
	link int
}

// state returns the state of it.
func (it *item) state() state {
	value, ok := it.replicated()
	if !ok {
		return state{}
	}
	return state{writer: it.front, value: value, schema: it.schema, unsettled: it.unsettled, patches: it.patches}
}

// take makes a tree the value of s.
func (s *state) take(t *crdt.Tree) { s.value, s.schema, s.tree = nil, t.Schema(), t }

// bytes returns the value. That of a tree which was taken is made when it is asked for: of
// what is patched again in the same revision it never is.
func (s *state) bytes() []byte {
	if s.value == nil && s.tree != nil {
		s.value = s.tree.Value()
	}
	return s.value
}

// patched counts a patch that s was made with.
func (s *state) patched() {
	if s.patches < math.MaxUint16 {
		s.patches++
	}
}

// due reports whether the log should hold the whole value of s beside its
// patch: so a walk back reads no more than some of them, and large values are
// not stored for each few bytes of change (docs/view.md, "Patches").
func (s *state) due() bool {
	return int(s.patches) >= max(wholeEvery, len(s.bytes())/wholeBytes)
}
