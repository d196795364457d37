package etcdgw

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/causeway-sync/causeway/etcdgw/auth"
)

// authServer serves the Auth service: users and roles of this node.
type authServer struct {
	*Server
	pb.UnimplementedAuthServer
}

// authRevision is etcd's metric of the revision of users and roles.
func authRevision(users *auth.Store) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "etcd_debugging_auth_revision",
		Help: "The current revision of auth store.",
	}, func() float64 { return float64(users.Revision()) })
}

// begin returns the caller of a request of admissible size.
func (s *authServer) begin(ctx context.Context, r proto.Message) (auth.Info, error) {
	by, err := s.caller(ctx)
	if err != nil {
		return auth.Info{}, err
	}
	return by, checkSize(r, s.cfg.MaxRequestBytes)
}

// change makes a change of users or roles and returns a header for the answer.
// By then every write that was allowed by what held before has been published:
// the empty transaction comes after them.
func (s *authServer) change(ctx context.Context, r proto.Message, f func(by auth.Info) error) (*pb.ResponseHeader, error) {
	by, err := s.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := f(by); err != nil {
		return nil, err
	}
	if _, err := s.backend.Submit(ctx, &pb.TxnRequest{}); err != nil && ctx.Err() != nil {
		return nil, err
	}
	return s.header(s.view.Revision()), nil
}

// AuthEnable implements Auth.
func (s *authServer) AuthEnable(ctx context.Context, r *pb.AuthEnableRequest) (*pb.AuthEnableResponse, error) {
	h, err := s.change(ctx, r, s.auth.Enable)
	if err != nil {
		return nil, err
	}
	return &pb.AuthEnableResponse{Header: h}, nil
}

// AuthDisable implements Auth.
func (s *authServer) AuthDisable(ctx context.Context, r *pb.AuthDisableRequest) (*pb.AuthDisableResponse, error) {
	h, err := s.change(ctx, r, s.auth.Disable)
	if err != nil {
		return nil, err
	}
	return &pb.AuthDisableResponse{Header: h}, nil
}

// AuthStatus implements Auth. As in etcd from 3.7 on anybody may ask, but for those
// with a token that is nobody's.
func (s *authServer) AuthStatus(ctx context.Context, r *pb.AuthStatusRequest) (*pb.AuthStatusResponse, error) {
	if _, err := s.begin(ctx, r); err != nil {
		return nil, err
	}
	enabled, revision := s.auth.Status()
	return &pb.AuthStatusResponse{Header: s.header(s.view.Revision()), Enabled: enabled, AuthRevision: revision}, nil
}

// Authenticate implements Auth: it gives out a simple token.
func (s *authServer) Authenticate(_ context.Context, r *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	token, err := s.auth.Authenticate(r.Name, r.Password)
	if err != nil {
		return nil, err
	}
	return &pb.AuthenticateResponse{Header: s.header(s.view.Revision()), Token: token}, nil
}

// UserAdd implements Auth.
func (s *authServer) UserAdd(ctx context.Context, r *pb.AuthUserAddRequest) (*pb.AuthUserAddResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.UserAdd(by, r) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserAddResponse{Header: h}, nil
}

// UserGet implements Auth.
func (s *authServer) UserGet(ctx context.Context, r *pb.AuthUserGetRequest) (*pb.AuthUserGetResponse, error) {
	by, err := s.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	roles, err := s.auth.UserGet(by, r.Name)
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserGetResponse{Header: s.header(s.view.Revision()), Roles: roles}, nil
}

// UserList implements Auth.
func (s *authServer) UserList(ctx context.Context, r *pb.AuthUserListRequest) (*pb.AuthUserListResponse, error) {
	by, err := s.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	users, err := s.auth.UserList(by)
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserListResponse{Header: s.header(s.view.Revision()), Users: users}, nil
}

// UserDelete implements Auth.
func (s *authServer) UserDelete(ctx context.Context, r *pb.AuthUserDeleteRequest) (*pb.AuthUserDeleteResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.UserDelete(by, r.Name) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserDeleteResponse{Header: h}, nil
}

// UserChangePassword implements Auth.
func (s *authServer) UserChangePassword(ctx context.Context, r *pb.AuthUserChangePasswordRequest) (*pb.AuthUserChangePasswordResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.UserChangePassword(by, r) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserChangePasswordResponse{Header: h}, nil
}

// UserGrantRole implements Auth.
func (s *authServer) UserGrantRole(ctx context.Context, r *pb.AuthUserGrantRoleRequest) (*pb.AuthUserGrantRoleResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.UserGrantRole(by, r.User, r.Role) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserGrantRoleResponse{Header: h}, nil
}

// UserRevokeRole implements Auth.
func (s *authServer) UserRevokeRole(ctx context.Context, r *pb.AuthUserRevokeRoleRequest) (*pb.AuthUserRevokeRoleResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.UserRevokeRole(by, r.Name, r.Role) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthUserRevokeRoleResponse{Header: h}, nil
}

// RoleAdd implements Auth.
func (s *authServer) RoleAdd(ctx context.Context, r *pb.AuthRoleAddRequest) (*pb.AuthRoleAddResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.RoleAdd(by, r.Name) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleAddResponse{Header: h}, nil
}

// RoleGet implements Auth.
func (s *authServer) RoleGet(ctx context.Context, r *pb.AuthRoleGetRequest) (*pb.AuthRoleGetResponse, error) {
	by, err := s.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	permissions, err := s.auth.RoleGet(by, r.Role)
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleGetResponse{Header: s.header(s.view.Revision()), Perm: permissions}, nil
}

// RoleList implements Auth.
func (s *authServer) RoleList(ctx context.Context, r *pb.AuthRoleListRequest) (*pb.AuthRoleListResponse, error) {
	by, err := s.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	roles, err := s.auth.RoleList(by)
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleListResponse{Header: s.header(s.view.Revision()), Roles: roles}, nil
}

// RoleDelete implements Auth.
func (s *authServer) RoleDelete(ctx context.Context, r *pb.AuthRoleDeleteRequest) (*pb.AuthRoleDeleteResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.RoleDelete(by, r.Role) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleDeleteResponse{Header: h}, nil
}

// RoleGrantPermission implements Auth.
func (s *authServer) RoleGrantPermission(ctx context.Context, r *pb.AuthRoleGrantPermissionRequest) (*pb.AuthRoleGrantPermissionResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.RoleGrantPermission(by, r.Name, r.Perm) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleGrantPermissionResponse{Header: h}, nil
}

// RoleRevokePermission implements Auth.
func (s *authServer) RoleRevokePermission(ctx context.Context, r *pb.AuthRoleRevokePermissionRequest) (*pb.AuthRoleRevokePermissionResponse, error) {
	h, err := s.change(ctx, r, func(by auth.Info) error { return s.auth.RoleRevokePermission(by, r.Role, r.Key, r.RangeEnd) })
	if err != nil {
		return nil, err
	}
	return &pb.AuthRoleRevokePermissionResponse{Header: h}, nil
}
