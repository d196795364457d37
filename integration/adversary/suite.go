package adversary

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// A Suite owns what outlives a test, or what a command runs, as a test would:
// where a test would fail, it panics. Use it from one goroutine.
type Suite struct {
	testing.TB // nil: what is not below is not used
	ctx        context.Context
	cleanups   []func()
	failed     bool
}

// NewSuite returns a suite that is to be ended.
func NewSuite() *Suite { return &Suite{ctx: context.Background()} }

// Fails has nodes show the end of their logs when they are cleaned up.
func (s *Suite) Fails() { s.failed = true }

// End runs the cleanups, last first.
func (s *Suite) End() {
	for len(s.cleanups) > 0 {
		f := s.cleanups[len(s.cleanups)-1]
		s.cleanups = s.cleanups[:len(s.cleanups)-1]
		f()
	}
}

// What follows implements [testing.TB].

func (*Suite) Helper()                     {}
func (s *Suite) Context() context.Context  { return s.ctx }
func (s *Suite) Cleanup(f func())          { s.cleanups = append(s.cleanups, f) }
func (s *Suite) Failed() bool              { return s.failed }
func (s *Suite) Logf(f string, a ...any)   { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (s *Suite) Log(a ...any)              { fmt.Fprintln(os.Stderr, a...) }
func (s *Suite) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (s *Suite) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }
func (s *Suite) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (s *Suite) Error(a ...any)            { panic(fmt.Sprint(a...)) }

// TempDir makes a directory that End removes.
func (s *Suite) TempDir() string {
	dir, err := os.MkdirTemp("", "causeway-adversary-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
