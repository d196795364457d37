package commit

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/identity"
)

// keyring is the keys of a node as its files hold them.
type keyring struct{ current, next *identity.PrivateKey }

// openWith opens a pipeline with the keys of k, which a rotation fills.
func (k *keyring) openWith(t *testing.T, store dag.Store, mesh dag.ID) *Pipeline {
	t.Helper()
	p, err := Open(Config{Store: store, Key: k.current, Next: k.next, Mesh: mesh, RotateWait: time.Nanosecond, NextKey: func() (*identity.PrivateKey, error) {
		next, err := identity.GenerateKey(rand.Reader)
		k.next = next
		return next, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// enrolWith enrols a node with an allowance of rotations at p.
func enrolWith(t *testing.T, p *Pipeline, node string, slot, rotations uint64) {
	t.Helper()
	id := founding(p)
	carryOut(t, p, state(t, p, false, identity.Enrol{Slot: slot, Node: key(node).Public(), Rotations: rotations,
		Consent: identity.SignConsent(p.cfg.Mesh, id, slot, key(node))}))
}

// TestAllowanceUsedUp: a node that may rotate once does, and when that key
// writes elsewhere, too, it stays readable and says why.
func TestAllowanceUsedUp(t *testing.T) {
	p := founder(t)
	enrolWith(t, p, "second", 1, 1)
	keys, store := keyring{current: key("second")}, memstore.New()
	q := keys.openWith(t, store, p.cfg.Mesh)
	deliver(t, p, q)
	<-q.ReadyCh()
	put(t, q, "k", "v")
	if next, err := q.Rotate(t.Context()); err != nil || next != keys.next.Public() {
		t.Fatalf("Rotate = %v, %v, want the next key", next, err)
	}
	if err := tryPut(t, q, "k", "w"); err != ErrRotated {
		t.Errorf("a put after the rotation = %v, want ErrRotated", err)
	}
	if s := q.Story(); s.State != StateRotating {
		t.Errorf("the story is %+v", s)
	}
	q.Close()

	if _, err := Open(Config{Store: store, Key: key("second"), Mesh: p.cfg.Mesh}); !errors.Is(err, ErrKey) {
		t.Errorf("Open with the old key alone: %v, want ErrKey", err)
	}
	q = keys.openWith(t, store, p.cfg.Mesh)
	if q.Key() != keys.next.Public() {
		t.Fatal("Open took the old key")
	}
	keys.current, keys.next = keys.next, nil
	put(t, q, "k", "w")
	sealed(t, q)
	deliver(t, q, p)
	if got := get(t, p, "k"); got != "w" {
		t.Errorf("k = %q at the other node, want w", got)
	}
	if _, err := q.Rotate(t.Context()); !errors.Is(err, ErrAllowance) {
		t.Errorf("a second Rotate: %v, want ErrAllowance", err)
	}

	// The new key writes elsewhere, too: another op with the same prev.
	h, _ := p.Graph().Draft(p.Graph().Tips(q.Key())[0], 0, 0)
	stray, err := dag.Sign(h, dag.Body{}, keys.current)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Admit(t.Context(), []*dag.Signed{stray})[0]; err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); q.Story().State != StateStuck; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the story is %+v, want stuck", q.Story())
		}
	}
	if err := tryPut(t, q, "k", "x"); err != ErrSuperseded || get(t, q, "k") != "w" {
		t.Errorf("a put = %v, k = %q; want ErrSuperseded, and w", err, get(t, q, "k"))
	}
	if s := q.Story(); s.Reason == "" || s.Index != 1 || s.Rotations != 1 || s.Greatest != 1 || len(s.Past) != 1 {
		t.Errorf("the story is %+v", s)
	}
	replaysEqual(t, q)
}

// TestRotationFailsBeforeTheAppend: a key that cannot be made durable is named
// by no op, and the node goes on with the old one.
func TestRotationFailsBeforeTheAppend(t *testing.T) {
	store := memstore.New()
	mesh := found(t, store)
	full := errors.New("no space left on device")
	p, err := Open(Config{Store: store, Key: key("founder"), Mesh: mesh, NextKey: func() (*identity.PrivateKey, error) { return nil, full }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ops := p.Graph().Len()
	if _, err := p.Rotate(t.Context()); !errors.Is(err, ErrNoRotation) || !errors.Is(err, full) {
		t.Errorf("Rotate = %v, want ErrNoRotation and why", err)
	}
	if p.Graph().Len() != ops {
		t.Error("an op was made")
	}
	put(t, p, "k", "v")
}

func TestRotationRecord(t *testing.T) {
	for _, want := range []rotationRecord{
		{cause: CauseRequest, key: key("next").Public()},
		{cause: CauseOwnKey, key: key("next").Public(), shown: dag.ID{1}},
		{cause: CauseSibling, key: key("next").Public(), shown: dag.ID{1}},
	} {
		b := want.append(nil)
		if got, err := decodeRotation(b); err != nil || got != want {
			t.Errorf("decodeRotation = %+v, %v, want %+v", got, err, want)
		}
		for n := range b {
			if _, err := decodeRotation(b[:n]); !errors.Is(err, ErrReplay) {
				t.Errorf("decodeRotation of %d bytes of %d = %v, want ErrReplay", n, len(b), err)
			}
		}
		for _, cause := range []byte{0, 4} {
			bad := append([]byte{cause}, b[1:]...)
			if _, err := decodeRotation(bad); !errors.Is(err, ErrReplay) {
				t.Errorf("decodeRotation with cause %d = %v, want ErrReplay", cause, err)
			}
		}
		if _, err := decodeRotation(append(b, 0)); !errors.Is(err, ErrReplay) {
			t.Errorf("decodeRotation with a byte too many = %v, want ErrReplay", err)
		}
	}
}
