package etcd

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func tableTxn(p *pair) {
	p.all(put("t/a", "1"), put("t/b", "2"), put("t/c", "3"))
	rev := p.rev
	fails := modIs("t/a", 1<<30)
	for _, r := range []*pb.TxnRequest{
		{},
		{Compare: []*pb.Compare{fails}},
		txn(get("t/a", "")), txn(put("t/a", "2")), txn(del("t/a", "")), txn(txn()),
		txn(put("t/a", "1"), get("t/a", ""), del("t/b", ""), get("t/b", ""), put("t/d", "4"), get("t/", "t0")),
		when(fails, ops(put("t/a", "no")), ops(get("t/a", ""))),
		when(fails, ops(get("t/a", "")), ops(put("t/a", "else"), get("t/a", ""))),
		when(modIs("t/none", 0), ops(put("t/none", "made")), nil),
		when(modIs("t/none", 0), ops(put("t/none", "again")), ops(get("t/none", ""), del("t/none", ""))),
		txn(&pb.PutRequest{Key: []byte("t/a"), Value: []byte("p"), PrevKv: true}, &pb.DeleteRangeRequest{Key: []byte("t/b"), RangeEnd: []byte("t/d"), PrevKv: true}),
		// Reads of the past and of the future within a transaction that writes.
		txn(put("t/a", "x"), &pb.RangeRequest{Key: []byte("t/"), RangeEnd: []byte("t0"), Revision: rev}),
		txn(put("t/a", "x"), &pb.RangeRequest{Key: []byte("t/a"), Revision: rev + 1000}),
		txn(&pb.RangeRequest{Key: []byte("t/a"), Revision: rev + 1000}),
		txn(&pb.RangeRequest{Key: []byte("t/a"), Revision: -1}),
		txn(put("t/a", "y"), &pb.RangeRequest{Key: []byte("t/"), RangeEnd: []byte("t0"), CountOnly: true, Limit: 1, Revision: rev}),
		txn(put("t/a", "y"), &pb.RangeRequest{Key: []byte("t/"), RangeEnd: []byte("t0"), SortTarget: pb.RangeRequest_VALUE, SortOrder: pb.RangeRequest_DESCEND, Limit: 2}),
		// Bad parts, and in what order they are found.
		txn(put("t/a", "z"), put("", "z")), txn(get("", "")), txn(del("", "")), txn(nil), txn(put("t/a", "1"), nil),
		{Compare: []*pb.Compare{{}}}, {Compare: []*pb.Compare{{}}, Success: ops(nil)}, {Failure: ops(nil)},
		txn(&pb.PutRequest{Key: []byte("t/a"), Value: []byte("v"), IgnoreValue: true}),
		txn(&pb.PutRequest{Key: []byte("t/a"), Lease: 3, IgnoreLease: true}),
		txn(&pb.RangeRequest{Key: []byte("t/a"), SortOrder: 9}), txn(&pb.RangeRequest{Key: []byte("t/a"), SortTarget: 9}),
		txn(txn(put("", ""))), txn(txn(nil)), txn(txn(&pb.RangeRequest{Key: []byte("t/a"), SortOrder: 9})),
		// Found only when evaluated: nothing of the transaction stands.
		txn(put("t/a", "lost"), &pb.PutRequest{Key: []byte("t/e"), Lease: 999}),
		txn(put("t/a", "lost"), &pb.PutRequest{Key: []byte("t/absent"), IgnoreValue: true}),
		txn(put("t/a", "lost"), &pb.PutRequest{Key: []byte("t/absent"), IgnoreLease: true}),
		txn(put("t/f", "1"), txn(&pb.PutRequest{Key: []byte("t/f2"), IgnoreValue: true})),
		txn(put("t/g", "kept"), del("t/g", "\x00"), &pb.PutRequest{Key: []byte("t/h"), Value: []byte("v")}),
		txn(txn(put("t/i", "1")), &pb.PutRequest{Key: []byte("t/j"), Lease: 999}),
		when(modIs("t/none", 1<<30), ops(&pb.PutRequest{Key: []byte("t/e"), Lease: 999}), ops(put("t/ok", "1"))),
		// Nesting.
		txn(txn(put("t/n1", "1"), txn(put("t/n2", "2"), txn(put("t/n3", "3"), get("t/n", "t/o"))), get("t/n", "t/o"))),
		txn(put("t/n4", "1"), when(modIs("t/n4", 0), ops(put("t/n5", "then")), ops(put("t/n5", "else")))),
		txn(del("t/n4", ""), when(modIs("t/n4", 0), ops(put("t/n6", "then")), ops(put("t/n6", "else")))),
		when(fails, ops(txn(put("t/n7", "1"))), ops(when(modIs("t/n7", 0), ops(put("t/n7", "2"), get("t/n7", "")), ops(del("t/n7", ""))))),
		txn(when(fails, ops(put("t/n8", "1")), nil), get("t/n8", "")),
		// A put that depends on one before it in the same transaction.
		txn(txn(put("t/k", "1")), txn(txn(get("t/k", "")))),
		txn(del("t/a", ""), del("t/a", ""), get("t/a", "")),
		txn(del("t/", "t0"), del("t/", "t0"), get("t/", "t0")),
		txn(get("t/a", ""), put("t/a", "1")),
		txn(put("t/q", "1"), &pb.PutRequest{Key: []byte("t/r"), Value: []byte("1"), PrevKv: true}),
	} {
		p.do(r)
		p.do(get("t/", "t0"))
	}
	// How many operations.
	many := func(n int, key string) []*pb.RequestOp {
		out := make([]*pb.RequestOp, n)
		for i := range out {
			out[i] = op(put(fmt.Sprintf("%s/%d", key, i), "v"))
		}
		return out
	}
	compares := make([]*pb.Compare, 129)
	for i := range compares {
		compares[i] = modIs("t/none", 0)
	}
	nest := func(depth int, in *pb.TxnRequest) *pb.TxnRequest {
		for range depth {
			in = txn(in)
		}
		return in
	}
	p.all(
		&pb.TxnRequest{Success: many(128, "many")}, &pb.TxnRequest{Success: many(129, "many")},
		&pb.TxnRequest{Failure: many(128, "many")}, &pb.TxnRequest{Failure: many(129, "many")},
		&pb.TxnRequest{Compare: compares[:128]}, &pb.TxnRequest{Compare: compares},
		&pb.TxnRequest{Compare: compares, Success: ops(put("", ""))},
		txn(&pb.TxnRequest{Success: many(127, "many")}), txn(&pb.TxnRequest{Success: many(128, "many")}),
		&pb.TxnRequest{Success: append(many(100, "many"), op(&pb.TxnRequest{Success: many(27, "more")}))},
		&pb.TxnRequest{Success: append(many(100, "many"), op(&pb.TxnRequest{Success: many(28, "more")}))},
		&pb.TxnRequest{Success: append(many(20, "many"), op(&pb.TxnRequest{Compare: compares[:107], Failure: many(10, "more")}))},
		&pb.TxnRequest{Success: append(many(20, "many"), op(&pb.TxnRequest{Compare: compares[:108], Failure: many(10, "more")}))},
		nest(126, txn(put("deep", "1"))), nest(127, txn(put("deep", "2"))), nest(128, txn(put("deep", "3"))), nest(128, txn()),
		get("deep", ""), del("many", "many0"), del("more", "more0"))
}

func tableTxnCompare(p *pair) {
	p.all(&pb.LeaseGrantRequest{ID: 21, TTL: 3600}, put("cmp/a", "5"), put("cmp/b", "5"), put("cmp/b", "7"),
		&pb.PutRequest{Key: []byte("cmp/l"), Value: []byte("5"), Lease: 21}, put("cmp/empty", ""))
	last := p.rev
	var cases []*pb.Compare
	for result := range pb.Compare_CompareResult_name {
		for _, key := range [][2]string{
			{"cmp/a", ""}, {"cmp/b", ""}, {"cmp/l", ""}, {"cmp/none", ""}, {"cmp/empty", ""}, {"cmp/", "cmp0"}, {"cmp/a", "cmp/c"},
			{"cmp/x", "cmp/y"}, {"cmp/", "\x00"}, {"cmp/b", "cmp/a"},
		} {
			add := func(c *pb.Compare) {
				c.Result, c.Key, c.RangeEnd = pb.Compare_CompareResult(result), []byte(key[0]), []byte(key[1])
				cases = append(cases, c)
			}
			for _, v := range []int64{-1, 0, 1, 2} {
				add(&pb.Compare{Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Version{Version: v}})
			}
			for _, rev := range []int64{0, last - 3, last, last + 5} {
				add(&pb.Compare{Target: pb.Compare_CREATE, TargetUnion: &pb.Compare_CreateRevision{CreateRevision: rev}})
				add(&pb.Compare{Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: rev}})
			}
			for _, v := range []string{"", "5", "6"} {
				add(&pb.Compare{Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte(v)}})
			}
			for _, l := range []int64{0, 21, 22} {
				add(&pb.Compare{Target: pb.Compare_LEASE, TargetUnion: &pb.Compare_Lease{Lease: l}})
			}
			// A target without its value, and with another one's.
			for target := range pb.Compare_CompareTarget_name {
				add(&pb.Compare{Target: pb.Compare_CompareTarget(target)})
				add(&pb.Compare{Target: pb.Compare_CompareTarget(target), TargetUnion: &pb.Compare_Version{Version: 1}})
			}
			add(&pb.Compare{Target: 9, TargetUnion: &pb.Compare_Version{Version: 1}})
		}
	}
	for _, key := range []string{"cmp/a", "cmp/none"} {
		cases = append(cases, &pb.Compare{Result: 9, Key: []byte(key), Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Version{Version: 1}})
	}
	for _, c := range cases {
		p.do(when(c, nil, nil))
	}
	// All must hold.
	holds, fails := modIs("cmp/none", 0), modIs("cmp/a", 0)
	p.all(&pb.TxnRequest{Compare: []*pb.Compare{holds, holds}}, &pb.TxnRequest{Compare: []*pb.Compare{holds, fails}},
		&pb.TxnRequest{Compare: []*pb.Compare{fails, holds}}, &pb.LeaseRevokeRequest{ID: 21})
}

// tableTxnOverlap: which transactions put a key twice.
func tableTxnOverlap(p *pair) {
	a, b := put("o/a", "1"), put("o/b", "1")
	either := func(then, otherwise []*pb.RequestOp) *pb.TxnRequest { return when(modIs("o/x", 0), then, otherwise) }
	for _, r := range []*pb.TxnRequest{
		txn(a, b), txn(a, a), txn(a, b, a), txn(a, del("o/a", "")), txn(del("o/a", ""), a), txn(a, del("o/b", "")),
		txn(a, del("o/", "o0")), txn(del("o/", "o0"), a), txn(a, del("o/b", "o0")), txn(a, del("o/", "o/a")), txn(a, del("o/a", "o/b")),
		txn(a, del("o/", "\x00")), txn(del("o/", "\x00"), a), txn(del("o/a", "\x00"), a), txn(del("\x00", "\x00"), a), txn(a, del("o/z", "o/")),
		txn(a, del("o/a", "o/a")), txn(b, del("o/z", "o/a")),
		txn(a, txn(a)), txn(txn(a), a), txn(txn(a), txn(a)), txn(txn(a), txn(b)), txn(a, txn(b)),
		txn(either(ops(a), ops(a))), txn(either(ops(a), ops(b)), b), txn(either(ops(a), ops(b)), put("o/c", "1")),
		txn(either(ops(a), nil), either(ops(a), nil)), txn(either(nil, ops(a)), either(ops(a), nil)),
		txn(either(ops(a), ops(a)), a), txn(either(ops(a, b), ops(a)), txn(b)),
		txn(del("o/a", ""), txn(a)), txn(txn(a), del("o/a", "")), txn(txn(del("o/a", "")), a), txn(a, txn(del("o/a", ""))),
		txn(txn(del("o/a", "")), txn(a)), txn(txn(a), txn(del("o/a", ""))), txn(either(ops(del("o/a", "")), ops(a))),
		txn(either(ops(del("o/a", "")), nil), either(nil, ops(a))), txn(either(ops(a), nil), either(nil, ops(del("o/a", "")))),
		txn(txn(txn(a)), a), txn(txn(txn(del("o/", "o0"))), txn(txn(b))), txn(txn(txn(b)), txn(txn(del("o/", "o0")))),
		txn(del("o/a", ""), del("o/a", "")), txn(del("o/a", "o/c"), del("o/b", "o/d"), put("o/d", "1")),
		txn(del("o/a", "o/c"), del("o/b", "o/d"), put("o/c", "1")), txn(del("o/a", "o/b"), del("o/c", "o/d"), b),
		{Success: ops(a), Failure: ops(a)}, {Success: ops(a), Failure: ops(b, b)}, {Success: ops(a, a), Failure: ops(nil)},
		txn(a, a, nil), txn(a, a, put("", "")),
		txn(txn(del("o/z", "o/a")), a), txn(txn(del("o/a", "\x00")), a), txn(txn(del("o/a", "\x00")), txn(a)),
		txn(get("o/a", ""), a, get("o/a", "")),
	} {
		p.do(r)
		p.do(get("o/", "o0"))
	}
}
