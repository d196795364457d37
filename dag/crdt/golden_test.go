package crdt

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update writes the golden vectors anew, after a deliberate change of the
// rules: go test ./dag/crdt -run Golden -update
var update = flag.Bool("update", false, "write the golden vectors anew")

// A vector is a scenario with the bytes that every node must agree on: the
// schema, each edit's patch (empty where it is a replace) and the value of all.
type vector struct {
	Name    string   `json:"name"`
	Schema  string   `json:"schema"` // hex
	ID      string   `json:"id"`     // hex
	Base    string   `json:"base"`
	Edits   []string `json:"edits"`
	Patches []string `json:"patches"` // hex
	Value   string   `json:"value"`
}

// TestGolden holds the encodings of format version 1 and what they mean.
func TestGolden(t *testing.T) {
	var got []vector
	for _, s := range scenarios {
		id := s.schema.ID()
		v := vector{Name: s.name, Schema: hex.EncodeToString(s.schema.Encoding()), ID: hex.EncodeToString(id[:]), Base: s.base, Edits: s.edits}
		for _, e := range s.edits {
			p, ok := Diff(Parse([]byte(s.base), s.schema), Parse([]byte(e), s.schema))
			if !ok {
				p = &Patch{}
			}
			v.Patches = append(v.Patches, hex.EncodeToString(p.Encoding()))
		}
		v.Value = string(concurrently(s.schema, s.base, s.edits).Value().Tree.Value())
		got = append(got, v)
	}
	if *update {
		b, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(b, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := goldenVectors(t)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the golden vectors differ (-want +got):\n%s", diff)
	}
	for _, v := range want {
		schema := schemaOf(t, v)
		for i, p := range v.Patches {
			if p == "" {
				continue
			}
			patch, err := DecodePatch(unhex(t, p))
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			made, err := Apply(Parse([]byte(v.Base), schema), patch)
			if err != nil || string(made.Value()) != v.Edits[i] {
				t.Errorf("%s: edit %d makes %q, %v; want %q", v.Name, i, made.Value(), err, v.Edits[i])
			}
		}
	}
}

const vectorFile = "testdata/merges.json"

// goldenVectors reads the vectors.
func goldenVectors(t testing.TB) (v []vector) {
	t.Helper()
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func schemaOf(t testing.TB, v vector) *Schema {
	t.Helper()
	if v.Schema == "" {
		return nil
	}
	s, err := DecodeSchema(unhex(t, v.Schema))
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	return s
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
