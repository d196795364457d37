package rotation

import (
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/verify"
)

// pair returns a founder and a node that joined it, both running.
func pair(t *testing.T) (hub, edge *site) {
	t.Helper()
	hub, edge = newSite(t), newSite(t)
	hub.start()
	edge.join(hub)
	edge.put("before", "before")
	hub.has("before")
	return hub, edge
}

// TestOldCopy restores a node from an old copy of its disk. It notices, rotates
// its key, goes on, and nothing is lost or forked.
func TestOldCopy(t *testing.T) {
	hub, edge := pair(t)
	edge.stop()
	old := copyOf(t, edge)
	edge.start()
	edge.put("later", "later")
	hub.has("later")
	first, err := edge.status()
	if err != nil {
		t.Fatal(err)
	}
	edge.stop() // and its disk is lost

	old.start()
	st := old.rotated(1)
	past := st.Key.Past[0]
	if past.Key != first.Node || past.Cause != "own-key" || past.Shown == nil || st.Node == first.Node || st.Key.Index != 1 {
		t.Errorf("the story is %+v of node %s, want one rotation from %s because of its own operation", st.Key, st.Node, first.Node)
	}
	if st.Revision>>40 == first.Revision>>40 {
		t.Errorf("revision %d is in the window of the lost disk, %d", st.Revision, first.Revision)
	}
	old.put("after", "after")
	hub.has("before", "later", "after")
	old.has("before", "later", "after")
	agree(t, hub, old)
	if st, err := hub.status(); err != nil || st.Forks != 0 {
		t.Errorf("%d forks, %v: an old copy that did not write has forked", st.Forks, err)
	}

	kv, hangUp := old.kv()
	_, err = kv.Range(t.Context(), &pb.RangeRequest{Key: []byte("before"), Revision: first.Revision})
	hangUp()
	if !errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
		t.Errorf("a read at a revision of the lost disk: %v, want ErrCompacted", err)
	}

	// A restart changes nothing.
	old.stop()
	old.start()
	if again := old.rotated(1); again.Node != st.Node {
		t.Errorf("after a restart the node's key is %s, before it was %s", again.Node, st.Node)
	}
	old.put("restarted", "restarted")
	hub.has("restarted")
	old.stop()
	if r, err := verify.Run(t.Context(), old.dir, verify.Options{Closed: true}); err != nil || r.Verdict != verify.Sound {
		t.Errorf("the directory is %+v, %v; want sound", r, err)
	}
}

// TestOldCopyThatWrote restores a node from an old copy of its disk, which
// writes before any peer is in reach: the node has forked, and both branches stay.
func TestOldCopyThatWrote(t *testing.T) {
	hub, edge := pair(t)
	edge.stop()
	old := copyOf(t, edge)
	edge.start()
	edge.put("later", "later")
	hub.has("later")
	edge.stop()
	hub.stop()

	old.start()
	old.put("alone", "alone")
	hub.start()
	st := old.rotated(1)
	if st.Key.Past[0].Cause != "own-key" {
		t.Errorf("the story is %+v", st.Key)
	}
	old.put("after", "after")
	for _, s := range []*site{hub, old} {
		s.has("before", "later", "alone", "after")
	}
	agree(t, hub, old)
	if st, err := hub.status(); err != nil || st.Forks != 1 {
		t.Errorf("%d forks, %v, want 1", st.Forks, err)
	}
}

// TestClones runs two copies of one disk at once. Each notices and rotates.
func TestClones(t *testing.T) {
	hub, one := pair(t)
	one.stop()
	two := copyOf(t, one)
	one.start()
	two.start()
	one.put("one", "one")
	two.put("two", "two")
	goOn := func(s *site) admin.Status {
		return s.becomes("a rotation", func(st admin.Status) bool { return st.Ready && st.Key.State == "writing" && len(st.Key.Past) > 0 })
	}
	a, b := goOn(one), goOn(two)
	if a.Node == b.Node {
		t.Fatalf("both clones have the key %s", a.Node)
	}
	one.put("one again", "one again")
	two.put("two again", "two again")
	for _, s := range []*site{hub, one, two} {
		s.has("before", "one", "two", "one again", "two again")
	}
	agree(t, hub, one, two)
	a, b = goOn(one), goOn(two)
	if a.Key.Index == b.Key.Index || a.Revision>>40 == b.Revision>>40 {
		t.Errorf("indexes %d and %d, revisions %d and %d: want different indexes and windows", a.Key.Index, b.Key.Index, a.Revision, b.Revision)
	}
}

// TestClonesRotateAtOnce lets two clones take the same index, unaware of each
// other. When they meet, each rotates on.
func TestClonesRotateAtOnce(t *testing.T) {
	hub, one := pair(t)
	one.stop()
	two := copyOf(t, one)
	hub.stop()
	for _, s := range []*site{one, two} {
		s.start()
		if _, err := admin.NewClient(s.dir).Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := s.rotated(1); st.Key.Index != 1 || st.Key.Past[0].Cause != "request" {
			t.Errorf("the story is %+v", st.Key)
		}
		s.put("with key 1 of "+s.dir, "x")
		s.stop()
	}
	hub.start()
	one.start()
	two.start()
	a, b := one.becomes("a second rotation", second), two.becomes("a second rotation", second)
	if a.Key.Past[1].Cause != "sibling" || b.Key.Past[1].Cause != "sibling" {
		t.Errorf("the stories are %+v and %+v, want a sibling as the second cause", a.Key, b.Key)
	}
	one.put("one", "one")
	two.put("two", "two")
	for _, s := range []*site{hub, one, two} {
		s.has("before", "one", "two")
	}
	agree(t, hub, one, two)
}

func second(st admin.Status) bool {
	return st.Ready && st.Key.State == "writing" && len(st.Key.Past) > 1
}
