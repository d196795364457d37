package etcd

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// rangeState fills a prefix with keys of different ages, versions and values,
// and returns the revisions before and after.
func rangeState(p *pair, prefix string) (before, after int64) {
	before = p.now()
	for i, k := range []string{"d", "b", "a", "e", "c", "f", "aa", "\x00", "\xff", "c\x00", ""} {
		if prefix+k != "" {
			p.do(put(prefix+k, fmt.Sprintf("%d", 20-i)))
		}
	}
	p.all(put(prefix+"b", "12"), put(prefix+"b", ""), del(prefix+"e", ""), put(prefix+"e", "again"),
		del(prefix+"f", ""), put(prefix+"a", "15"), put(prefix+"d", "15"), put(prefix+"c", "15"))
	return before, p.now()
}

func tableRange(p *pair) {
	before, after := rangeState(p, "range/")
	all := func(change ...func(*pb.RangeRequest)) *pb.RangeRequest {
		r := get("range/", "range0")
		for _, c := range change {
			c(r)
		}
		return r
	}
	// Which keys.
	for _, keys := range [][2]string{
		{"range/a", ""}, {"range/none", ""}, {"range/", "range0"}, {"range/a", "range/c"}, {"range/a", "range/c\x00"},
		{"range/c", "range/a"}, {"range/a", "range/a"}, {"range/", "\x00"}, {"\x00", "\x00"}, {"", ""}, {"", "a"}, {"", "\x00"},
		{"range/\xff", "range0"}, {"range/c\x00", "range/d"}, {"\x00", ""}, {"\xff\xff", "\x00"}, {"range/", "range/\x00"},
	} {
		for _, change := range []func(*pb.RangeRequest){
			func(*pb.RangeRequest) {},
			func(r *pb.RangeRequest) { r.CountOnly = true },
			func(r *pb.RangeRequest) { r.KeysOnly = true },
			func(r *pb.RangeRequest) { r.Limit = 1 },
			func(r *pb.RangeRequest) { r.Serializable = true },
			func(r *pb.RangeRequest) { r.Revision = after - 6 },
		} {
			r := get(keys[0], keys[1])
			change(r)
			p.do(r)
		}
	}
	// Orders, with and without a limit, at the present and in the past.
	for target := range pb.RangeRequest_SortTarget_name {
		for order := range pb.RangeRequest_SortOrder_name {
			for _, limit := range []int64{0, 1, 3, 1000} {
				for _, rev := range []int64{0, after - 7} {
					p.do(all(func(r *pb.RangeRequest) {
						r.SortTarget, r.SortOrder = pb.RangeRequest_SortTarget(target), pb.RangeRequest_SortOrder(order)
						r.Limit, r.Revision = limit, rev
					}))
				}
			}
		}
	}
	// The order of equals, among more than a few.
	for i := range 40 {
		p.do(put(fmt.Sprintf("equals/%02d", i), fmt.Sprint(i%3)))
		if i%5 == 0 {
			p.do(put(fmt.Sprintf("equals/%02d", i), "1"))
		}
	}
	for _, end := range []string{"equals/16", "equals/39", "equals0"} {
		for target := range pb.RangeRequest_SortTarget_name {
			for order := range pb.RangeRequest_SortOrder_name {
				p.do(&pb.RangeRequest{Key: []byte("equals/"), RangeEnd: []byte(end),
					SortTarget: pb.RangeRequest_SortTarget(target), SortOrder: pb.RangeRequest_SortOrder(order)})
			}
		}
	}
	p.all(
		all(func(r *pb.RangeRequest) { r.SortOrder = 3 }), all(func(r *pb.RangeRequest) { r.SortOrder = -1 }),
		all(func(r *pb.RangeRequest) { r.SortTarget = 5 }), all(func(r *pb.RangeRequest) { r.SortTarget = -1 }),
		&pb.RangeRequest{SortTarget: 9}, // an empty key is found first
	)
	// Limits.
	for _, limit := range []int64{-1, -1 << 62, 1, 2, 9, 10, 11, 1 << 62, 1<<63 - 1} {
		for _, flags := range [][2]bool{{}, {true, false}, {false, true}, {true, true}} {
			p.do(all(func(r *pb.RangeRequest) { r.Limit, r.CountOnly, r.KeysOnly = limit, flags[0], flags[1] }))
		}
	}
	// Filters, alone and with limits and orders.
	for _, rev := range []int64{-1, before, before + 4, after - 3, after, after + 9} {
		for field := range 4 {
			for _, limit := range []int64{0, 2} {
				p.do(all(func(r *pb.RangeRequest) {
					*[]*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision}[field] = rev
					r.Limit = limit
				}))
				p.do(all(func(r *pb.RangeRequest) {
					*[]*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision}[field] = rev
					r.Limit, r.SortOrder, r.SortTarget = limit, pb.RangeRequest_DESCEND, pb.RangeRequest_MOD
					r.CountOnly = field%2 == 0
				}))
			}
		}
	}
	p.do(all(func(r *pb.RangeRequest) { r.MinModRevision, r.MaxModRevision, r.Limit = before+3, after-2, 3 }))
	// Revisions.
	for _, rev := range []int64{-1, -1 << 63, 1, before, before + 1, after - 1, after, after + 1, after + 1000} {
		p.all(all(func(r *pb.RangeRequest) { r.Revision = rev }),
			all(func(r *pb.RangeRequest) { r.Revision, r.CountOnly, r.Limit = rev, true, 2 }),
			all(func(r *pb.RangeRequest) { r.Revision, r.Limit, r.Serializable = rev, 4, true }))
	}
	for rev := before; rev <= after; rev++ {
		p.do(all(func(r *pb.RangeRequest) { r.Revision = rev }))
		p.do(&pb.RangeRequest{Key: []byte("range/e"), Revision: rev})
	}
	// Pages.
	for key, pages := "range/", 0; pages < 20; pages++ {
		out := p.do(&pb.RangeRequest{Key: []byte(key), RangeEnd: []byte("range0"), Limit: 2, Revision: after})
		resp, _ := out.resp.(*pb.RangeResponse)
		if resp == nil || !resp.More || len(resp.Kvs) == 0 {
			break
		}
		key = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
}

func tableRangeStream(p *pair) {
	before, after := rangeState(p, "stream/")
	reqs := []*pb.RangeRequest{
		get("stream/", "stream0"), get("stream/a", ""), get("stream/none", ""), get("", ""), get("stream/", "\x00"), get("\x00", "\x00"),
		get("stream/z", "stream/a"),
	}
	for _, change := range []func(*pb.RangeRequest){
		func(r *pb.RangeRequest) { r.CountOnly = true },
		func(r *pb.RangeRequest) { r.CountOnly, r.Limit = true, 2 },
		func(r *pb.RangeRequest) { r.KeysOnly = true },
		func(r *pb.RangeRequest) { r.Serializable = true },
		func(r *pb.RangeRequest) { r.Limit = 1 },
		func(r *pb.RangeRequest) { r.Limit = 9 },
		func(r *pb.RangeRequest) { r.Limit = 10 },
		func(r *pb.RangeRequest) { r.Limit = 11 },
		func(r *pb.RangeRequest) { r.Limit = -1 },
		func(r *pb.RangeRequest) { r.Limit = -5 },
		func(r *pb.RangeRequest) { r.Revision = after - 5 },
		func(r *pb.RangeRequest) { r.Revision, r.Limit = before+5, 3 },
		func(r *pb.RangeRequest) { r.Revision = -4 },
		func(r *pb.RangeRequest) { r.Revision = after + 1 },
		func(r *pb.RangeRequest) { r.SortOrder = pb.RangeRequest_ASCEND },
		func(r *pb.RangeRequest) { r.SortOrder = pb.RangeRequest_DESCEND },
		func(r *pb.RangeRequest) { r.SortTarget = pb.RangeRequest_MOD },
		func(r *pb.RangeRequest) {
			r.SortTarget, r.SortOrder = pb.RangeRequest_VALUE, pb.RangeRequest_ASCEND
		},
		func(r *pb.RangeRequest) { r.SortOrder = 7 },
		func(r *pb.RangeRequest) { r.SortTarget = 7 },
		func(r *pb.RangeRequest) { r.MinModRevision = 1 },
		func(r *pb.RangeRequest) { r.MaxModRevision = 1 },
		func(r *pb.RangeRequest) { r.MinCreateRevision = -1 },
		func(r *pb.RangeRequest) { r.MaxCreateRevision = 1 },
	} {
		r := get("stream/", "stream0")
		change(r)
		reqs = append(reqs, r)
	}
	// Many keys, so that there are many messages.
	for i := range 150 {
		p.do(put(fmt.Sprintf("streams/%03d", i), fmt.Sprint(i)))
	}
	for _, limit := range []int64{-1, 0, 9, 10, 11, 29, 30, 31, 149, 150, 151} {
		reqs = append(reqs, &pb.RangeRequest{Key: []byte("streams/"), RangeEnd: []byte("streams0"), Limit: limit})
	}
	// Large values, so that messages get smaller again.
	large := make([]byte, 400<<10)
	for i := range 30 {
		p.do(&pb.PutRequest{Key: fmt.Appendf(nil, "streaml/%03d", i), Value: large})
	}
	reqs = append(reqs, get("streaml/", "streaml0"), &pb.RangeRequest{Key: []byte("streaml/"), RangeEnd: []byte("streaml0"), KeysOnly: true})
	for _, r := range reqs {
		p.stream(proto.Clone(r).(*pb.RangeRequest))
	}
	p.do(del("streaml/", "streaml0"))
}
