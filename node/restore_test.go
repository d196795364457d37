package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/auth"
	"github.com/causeway-sync/causeway/etcdgw/etcdsnap"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// snapshotFile writes a snapshot of the key-values, in order, one revision
// each, and returns its path.
func snapshotFile(t *testing.T, m etcdsnap.Meta, leases []etcdsnap.Lease, kvs ...*mvccpb.KeyValue) string {
	t.Helper()
	w, err := etcdsnap.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, kv := range kvs {
		if err := w.Put(etcdsnap.Revision{Main: kv.ModRevision}, kv); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(m, leases); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	sum, err := w.Copy(context.Background(), &b)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, append(b.Bytes(), sum[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func kv(key, value string, create, mod, version, lease int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: create, ModRevision: mod, Version: version, Lease: lease}
}

// TestRestore: the keys that the snapshot shows at its end, with their leases and
// values, in a window beyond its revisions; and what is not to be restored is not.
func TestRestore(t *testing.T) {
	const last = 5<<40 + 40
	path := snapshotFile(t, etcdsnap.Meta{Auth: etcdsnap.Auth{Revision: 9, Users: []*authpb.User{{Name: []byte("u")}}}}, []etcdsnap.Lease{{ID: 7, TTL: 600}, {ID: 8, TTL: 1 << 60}},
		kv("z", "old", 2, 2, 1, 0),
		kv("gone", "v", 3, 3, 1, 0),
		kv("leased", "l", 4, 4, 1, 7),
		kv("adrift", "", 5, 5, 1, 99),
		kv("z", "\x00\xff", 2, 6, 2, 0),
		&mvccpb.KeyValue{Key: []byte("gone"), ModRevision: 7},
		kv("a", "last", last, last, 1, 0),
	)
	dir := filepath.Join(t.TempDir(), "new", "data")
	r, err := Restore(t.Context(), dir, path, RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Keys != 4 || r.Leases != 2 || r.Users != 1 || r.SnapshotRevision != last {
		t.Errorf("Restore = %+v", r)
	}
	n, err := Open(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.mesh != r.Mesh {
		t.Errorf("mesh %s, want %s", n.mesh, r.Mesh)
	}
	v := n.pipeline.View()
	resp, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	const base = 6 << 40
	for _, kv := range resp.Kvs {
		got = append(got, fmt.Sprintf("%s=%q +%d version %d lease %d", kv.Key, kv.Value, kv.ModRevision-base, kv.Version, kv.Lease))
	}
	want := []string{`a="last" +4 version 1 lease 0`, `adrift="" +2 version 1 lease 0`, `leased="l" +1 version 1 lease 7`, `z="\x00\xff" +3 version 1 lease 0`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	for _, rev := range []int64{3, last, last + 1, base, base + 1} {
		if _, err := v.Range(t.Context(), &pb.RangeRequest{Key: []byte("a"), Revision: rev}); !errors.Is(err, rpctypes.ErrGRPCCompacted) {
			t.Errorf("Range at %d = %v, want compacted", rev, err)
		}
	}
	store, err := auth.Open(auth.Config{Storage: authStorage{n.store}})
	if err != nil {
		t.Fatal(err)
	}
	enabled, revision, users, _ := store.Snapshot()
	if enabled || revision != 9 || len(users) != 1 {
		t.Errorf("users: enabled %v, revision %d, %v", enabled, revision, users)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("Restore left %v", left)
	}
}

// TestRestoreCustomResources: a custom resource merges by its definition after a restore, also where
// the snapshot has the definition behind it.
func TestRestoreCustomResources(t *testing.T) {
	const definition = `{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","spec":{"group":"acme.example.com",` +
		`"names":{"kind":"Widget"},"versions":[{"name":"v1","schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{` +
		`"tags":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}}}}}}}]}}`
	const widget = `{"apiVersion":"acme.example.com/v1","kind":"Widget","metadata":{"name":"a","uid":"1"},"spec":{"tags":["a"]}}`
	path := snapshotFile(t, etcdsnap.Meta{}, nil,
		kv("/other/acme.example.com/widgets/n/a", widget, 2, 2, 1, 0),
		kv("/registry/acme.example.com/widgets/n/a", widget, 3, 3, 1, 0),
		kv("k", "v", 4, 4, 1, 0),
		kv("/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.acme.example.com", definition, 5, 5, 1, 0),
	)
	dir := filepath.Join(t.TempDir(), "data")
	if r, err := Restore(t.Context(), dir, path, RestoreOptions{}); err != nil || r.Keys != 4 {
		t.Fatalf("Restore = %+v, %v", r, err)
	}
	n, err := Open(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	found, err := kube.SchemasFromCRD([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	for key, tt := range map[string]struct {
		schema *crdt.Schema
		tags   string
	}{
		"/registry/acme.example.com/widgets/n/a": {found[0].Schema, `["a","b"]`},
		"/other/acme.example.com/widgets/n/a":    {nil, `["a","b","b"]`}, // there is no definition at that root
	} {
		h, err := n.History(t.Context(), []byte(key), 1)
		if err != nil || len(h.Writes) != 1 || h.Writes[0].Schema != tt.schema.ID() {
			t.Fatalf("writes of %s: %+v, %v", key, h.Writes, err)
		}
		kw, err := n.pipeline.KeyWrites(t.Context(), []byte(key), 1)
		if err != nil {
			t.Fatal(err)
		}
		base := kw.History.Value()
		for i := range byte(2) { // both add a tag, and see the first write only
			p, ok := crdt.Diff(base.Tree, crdt.Parse([]byte(strings.Replace(widget, `["a"]`, `["a","b"]`, 1)), tt.schema))
			if !ok {
				t.Fatal("no patch")
			}
			at := crdt.Position{Depth: base.Writer.Depth + 1, Op: [32]byte{i}}
			kw.History.Add(crdt.Write{Position: at, Kind: crdt.Patched, Incarnation: base.Incarnation, Patch: p}, func(n int) bool { return n == 0 })
		}
		if r := kw.History.Value(); !r.Merged || !strings.Contains(string(r.Tree.Value()), `"tags":`+tt.tags+`}`) {
			t.Errorf("two edits of %s make %s, want tags %s", key, r.Tree.Value(), tt.tags)
		}
	}
	resp, err := n.pipeline.View().Range(t.Context(), &pb.RangeRequest{Key: []byte("/registry/apiextensions.k8s.io/"), RangeEnd: []byte("/registry/apiextensions.k8s.io0")})
	if err != nil || len(resp.Kvs) != 1 || resp.Kvs[0].ModRevision != 1<<40+1 {
		t.Errorf("the definition is at %v, %v", resp, err)
	}
}

// TestRestoreRefuses: a restore that fails leaves nothing behind.
func TestRestoreRefuses(t *testing.T) {
	good := snapshotFile(t, etcdsnap.Meta{}, nil, kv("a", "v", 2, 2, 1, 0))
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(b []byte) string {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		file string
		skip bool
		want error
	}{
		"no checksum":          {t.Context(), file(b[:len(b)-32]), false, etcdsnap.ErrNoChecksum},
		"no checksum, skipped": {t.Context(), file(b[:len(b)-32]), true, nil},
		"changed":              {t.Context(), file(append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]^1)), false, etcdsnap.ErrChecksum},
		"changed, skipped":     {t.Context(), file(append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]^1)), true, nil},
		"no snapshot":          {t.Context(), file([]byte("text")), true, etcdsnap.ErrCorrupt},
		"no file":              {t.Context(), filepath.Join(t.TempDir(), "none"), false, os.ErrNotExist},
		"too large a value":    {t.Context(), snapshotFile(t, etcdsnap.Meta{}, nil, kv("a", "v", 2, 2, 1, 0), kv("b", strings.Repeat("v", 5<<20), 3, 3, 1, 0)), false, ErrTooLarge},
		"canceled":             {canceled, good, true, context.Canceled},
	} {
		parent := t.TempDir()
		_, err := Restore(c.ctx, filepath.Join(parent, "data"), c.file, RestoreOptions{SkipHashCheck: c.skip})
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: Restore = %v, want %v", name, err, c.want)
		}
		entries, err := os.ReadDir(parent)
		if err != nil || (c.want != nil) != (len(entries) == 0) || len(entries) > 1 {
			t.Errorf("%s: Restore left %v, %v", name, entries, err)
		}
	}
}

// TestRestoreDirectory: an empty directory is taken, any other is not.
func TestRestoreDirectory(t *testing.T) {
	good := snapshotFile(t, etcdsnap.Meta{}, nil)
	dir := t.TempDir()
	if _, err := Restore(t.Context(), dir, good, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, NodeKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), dir, good, RestoreOptions{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Restore into a node's directory = %v, want ErrNotEmpty", err)
	}
	if now, err := os.ReadFile(filepath.Join(dir, NodeKeyFile)); err != nil || !bytes.Equal(key, now) {
		t.Errorf("the node's key was touched: %v", err)
	}
}
