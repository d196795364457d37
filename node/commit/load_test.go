package commit

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/memstore"
)

func puts(n int, size int) iter.Seq2[proto.Message, error] {
	return func(yield func(proto.Message, error) bool) {
		for i := range n {
			if !yield(&pb.PutRequest{Key: fmt.Appendf(nil, "%06d", i), Value: []byte(strings.Repeat("v", size))}, nil) {
				return
			}
		}
	}
}

// TestLoad: loaded requests take effect in order, each with its own revision,
// and are there after a restart.
func TestLoad(t *testing.T) {
	store := memstore.New()
	mesh := found(t, store)
	p := open(t, store, mesh, "founder")
	const n = 20_000
	if err := p.Load(t.Context(), puts(n, 10)); err != nil {
		t.Fatal(err)
	}
	check := func(p *Pipeline) {
		t.Helper()
		resp, err := p.View().Range(t.Context(), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
		if err != nil || resp.Count != n {
			t.Fatalf("%d keys, %v, want %d", resp.GetCount(), err, n)
		}
		for i, kv := range resp.Kvs {
			if kv.ModRevision != int64(i+2) {
				t.Fatalf("key %s has revision %d, want %d", kv.Key, kv.ModRevision, i+2)
			}
		}
	}
	check(p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, store, mesh, "founder"))
}

func TestLoadErrors(t *testing.T) {
	p := founder(t)
	tooLarge := func(yield func(proto.Message, error) bool) {
		yield(&pb.PutRequest{Key: []byte("a"), Value: make([]byte, 5<<20)}, nil)
	}
	if err := p.Load(t.Context(), tooLarge); !errors.Is(err, rpctypes.ErrGRPCRequestTooLarge) {
		t.Errorf("Load of too large a value = %v", err)
	}
	stop := errors.New("stop")
	if err := p.Load(t.Context(), func(yield func(proto.Message, error) bool) { yield(nil, stop) }); !errors.Is(err, stop) {
		t.Errorf("Load of a broken sequence = %v", err)
	}
	p.Close()
	if err := p.Load(t.Context(), puts(1, 1)); !errors.Is(err, ErrStopped) {
		t.Errorf("Load after Close = %v, want ErrStopped", err)
	}
}

// TestFoundLater founds a mesh in a later revision window.
func TestFoundLater(t *testing.T) {
	store := memstore.New()
	mesh, err := Found(store, Founding{Node: key("founder"), Operator: key("operator"), Name: "founder", Now: time.Unix(1, 0), Epoch: 3})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // also after a restart
		p := open(t, store, mesh, "founder")
		if got, want := p.View().Revision()>>windowBits, int64(3); got != want || !p.Graph().Claimed(3) || p.Graph().Claimed(2) {
			t.Errorf("window = %d, want %d, claimed with none before it", got, want)
		}
		if _, err := p.Submit(t.Context(), &pb.PutRequest{Key: []byte("a")}); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := Found(memstore.New(), Founding{Node: key("founder"), Operator: key("operator"), Epoch: dag.MaxEpoch + 1}); err == nil {
		t.Error("Found beyond the last window succeeded")
	}
}

// TestFoundLaterIsJoined: a founder's claim is like anybody's; a node that joins
// does not pick that window.
func TestFoundLaterIsJoined(t *testing.T) {
	store := memstore.New()
	mesh, err := Found(store, Founding{Node: key("founder"), Operator: key("operator"), Name: "founder", Now: time.Unix(1, 0), Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, store, mesh, "founder")
	if _, err := p.Carry(t.Context(), [][]byte{enrol(t, p, "second", 1)}); err != nil {
		t.Fatal(err)
	}
	q := openPicking(t, memstore.New(), mesh, "second", 0, 2, 2, 5)
	deliver(t, p, q)
	<-q.ReadyCh()
	if got := window(q); got != 5 {
		t.Errorf("the joined node's window = %d, want 5, the first that it picked and that may be claimed", got)
	}
}
