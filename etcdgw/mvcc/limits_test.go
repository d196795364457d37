package mvcc

import (
	"bytes"
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/causeway-sync/causeway/dag"
)

// TestLongKeys: what no operation can carry is refused before it is answered,
// and a longer end of a range still deletes, key by key.
func TestLongKeys(t *testing.T) {
	v := New(Config{Base: 1})
	long := bytes.Repeat([]byte("k"), dag.MaxKey+1)
	if _, _, err := v.Evaluate(&pb.PutRequest{Key: long}, nil, testNow); !errors.Is(err, rpctypes.ErrGRPCRequestTooLarge) {
		t.Errorf("put of a key of %d bytes = %v, want too large", len(long), err)
	}
	must[*pb.PutResponse](t, v, &pb.PutRequest{Key: long[:dag.MaxKey]})
	must[*pb.PutResponse](t, v, put("ka", "v"))
	_, change, err := v.Evaluate(&pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: long}, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	transaction := v.Transaction(change, 1)
	if _, err := dag.DecodeTransaction(transaction.Append(nil)); err != nil || len(transaction) == 0 {
		t.Errorf("delete of a range with a long end makes %d writes: %v", len(transaction), err)
	}
}
