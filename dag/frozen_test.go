package dag_test

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
		"forkproof.json":    "38767a7c6f51e50223a1ce2eb9c8e4e94a5b583bcb19df4fe0f1db210a79c6c7",
		"ops.json":          "703f95c752731d0c40ef8f324db18231bdd54291db6a4b48b80fabbe26cf4263",
		"refusals.json":     "b9c48318188119110bb65310d210176a18d44dc0cdd48767d6f11e82a49da490",
		"transactions.json": "cc2ff5567ac82bd63ceb1f4c72fee3287b321d045a150719b5ff94902db81ef6",
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
