package mvcc

import (
	"math"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// state is what the replicated writes of a key make of it.
type state struct {
	writer    write // of the value; zero if the key is absent
	value     []byte
	schema    *crdt.Schema // how the value merges
	tree      *crdt.Tree   // of value and schema, nil if it was not needed
	unsettled bool         // see item
	patches   uint16       // see item
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
func (s *state) take(t *crdt.Tree) { s.value, s.schema, s.tree = t.Value(), t.Schema(), t }

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
	return int(s.patches) >= max(wholeEvery, len(s.value)/wholeBytes)
}
