package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestMesh: the command measures both loads of a small mesh.
func TestMesh(t *testing.T) {
	if err := run(t.Context(), []string{"-nodes", "1"}, io.Discard); err == nil {
		t.Error("one node is no error")
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-nodes", "2", "-clients", "20", "-duration", "2s"}, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, &out)
	}
	for _, want := range []string{"idle:", "1 clients:", "20 clients:", "verifying signatures"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
}

// TestPartOf: a stack counts for the first part of which it has a function.
func TestPartOf(t *testing.T) {
	for _, c := range []struct {
		want  string
		stack []string
	}{
		{"verifying signatures", []string{"filippo.io/edwards25519.(*Point).Add", "github.com/causeway-sync/causeway/identity.(*Batch).Verify", "github.com/causeway-sync/causeway/node/p2p.(*intake).loop"}},
		{"the log", []string{"syscall.Syscall", "github.com/syndtr/goleveldb/leveldb.(*DB).Write", "github.com/causeway-sync/causeway/dag/leveldb.(*Store).Append", "github.com/causeway-sync/causeway/node/commit.(*Pipeline).flush"}},
		{"clients", []string{"google.golang.org/grpc.(*Server).handleStream"}},
		{"the scheduler, else", []string{"runtime.findRunnable"}},
	} {
		if got := parts[partOf(c.stack)].name; got != c.want {
			t.Errorf("partOf(%v) = %s, want %s", c.stack, got, c.want)
		}
	}
}
