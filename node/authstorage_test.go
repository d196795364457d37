package node

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
)

var errCut = errors.New("the power is cut")

// cutStore fails every write from the one numbered left on.
type cutStore struct {
	metaStore
	left int
}

func (s *cutStore) PutMeta(name string, v []byte) error {
	if s.left--; s.left < 0 {
		return errCut
	}
	return s.metaStore.PutMeta(name, v)
}

// TestAuthStorage checks that states of all sizes follow each other, and that a
// save which is cut off at any write leaves the state before, or the new one.
func TestAuthStorage(t *testing.T) {
	sizes := []int{0, 1, dag.MaxMetaValue - 1, dag.MaxMetaValue, 3*dag.MaxMetaValue + 5, 2 * dag.MaxMetaValue, 100}
	state := func(size int, fill byte) []byte { return bytes.Repeat([]byte{fill}, size) }
	for i, from := range sizes {
		for j, to := range sizes {
			t.Run(fmt.Sprintf("%d to %d bytes", from, to), func(t *testing.T) {
				for cut := 0; ; cut++ {
					store := memstore.New()
					defer store.Close()
					s := authStorage{store}
					if got, err := s.LoadAuth(); got != nil || err != nil {
						t.Fatalf("LoadAuth of nothing = %d bytes, %v", len(got), err)
					}
					before, after := state(from, byte(i)), state(to, 0x80|byte(j))
					for _, b := range [][]byte{state(3*dag.MaxMetaValue, 1), before} {
						if err := s.SaveAuth(b); err != nil {
							t.Fatal(err)
						}
					}
					err := authStorage{&cutStore{store, cut}}.SaveAuth(after)
					got, loadErr := s.LoadAuth()
					if loadErr != nil {
						t.Fatalf("LoadAuth after %d writes = %v", cut, loadErr)
					}
					if !bytes.Equal(got, after) && (err == nil || !bytes.Equal(got, before)) {
						t.Fatalf("after %d writes (%v) LoadAuth = %d bytes, neither the state before nor the new one", cut, err, len(got))
					}
					if err := s.SaveAuth(before); err != nil {
						t.Fatal(err)
					}
					if got, err := s.LoadAuth(); err != nil || !bytes.Equal(got, before) {
						t.Fatalf("LoadAuth after the repair = %d bytes, %v", len(got), err)
					}
					if err == nil && bytes.Equal(got, after) && cut > 12 {
						return
					}
				}
			})
		}
	}
}
