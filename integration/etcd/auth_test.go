package etcd

import (
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// as makes the calls that follow those of a user; an empty name is nobody.
func (p *pair) as(name, password string) {
	p.t.Helper()
	if name == "" {
		p.etcd.token, p.node.token = "", ""
		return
	}
	if out := p.do(&pb.AuthenticateRequest{Name: name, Password: password}); out.err == nil {
		p.etcd.token, p.node.token = p.etcd.granting, p.node.granting
	}
}

func grantPermission(role string, kind authpb.Permission_Type, key, end string) *pb.AuthRoleGrantPermissionRequest {
	return &pb.AuthRoleGrantPermissionRequest{Name: role, Perm: &authpb.Permission{PermType: kind, Key: []byte(key), RangeEnd: []byte(end)}}
}

// tableAuth makes users and roles, lets each of them try everything, and takes all back.
func tableAuth(p *pair) {
	show := func() {
		p.t.Helper()
		p.all(&pb.AuthStatusRequest{}, &pb.AuthUserListRequest{}, &pb.AuthRoleListRequest{}, &pb.AuthUserGetRequest{Name: "alice"},
			&pb.AuthUserGetRequest{Name: "root"}, &pb.AuthUserGetRequest{Name: "nobody"}, &pb.AuthUserGetRequest{},
			&pb.AuthRoleGetRequest{Role: "root"}, &pb.AuthRoleGetRequest{Role: "reader"}, &pb.AuthRoleGetRequest{Role: "none"}, &pb.AuthRoleGetRequest{})
	}
	show()
	p.all(&pb.AuthDisableRequest{}, &pb.AuthEnableRequest{}, &pb.AuthenticateRequest{Name: "root", Password: "r"},
		&pb.AuthUserAddRequest{}, &pb.AuthUserAddRequest{Name: "root", Password: "r"}, &pb.AuthUserAddRequest{Name: "root", Password: "r"},
		&pb.AuthUserAddRequest{Name: "alice", Password: "a"}, &pb.AuthUserAddRequest{Name: "empty"},
		&pb.AuthUserAddRequest{Name: "certified", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserAddRequest{Name: "both", Password: "x", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserAddRequest{Name: "hashed", HashedPassword: "bm90aGluZw=="}, &pb.AuthUserAddRequest{Name: "bad", HashedPassword: "%"},
		&pb.AuthUserAddRequest{Name: "long", Password: string(make([]byte, 73))},
		&pb.AuthEnableRequest{}, // root lacks its role
		&pb.AuthRoleAddRequest{}, &pb.AuthRoleAddRequest{Name: "root"}, &pb.AuthRoleAddRequest{Name: "root"},
		&pb.AuthRoleAddRequest{Name: "reader"}, &pb.AuthRoleAddRequest{Name: "writer"}, &pb.AuthRoleAddRequest{Name: "reader"},
		grantPermission("reader", authpb.READ, "auth/a", "auth/c"), grantPermission("reader", authpb.READ, "auth/a", "auth/c"),
		grantPermission("reader", authpb.READWRITE, "auth/x", ""), grantPermission("writer", authpb.WRITE, "auth/", "auth0"),
		grantPermission("writer", authpb.WRITE, "", ""), grantPermission("writer", authpb.READ, "b", "a"), grantPermission("writer", authpb.READ, "a", "\x00"),
		grantPermission("writer", authpb.READ, "", "\x00"), grantPermission("none", authpb.READ, "a", ""), grantPermission("writer", 7, "a", ""),
		grantPermission("root", authpb.READ, "a", ""), &pb.AuthRoleGrantPermissionRequest{Name: "writer"}, &pb.AuthRoleGrantPermissionRequest{},
		&pb.AuthRoleRevokePermissionRequest{Role: "writer", Key: []byte("a"), RangeEnd: []byte{0}},
		&pb.AuthRoleRevokePermissionRequest{Role: "writer", Key: []byte("a"), RangeEnd: []byte{0}},
		&pb.AuthRoleRevokePermissionRequest{Role: "none", Key: []byte("a")}, &pb.AuthRoleRevokePermissionRequest{},
		&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}, &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"},
		&pb.AuthUserGrantRoleRequest{User: "alice", Role: "reader"}, &pb.AuthUserGrantRoleRequest{User: "alice", Role: "writer"},
		&pb.AuthUserGrantRoleRequest{User: "alice", Role: "none"}, &pb.AuthUserGrantRoleRequest{User: "none", Role: "reader"}, &pb.AuthUserGrantRoleRequest{},
		&pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "writer"}, &pb.AuthUserRevokeRoleRequest{Name: "alice", Role: "writer"},
		&pb.AuthUserRevokeRoleRequest{Name: "none", Role: "writer"}, &pb.AuthUserRevokeRoleRequest{},
		&pb.AuthUserChangePasswordRequest{Name: "empty", Password: "e"}, &pb.AuthUserChangePasswordRequest{Name: "none", Password: "e"},
		&pb.AuthUserChangePasswordRequest{}, &pb.AuthUserDeleteRequest{Name: "none"}, &pb.AuthUserDeleteRequest{}, &pb.AuthUserDeleteRequest{Name: "both"},
		&pb.AuthRoleDeleteRequest{Role: "none"}, &pb.AuthRoleDeleteRequest{}, put("auth/a", "1"), put("auth/d", "1"))
	show()
	p.do(&pb.AuthEnableRequest{})
	show() // by nobody
	p.all(&pb.AuthEnableRequest{}, &pb.AuthenticateRequest{}, &pb.AuthenticateRequest{Name: "alice"}, &pb.AuthenticateRequest{Name: "alice", Password: "b"},
		&pb.AuthenticateRequest{Name: "none", Password: "b"}, &pb.AuthenticateRequest{Name: "certified", Password: "b"}, &pb.AuthenticateRequest{Name: "certified"})
	for _, user := range [][2]string{{"alice", "a"}, {"empty", "e"}, {"root", "r"}, {"", ""}} {
		p.as(user[0], user[1])
		authCalls(p)
		show()
	}
	p.etcd.token, p.node.token = "nonsense", "nonsense"
	p.all(put("auth/a", "1"), get("auth/a", ""), &pb.AuthUserListRequest{}, &pb.StatusRequest{}, &pb.MemberListRequest{})
	p.as("root", "r")
	p.all(&pb.AuthUserDeleteRequest{Name: "root"}, &pb.AuthRoleDeleteRequest{Role: "root"}, &pb.AuthUserRevokeRoleRequest{Name: "root", Role: "root"},
		&pb.AuthRoleDeleteRequest{Role: "reader"}, &pb.AuthUserGetRequest{Name: "alice"}, &pb.AuthUserDeleteRequest{Name: "alice"},
		&pb.AuthenticateRequest{Name: "alice", Password: "a"}, &pb.AuthDisableRequest{}, &pb.AuthDisableRequest{})
	p.as("", "")
	for _, user := range []string{"empty", "certified", "hashed", "long", "root"} {
		p.do(&pb.AuthUserDeleteRequest{Name: user})
	}
	p.all(&pb.AuthRoleDeleteRequest{Role: "writer"}, &pb.AuthRoleDeleteRequest{Role: "root"})
	show()
}

// authCalls calls what needs permission.
func authCalls(p *pair) {
	p.t.Helper()
	for _, key := range []string{"auth/a", "auth/b", "auth/c", "auth/x", "other"} {
		p.all(put(key, "v"), get(key, ""), &pb.PutRequest{Key: []byte(key), Value: []byte("w"), PrevKv: true},
			&pb.PutRequest{Key: []byte(key), IgnoreValue: true}, txn(put(key, "t")), txn(get(key, "")), txn(txn(get(key, ""))),
			when(modIs(key, 0), ops(get("auth/a", "")), ops(get("auth/a", ""))), &pb.DeleteRangeRequest{Key: []byte(key), PrevKv: true}, del(key, ""))
	}
	for _, r := range [][2]string{{"auth/a", "auth/b"}, {"auth/a", "auth/c"}, {"auth/a", "auth/d"}, {"auth/", "auth0"}, {"auth/", "\x00"}, {"\x00", "\x00"}, {"c", "b"}} {
		req := get(r[0], r[1])
		p.all(req, del(r[0], r[1]), txn(req, del(r[0], r[1])))
		p.stream(req)
	}
	p.all(put("", ""), &pb.CompactionRequest{Revision: 1 << 30}, &pb.LeaseGrantRequest{ID: 71, TTL: 1000},
		&pb.PutRequest{Key: []byte("auth/x"), Lease: 71}, &pb.PutRequest{Key: []byte("other"), Lease: 71}, &pb.LeaseTimeToLiveRequest{ID: 71, Keys: true}, &pb.LeaseLeasesRequest{},
		&pb.LeaseRevokeRequest{ID: 71}, &pb.StatusRequest{}, &pb.HashRequest{}, &pb.DefragmentRequest{}, &pb.AlarmRequest{},
		&pb.MemberListRequest{}, &pb.MoveLeaderRequest{TargetID: 1}, &pb.AuthUserAddRequest{Name: "more", Password: "m"}, &pb.AuthUserDeleteRequest{Name: "more"},
		&pb.AuthUserChangePasswordRequest{Name: "empty", Password: "e"}, &pb.AuthRoleAddRequest{Name: "more"}, &pb.AuthRoleDeleteRequest{Role: "more"})
}
