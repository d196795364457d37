// Package snapshot takes data from a node to a real etcd and back, with the
// snapshot files, and with the tools, of either.
package snapshot

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/causeway-sync/causeway/integration/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, func() {
		if toolsDir != "" {
			os.RemoveAll(toolsDir)
		}
	})
}

var toolsDir string

// buildTools compiles the etcd, etcdctl and etcdutl that integration/reference pins.
var buildTools = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "causeway-reference-")
	if err != nil {
		return "", err
	}
	toolsDir = dir
	cmd := exec.Command("go", "build", "-C", filepath.Join("..", "reference"), "-o", dir, "tool")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

// tool returns the path of "server", which is etcd, "etcdctl" or "etcdutl".
func tool(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs a real etcd, which takes long; -short is set")
	}
	dir, err := buildTools()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// run runs a tool and returns its standard output.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(tool(t, name), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}

// site is an etcd or a node that is served.
type site struct {
	addr  string // host:port
	kv    pb.KVClient
	watch pb.WatchClient
	lease pb.LeaseClient
	auth  pb.AuthClient
}

func dial(t *testing.T, addr string) *site {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &site{addr, pb.NewKVClient(conn), pb.NewWatchClient(conn), pb.NewLeaseClient(conn), pb.NewAuthClient(conn)}
}

// startEtcd runs an etcd on a data directory until the test ends.
func startEtcd(t *testing.T, dir string) *site {
	t.Helper()
	client, peer := harness.FreeAddr(t), "http://"+harness.FreeAddr(t)
	cmd := exec.Command(tool(t, "server"), "--data-dir", dir, "--log-level", "warn",
		"--listen-client-urls", "http://"+client, "--advertise-client-urls", "http://"+client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()                          // its exit status is of no interest
		if t.Failed() {
			t.Logf("etcd's log:\n%s", log.String())
		}
	})
	s := dial(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), harness.StartTimeout)
	defer cancel()
	for {
		_, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte("ready")}, grpc.WaitForReady(true))
		if err == nil {
			return s
		}
		if ctx.Err() != nil {
			t.Fatalf("etcd did not start: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// startNode runs a node on a data directory until the test ends.
func startNode(t *testing.T, dir string) *site {
	t.Helper()
	n := harness.NewNode(t)
	n.Dir = dir
	n.Start()
	t.Cleanup(n.Stop)
	return dial(t, n.Client)
}

// history is everything that clients can see of a site.
type history struct {
	Revision int64
	Compact  int64
	States   map[int64][]string // by revision, from the compact one on
	Events   []string           // after the compact revision
	Leases   []string
}

// all is the range of all keys.
func all(revision int64) *pb.RangeRequest {
	return &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: revision}
}

// describe writes a key-value, with its revisions or without.
func describe(kv *mvccpb.KeyValue, revisions bool) string {
	s := fmt.Sprintf("%q=%q", kv.Key, kv.Value)
	if len(kv.Value) > 100 {
		s = fmt.Sprintf("%q=%.20q… of %d", kv.Key, kv.Value, len(kv.Value))
	}
	if revisions {
		s += fmt.Sprintf(" create %d mod %d version %d", kv.CreateRevision, kv.ModRevision, kv.Version)
	}
	return s + fmt.Sprintf(" lease %x", kv.Lease)
}

// leases describes the leases of a site with their keys.
func (s *site) leases(t *testing.T) []string {
	t.Helper()
	list, err := s.lease.LeaseLeases(t.Context(), &pb.LeaseLeasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range list.Leases {
		ttl, err := s.lease.LeaseTimeToLive(t.Context(), &pb.LeaseTimeToLiveRequest{ID: l.ID, Keys: true})
		if err != nil {
			t.Fatal(err)
		}
		keys := make([]string, len(ttl.Keys))
		for i, k := range ttl.Keys {
			keys[i] = string(k)
		}
		out = append(out, fmt.Sprintf("%x of %d s with %q", l.ID, ttl.GrantedTTL, sorted(keys)))
	}
	return sorted(out)
}

// read reads everything that a site has from revision compact on.
func (s *site) read(t *testing.T, compact int64) history {
	t.Helper()
	resp, err := s.kv.Range(t.Context(), all(0))
	if err != nil {
		t.Fatal(err)
	}
	h := history{Revision: resp.Header.Revision, Compact: compact, States: map[int64][]string{}, Leases: s.leases(t)}
	for rev := compact; rev <= h.Revision; rev++ {
		resp, err := s.kv.Range(t.Context(), all(rev))
		if err != nil {
			t.Fatalf("Range at %d: %v", rev, err)
		}
		for _, kv := range resp.Kvs {
			h.States[rev] = append(h.States[rev], describe(kv, true))
		}
	}
	if h.Revision > compact {
		h.Events = s.events(t, compact+1, h.Revision)
	}
	return h
}

// events watches all keys from one revision to another.
func (s *site) events(t *testing.T, from, to int64) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.StartTimeout)
	defer cancel()
	stream, err := s.watch.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: from, PrevKv: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.Canceled {
			t.Fatalf("the watch from %d was canceled: %s, compact revision %d", from, resp.CancelReason, resp.CompactRevision)
		}
		for _, e := range resp.Events {
			text := fmt.Sprintf("%v %s", e.Type, describe(e.Kv, true))
			if e.PrevKv != nil {
				text += ", before " + describe(e.PrevKv, true)
			}
			events = append(events, text)
			if e.Kv.ModRevision > to {
				t.Fatalf("an event beyond revision %d: %s", to, text)
			}
		}
		if n := len(resp.Events); n > 0 && resp.Events[n-1].Kv.ModRevision == to {
			return events
		}
	}
}
