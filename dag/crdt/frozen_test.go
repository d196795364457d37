package crdt

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// TestFrozen holds the golden vectors of format version 1 to their hashes: what
// changes one of them is another format. New vectors go into new files.
func TestFrozen(t *testing.T) {
	for name, want := range map[string]string{
		"merges.json": "afd7307c3a2d48412774cca886ae8a4e760ec0fdc2e402476ae0aa64d1f86531",
	} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has the hash %x, want %s: the format is frozen (docs/op.md)", name, sum, want)
		}
	}
}
