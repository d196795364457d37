package auth

import (
	"encoding/base64"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/proto"
)

// cloneOf returns a copy of m of its own.
func cloneOf[M proto.Message](m M) M { return proto.Clone(m).(M) }

// UserAdd adds a user. As in etcd one without a password is still one with
// password, the empty one, unless the option says "no password", and a hashed
// password in the request is not used. The request is not changed. Errors:
// those of [Store.CheckAdmin], ErrGRPCUserEmpty, ErrGRPCUserAlreadyExist, that of
// bcrypt for a password above 72 bytes.
func (s *Store) UserAdd(by Info, r *pb.AuthUserAddRequest) error {
	if err := s.CheckAdmin(by); err != nil { // before the hashing, which is costly
		return err
	}
	var hash []byte
	if !r.Options.GetNoPassword() {
		var err error
		if hash, err = bcrypt.GenerateFromPassword([]byte(r.Password), s.cost); err != nil {
			return err
		}
	}
	return s.change(by, func(next *state) (bool, error) {
		if r.Name == "" {
			return false, rpctypes.ErrGRPCUserEmpty
		}
		if next.users[r.Name] != nil {
			return false, rpctypes.ErrGRPCUserAlreadyExist
		}
		options := &authpb.UserAddOptions{NoPassword: r.Options.GetNoPassword()}
		next.putUser(&authpb.User{Name: []byte(r.Name), Password: hash, Options: options})
		next.revision++
		s.log.Info("auth: user added", "user", r.Name)
		return true, nil
	})
}

// UserDelete deletes a user and ends its tokens. Errors: those of
// [Store.CheckAdmin], ErrGRPCInvalidAuthMgmt (root, while authentication is
// enabled), ErrGRPCUserNotFound.
func (s *Store) UserDelete(by Info, name string) error {
	return s.change(by, func(next *state) (bool, error) {
		if next.enabled && name == rootName {
			return false, rpctypes.ErrGRPCInvalidAuthMgmt
		}
		if next.users[name] == nil {
			return false, rpctypes.ErrGRPCUserNotFound
		}
		delete(next.users, name)
		next.revision++
		s.log.Info("auth: user deleted", "user", name)
		return true, nil
	}, name)
}

// UserChangePassword changes a user's password and ends its tokens. Without a
// password the hashed one is taken, as base64. A user without password keeps
// none. Errors: those of [Store.CheckAdmin], ErrGRPCUserNotFound,
// ErrNoPasswordUser (not base64), that of bcrypt for a password above 72 bytes.
func (s *Store) UserChangePassword(by Info, r *pb.AuthUserChangePasswordRequest) error {
	if err := s.CheckAdmin(by); err != nil {
		return err
	}
	var hash []byte
	var hashErr error
	if r.Password != "" {
		if hash, hashErr = bcrypt.GenerateFromPassword([]byte(r.Password), s.cost); hashErr != nil {
			return hashErr
		}
	} else if hash, hashErr = base64.StdEncoding.DecodeString(r.HashedPassword); hashErr != nil {
		hashErr = ErrNoPasswordUser
	}
	return s.change(by, func(next *state) (bool, error) {
		u := next.users[r.Name]
		if u == nil {
			return false, rpctypes.ErrGRPCUserNotFound
		}
		changed := cloneOf(u.User)
		changed.Password = nil
		if !u.noPassword() {
			if hashErr != nil {
				return false, hashErr
			}
			changed.Password = hash
		}
		next.putUser(changed)
		next.revision++
		s.log.Info("auth: password changed", "user", r.Name)
		return true, nil
	}, r.Name)
}

// UserGrantRole gives a user a role; giving it again changes nothing. The role
// root may be given before it exists. Errors: those of [Store.CheckAdmin],
// ErrGRPCUserNotFound, ErrGRPCRoleNotFound.
func (s *Store) UserGrantRole(by Info, name, role string) error {
	return s.change(by, func(next *state) (bool, error) {
		u := next.users[name]
		if u == nil {
			return false, rpctypes.ErrGRPCUserNotFound
		}
		if role != rootName && next.roles[role] == nil {
			return false, rpctypes.ErrGRPCRoleNotFound
		}
		if slices.Contains(u.Roles, role) {
			return false, nil
		}
		changed := cloneOf(u.User)
		changed.Roles = append(changed.Roles, role)
		slices.Sort(changed.Roles)
		next.putUser(changed)
		next.revision++
		s.log.Info("auth: role granted", "user", name, "role", role)
		return true, nil
	})
}

// UserRevokeRole takes a role from a user. Errors: those of [Store.CheckAdmin],
// ErrGRPCInvalidAuthMgmt (root from root, while authentication is enabled),
// ErrGRPCUserNotFound, ErrGRPCRoleNotGranted.
func (s *Store) UserRevokeRole(by Info, name, role string) error {
	return s.change(by, func(next *state) (bool, error) {
		if next.enabled && name == rootName && role == rootName {
			return false, rpctypes.ErrGRPCInvalidAuthMgmt
		}
		u := next.users[name]
		if u == nil {
			return false, rpctypes.ErrGRPCUserNotFound
		}
		if !slices.Contains(u.Roles, role) {
			return false, rpctypes.ErrGRPCRoleNotGranted
		}
		next.putUser(withoutRole(u, role))
		next.revision++
		s.log.Info("auth: role revoked", "user", name, "role", role)
		return true, nil
	})
}

func withoutRole(u *user, role string) *authpb.User {
	changed := cloneOf(u.User)
	changed.Roles = slices.DeleteFunc(changed.Roles, func(r string) bool { return r == role })
	return changed
}

// UserGet returns the roles of a user, sorted. While authentication is enabled
// only a user with the role root may ask for others than itself. Errors: those
// of [Store.CheckAdmin], ErrGRPCUserNotFound.
func (s *Store) UserGet(by Info, name string) ([]string, error) {
	st := s.state.Load()
	if err := st.admin(by); err != nil && name != by.User {
		return nil, err
	}
	u := st.users[name]
	if u == nil {
		return nil, rpctypes.ErrGRPCUserNotFound
	}
	return slices.Clone(u.Roles), nil
}

// UserList returns the names of all users, sorted. Errors: those of
// [Store.CheckAdmin].
func (s *Store) UserList(by Info) ([]string, error) {
	st := s.state.Load()
	if err := st.admin(by); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(st.users)), nil
}
