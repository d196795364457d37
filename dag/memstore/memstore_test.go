package memstore_test

import (
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/dag/storetest"
)

func place(testing.TB) storetest.Open {
	m := new(memstore.Medium)
	return func() (dag.Store, error) { return m.Open() }
}

func TestStore(t *testing.T) { storetest.Run(t, place) }

func TestModel(t *testing.T) { storetest.RunModel(t, place) }

func TestLocked(t *testing.T) {
	var m memstore.Medium
	s, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(); !errors.Is(err, memstore.ErrLocked) {
		t.Errorf("second Open = %v, want ErrLocked", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(); err != nil {
		t.Errorf("Open after Close = %v", err)
	}
}

func TestPowerLoss(t *testing.T) {
	var m memstore.Medium
	s, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	append1 := func(op byte, sync bool) {
		t.Helper()
		if _, err := s.Append([]dag.Record{{Payload: []byte{op}, Ops: []dag.ID{{op}}}}, sync); err != nil {
			t.Fatal(err)
		}
	}
	append1(1, true)
	append1(2, false)
	append1(3, false)
	m.PowerLoss(1)
	if _, err := s.Read(1); !errors.Is(err, dag.ErrFailed) {
		t.Errorf("Read after the loss = %v, want ErrFailed", err)
	}
	if s, err = m.Open(); err != nil {
		t.Fatal(err)
	}
	if got := s.Last(); got != 2 {
		t.Errorf("Last = %d, want 2", got)
	}
	if _, ok, _ := s.Lookup(dag.ID{3}); ok {
		t.Error("Lookup finds an op of a lost record")
	}
	append1(4, true)
	if i, ok, _ := s.Lookup(dag.ID{4}); !ok || i != 3 {
		t.Errorf("Lookup = %d, %v, want 3", i, ok)
	}
}

func TestFail(t *testing.T) {
	s := memstore.New()
	broken := errors.New("broken")
	s.Fail(broken)
	if _, err := s.Append(nil, true); !errors.Is(err, dag.ErrFailed) || !errors.Is(err, broken) {
		t.Errorf("Append = %v, want ErrFailed and the cause", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
