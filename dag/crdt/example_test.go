package crdt_test

import (
	"fmt"
	"strings"

	"github.com/causeway-sync/causeway/dag/crdt"
)

// deployment says how a small Deployment merges: containers are known by
// their name, labels are a map.
var deployment, _ = crdt.NewSchema(crdt.JSON, nil, []crdt.Type{
	{Kind: crdt.Record, Fields: []crdt.Field{{Name: "containers", Type: 3}, {Name: "labels", Type: 2}}},
	{Kind: crdt.Map},
	{Kind: crdt.List, Keys: []string{"name"}, Elem: 4},
	{Kind: crdt.Record, Fields: []crdt.Field{{Name: "env", Type: 5}}},
	{Kind: crdt.List, Keys: []string{"name"}, Elem: 6},
	{Kind: crdt.Record},
})

const web = `{"replicas":1,"containers":[{"name":"web","image":"web:1"}]}`

// at names the write of a site; real ones are named by their operations.
func at(depth uint64, site byte) crdt.Position {
	return crdt.Position{Depth: depth, Op: [32]byte{site}}
}

// edit returns the patch that a put of new over web is.
func edit(new string) *crdt.Patch {
	p, ok := crdt.Diff(crdt.Parse([]byte(web), deployment), crdt.Parse([]byte(new), deployment))
	if !ok {
		panic("not a patch")
	}
	return p
}

// sites is a history in which each of the edits saw the creation only.
func sites(edits ...string) *crdt.History {
	h := crdt.NewHistory()
	created := at(1, 0)
	h.Add(crdt.Write{Position: created, Incarnation: created, Kind: crdt.Replace, Value: []byte(web), Schema: deployment}, nil)
	for i, e := range edits {
		w := crdt.Write{Position: at(2, byte('A'+i)), Incarnation: created, Kind: crdt.Patched, Patch: edit(e)}
		h.Add(w, func(earlier int) bool { return earlier == 0 })
	}
	return h
}

// Three sites, cut off from each other, edit one object: one scales it, one
// changes the image, the third adds an env variable and a label.
func ExampleHistory() {
	h := sites(
		`{"replicas":3,"containers":[{"name":"web","image":"web:1"}]}`,
		`{"replicas":1,"containers":[{"name":"web","image":"web:2"}]}`,
		`{"replicas":1,"labels":{"tier":"front"},"containers":[{"name":"web","image":"web:1","env":[{"name":"A","value":"1"}]}]}`,
	)
	r := h.Value()
	fmt.Println(string(r.Tree.Value()))
	fmt.Println(len(h.Conflicts()), "conflicts")
	for _, b := range h.Blame() {
		fmt.Printf("%c %s = %s\n", "-ABC"[max(0, int(b.Writer.Op[0])-'A'+1)], strings.Join(b.Path, "."), b.Value)
	}
	// Output:
	// {"replicas":3,"labels":{"tier":"front"},"containers":[{"name":"web","image":"web:2","env":[{"name":"A","value":"1"}]}]}
	// 0 conflicts
	// A replicas = 3
	// C labels.tier = "front"
	// - containers.["web"].name = "web"
	// B containers.["web"].image = "web:2"
	// C containers.["web"].env.["A"].name = "A"
	// C containers.["web"].env.["A"].value = "1"
}

// Two sites scale one object; a third removes the container that one of them
// changes.
func ExampleHistory_Conflicts() {
	h := sites(
		`{"replicas":3,"containers":[{"name":"web","image":"web:2"}]}`,
		`{"replicas":5,"containers":[{"name":"web","image":"web:1"}]}`,
		`{"replicas":1,"containers":[]}`,
	)
	fmt.Println(string(h.Value().Tree.Value()))
	for _, c := range h.Conflicts() {
		fmt.Printf("%v %s: shows %q of %v, not %q of %v\n", c.Kind, strings.Join(c.Path, "."),
			c.Shown.Value, c.Shown.Writer, c.Lost[0].Value, c.Lost[0].Writer)
	}
	// Output:
	// {"replicas":5,"containers":[]}
	// orphaned containers.["web"].image: shows "" of 0/00000000/0/0, not "\"web:2\"" of 2/41000000/0/0
	// concurrent replicas: shows "5" of 2/42000000/0/0, not "3" of 2/41000000/0/0
}
