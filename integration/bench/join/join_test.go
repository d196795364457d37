package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestJoin: the command makes a mesh, and a fresh node that is killed on its
// way takes all of it in.
func TestJoin(t *testing.T) {
	if err := run(t.Context(), []string{"-authors", "0"}, io.Discard); err == nil {
		t.Error("no authors are no error")
	}
	args := []string{"-ops", "2000", "-cuts", "1", "-seed", "3", "-data", t.TempDir()}
	var out bytes.Buffer
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, &out)
	}
	for _, want := range []string{"made a mesh", "joined in", "1 cuts", "sent twice"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
}
