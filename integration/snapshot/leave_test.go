package snapshot

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/integration/harness"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// fill gives a site keys, values and leases of all kinds, from a seed, and
// returns the revision up to which it compacted.
func fill(t *testing.T, s *site, rnd *rand.Rand) (compacted int64) {
	t.Helper()
	ctx := t.Context()
	for _, id := range []int64{7, 0x7fff_ffff_ffff_fff0, 9} {
		if _, err := s.lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: id, TTL: 3600 + id%10}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(key string) *pb.PutRequest {
		r := &pb.PutRequest{Key: []byte(key), Value: make([]byte, rnd.IntN(60))}
		for i := range r.Value {
			r.Value[i] = byte(rnd.Uint32())
		}
		if rnd.IntN(4) == 0 {
			r.Lease = []int64{7, 0x7fff_ffff_ffff_fff0}[rnd.IntN(2)]
		}
		return r
	}
	key := func() string { return fmt.Sprintf("/registry/things/%02d", rnd.IntN(40)) }
	write := func(n int) (last int64) {
		for range n {
			var err error
			switch rnd.IntN(6) {
			case 0:
				var resp *pb.DeleteRangeResponse
				from := key()
				if resp, err = s.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(from), RangeEnd: []byte(from + "\xff")}); err == nil {
					last = resp.Header.Revision
				}
			case 1: // several keys in one revision, in an order that is not theirs
				txn := &pb.TxnRequest{}
				for _, i := range rnd.Perm(40)[:1+rnd.IntN(6)] {
					k := fmt.Sprintf("/registry/things/%02d", i)
					if rnd.IntN(3) == 0 {
						txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(k)}}})
					} else {
						txn.Success = append(txn.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: put(k)}})
					}
				}
				var resp *pb.TxnResponse
				if resp, err = s.kv.Txn(ctx, txn); err == nil {
					last = resp.Header.Revision
				}
			default:
				var resp *pb.PutResponse
				if resp, err = s.kv.Put(ctx, put(key())); err == nil {
					last = resp.Header.Revision
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	compacted = write(100)
	if _, err := s.kv.Compact(ctx, &pb.CompactionRequest{Revision: compacted, Physical: true}); err != nil {
		t.Fatal(err)
	}
	write(100)
	if _, err := s.kv.Put(ctx, &pb.PutRequest{Key: []byte("large"), Value: []byte(strings.Repeat("large", 250_000))}); err != nil {
		t.Fatal(err)
	}
	write(1)
	return compacted
}

// seeded returns a source of randomness and prints how to get it again.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// checkStatus checks that both tools say the same of a snapshot.
func checkStatus(t *testing.T, path string) {
	t.Helper()
	if got, want := harness.Run(t, "", "snapshot", "status", path), run(t, "etcdutl", "snapshot", "status", path); got != want {
		t.Errorf("causeway snapshot status = %q, etcdutl says %q", got, want)
	}
	var got, want any
	for v, out := range map[*any]string{
		&got:  harness.Run(t, "", "snapshot", "status", path, "-o", "json"),
		&want: run(t, "etcdutl", "snapshot", "status", path, "-w", "json"),
	} {
		if err := json.Unmarshal([]byte(out), v); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("causeway snapshot status -o json (-etcdutl +causeway):\n%s", diff)
	}
}

// toEtcd restores a snapshot with etcdutl and serves it by an etcd.
func toEtcd(t *testing.T, path string) *site {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "etcd")
	run(t, "etcdutl", "snapshot", "restore", path, "--data-dir", dir)
	return startEtcd(t, dir)
}

// TestLeave: an etcd restored from a node's snapshot shows clients what the
// node does: values at every revision, revisions, versions, events, leases.
func TestLeave(t *testing.T) {
	tool(t, "etcdutl")
	founder, second := harness.NewNode(t), harness.NewNode(t)
	founder.Start()
	t.Cleanup(founder.Stop)
	for i := range 30 {
		put := &pb.PutRequest{Key: fmt.Appendf(nil, "/registry/before/%02d", i), Value: []byte("of the founder")}
		if _, err := founder.KV().Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	second.Join(founder)
	second.Start()
	t.Cleanup(second.Stop)

	for name, node := range map[string]*harness.Node{"founder": founder, "joined": second} {
		t.Run(name, func(t *testing.T) {
			s := dial(t, node.Client)
			compacted := fill(t, s, seeded(t))
			harness.WaitEqual(t, harness.StartTimeout, founder, second) // nothing more is to come
			want := s.read(t, compacted)
			for saver, args := range map[string]func(path string){
				"causeway": func(path string) {
					harness.Run(t, "", "snapshot", "save", path, "--endpoint", "http://"+s.addr)
				},
				"etcdctl": func(path string) {
					run(t, "etcdctl", "--endpoints", s.addr, "snapshot", "save", path)
				},
			} {
				path := filepath.Join(t.TempDir(), "snapshot.db")
				args(path)
				checkStatus(t, path)
				if got := toEtcd(t, path).read(t, compacted); !cmp.Equal(want, got) {
					t.Errorf("saved by %s: etcd shows (-node +etcd):\n%s", saver, cmp.Diff(want, got))
				}
			}
		})
	}
}
