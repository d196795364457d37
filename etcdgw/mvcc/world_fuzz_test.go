package mvcc

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/causeway-sync/causeway/dag/dagtest"
)

// FuzzWorld is [TestWorlds] for as long as one likes: the view, with its fast
// paths, beside the definition.
func FuzzWorld(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint8(30))
	f.Add(uint64(2), uint64(1), uint8(60))
	f.Fuzz(func(t *testing.T, seed, order uint64, ops uint8) {
		w := dagtest.Grow(t, seed, int(ops))
		checkWorld(t, w, rand.New(rand.NewPCG(seed, order)), fmt.Sprintf("world %d of %d ops, order %d", seed, ops, order))
	})
}
