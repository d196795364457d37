package adversary

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/causeway-sync/causeway/integration/harness"
)

var full = flag.Bool("full", false, "run the attacks at their full size")

// size is a small number by default and the large one with -full.
func size(small, large int) int {
	if *full {
		return large
	}
	return small
}

// suite owns the mesh that attacks share: it outlives each test.
type suite struct {
	testing.TB // nil: what is not below is not used
	ctx        context.Context
	cleanups   []func()
	failed     bool
}

var shared = &suite{ctx: context.Background()}

func (*suite) Helper()                     {}
func (s *suite) Context() context.Context  { return s.ctx }
func (s *suite) Cleanup(f func())          { s.cleanups = append(s.cleanups, f) }
func (s *suite) Failed() bool              { return s.failed }
func (s *suite) Logf(f string, a ...any)   { fmt.Printf(f+"\n", a...) }
func (s *suite) Log(a ...any)              { fmt.Println(a...) }
func (s *suite) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (s *suite) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }
func (s *suite) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (s *suite) Error(a ...any)            { panic(fmt.Sprint(a...)) }

func (s *suite) TempDir() string {
	dir, err := os.MkdirTemp("", "causeway-adversary-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// end runs the cleanups, last first.
func (s *suite) end() {
	for len(s.cleanups) > 0 {
		f := s.cleanups[len(s.cleanups)-1]
		s.cleanups = s.cleanups[:len(s.cleanups)-1]
		f()
	}
}

// foundThree makes the mesh of three.
var foundThree = sync.OnceValue(func() *Mesh {
	return New(shared, Config{Name: "three", Sites: 3, Liars: 150, Shared: "/registry/**"})
})

// three returns a mesh of three correct nodes for attacks that leave nothing behind
// which the next one would mind. Each attack takes liars of its own.
func three(t *testing.T) *Mesh {
	t.Cleanup(func() { shared.failed = shared.failed || t.Failed() })
	return foundThree()
}

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Main(m, shared.end)
}
