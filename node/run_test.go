package node

import (
	"context"
	"testing"
)

// TestRunStopped: whoever is told to stop while the node opens, or opens again,
// has not failed.
func TestRunStopped(t *testing.T) {
	dir := t.TempDir()
	if _, err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := Run(stopped, config(dir), nil); err != nil {
		t.Errorf("Run, stopped before it began: %v", err)
	}
	n, err := Open(t.Context(), config(dir))
	if err != nil {
		t.Fatalf("after that the directory does not open: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}
