package commit

import (
	"maps"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// TestOutcomes: what becomes of concurrent writes is counted at each node that
// receives them, and again when its log is replayed.
func TestOutcomes(t *testing.T) {
	p := founder(t)
	q := open(t, memstore.New(), p.cfg.Mesh, "second")
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	const object = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"uid":"1"}}`
	put(t, p, "merged", `{"a":1,"b":1}`)
	put(t, p, "text", "some text")
	put(t, p, "unmet", "value")
	put(t, p, "object", object)
	settle(t, p)
	deliver(t, p, q)
	<-q.ReadyCh()
	put(t, p, "merged", `{"a":2,"b":1}`)
	put(t, q, "merged", `{"a":1,"b":2}`)
	put(t, p, "text", "here")
	put(t, q, "text", "there")
	put(t, p, "made", "here")
	put(t, q, "made", "there")
	put(t, q, "unmet", "kept")
	put(t, q, "object", object[:len(object)-1]+`,"data":{"a":"b"}}`)
	put(t, q, "other", "only there")
	for _, key := range []string{"unmet", "object"} {
		if _, err := p.Submit(t.Context(), &pb.DeleteRangeRequest{Key: []byte(key)}); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, p)
	settle(t, q)
	if got := sum(p.View().Outcomes()); got != 0 {
		t.Errorf("%d outcomes before anything was received", got)
	}
	deliver(t, q, p)
	deliver(t, p, q)
	want := map[string]uint64{"merged": 1, "fell-back": 1, "hidden-life": 1, "ended-life": 1, "delete-unmet": 1}
	for _, n := range []*Pipeline{p, q} {
		if got := n.View().Outcomes(); !maps.Equal(got, want) {
			t.Errorf("outcomes %v, want %v", got, want)
		}
		if got := n.View().Stats().Unsettled; got != 4 { // not the one that is gone
			t.Errorf("%d keys are unsettled", got)
		}
	}
	put(t, p, "merged", `{"a":3,"b":2}`)
	put(t, p, "made", "settled")
	settle(t, p)
	deliver(t, p, q)
	for _, n := range []*Pipeline{p, q} {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		o, err := OpenOffline(n.store, p.cfg.Mesh)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []*mvcc.View{n.View(), o.View()} {
			if got := v.Outcomes(); !maps.Equal(got, want) {
				t.Errorf("outcomes %v once two are settled, want %v", got, want)
			}
			if got := v.Stats().Unsettled; got != 2 || len(v.Unsettled(nil, 10)) != got {
				t.Errorf("%d keys are unsettled once two are settled", got)
			}
		}
	}
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}
