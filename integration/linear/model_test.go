package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// TestModel checks histories of a few operations, which the model must accept or refuse.
func TestModel(t *testing.T) {
	type ops = []porcupine.Operation
	// at places an operation in time.
	at := func(call, finish int64, in input, out output) porcupine.Operation {
		in.key = "k"
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: finish}
	}
	wrote := func(value string) input { return input{action: put, value: value} }
	done := func(rev int64) output { return output{revision: rev, done: true} }
	saw := func(value string, mod, rev int64) output { return output{value: value, mod: mod, revision: rev} }
	read, gone := input{action: get}, input{action: remove}
	for name, c := range map[string]struct {
		history ops
		want    bool
	}{
		"a read sees the write before it": {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, read, saw("a", 2, 2))}, true},
		"a stale read":                    {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, read, saw("", 0, 2))}, false},
		"either order of two at a time":   {ops{at(1, 9, wrote("a"), done(2)), at(2, 8, read, saw("", 0, 1)), at(3, 7, read, saw("a", 2, 2))}, true},
		"a value seen and gone again":     {ops{at(1, 9, wrote("a"), done(2)), at(2, 3, read, saw("a", 2, 2)), at(4, 5, read, saw("", 0, 2))}, false},
		"an acknowledged write is lost":   {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, wrote("b"), done(3)), at(5, 6, read, saw("a", 2, 3))}, false},
		"a revision used again":           {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, wrote("b"), done(2))}, false},
		"a header from before":            {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, read, saw("a", 2, 1))}, false},
		"two swaps of one revision": {ops{at(1, 2, wrote("a"), done(2)),
			at(3, 9, input{action: swap, value: "b", expect: 2}, done(3)), at(4, 8, input{action: swap, value: "c", expect: 2}, done(4))}, false},
		"a swap that fails for no reason": {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, input{action: swap, value: "b", expect: 2}, saw("a", 2, 2))}, false},
		"a swap that fails after a merge": {ops{at(1, 2, wrote("a"), done(2)), at(0, 9, wrote("merged"), done(3)),
			at(3, 4, input{action: swap, value: "b", expect: 2}, saw("merged", 3, 3))}, true},
		"created once after a delete": {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, gone, done(3)), at(5, 6, input{action: swap, value: "b"}, done(4)),
			at(7, 8, gone, done(5)), at(9, 10, gone, output{revision: 5})}, true},
		"a delete of nothing": {ops{at(1, 2, gone, done(2))}, false},
		"a delete undone":     {ops{at(1, 2, wrote("a"), done(2)), at(3, 4, gone, done(3)), at(5, 6, read, saw("a", 2, 3))}, false},
	} {
		chain(c.history)
		if got := porcupine.CheckOperations(model, c.history); got != c.want {
			t.Errorf("%s: linearizable = %v, want %v", name, got, c.want)
		}
	}
}
