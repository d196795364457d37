package admin_test

import (
	"errors"
	"testing"

	"github.com/causeway-sync/causeway/node/admin"
)

// TestKeys: what is asked about keys, of any bytes, reaches the node, and its answers come back.
func TestKeys(t *testing.T) {
	n := newFakeNode()
	c := serve(t, t.TempDir(), n)
	ctx := t.Context()
	key := []byte("k/\x00\xff?&")
	if v, err := c.Value(ctx, key); err != nil || string(v.Key) != string(key) || string(v.Value) != "v\x00" || v.ModRevision != 7 {
		t.Errorf("Value = %+v, %v", v, err)
	}
	for limit, want := range map[int]int{0: admin.MaxKeyWrites, 1: 1, admin.MaxKeyWrites: admin.MaxKeyWrites} {
		if h, err := c.History(ctx, key, limit); err != nil || len(h.Writes) != want || !h.All || string(h.Key) != string(key) {
			t.Errorf("History of %d = %d writes, %v", limit, len(h.Writes), err)
		}
		if b, err := c.Blame(ctx, key, limit); err != nil || len(b.Places) != want || string(b.Key) != string(key) {
			t.Errorf("Blame of %d = %d places, %v", limit, len(b.Places), err)
		}
	}
	for _, from := range []string{"", "k\xff"} {
		p, err := c.Conflicts(ctx, []byte(from), 0)
		if err != nil || len(p.Keys) != 1 || string(p.Keys[0].Key) != "from "+from || len(p.Next) != 1 || p.Next[0] != admin.MaxConflictKeys {
			t.Errorf("Conflicts from %q = %+v, %v", from, p, err)
		}
	}
	for _, limit := range []int{-1, admin.MaxKeyWrites + 1} {
		if _, err := c.History(ctx, key, limit); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("History of %d = %v", limit, err)
		}
	}
	if _, err := c.Value(ctx, nil); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("Value of no key = %v", err)
	}
	n.err = admin.ErrNotFound
	if _, err := c.Blame(ctx, key, 1); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("Blame of what is not there = %v", err)
	}
}
