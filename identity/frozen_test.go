package identity

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
		"edgecases.json":          "8f3bf3783ca5bcefacc1389d8408520e3af9207dfe9178c0b639083d8dd37aba",
		"keys.json":               "8f33ae35537520c13fcaa5f8bd7ea869197ea18bab0f7fdce0af06636042837e",
		"statement_refusals.json": "3683685f5e3f4926a3eb122a3ed29d1306254bf289704f58843855f3e5fcde8c",
		"statements.json":         "cb84a888939472f652c72bbac36eae41be20c21450c224d8eb2024c733472eed",
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
