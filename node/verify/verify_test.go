package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/node/verify"
)

// content returns every file of dir with its bytes.
func content(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		files = append(files, fmt.Sprintf("%s %x", p, b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSound: a directory as its node left it is sound, stopped or killed, and
// is not touched.
func TestSound(t *testing.T) {
	s := newSite(t)
	s.fill(20)
	if _, err := verify.Run(t.Context(), s.dir, verify.Options{}); !errors.Is(err, leveldb.ErrLocked) {
		t.Errorf("Run beside the node = %v, want ErrLocked", err)
	}
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	view, graph := s.node.View(), s.node.Graph()
	killed := duplicate(t, s.dir) // the store is not closed yet
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}

	before := content(t, s.dir)
	seen := make(map[verify.Step]bool)
	r := run(t, s.dir, verify.Options{Closed: true, Progress: func(step verify.Step, _, _ uint64) { seen[step] = true }})
	if r.Verdict != verify.Sound || len(r.Findings) != 0 || len(r.Skipped) != 0 || !r.Closed || r.Torn != "" {
		t.Errorf("Run = %+v, want sound and closed", r)
	}
	if !slices.Equal(content(t, s.dir), before) {
		t.Error("the check changed the directory")
	}
	if len(seen) != 7 {
		t.Errorf("progress of %d steps, want 7", len(seen))
	}
	if want := fmt.Sprintf("state:%x", view.StateHash()); r.StateHash != want || r.Keys != view.Stats().Keys || r.Revision != view.Revision() {
		t.Errorf("%s, %d keys, revision %d; the node had %s, %d keys, revision %d", r.StateHash, r.Keys, r.Revision, want, view.Stats().Keys, view.Revision())
	}
	if r.Operations != graph.Len() || r.Forks != len(graph.Forks()) || r.Forks != 1 || *r.Mesh != s.mesh.Founding.ID() {
		t.Errorf("%d operations, %d forks, mesh %v; want %d, 1, %v", r.Operations, r.Forks, r.Mesh, graph.Len(), s.mesh.Founding.ID())
	}

	k := run(t, killed, verify.Options{})
	if k.Verdict != verify.Sound || k.Closed || k.StateHash != r.StateHash {
		t.Errorf("after a kill: %+v, want sound, not closed, the same state", k)
	}
	if k := run(t, killed, verify.Options{Closed: true}); k.Verdict != verify.Damaged {
		t.Errorf("after a kill, but said to be closed: %+v, want damaged", k)
	}

	// A copy without the private keys can be checked by anyone.
	if err := os.Remove(filepath.Join(killed, "node.key")); err != nil {
		t.Fatal(err)
	}
	if k := run(t, killed, verify.Options{}); k.Verdict != verify.Sound || k.StateHash != r.StateHash {
		t.Errorf("without keys: %+v, want sound", k)
	}
}

// TestPrefixes: a log that ends after any of its records, as a kill may leave it,
// is sound. What was answered and not sealed is in the values.
func TestPrefixes(t *testing.T) {
	dir := newDir(t, 4)
	unsealed := 0
	for n := range last(t, dir) {
		cut := rewrite(t, dir, func(i dag.Index, rec dag.Record) []dag.Record {
			if i > n+1 {
				return nil
			}
			return []dag.Record{rec}
		})
		r := run(t, cut, verify.Options{})
		if r.Verdict != verify.Sound || r.Records != uint64(n+1) {
			t.Errorf("the first %d records: %+v", n+1, r)
		}
		unsealed += r.Unsealed
	}
	if unsealed == 0 {
		t.Error("nothing was ever unsealed")
	}
}

// TestNoVerdict: what cannot be checked is an error, not a verdict.
func TestNoVerdict(t *testing.T) {
	dir := t.TempDir()
	if r, err := verify.Run(t.Context(), dir, verify.Options{}); !errors.Is(err, verify.ErrNoNode) || r != nil {
		t.Errorf("Run of an empty directory = %v, %v, want ErrNoNode", r, err)
	}
	if _, err := verify.Run(t.Context(), filepath.Join(dir, "none"), verify.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run of nothing = %v, want ErrNotExist", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := verify.Run(t.Context(), file, verify.Options{}); err == nil {
		t.Error("Run of a file gave no error")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("Run left %v, %v", entries, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := verify.Run(ctx, newDir(t, 1), verify.Options{}); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("Run with a canceled context = %v, %v", r, err)
	}
}
