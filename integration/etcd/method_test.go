package etcd

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// method is a unary method of the API.
type method struct {
	name        string
	newResponse func() proto.Message
}

// methodOf returns the method whose request req is.
func methodOf(req proto.Message) method {
	m, ok := methods[req.ProtoReflect().Descriptor().Name()]
	if !ok {
		panic(fmt.Sprintf("no method for %T", req))
	}
	return m
}

func respondsWith[T any, P interface {
	*T
	proto.Message
}](name string) method {
	return method{"/etcdserverpb." + name, func() proto.Message { return P(new(T)) }}
}

var methods = func() map[protoName]method {
	out := map[protoName]method{}
	for req, m := range map[proto.Message]method{
		(*pb.RangeRequest)(nil):           respondsWith[pb.RangeResponse]("KV/Range"),
		(*pb.PutRequest)(nil):             respondsWith[pb.PutResponse]("KV/Put"),
		(*pb.DeleteRangeRequest)(nil):     respondsWith[pb.DeleteRangeResponse]("KV/DeleteRange"),
		(*pb.TxnRequest)(nil):             respondsWith[pb.TxnResponse]("KV/Txn"),
		(*pb.CompactionRequest)(nil):      respondsWith[pb.CompactionResponse]("KV/Compact"),
		(*pb.LeaseGrantRequest)(nil):      respondsWith[pb.LeaseGrantResponse]("Lease/LeaseGrant"),
		(*pb.LeaseRevokeRequest)(nil):     respondsWith[pb.LeaseRevokeResponse]("Lease/LeaseRevoke"),
		(*pb.LeaseTimeToLiveRequest)(nil): respondsWith[pb.LeaseTimeToLiveResponse]("Lease/LeaseTimeToLive"),
		(*pb.LeaseLeasesRequest)(nil):     respondsWith[pb.LeaseLeasesResponse]("Lease/LeaseLeases"),
		(*pb.StatusRequest)(nil):          respondsWith[pb.StatusResponse]("Maintenance/Status"),
		(*pb.AlarmRequest)(nil):           respondsWith[pb.AlarmResponse]("Maintenance/Alarm"),
		(*pb.DefragmentRequest)(nil):      respondsWith[pb.DefragmentResponse]("Maintenance/Defragment"),
		(*pb.HashRequest)(nil):            respondsWith[pb.HashResponse]("Maintenance/Hash"),
		(*pb.HashKVRequest)(nil):          respondsWith[pb.HashKVResponse]("Maintenance/HashKV"),
		(*pb.MoveLeaderRequest)(nil):      respondsWith[pb.MoveLeaderResponse]("Maintenance/MoveLeader"),
		(*pb.MemberListRequest)(nil):      respondsWith[pb.MemberListResponse]("Cluster/MemberList"),
		(*pb.MemberAddRequest)(nil):       respondsWith[pb.MemberAddResponse]("Cluster/MemberAdd"),
		(*pb.MemberRemoveRequest)(nil):    respondsWith[pb.MemberRemoveResponse]("Cluster/MemberRemove"),
		(*pb.MemberUpdateRequest)(nil):    respondsWith[pb.MemberUpdateResponse]("Cluster/MemberUpdate"),
		(*pb.MemberPromoteRequest)(nil):   respondsWith[pb.MemberPromoteResponse]("Cluster/MemberPromote"),
	} {
		out[req.ProtoReflect().Descriptor().Name()] = m
	}
	return out
}()
