// Command merge says what becomes of Kubernetes objects that were edited at
// several sites which did not see each other (docs/kubernetes-merge.md). It
// reads requests from standard input, one JSON object a line, and answers each
// with a line. The tests in integration/kubernetes drive it: they validate
// merges with the code of Kubernetes, whose dependencies are not those of this module.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// A request is a stored value of a built-in kind, and what each site makes of it.
type request struct {
	Base  []byte   `json:"base"`
	Edits [][]byte `json:"edits"`
}

// An answer is the value at all sites once they see each other, or why there is none.
type answer struct {
	Value []byte `json:"value,omitempty"`
	// Merged is false if the value is one of the edits, whole.
	Merged    bool   `json:"merged"`
	Conflicts int    `json:"conflicts"`
	Error     string `json:"error,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "merge:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := merge(r)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

// merge lets each site write its edit on top of the base alone.
func merge(r request) (answer, error) {
	schema, ok := kube.SchemaFor(r.Base)
	if !ok {
		return answer{}, errors.New("no schema for the base")
	}
	base := crdt.Parse(r.Base, schema)
	if base.Opaque() {
		return answer{}, errors.New("the base is opaque")
	}
	h := crdt.NewHistory()
	created := crdt.Position{Depth: 1}
	h.Add(crdt.Write{Position: created, Incarnation: created, Value: r.Base, Schema: schema}, nil)
	for i, edit := range r.Edits {
		p, ok := crdt.Diff(base, crdt.Parse(edit, schema))
		if !ok {
			return answer{}, fmt.Errorf("edit %d is no patch of the base", i)
		}
		w := crdt.Write{Position: crdt.Position{Depth: 2, Op: [32]byte{byte(i)}}, Incarnation: created, Kind: crdt.Patched, Patch: p}
		h.Add(w, func(i int) bool { return i == 0 })
	}
	merged := h.Value()
	return answer{Value: merged.Tree.Value(), Merged: merged.Merged, Conflicts: len(h.Conflicts())}, nil
}
