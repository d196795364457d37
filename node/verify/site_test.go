package verify_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/commit"
	"github.com/causeway-sync/causeway/node/verify"
)

// A closed leveldb lets one goroutine live on for a second.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// A site is a data directory that a node, author 1 of a mesh, is writing.
// Author 2 is another site, author 3 a liar.
type site struct {
	tb    testing.TB
	mesh  *dagtest.Mesh
	dir   string
	store *leveldb.Store
	node  *commit.Pipeline
	tips  map[int]*dag.Op // of the others
	graph *dag.Graph      // what the others have seen
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{tb: tb, mesh: dagtest.New(tb, 4), dir: tb.TempDir(), tips: make(map[int]*dag.Op)}
	s.graph = dag.NewGraphOf(s.mesh.Founding.ID())
	if err := identity.WriteKeyFile(filepath.Join(s.dir, "node.key"), s.mesh.Node(1), "", nil); err != nil {
		tb.Fatal(err)
	}
	var err error
	if s.store, err = leveldb.Open(filepath.Join(s.dir, "store"), leveldb.Options{}); err != nil {
		tb.Fatal(err)
	}
	s.node, err = commit.Open(commit.Config{Store: s.store, Key: s.mesh.Node(1), Mesh: s.mesh.Founding.ID()})
	if err != nil {
		tb.Fatal(err)
	}
	s.deliver(s.mesh.Founding)
	<-s.node.ReadyCh()
	return s
}

// deliver gives operations to the node, which seals first, and to the others.
func (s *site) deliver(ops ...*dag.Signed) {
	s.tb.Helper()
	if err := errors.Join(s.node.Admit(s.tb.Context(), ops)...); err != nil {
		s.tb.Fatal(err)
	}
	for _, op := range ops {
		if _, _, err := s.graph.Add(op); err != nil && !errors.Is(err, dag.ErrDuplicate) {
			s.tb.Fatal(err)
		}
	}
}

// learn gives the others what the node has.
func (s *site) learn() {
	s.tb.Helper()
	s.deliver() // seals
	for _, op := range s.node.Graph().Since(nil) {
		block, body, err := s.node.Fetch(op.ID())
		if err != nil {
			s.tb.Fatal(err)
		}
		u, err := dag.Decode(block, body)
		if err != nil {
			s.tb.Fatal(err)
		}
		if _, _, err := s.graph.Add(dag.AssumeVerified(u)); err != nil && !errors.Is(err, dag.ErrDuplicate) {
			s.tb.Fatal(err)
		}
	}
}

// op makes another author's operation on all that the others have seen, after
// prev; it is not delivered.
func (s *site) op(author int, prev *dag.Op, transactions ...dag.Transaction) *dag.Signed {
	s.tb.Helper()
	var body dag.Body
	writes := 0
	for _, t := range transactions {
		body.Transactions = append(body.Transactions, t.Append(nil))
		writes += len(t)
	}
	h, _ := s.graph.Draft(prev, len(body.Encode()), writes)
	signed, err := dag.Sign(h, body, s.mesh.Node(author))
	if err != nil {
		s.tb.Fatal(err)
	}
	return signed
}

// write has another author write after all that the others have seen.
func (s *site) write(author int, transactions ...dag.Transaction) {
	s.tb.Helper()
	signed := s.op(author, s.tips[author], transactions...)
	s.deliver(signed)
	s.tips[author], _ = s.graph.Get(signed.ID())
}

func (s *site) submit(msg proto.Message) {
	s.tb.Helper()
	if _, err := s.node.Submit(s.tb.Context(), msg); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *site) put(key, value string) {
	s.tb.Helper()
	s.submit(&pb.PutRequest{Key: []byte(key), Value: []byte(value)})
}

// fill has everyone write, now knowing of each other and now not, and the liar fork.
func (s *site) fill(rounds int) {
	s.tb.Helper()
	for i := range rounds {
		s.put(fmt.Sprint("k", i%7), fmt.Sprint("the node's value ", i))
		s.put(fmt.Sprint("own", i), "kept")
		s.write(2,
			dag.Transaction{dagtest.Put(fmt.Sprint("k", i%5), fmt.Sprint("another's value ", i)), dagtest.Put("k9", "x")},
			dag.Transaction{dagtest.Delete("k9"), dagtest.DeleteRange("k5", "k7")})
		if i%3 == 0 {
			s.learn()
		}
		if i%4 == 1 {
			s.submit(&pb.DeleteRangeRequest{Key: []byte("k2"), RangeEnd: []byte("k4")})
			s.submit(&pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("t1"), Value: []byte("one")}}},
				{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("t2"), Value: []byte("two")}}},
			}})
		}
	}
	first := s.op(3, nil, dag.Transaction{dagtest.Put("k1", "one branch")})
	second := s.op(3, nil, dag.Transaction{dagtest.Put("k1", "another branch"), dagtest.DeleteRange("t", "u")})
	s.deliver(first, second)
	s.put("last", "value")
}

// close stops the node in good order and returns its directory.
func (s *site) close() string {
	s.tb.Helper()
	if err := errors.Join(s.node.Close(), s.store.Close()); err != nil {
		s.tb.Fatal(err)
	}
	trim(s.tb, s.dir)
	return s.dir
}

// trim cuts off what was preallocated of journals and never written: tests read
// them often.
func trim(tb testing.TB, dir string) {
	tb.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "store", "*.log"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range logs {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.Truncate(file, int64(len(bytes.TrimRight(b, "\x00")))); err != nil {
			tb.Fatal(err)
		}
	}
}

// newDir returns the directory of a node that was stopped after some rounds.
func newDir(tb testing.TB, rounds int) string {
	tb.Helper()
	s := newSite(tb)
	s.fill(rounds)
	return s.close()
}

// rewrite copies dir with a log of other records and fitting hashes: what
// somebody can do who can write to the directory. edit returns what takes the
// place of record i.
func rewrite(tb testing.TB, dir string, edit func(i dag.Index, rec dag.Record) []dag.Record) string {
	tb.Helper()
	from, err := leveldb.Open(filepath.Join(dir, "store"), leveldb.Options{ReadOnly: true})
	if err != nil {
		tb.Fatal(err)
	}
	defer from.Close()
	copied := tb.TempDir()
	to, err := leveldb.Open(filepath.Join(copied, "store"), leveldb.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	err = from.Scan(1, func(i dag.Index, rec dag.Record) error {
		rec.Payload = bytes.Clone(rec.Payload)
		_, err := to.Append(edit(i, rec), false)
		return err
	})
	if err := errors.Join(err, to.Close()); err != nil {
		tb.Fatal(err)
	}
	trim(tb, copied)
	return copied
}

// duplicate copies a directory byte for byte.
func duplicate(tb testing.TB, dir string) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "node.key"), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return to
}

func run(tb testing.TB, dir string, o verify.Options) *verify.Report {
	tb.Helper()
	r, err := verify.Run(tb.Context(), dir, o)
	if err != nil {
		tb.Fatalf("Run: %v", err)
	}
	return r
}
