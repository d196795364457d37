package etcdgw

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func opPut(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key)}}}
}

func opDelete(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(key), RangeEnd: []byte(end)}}}
}

func opRange(key, end string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{
		RequestRange: &pb.RangeRequest{Key: []byte(key), RangeEnd: []byte(end)}}}
}

func opTxn(then, otherwise []*pb.RequestOp) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{
		RequestTxn: &pb.TxnRequest{Success: then, Failure: otherwise}}}
}

func ops(list ...*pb.RequestOp) []*pb.RequestOp { return list }

func TestCheckRange(t *testing.T) {
	for _, tt := range []struct {
		name string
		req  *pb.RangeRequest
		want error
	}{
		{"one key", &pb.RangeRequest{Key: []byte("a")}, nil},
		{"empty key", &pb.RangeRequest{}, rpctypes.ErrGRPCEmptyKey},
		{"order out of range", &pb.RangeRequest{Key: []byte("a"), SortOrder: 3}, rpctypes.ErrGRPCInvalidSortOption},
		{"negative order", &pb.RangeRequest{Key: []byte("a"), SortOrder: -1}, rpctypes.ErrGRPCInvalidSortOption},
		{"target out of range", &pb.RangeRequest{Key: []byte("a"), SortTarget: 5}, rpctypes.ErrGRPCInvalidSortOption},
		{"empty key comes first", &pb.RangeRequest{SortTarget: 5}, rpctypes.ErrGRPCEmptyKey},
	} {
		if got := checkRange(tt.req); !errors.Is(got, tt.want) {
			t.Errorf("%s: checkRange = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCheckPut(t *testing.T) {
	key, value := []byte("a"), []byte("v")
	for _, tt := range []struct {
		name string
		req  *pb.PutRequest
		want error
	}{
		{"plain", &pb.PutRequest{Key: key, Value: value, Lease: 3}, nil},
		{"empty key", &pb.PutRequest{Value: value}, rpctypes.ErrGRPCEmptyKey},
		{"ignore_value without value", &pb.PutRequest{Key: key, IgnoreValue: true, Lease: 3}, nil},
		{"ignore_value with value", &pb.PutRequest{Key: key, Value: value, IgnoreValue: true}, rpctypes.ErrGRPCValueProvided},
		{"ignore_lease without lease", &pb.PutRequest{Key: key, Value: value, IgnoreLease: true}, nil},
		{"ignore_lease with lease", &pb.PutRequest{Key: key, Lease: 3, IgnoreLease: true}, rpctypes.ErrGRPCLeaseProvided},
	} {
		if got := checkPut(tt.req); !errors.Is(got, tt.want) {
			t.Errorf("%s: checkPut = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCheckTxn(t *testing.T) {
	many := func(n int) []*pb.RequestOp {
		var list []*pb.RequestOp
		for i := range n {
			list = append(list, opPut(fmt.Sprint(i)))
		}
		return list
	}
	compares := func(n int) []*pb.Compare {
		var list []*pb.Compare
		for range n {
			list = append(list, &pb.Compare{Key: []byte("a")})
		}
		return list
	}
	for _, tt := range []struct {
		name string
		req  *pb.TxnRequest
		want error
	}{
		{"empty", &pb.TxnRequest{}, nil},
		{"one of each", &pb.TxnRequest{Success: ops(opPut("a"), opDelete("b", ""), opRange("a", "z"))}, nil},
		{"operation without content", &pb.TxnRequest{Success: ops(&pb.RequestOp{})}, rpctypes.ErrGRPCKeyNotFound},
		{"compare with empty key", &pb.TxnRequest{Compare: []*pb.Compare{{}}}, rpctypes.ErrGRPCEmptyKey},
		{"put with empty key", &pb.TxnRequest{Success: ops(opPut(""))}, rpctypes.ErrGRPCEmptyKey},
		{"delete with empty key", &pb.TxnRequest{Failure: ops(opDelete("", ""))}, rpctypes.ErrGRPCEmptyKey},
		{"range with empty key, nested", &pb.TxnRequest{Failure: ops(opTxn(ops(opRange("", "")), nil))}, rpctypes.ErrGRPCEmptyKey},

		{"as many operations as allowed", &pb.TxnRequest{Success: many(4)}, nil},
		{"too many operations", &pb.TxnRequest{Success: many(5)}, rpctypes.ErrGRPCTooManyOps},
		{"too many compares", &pb.TxnRequest{Compare: compares(5)}, rpctypes.ErrGRPCTooManyOps},
		{"nested within the bound", &pb.TxnRequest{Success: ops(opTxn(many(3), nil))}, nil},
		{"nested above the bound", &pb.TxnRequest{Success: ops(opTxn(many(4), nil))}, rpctypes.ErrGRPCTooManyOps},

		{"put twice", &pb.TxnRequest{Success: ops(opPut("a"), opPut("a"))}, rpctypes.ErrGRPCDuplicateKey},
		{"put in both branches", &pb.TxnRequest{Success: ops(opPut("a")), Failure: ops(opPut("a"))}, nil},
		{"put and delete", &pb.TxnRequest{Failure: ops(opPut("a"), opDelete("a", ""))}, rpctypes.ErrGRPCDuplicateKey},
		{"put in a deleted range", &pb.TxnRequest{Success: ops(opDelete("a", "c"), opPut("b"))}, rpctypes.ErrGRPCDuplicateKey},
		{"put at the end of a deleted range", &pb.TxnRequest{Success: ops(opDelete("a", "c"), opPut("c"))}, nil},
		{"put after a deletion of all from a key", &pb.TxnRequest{Success: ops(opDelete("a", "\x00"), opPut("b"))}, nil},
		{"deletes that overlap", &pb.TxnRequest{Success: ops(opDelete("a", "c"), opDelete("b", "d"))}, nil},
		{"put and nested put", &pb.TxnRequest{Success: ops(opPut("a"), opTxn(ops(opPut("a")), nil))}, rpctypes.ErrGRPCDuplicateKey},
		{"put and nested delete", &pb.TxnRequest{Success: ops(opPut("b"), opTxn(nil, ops(opDelete("a", "c"))))}, rpctypes.ErrGRPCDuplicateKey},
		{"delete and nested put", &pb.TxnRequest{Success: ops(opTxn(ops(opPut("b")), nil), opDelete("a", "c"))}, rpctypes.ErrGRPCDuplicateKey},
		{"both branches of a nested one", &pb.TxnRequest{Success: ops(opTxn(ops(opPut("a")), ops(opPut("a"))))}, nil},
		{"two nested ones", &pb.TxnRequest{Success: ops(opTxn(ops(opPut("a")), nil), opTxn(nil, ops(opPut("a"))))}, rpctypes.ErrGRPCDuplicateKey},
		{"nested delete before nested put", &pb.TxnRequest{Success: ops(opTxn(ops(opDelete("a", "")), nil), opTxn(nil, ops(opPut("a"))))}, rpctypes.ErrGRPCDuplicateKey},
		{"nested put before nested delete", &pb.TxnRequest{Success: ops(opTxn(ops(opPut("a")), nil), opTxn(nil, ops(opDelete("a", ""))))}, nil},
	} {
		if got := checkTxn(tt.req, 4); !errors.Is(got, tt.want) {
			t.Errorf("%s: checkTxn = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestIntervals compares the merged intervals with a plain scan.
func TestIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[abc]{0,3}`)
		var plain intervals
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			plain = append(plain, interval{key.Draw(t, "begin"), key.Draw(t, "end")})
		}
		k := key.Draw(t, "key")
		want := false
		for _, iv := range plain {
			want = want || (iv.begin <= k && k < iv.end)
		}
		half := rapid.IntRange(0, len(plain)).Draw(t, "half")
		union := slices.Clone(plain[:half]).merged().union(slices.Clone(plain[half:]).merged())
		if got := union.contain(k); got != want {
			t.Fatalf("contain(%q) of the union = %v, want %v", k, got, want)
		}
		if got := plain.merged(); got.contain(k) != want || !slices.Equal(got, union) {
			t.Fatalf("merged = %v, want it to equal the union %v and to contain %q: %v", got, union, k, want)
		}
	})
}

func TestCheckSize(t *testing.T) {
	req := &pb.PutRequest{Key: []byte("a"), Value: make([]byte, 100)}
	size := proto.Size(req)
	if err := checkSize(req, size); err != nil {
		t.Errorf("checkSize at the limit = %v, want nil", err)
	}
	if err := checkSize(req, size-1); !errors.Is(err, rpctypes.ErrGRPCRequestTooLarge) {
		t.Errorf("checkSize above the limit = %v, want %v", err, rpctypes.ErrGRPCRequestTooLarge)
	}
}

// FuzzCheckTxn looks for panics, and for answers that depend on anything but the
// bytes: whatever parses may come from a client.
func FuzzCheckTxn(f *testing.F) {
	for _, req := range []*pb.TxnRequest{
		{Success: ops(opPut("a"), opDelete("a", "c"), opTxn(ops(opRange("", "")), nil))},
		{Failure: ops(opDelete("b", "a"), opDelete("a", "\x00"), opPut("b"))},
	} {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req := new(pb.TxnRequest)
		if proto.Unmarshal(b, req) != nil {
			return
		}
		first := checkTxn(req, DefaultMaxTxnOps)
		if again := checkTxn(req, DefaultMaxTxnOps); again != first {
			t.Errorf("checkTxn = %v, then %v", first, again)
		}
	})
}
