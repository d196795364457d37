package adversary

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/node/admin"
	"github.com/causeway-sync/causeway/node/p2p"
)

// A Site is a correct node, a process, and a client of it that writes.
type Site struct {
	*harness.Node
	Name   string
	Key    identity.PublicKey
	Admin  *admin.Client
	Writer *Writer
	tb     testing.TB
	addr   string
	args   []string
}

func newSite(tb testing.TB, node *harness.Node, key identity.PublicKey, name string, args []string) *Site {
	s := &Site{Node: node, Name: name, Key: key, args: args, Admin: admin.NewClient(node.Dir), tb: tb}
	s.Writer = newWriter(tb, s)
	return s
}

// Start runs the node, keeps it connected with the peers at those addresses, and has the client write.
func (s *Site) Start(peers ...string) {
	s.tb.Helper()
	args := slices.Clone(s.args)
	if len(peers) > 0 {
		args = append(args, "--peers", strings.Join(peers, ","))
	}
	s.Node.Start(args...)
	s.addr = s.Status(s.tb).PeerAddresses[0]
	s.Writer.start()
}

// Stop ends the client's writing and then the node.
func (s *Site) Stop() {
	s.tb.Helper()
	s.Writer.stop()
	s.Node.Stop()
}

// Address returns where the node listens for peers.
func (s *Site) Address() string { return s.addr }

// PeerID returns the node's key as libp2p writes it.
func (s *Site) PeerID() string { return PeerID(s.Key) }

// PeerID returns a node's key as libp2p writes it.
func PeerID(key identity.PublicKey) string {
	id, err := p2p.PeerID(key)
	if err != nil {
		panic(err) // keys of the mesh are canonical
	}
	return id.String()
}

// Status asks the node what it holds.
func (s *Site) Status(tb testing.TB) admin.Status {
	tb.Helper()
	st, err := s.Admin.Status(tb.Context())
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	return st
}

// Has reports whether the node delivered an op.
func (s *Site) Has(tb testing.TB, id dag.ID) bool {
	tb.Helper()
	_, err := s.Admin.Op(tb.Context(), id)
	if err != nil && !errors.Is(err, admin.ErrNotFound) {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	return err == nil
}

// WaitFor waits until the node delivered an op.
func (s *Site) WaitFor(tb testing.TB, id dag.ID) {
	tb.Helper()
	Eventually(tb, "op "+id.String()+" is at "+s.Name, func() bool { return s.Has(tb, id) })
}

// Get returns a key's value as a client sees it, empty if it is absent.
func (s *Site) Get(tb testing.TB, key string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Within)
	defer cancel()
	resp, err := s.KV().Range(ctx, &pb.RangeRequest{Key: []byte(key)})
	if err != nil {
		tb.Fatalf("%s: get %s: %v", s.Name, key, err)
	}
	if len(resp.Kvs) == 0 {
		return ""
	}
	return string(resp.Kvs[0].Value)
}

// Put writes a key as a client does.
func (s *Site) Put(tb testing.TB, key, value string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Within)
	defer cancel()
	if _, err := s.KV().Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte(value)}); err != nil {
		tb.Fatalf("%s: put %s: %v", s.Name, key, err)
	}
}

// Becomes waits until clients see a value; an empty one means absent.
func (s *Site) Becomes(tb testing.TB, key, value string) {
	tb.Helper()
	var got string
	Eventually(tb, key+" becomes "+strconv.Quote(value)+" at "+s.Name, func() bool {
		got = s.Get(tb, key)
		return got == value
	}, func() string { return "it is " + strconv.Quote(got) })
}

// Metric returns the sum of a metric's samples whose labels contain all of the
// given ones, each as name="value".
func (s *Site) Metric(tb testing.TB, name string, labels ...string) (sum float64) {
	tb.Helper()
	client := http.Client{Timeout: Within, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.Client + "/metrics")
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
next:
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue next
			}
		}
		fields := strings.Fields(rest)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			tb.Fatalf("%s: metric %q: %v", s.Name, line, err)
		}
		sum += v
	}
	return sum
}

// Label writes a metric's label as Metric takes it.
func Label(name, value string) string { return name + `="` + value + `"` }

// Peer returns what the node says of a peer in `causeway peers`.
func (s *Site) Peer(tb testing.TB, key identity.PublicKey) (admin.Peer, bool) {
	tb.Helper()
	peers, err := s.Admin.Peers(tb.Context())
	if err != nil {
		tb.Fatalf("%s: %v", s.Name, err)
	}
	for _, p := range peers {
		if p.ID == key {
			return p, true
		}
	}
	return admin.Peer{}, false
}

// Names waits until the node names a liar for that reason: in the list of its
// peers, and in its metrics. (Those name the first 64 peers that misbehave and count
// the others together; of these, the list must give the reason.) Meanwhile it has
// the lie told again now and then: the node may have been busy with a sync of its own, or named the liar
// for being slow.
func (s *Site) Names(tb testing.TB, liar identity.PublicKey, reason string, again ...func()) {
	tb.Helper()
	const metric = "causeway_p2p_misbehaviour_total"
	var last admin.Peer
	told := time.Now()
	Eventually(tb, s.Name+" names "+PeerID(liar)+" for "+reason, func() bool {
		if last, _ = s.Peer(tb, liar); last.Misconduct != reason && time.Since(told) > 2*time.Second {
			for _, f := range again {
				f()
			}
			told = time.Now()
		}
		return last.Misconduct != "" && s.Metric(tb, metric, Label("peer", PeerID(liar)), Label("reason", reason)) > 0 ||
			last.Misconduct == reason && s.Metric(tb, metric, Label("peer", "other"), Label("reason", reason)) > 0
	}, func() string { return "its list of peers says " + strconv.Quote(last.Misconduct) })
}

// resident returns the resident memory of the node in bytes; ok is false where
// that cannot be told.
func (s *Site) resident() (bytes int64, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID()) + "/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if rest, is := strings.CutPrefix(line, "VmRSS:"); is {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// stored returns the size of the node's data directory in bytes.
func (s *Site) stored() (bytes int64) {
	_ = filepath.WalkDir(s.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a file that the store removed meanwhile
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// restart kills the node and starts it again.
func (s *Site) restart(peers ...string) {
	s.tb.Helper()
	s.Writer.stop()
	s.Kill()
	s.Start(peers...)
}
