package adversary

import (
	"flag"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/integration/harness"
)

var full = flag.Bool("full", false, "run the attacks at their full size")

func init() {
	flag.BoolVar(&OverQUIC, "quic", false, "nodes listen with QUIC in place of TCP")
}

// size is a small number by default and the large one with -full.
func size(small, large int) int {
	if *full {
		return large
	}
	return small
}

// shared owns the mesh that attacks share.
var shared = NewSuite()

// foundThree makes the mesh of three.
var foundThree = sync.OnceValue(func() *Mesh {
	return New(shared, Config{Name: "three", Sites: 3, Liars: 150, Shared: "/registry/**"})
})

// three returns a mesh of three correct nodes for attacks that leave nothing behind
// which the next one would mind. Each attack takes liars of its own.
func three(t *testing.T) *Mesh {
	t.Cleanup(func() {
		if t.Failed() {
			shared.Fails()
		}
	})
	return foundThree()
}

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Main(m, shared.End)
}
