package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden vectors in testdata")

// hexBytes are bytes that JSON holds in hex.
type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// golden compares what the test generated with testdata/name, or with -update
// writes it there. It returns what the file holds.
func golden[T any](t testing.TB, name string, generated []T) []T {
	t.Helper()
	path := filepath.Join("testdata", name)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(generated); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs from what the code makes; if the format was meant to change, run with -update", path)
	}
	var held []T
	if err := json.Unmarshal(want, &held); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return held
}

// testKey returns a fixed key, one for each name.
func testKey(name string) *PrivateKey {
	var seed [32]byte
	copy(seed[:], name)
	return NewKeyFromSeed(seed)
}
