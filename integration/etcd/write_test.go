package etcd

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func tablePut(p *pair) {
	p.do(&pb.LeaseGrantRequest{ID: 11, TTL: 3600})
	p.do(&pb.LeaseGrantRequest{ID: 12, TTL: 3600})
	for _, r := range []*pb.PutRequest{
		{}, {Value: []byte("v")}, {IgnoreValue: true, Value: []byte("v")},
		{Key: []byte("put/a")}, {Key: []byte("put/a"), Value: []byte("1")},
		{Key: []byte("put/a"), Value: []byte("2"), PrevKv: true},
		{Key: []byte("put/new"), Value: []byte("2"), PrevKv: true},
		{Key: []byte("put/a"), Value: []byte("3"), Lease: 11},
		{Key: []byte("put/a"), Value: []byte("4"), IgnoreLease: true, PrevKv: true},
		{Key: []byte("put/a"), IgnoreValue: true, PrevKv: true},
		{Key: []byte("put/a"), IgnoreValue: true, Lease: 12},
		{Key: []byte("put/a"), IgnoreValue: true, IgnoreLease: true},
		{Key: []byte("put/a"), IgnoreValue: true, Value: []byte("v")},
		{Key: []byte("put/a"), IgnoreLease: true, Lease: 11},
		{Key: []byte("put/a"), IgnoreLease: true, Lease: 11, IgnoreValue: true, Value: []byte("v")},
		{Key: []byte("put/none"), IgnoreValue: true},
		{Key: []byte("put/none"), IgnoreLease: true},
		{Key: []byte("put/none"), IgnoreLease: true, IgnoreValue: true, PrevKv: true},
		{Key: []byte("put/none"), IgnoreValue: true, Lease: 999},
		{Key: []byte("put/a"), IgnoreValue: true, Lease: 999},
		{Key: []byte("put/a"), Lease: 999}, {Key: []byte("put/a"), Lease: -1},
		{Key: []byte("put/a"), Value: []byte("5")}, // takes the lease off
		{Key: []byte("\x00"), Value: []byte("lowest")}, {Key: []byte("\xff\xff\xff"), Value: []byte{0, 1, 2, 0xff}},
	} {
		p.do(r)
		p.do(get("put/a", ""))
	}
	p.all(get("\x00", "\x00"), &pb.LeaseTimeToLiveRequest{ID: 11, Keys: true}, &pb.LeaseTimeToLiveRequest{ID: 12, Keys: true},
		&pb.LeaseRevokeRequest{ID: 11}, &pb.LeaseRevokeRequest{ID: 12}, get("put/", "put0"), del("\xff\xff\xff", ""))
}

func tableDeleteRange(p *pair) {
	fill := func() {
		for i := range 6 {
			p.do(put(fmt.Sprintf("del/%d", i), fmt.Sprint(i)))
		}
	}
	fill()
	for _, r := range []*pb.DeleteRangeRequest{
		{}, {RangeEnd: []byte{0}}, {Key: []byte("del/none")}, {Key: []byte("del/none"), PrevKv: true},
		{Key: []byte("del/5"), RangeEnd: []byte("del/1")}, {Key: []byte("del/1"), RangeEnd: []byte("del/1"), PrevKv: true},
		{Key: []byte("del/0")}, {Key: []byte("del/0")}, {Key: []byte("del/1"), PrevKv: true},
		{Key: []byte("del/2"), RangeEnd: []byte("del/4"), PrevKv: true}, {Key: []byte("del/"), RangeEnd: []byte("del0")},
		{Key: []byte("del/"), RangeEnd: []byte("del0"), PrevKv: true},
	} {
		p.do(r)
		p.do(get("del/", "del0"))
	}
	fill()
	p.all(get("del/", "del0"), put("del/1", "x"), del("del/1", "del/3"), get("del/", "\x00"))
	p.all(put("zdel/1", "1"), put("zdel/2", "2"), &pb.DeleteRangeRequest{Key: []byte("zdel/"), RangeEnd: []byte{0}, PrevKv: true}, get("zdel/", "\x00"))
}

func tableCompact(p *pair) {
	var compacted int64
	compact := func(rev int64, physical bool) {
		if out := p.do(&pb.CompactionRequest{Revision: rev, Physical: physical}); out.err == nil {
			compacted = rev
		}
	}
	p.all(put("c/a", "1"), put("c/b", "1"), put("c/a", "2"), del("c/b", ""), put("c/c", "1"), put("c/a", "3"))
	rev := p.now()
	reads := func() {
		for r := rev - 8; r <= rev+1; r++ {
			p.all(&pb.RangeRequest{Key: []byte("c/"), RangeEnd: []byte("c0"), Revision: r},
				&pb.RangeRequest{Key: []byte("c/b"), Revision: r},
				txn(&pb.RangeRequest{Key: []byte("c/"), RangeEnd: []byte("c0"), Revision: r}),
				txn(put("c/no", "x"), &pb.RangeRequest{Key: []byte("c/"), RangeEnd: []byte("c0"), Revision: r}),
				del("c/no", ""))
			if r > compacted || r < compacted-6 {
				// At a revision that was compacted at, etcd answers with the hash it took then: a listed difference.
				p.do(&pb.HashKVRequest{Revision: r})
			}
			p.stream(&pb.RangeRequest{Key: []byte("c/"), RangeEnd: []byte("c0"), Revision: r})
		}
	}
	compact(rev+1, false)
	compact(rev+1, true)
	compact(rev+1000, false)
	compact(-1, false)
	compact(rev-3, false)
	compact(0, false)
	compact(rev-3, false)
	compact(rev-4, true)
	reads()
	compact(rev-2, true)
	reads()
	rev = p.now()
	compact(rev, true)
	compact(rev, true)
	reads()
	p.do(&pb.HashRequest{})
}

func tableSize(p *pair) {
	const limit = 1536 << 10
	// The size of a write is that of the request alone here, with an envelope in
	// etcd: sizes between the two are a listed difference, and so are keys above 1 MiB.
	const envelope, longest = 64, 1 << 20
	value := make([]byte, limit)
	for _, n := range []int{limit, limit - envelope, limit - 2*envelope, limit / 2} {
		r := &pb.PutRequest{Key: []byte("size/a"), Value: value[:n]}
		p.all(r, txn(r), txn(put("size/b", "x"), r))
	}
	for _, n := range []int{longest, longest / 2, 1 << 10} {
		r := &pb.PutRequest{Key: value[:n], Value: []byte("long key")}
		p.all(r, txn(r), get(string(value[:n]), ""), del(string(value[:n]), ""))
	}
	p.do(get(string(value), ""))
	// Above what gRPC receives at all.
	p.do(&pb.PutRequest{Key: []byte("size/a"), Value: make([]byte, limit+512<<10)})
	p.do(&pb.RangeRequest{Key: make([]byte, limit+512<<10)})
	p.do(del("size/", "size0"))
}
