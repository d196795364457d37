package etcd

import (
	"context"
	"fmt"
	"math/rand/v2"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

// tableRangeCombined draws all options of a range at once: orders with limits, filters of
// both sides, revisions, and ranges with and without an end. The draws are the same each time.
func tableRangeCombined(p *pair) {
	before, after := rangeState(p, "comb/")
	rng := rand.New(rand.NewPCG(7, 7))
	one := func(n int) bool { return rng.IntN(n) == 0 }
	names := []string{"comb/", "comb/a", "comb/c", "comb/c\x00", "comb/f", "comb/\xff", "comb0", "\x00", ""}
	rev := func() int64 { return before - 1 + rng.Int64N(after-before+4) }
	for range 1500 {
		r := &pb.RangeRequest{Key: []byte(names[rng.IntN(len(names))]), RangeEnd: []byte(names[rng.IntN(len(names))])}
		if one(3) {
			r.Key, r.RangeEnd = []byte("comb/"), []byte("comb0")
		}
		r.SortOrder, r.SortTarget = pb.RangeRequest_SortOrder(rng.IntN(3)), pb.RangeRequest_SortTarget(rng.IntN(5))
		r.KeysOnly, r.CountOnly, r.Serializable = one(4), one(6), one(4)
		if one(2) {
			r.Limit = rng.Int64N(13) - 1
		}
		if one(2) {
			r.Revision = rev()
		}
		for _, f := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
			if one(3) {
				*f = rev()
			}
		}
		p.do(r)
		if one(10) {
			p.do(txn(r))
		}
	}
}

// tableLeaseBounds: times to live that are none, and what becomes of IDs.
func tableLeaseBounds(p *pair) {
	for _, r := range []*pb.LeaseGrantRequest{
		{ID: 131}, {ID: 132, TTL: -1}, {ID: 133, TTL: -1 << 63}, {ID: 134, TTL: 1<<63 - 1}, {TTL: 0}, {TTL: -5},
		{ID: 1<<63 - 1, TTL: 100}, {ID: -1 << 63, TTL: 100},
	} {
		p.do(r)
		p.do(&pb.LeaseTimeToLiveRequest{ID: r.ID, Keys: true})
		p.do(&pb.LeaseRevokeRequest{ID: r.ID})
		p.do(&pb.LeaseRevokeRequest{ID: r.ID})
	}
	// Granted again: the keys of the one before are gone, and are not the new one's.
	p.all(&pb.LeaseGrantRequest{ID: 141, TTL: 500}, &pb.PutRequest{Key: []byte("bounds/a"), Lease: 141}, &pb.LeaseRevokeRequest{ID: 141},
		&pb.LeaseGrantRequest{ID: 141, TTL: 600}, &pb.LeaseTimeToLiveRequest{ID: 141, Keys: true}, get("bounds/", "bounds0"),
		put("bounds/a", "x"), &pb.PutRequest{Key: []byte("bounds/a"), IgnoreLease: true, Value: []byte("y")},
		&pb.PutRequest{Key: []byte("bounds/a"), IgnoreValue: true, Lease: 141}, &pb.LeaseTimeToLiveRequest{ID: 141, Keys: true})
	// In one transaction: put under a lease and delete, move to another lease, read the lease.
	p.all(&pb.LeaseGrantRequest{ID: 142, TTL: 600},
		txn(&pb.PutRequest{Key: []byte("bounds/b"), Lease: 141}, del("bounds/a", "")), &pb.LeaseTimeToLiveRequest{ID: 141, Keys: true},
		txn(&pb.PutRequest{Key: []byte("bounds/b"), IgnoreValue: true, Lease: 142}, get("bounds/b", "")), &pb.LeaseTimeToLiveRequest{ID: 142, Keys: true},
		when(&pb.Compare{Key: []byte("bounds/b"), Target: pb.Compare_LEASE, TargetUnion: &pb.Compare_Lease{Lease: 142}}, ops(del("bounds/b", "")), nil),
		&pb.LeaseTimeToLiveRequest{ID: 142, Keys: true}, &pb.LeaseLeasesRequest{}, &pb.LeaseRevokeRequest{ID: 141}, &pb.LeaseRevokeRequest{ID: 142})
	p.keepAlive(141, 142, 0, -1)
}

// tableAlarm: what stands while an alarm does, who raised it, and how it ends.
func tableAlarm(p *pair) {
	alarm := func(action pb.AlarmRequest_AlarmAction, member uint64, kind pb.AlarmType) *pb.AlarmRequest {
		return &pb.AlarmRequest{Action: action, MemberID: member, Alarm: kind}
	}
	writes := func() {
		p.all(put("alarm/a", "1"), txn(put("alarm/a", "2")), txn(get("alarm/a", "")), txn(del("alarm/none", "")), get("alarm/a", ""),
			when(modIs("alarm/none", 0), ops(get("alarm/a", "")), ops(put("alarm/a", "no"))),
			when(modIs("alarm/none", 0), ops(txn(put("alarm/a", "nested"))), nil),
			del("alarm/a", ""), del("alarm/none", ""), &pb.LeaseGrantRequest{ID: 151, TTL: 600}, &pb.LeaseRevokeRequest{ID: 151},
			put("", ""), &pb.PutRequest{Key: []byte("alarm/x"), Lease: 999}, &pb.PutRequest{Key: []byte("alarm/none"), IgnoreValue: true},
			&pb.CompactionRequest{Revision: p.rev + 1000}, &pb.AlarmRequest{}, &pb.StatusRequest{})
	}
	p.do(put("alarm/a", "0"))
	for _, kind := range []pb.AlarmType{pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT} {
		p.do(alarm(pb.AlarmRequest_ACTIVATE, 77, kind))
		p.do(alarm(pb.AlarmRequest_ACTIVATE, 77, kind)) // again
		writes()
		p.all(alarm(pb.AlarmRequest_GET, 0, kind), alarm(pb.AlarmRequest_GET, 78, pb.AlarmType_NONE),
			alarm(pb.AlarmRequest_DEACTIVATE, 78, kind), alarm(pb.AlarmRequest_GET, 0, pb.AlarmType_NONE),
			alarm(pb.AlarmRequest_ACTIVATE, 78, kind), alarm(pb.AlarmRequest_DEACTIVATE, 77, kind))
		writes()
		p.do(alarm(pb.AlarmRequest_DEACTIVATE, 78, kind))
		writes()
	}
	p.do(alarm(pb.AlarmRequest_ACTIVATE, 77, pb.AlarmType_NONE))
	p.do(alarm(pb.AlarmRequest_GET, 0, pb.AlarmType_NONE))
	p.do(alarm(pb.AlarmRequest_DEACTIVATE, 77, pb.AlarmType_NONE))
	p.do(alarm(pb.AlarmRequest_GET, 0, pb.AlarmType_NONE))
}

// tableHealth asks gRPC's health service.
func tableHealth(p *pair) {
	for _, name := range []string{"", "etcdserverpb.KV", "none"} {
		out := map[*site]string{}
		for _, s := range []*site{p.etcd, p.node} {
			ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
			client := healthpb.NewHealthClient(s.conn)
			resp, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
			out[s] = fmt.Sprintf("Check: %v, %s", resp.GetStatus(), text(err))
			stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: name})
			if err == nil {
				resp, err = stream.Recv()
			}
			out[s] += fmt.Sprintf("; Watch: %v, %s", resp.GetStatus(), text(err))
			all, err := client.List(ctx, &healthpb.HealthListRequest{})
			out[s] += fmt.Sprintf("; List: %v, %s", all.GetStatuses()[""].GetStatus(), text(err))
			cancel()
		}
		if out[p.etcd] != out[p.node] {
			p.t.Errorf("health of %q\n  etcd: %s\n  node: %s", name, out[p.etcd], out[p.node])
		}
	}
}

// tableAuthRanges: permissions for ranges that touch, overlap, contain each other or have no end, of
// one role and of two.
func tableAuthRanges(p *pair) {
	p.all(&pb.AuthUserAddRequest{Name: "root", Password: "r"}, &pb.AuthRoleAddRequest{Name: "root"}, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"},
		&pb.AuthUserAddRequest{Name: "u", Password: "u"}, &pb.AuthRoleAddRequest{Name: "one"}, &pb.AuthRoleAddRequest{Name: "two"},
		&pb.AuthUserGrantRoleRequest{User: "u", Role: "one"}, &pb.AuthUserGrantRoleRequest{User: "u", Role: "two"})
	for _, g := range []*pb.AuthRoleGrantPermissionRequest{
		grantPermission("one", authpb.READ, "ar/a", "ar/b"), grantPermission("two", authpb.READ, "ar/b", "ar/c"),
		grantPermission("one", authpb.WRITE, "ar/d", "ar/g"), grantPermission("two", authpb.READWRITE, "ar/e", "ar/f"),
		grantPermission("one", authpb.READ, "ar/h", ""), grantPermission("one", authpb.READ, "ar/h\x00", ""), grantPermission("two", authpb.WRITE, "ar/x", "\x00"),
		grantPermission("one", authpb.READ, "ar/h", ""), grantPermission("one", authpb.READWRITE, "ar/a", "ar/b"), grantPermission("one", authpb.READ, "ar/a", "ar/b"),
	} {
		p.do(g)
	}
	p.all(&pb.AuthRoleGetRequest{Role: "one"}, &pb.AuthRoleGetRequest{Role: "two"}, &pb.AuthEnableRequest{})
	p.as("u", "u")
	for _, r := range [][2]string{
		{"ar/a", "ar/b"}, {"ar/a", "ar/c"}, {"ar/a", "ar/c\x00"}, {"ar/b", ""}, {"ar/c", ""}, {"ar/d", "ar/g"}, {"ar/e", "ar/f"}, {"ar/d", "ar/f"},
		{"ar/h", ""}, {"ar/h", "ar/h\x00"}, {"ar/h", "ar/h\x00\x00"}, {"ar/x", ""}, {"ar/x", "\x00"}, {"ar/z", "\x00"}, {"ar/w", "\x00"}, {"ar/x", "zzz"}, {"\x00", "\x00"},
		{"", ""}, {"ar/b", "ar/a"},
	} {
		p.all(get(r[0], r[1]), del(r[0], r[1]), &pb.DeleteRangeRequest{Key: []byte(r[0]), RangeEnd: []byte(r[1]), PrevKv: true},
			when(&pb.Compare{Key: []byte(r[0]), RangeEnd: []byte(r[1]), Target: pb.Compare_VERSION, TargetUnion: &pb.Compare_Version{Version: 9}}, nil, ops(get("ar/a", ""))),
			txn(txn(del(r[0], r[1]))))
		w := p.watch()
		w.create(watchOf(r[0], r[1], 0))
		w.compare()
		w.close()
	}
	p.all(put("ar/d", "1"), &pb.PutRequest{Key: []byte("ar/d"), PrevKv: true}, &pb.PutRequest{Key: []byte("ar/d"), IgnoreValue: true},
		&pb.PutRequest{Key: []byte("ar/e"), PrevKv: true}, put("ar/e", "1"), &pb.PutRequest{Key: []byte("ar/e"), IgnoreValue: true}, put("ar/h", "no"))
	p.as("root", "r")
	// A role that loses a permission while its user has a token, and a user that is gone.
	p.all(&pb.AuthRoleRevokePermissionRequest{Role: "two", Key: []byte("ar/b"), RangeEnd: []byte("ar/c")})
	p.as("u", "u")
	p.all(get("ar/a", "ar/c"), get("ar/a", "ar/b"))
	p.as("root", "r")
	p.all(&pb.AuthRoleDeleteRequest{Role: "two"}, &pb.AuthUserGetRequest{Name: "u"}, &pb.AuthUserDeleteRequest{Name: "u"}, &pb.AuthDisableRequest{})
	p.as("", "")
	p.all(&pb.AuthUserDeleteRequest{Name: "root"}, &pb.AuthRoleDeleteRequest{Role: "one"}, &pb.AuthRoleDeleteRequest{Role: "root"})
	p.do(del("ar/", "ar0"))
}

// tableWatchCompacted: watches that lag or wait while a compaction passes them, with
// filters and values before.
func tableWatchCompacted(p *pair) {
	for i := range 6 {
		p.do(put("wcp/a", fmt.Sprint(i)))
		p.do(put(fmt.Sprintf("wcp/%d", i), ""))
	}
	p.all(del("wcp/a", ""), put("wcp/a", "again"))
	at := p.now() - 3
	p.do(&pb.CompactionRequest{Revision: at, Physical: true})
	for rev := at - 2; rev <= p.rev+2; rev++ {
		for _, c := range []*pb.WatchCreateRequest{
			{Key: []byte("wcp/a"), StartRevision: rev, PrevKv: true},
			{Key: []byte("wcp/a"), StartRevision: rev, PrevKv: true, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}},
			{Key: []byte("wcp/"), RangeEnd: []byte("wcp0"), StartRevision: rev, PrevKv: true, Fragment: true, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}},
		} {
			w := p.watch()
			w.create(proto.Clone(c).(*pb.WatchCreateRequest))
			if rev < at {
				w.waitHistory(1)
			} else if rev <= p.rev {
				w.settle()
			}
			w.compare()
			w.close()
		}
	}
	p.do(del("wcp/", "wcp0"))
}
