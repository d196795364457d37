package etcd

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func tableMaintenance(p *pair) {
	p.do(put("m/a", "0"))
	p.all(&pb.StatusRequest{}, &pb.AlarmRequest{}, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_NOSPACE},
		&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE}, &pb.AlarmRequest{Alarm: pb.AlarmType_CORRUPT},
		&pb.DefragmentRequest{}, &pb.HashRequest{}, &pb.HashKVRequest{}, &pb.HashKVRequest{Revision: 2}, &pb.HashKVRequest{Revision: 1000},
		&pb.HashKVRequest{Revision: -1}, &pb.MoveLeaderRequest{TargetID: 1}, &pb.MoveLeaderRequest{TargetID: 2}, &pb.MoveLeaderRequest{},
		put("m/a", "1"), &pb.StatusRequest{}, &pb.HashKVRequest{}, &pb.HashRequest{})
}

func tableCluster(p *pair) {
	p.all(&pb.MemberListRequest{}, &pb.MemberListRequest{Linearizable: true}, &pb.MemberAddRequest{}, &pb.MemberAddRequest{PeerURLs: []string{"nonsense"}},
		&pb.MemberRemoveRequest{ID: 12345}, &pb.MemberUpdateRequest{ID: 12345, PeerURLs: []string{"http://127.0.0.1:1"}}, &pb.MemberPromoteRequest{ID: 12345})
}

// tableUnknown calls methods that nobody serves.
func tableUnknown(p *pair) {
	for _, name := range []string{"/etcdserverpb.KV/Nothing", "/etcdserverpb.Nothing/Range", "/nothing", "/Nothing.Nothing/Nothing"} {
		var want, got error
		p.both(func(s *site) {
			ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
			defer cancel()
			err := s.conn.Invoke(ctx, name, &pb.RangeRequest{Key: []byte("k")}, &pb.RangeResponse{})
			if s == p.etcd {
				want = err
			} else {
				got = err
			}
		})
		if w, g := text(want), text(got); w != g {
			p.t.Errorf("%s\n  etcd: %s\n  node: %s", name, w, g)
		}
	}
}
