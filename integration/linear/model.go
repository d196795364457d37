package linear

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"
)

// action is what an operation does to its key.
type action int

const (
	get    action = iota // reads the value
	put                  // writes a value
	remove               // deletes the key
	swap                 // writes a value if the key's mod revision is the one expected, else reads
)

func (a action) String() string { return [...]string{"get", "put", "delete", "cas"}[a] }

// input is an operation's request.
type input struct {
	key    string
	action action
	value  string // of put and swap; no two writes of a run have the same
	expect int64  // of swap: 0 means that the key is absent
}

// register is a key's state: absent if mod is 0.
type register struct {
	value string
	mod   int64
	// last is the revision of the last write, a delete's too; the next one must be greater.
	last int64
}

// output is an operation's answer.
type output struct {
	// revision is the header's; a write that had an effect was made at it.
	revision int64
	// after is the revision of the write to the key before this one, if this is a write that had
	// an effect; see chain.
	after int64
	// done is whether a swap held, and whether a remove found the key.
	done bool
	// value and mod are what was read: by a get, and by a swap that did not hold.
	value string
	mod   int64
}

// model is a register with etcd's revisions for each key.
//
// Every operation is a client's of the node under test, but for the puts of
// another node to the same keys: each is one more put, by a client that nobody
// sees, at the moment of its merge. Two things make that sound.
//
// First, a put of another node takes effect at most once. Only two nodes write,
// and the other one only puts. At its merge the put becomes the visible value
// or loses against a concurrent one of this node and stays hidden; hidden it
// remains until either this node writes the key, which supersedes all, or the
// other one does, which supersedes its own earlier ones. So no put comes back.
//
// Second, which puts took effect, and at which revision, is known from a watch on
// the node under test, from the beginning on, over all its lives: each change
// of a key is an event there. The same holds for the writes of clients that
// were not answered because the node was killed. A write that left no event had no
// effect and is left out; were that wrong, a read would return a value
// that nobody has written.
var model = porcupine.Model{
	Partition: partition,
	Init:      func() any { return register{} },
	Step: func(state, in, out any) (bool, any) {
		ok, next := step(state.(register), in.(input), out.(output))
		return ok, next
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		return fmt.Sprintf("%s(%s, %q, %d) = %+v", i.action, i.key, i.value, i.expect, o)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

func step(s register, in input, out output) (bool, register) {
	reads := out.value == s.value && out.mod == s.mod && out.revision >= s.last
	writes := out.revision > s.last && out.after == s.last
	written := register{in.value, out.revision, out.revision}
	switch in.action {
	case put:
		return writes, written
	case remove:
		if !out.done {
			return s.mod == 0 && out.revision >= s.last, s
		}
		return s.mod != 0 && writes, register{last: out.revision}
	case swap:
		if !out.done {
			return s.mod != in.expect && reads, s
		}
		return s.mod == in.expect && writes, written
	default:
		return reads, s
	}
}

// chain says of each write which one of its key it follows. Writes can only be
// put in the order of their revisions, so this changes no verdict; it spares
// porcupine orders that leave one out and cannot be completed, of which there are very many
// when a hundred merges wait for a node that is down.
func chain(history []porcupine.Operation) {
	writes := map[string][]int{}
	for i, op := range history {
		if op.Output.(output).done {
			key := op.Input.(input).key
			writes[key] = append(writes[key], i)
		}
	}
	for _, indexes := range writes {
		slices.SortFunc(indexes, func(a, b int) int {
			return cmp.Compare(history[a].Output.(output).revision, history[b].Output.(output).revision)
		})
		var last int64
		for _, i := range indexes {
			out := history[i].Output.(output)
			out.after, last = last, out.revision
			history[i].Output = out
		}
	}
}

// partition cuts a history into those of single keys, which are independent.
func partition(history []porcupine.Operation) [][]porcupine.Operation {
	index := map[string]int{}
	var parts [][]porcupine.Operation
	for _, op := range history {
		key := op.Input.(input).key
		i, ok := index[key]
		if !ok {
			i = len(parts)
			index[key] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}
