package mvcc_test

import (
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	store "github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/etcdgw/kube/kubetest"
	"github.com/causeway-sync/causeway/etcdgw/mvcc"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
)

var diskUpdates = flag.Int("updates", 400, "how many updates TestDiskSize makes in each case")

// TestDiskSize prints by how much an update of a Pod's status makes the data
// directory grow, as a patch and as a whole value: all of the log, with its keys, hashes and
// the values that are kept beside patches, as leveldb has compressed and compacted it. It takes at most a third
// of the object, and a quarter where four share an operation. TestPatchSize has the records.
func TestDiskSize(t *testing.T) {
	for _, kind := range kubetest.Pods {
		for _, together := range []int{1, 4} {
			var records, disk, perOp [2]float64
			for i, whole := range []bool{false, true} {
				records[i], disk[i], perOp[i] = grownBy(t, kind, together, *diskUpdates, whole)
			}
			t.Logf("%s, %d bytes, %.2f in an operation: %.0f bytes of an update in records, %.0f on disk; whole (%.2f in an operation) %.0f, %.0f",
				kind.Name, len(kind.Make(1)), perOp[0], records[0], disk[0], perOp[1], records[1], disk[1])
			most := float64(len(kind.Make(1))) / 3
			if together == 4 {
				most = float64(len(kind.Make(1))) / 4
			}
			if disk[0] > most || disk[0] > disk[1] {
				t.Errorf("%s, %.2f in an operation: an update takes %.0f bytes on disk, %.0f whole; want at most %.0f", kind.Name, perOp[0], disk[0], disk[1], most)
			}
		}
	}
}

// podValues has Pods merge by their schema, or not at all.
type podValues struct{ whole bool }

// SchemaFor implements mvcc.Values.
func (p podValues) SchemaFor(key, value []byte) *crdt.Schema {
	if p.whole {
		return crdt.Opaque
	}
	return mvcc.KubeValues{}.SchemaFor(key, value)
}

// grownBy returns by how many bytes an update makes the log grow, in records and once it is
// compacted, and how many of them an operation has: some Pods are updated at once.
func grownBy(t *testing.T, kind kubetest.Pod, together, updates int, whole bool) (records, compacted, perOp float64) {
	before := logOf(t, kind, together, 0, whole)
	after := logOf(t, kind, together, updates/together, whole)
	n := float64(updates / together * together)
	return (after.records - before.records) / n, (after.disk - before.disk) / n, n / (after.ops - before.ops)
}

// logSize is what a log takes.
type logSize struct{ ops, records, disk float64 }

// logOf returns the size of a log with some Pods, each updated a number of times.
func logOf(t *testing.T, kind kubetest.Pod, pods, rounds int, whole bool) (size logSize) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		size.disk = compact(t, dir)
	}()
	key := identity.NewKeyFromSeed([32]byte{1})
	mesh, err := commit.Found(s, commit.Founding{Node: key, Operator: key, Name: "founder", Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := commit.Open(commit.Config{Store: s, Key: key, Mesh: mesh, Values: podValues{whole}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range rounds + 1 { // the first makes them
		if err := p.Load(t.Context(), puts(kind, pods, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Unsettled(t.Context(), nil, 1); err != nil { // what was answered is sealed before
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(1, func(_ dag.Index, rec dag.Record) error {
		size.records += float64(len(rec.Payload))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	size.ops = float64(p.Graph().Len())
	return size
}

// puts are the updates number n of some Pods.
func puts(kind kubetest.Pod, pods, n int) iter.Seq2[proto.Message, error] {
	return func(yield func(proto.Message, error) bool) {
		for i := range pods {
			if !yield(&pb.PutRequest{Key: fmt.Appendf(nil, "/registry/pods/default/web-7c5ddbdf54-%d", i), Value: kind.Make(n)}, nil) {
				return
			}
		}
	}
}

// compact compacts a store and returns the size of its tables.
func compact(t *testing.T, dir string) (n float64) {
	for range 2 { // the second opening removes the tables that the first has replaced
		db, err := leveldb.OpenFile(dir, &opt.Options{ErrorIfMissing: true, Filter: filter.NewBloomFilter(10)})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.CompactRange(util.Range{}), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.ldb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		n += float64(info.Size())
	}
	return n
}
