package commit

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// TestOfflineKeys cuts a log behind each of its records: what is told of a key
// is what the view shows, and where an answered write is not sealed yet, that.
func TestOfflineKeys(t *testing.T) {
	p := founder(t)
	q := open(t, memstore.New(), p.cfg.Mesh, "second")
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	put(t, p, "k", `{"a":1,"b":1}`)
	settle(t, p)
	deliver(t, p, q)
	<-q.ReadyCh()
	put(t, p, "k", `{"a":2,"b":1}`)
	put(t, q, "k", `{"a":1,"b":2}`)
	settle(t, p)
	settle(t, q)
	deliver(t, q, p)
	big := bytes.Repeat([]byte("x"), sealBytes/2+1) // two of them are an operation
	var waiting []*request
	if err := p.look(t.Context(), func() error { // the writer finds them together, and makes one record of them
		for i := range 9 {
			r := &request{msg: &pb.PutRequest{Key: fmt.Appendf(nil, "r/%d", i), Value: big}, done: make(chan struct{})}
			p.requests <- r
			waiting = append(waiting, r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range waiting {
		if <-r.done; r.err != nil {
			t.Fatal(r.err)
		}
	}
	settle(t, p)
	if _, err := p.Submit(t.Context(), &pb.DeleteRangeRequest{Key: []byte("r/1"), RangeEnd: []byte("r/4")}); err != nil {
		t.Fatal(err)
	}
	put(t, p, "k", `{}`)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var log []dag.Record
	if err := p.store.Scan(1, func(_ dag.Index, rec dag.Record) error {
		rec.Payload = bytes.Clone(rec.Payload)
		log = append(log, rec)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	told, open, merged := 0, 0, 0
	for n := 1; n <= len(log); n++ {
		store := memstore.New()
		if _, err := store.Append(log[:n], true); err != nil {
			t.Fatal(err)
		}
		o, err := OpenOffline(store, p.cfg.Mesh)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := o.Unsettled(t.Context(), nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		merged += len(keys)
		_, unsealed := o.Unsealed()
		for _, key := range []string{"k", "r/0", "r/1", "r/2", "r/3", "r/8", "none"} {
			kw, err := o.KeyWrites(t.Context(), []byte(key), 100)
			if errors.Is(err, mvcc.ErrUnsealed) {
				open++
				if !touches(unsealed, key) {
					t.Errorf("%d records: %s: %v", n, key, err)
				}
				continue
			}
			if err != nil || touches(unsealed, key) {
				t.Fatalf("%d records: %s: %v", n, key, err)
			}
			told++
			want, _ := o.View().Latest([]byte(key))
			var got []byte
			if r := kw.History.Value(); r.Tree != nil {
				got = r.Tree.Value()
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d records: the writes of %s make %.20q, the view shows %.20q", n, key, got, want)
			}
		}
	}
	if told == 0 || open == 0 || merged == 0 {
		t.Errorf("%d answers, %d not sealed, %d merges", told, open, merged)
	}
}

// touches reports whether one of ts writes key, or deletes a range with it.
func touches(ts []dag.Transaction, key string) bool {
	for _, t := range ts {
		for _, w := range t {
			if string(w.Key) == key || w.Kind == dag.DeleteRange && string(w.Key) <= key && key < string(w.End) {
				return true
			}
		}
	}
	return false
}
