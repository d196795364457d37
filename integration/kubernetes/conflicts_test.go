package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// checkConflicts compares what `causeway conflicts` lists of a scenario's keys with
// what it expects: both values of what two sites wrote, and nothing else.
func (s *scenario) checkConflicts(t *testing.T, c *cluster, found map[string]harness.Conflicted) {
	t.Helper()
	got, merged := []string{}, false
	for _, key := range s.keys {
		k := found[key]
		merged = merged || k.Merged
		for i := range k.Conflicts {
			got = append(got, s.line(t, &k.Conflicts[i]))
		}
	}
	slices.Sort(got)
	if want := append([]string{}, s.listed...); !slices.Equal(got, want) && !(s.settles && len(got) == 0) {
		t.Errorf("%s: listed are %q, want %q", c.name, got, want)
	}
	if merged != s.merged && !s.settles {
		t.Errorf("%s: merged %v, want %v: %+v", c.name, merged, s.merged, found)
	}
}

// line is a conflict in one line: why, where, and the values that were written there, in their
// order. What is shown must be one of them, of another operator than what is not.
func (s *scenario) line(t *testing.T, x *harness.Conflict) string {
	t.Helper()
	var values []string
	for _, v := range append([]harness.Version{x.Shown}, x.Lost...) {
		switch {
		case v.Deleted:
			values = append(values, "(none)")
		case s.brief != nil:
			values = append(values, s.brief(v.Place.Value))
		default:
			values = append(values, string(v.Place.Value))
		}
		if v.Writer.Operator == "" {
			t.Errorf("nobody wrote %s", v.Place.Value)
		}
	}
	for _, v := range x.Lost {
		if v.Writer == x.Shown.Writer {
			t.Errorf("%s at %s: both values are of %q", x.Kind, x.At(), v.Writer.Operator)
		}
	}
	slices.Sort(values)
	return strings.TrimSpace(fmt.Sprintf("%s %s", x.Kind, x.At())) + ": " + strings.Join(values, ", ")
}

// annotationOf returns a function that tells of an object in JSON one annotation.
func annotationOf(name string) func(json.RawMessage) string {
	return func(value json.RawMessage) string {
		var o struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(value, &o); err != nil {
			return err.Error()
		}
		return o.Metadata.Annotations[name]
	}
}

// dataOf tells the data of a ConfigMap in JSON.
func dataOf(value json.RawMessage) string {
	var m struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(m.Data)), "")
}
