package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestRun: two sites give a ConfigMap a member each; a line that cannot be merged has an error.
func TestRun(t *testing.T) {
	value := func(data string) []byte {
		return []byte(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"m","uid":"1"},"data":{` + data + `}}` + "\n")
	}
	var in, out strings.Builder
	for _, r := range []request{
		{Base: value(`"a":"1"`), Edits: [][]byte{value(`"a":"1","b":"2"`), value(`"a":"3"`)}},
		{Base: []byte("no object")},
	} {
		if err := json.NewEncoder(&in).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(strings.NewReader(in.String()), &out); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(out.String()))
	var merged, refused answer
	if err := d.Decode(&merged); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(&refused); err != nil {
		t.Fatal(err)
	}
	if want := string(value(`"a":"3","b":"2"`)); !merged.Merged || string(merged.Value) != want {
		t.Errorf("merged = %+v (%s), want %s", merged, merged.Value, want)
	}
	if refused.Error == "" || refused.Value != nil {
		t.Errorf("%+v for what is no object, want an error", refused)
	}
}
