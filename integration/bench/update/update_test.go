package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestUpdate: the command measures on a real link.
func TestUpdate(t *testing.T) {
	if err := run(t.Context(), []string{"-rounds", "0"}, io.Discard); err == nil {
		t.Error("no rounds are no error")
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-rounds", "2", "-encoding", "json"}, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, &out)
	}
	for _, want := range []string{"json", "patch: sent"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
}
