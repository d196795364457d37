package etcd

import (
	"fmt"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
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
	if !strings.Contains(name, ".") {
		name = "etcdserverpb." + name
	}
	return method{"/" + name, func() proto.Message { return P(new(T)) }}
}

var methods = func() map[protoName]method {
	out := map[protoName]method{}
	for req, m := range map[proto.Message]method{
		(*pb.RangeRequest)(nil):                    respondsWith[pb.RangeResponse]("KV/Range"),
		(*pb.PutRequest)(nil):                      respondsWith[pb.PutResponse]("KV/Put"),
		(*pb.DeleteRangeRequest)(nil):              respondsWith[pb.DeleteRangeResponse]("KV/DeleteRange"),
		(*pb.TxnRequest)(nil):                      respondsWith[pb.TxnResponse]("KV/Txn"),
		(*pb.CompactionRequest)(nil):               respondsWith[pb.CompactionResponse]("KV/Compact"),
		(*pb.LeaseGrantRequest)(nil):               respondsWith[pb.LeaseGrantResponse]("Lease/LeaseGrant"),
		(*pb.LeaseRevokeRequest)(nil):              respondsWith[pb.LeaseRevokeResponse]("Lease/LeaseRevoke"),
		(*pb.LeaseTimeToLiveRequest)(nil):          respondsWith[pb.LeaseTimeToLiveResponse]("Lease/LeaseTimeToLive"),
		(*pb.LeaseLeasesRequest)(nil):              respondsWith[pb.LeaseLeasesResponse]("Lease/LeaseLeases"),
		(*pb.StatusRequest)(nil):                   respondsWith[pb.StatusResponse]("Maintenance/Status"),
		(*pb.AlarmRequest)(nil):                    respondsWith[pb.AlarmResponse]("Maintenance/Alarm"),
		(*pb.DefragmentRequest)(nil):               respondsWith[pb.DefragmentResponse]("Maintenance/Defragment"),
		(*pb.HashRequest)(nil):                     respondsWith[pb.HashResponse]("Maintenance/Hash"),
		(*pb.HashKVRequest)(nil):                   respondsWith[pb.HashKVResponse]("Maintenance/HashKV"),
		(*pb.MoveLeaderRequest)(nil):               respondsWith[pb.MoveLeaderResponse]("Maintenance/MoveLeader"),
		(*pb.MemberListRequest)(nil):               respondsWith[pb.MemberListResponse]("Cluster/MemberList"),
		(*pb.MemberAddRequest)(nil):                respondsWith[pb.MemberAddResponse]("Cluster/MemberAdd"),
		(*pb.MemberRemoveRequest)(nil):             respondsWith[pb.MemberRemoveResponse]("Cluster/MemberRemove"),
		(*pb.MemberUpdateRequest)(nil):             respondsWith[pb.MemberUpdateResponse]("Cluster/MemberUpdate"),
		(*pb.MemberPromoteRequest)(nil):            respondsWith[pb.MemberPromoteResponse]("Cluster/MemberPromote"),
		(*pb.AuthEnableRequest)(nil):               respondsWith[pb.AuthEnableResponse]("Auth/AuthEnable"),
		(*pb.AuthDisableRequest)(nil):              respondsWith[pb.AuthDisableResponse]("Auth/AuthDisable"),
		(*pb.AuthStatusRequest)(nil):               respondsWith[pb.AuthStatusResponse]("Auth/AuthStatus"),
		(*pb.AuthenticateRequest)(nil):             respondsWith[pb.AuthenticateResponse]("Auth/Authenticate"),
		(*pb.AuthUserAddRequest)(nil):              respondsWith[pb.AuthUserAddResponse]("Auth/UserAdd"),
		(*pb.AuthUserGetRequest)(nil):              respondsWith[pb.AuthUserGetResponse]("Auth/UserGet"),
		(*pb.AuthUserListRequest)(nil):             respondsWith[pb.AuthUserListResponse]("Auth/UserList"),
		(*pb.AuthUserDeleteRequest)(nil):           respondsWith[pb.AuthUserDeleteResponse]("Auth/UserDelete"),
		(*pb.AuthUserChangePasswordRequest)(nil):   respondsWith[pb.AuthUserChangePasswordResponse]("Auth/UserChangePassword"),
		(*pb.AuthUserGrantRoleRequest)(nil):        respondsWith[pb.AuthUserGrantRoleResponse]("Auth/UserGrantRole"),
		(*pb.AuthUserRevokeRoleRequest)(nil):       respondsWith[pb.AuthUserRevokeRoleResponse]("Auth/UserRevokeRole"),
		(*pb.AuthRoleAddRequest)(nil):              respondsWith[pb.AuthRoleAddResponse]("Auth/RoleAdd"),
		(*pb.AuthRoleGetRequest)(nil):              respondsWith[pb.AuthRoleGetResponse]("Auth/RoleGet"),
		(*pb.AuthRoleListRequest)(nil):             respondsWith[pb.AuthRoleListResponse]("Auth/RoleList"),
		(*pb.AuthRoleDeleteRequest)(nil):           respondsWith[pb.AuthRoleDeleteResponse]("Auth/RoleDelete"),
		(*pb.AuthRoleGrantPermissionRequest)(nil):  respondsWith[pb.AuthRoleGrantPermissionResponse]("Auth/RoleGrantPermission"),
		(*pb.AuthRoleRevokePermissionRequest)(nil): respondsWith[pb.AuthRoleRevokePermissionResponse]("Auth/RoleRevokePermission"),
		(*v3lockpb.LockRequest)(nil):               respondsWith[v3lockpb.LockResponse]("v3lockpb.Lock/Lock"),
		(*v3lockpb.UnlockRequest)(nil):             respondsWith[v3lockpb.UnlockResponse]("v3lockpb.Lock/Unlock"),
		(*v3electionpb.CampaignRequest)(nil):       respondsWith[v3electionpb.CampaignResponse]("v3electionpb.Election/Campaign"),
		(*v3electionpb.ProclaimRequest)(nil):       respondsWith[v3electionpb.ProclaimResponse]("v3electionpb.Election/Proclaim"),
		(*v3electionpb.LeaderRequest)(nil):         respondsWith[v3electionpb.LeaderResponse]("v3electionpb.Election/Leader"),
		(*v3electionpb.ResignRequest)(nil):         respondsWith[v3electionpb.ResignResponse]("v3electionpb.Election/Resign"),
	} {
		out[req.ProtoReflect().Descriptor().Name()] = m
	}
	return out
}()
