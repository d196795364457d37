package auth

import (
	"bytes"
	"maps"
	"slices"
	"sort"

	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// RoleAdd adds a role without permissions. Errors: those of [Store.CheckAdmin],
// ErrGRPCRoleEmpty, ErrGRPCRoleAlreadyExist.
func (s *Store) RoleAdd(by Info, name string) error {
	return s.change(by, func(next *state) (bool, error) {
		if name == "" {
			return false, rpctypes.ErrGRPCRoleEmpty
		}
		if next.roles[name] != nil {
			return false, rpctypes.ErrGRPCRoleAlreadyExist
		}
		next.roles[name] = &authpb.Role{Name: []byte(name)}
		next.revision++
		s.log.Info("auth: role added", "role", name)
		return true, nil
	})
}

// RoleDelete deletes a role and takes it from all users. Errors: those of
// [Store.CheckAdmin], ErrGRPCInvalidAuthMgmt (root, while authentication is
// enabled), ErrGRPCRoleNotFound.
func (s *Store) RoleDelete(by Info, name string) error {
	return s.change(by, func(next *state) (bool, error) {
		if next.enabled && name == rootName {
			return false, rpctypes.ErrGRPCInvalidAuthMgmt
		}
		if next.roles[name] == nil {
			return false, rpctypes.ErrGRPCRoleNotFound
		}
		delete(next.roles, name)
		for _, u := range next.users {
			if slices.Contains(u.Roles, name) {
				next.putUser(withoutRole(u, name))
			}
		}
		next.revision++
		s.log.Info("auth: role deleted", "role", name)
		return true, nil
	})
}

// RoleGrantPermission gives a role a permission, or changes the type of the one
// it has for the same range. Errors: those of [Store.CheckAdmin],
// ErrGRPCPermissionNotGiven (nil), ErrGRPCInvalidAuthMgmt (no key, or a range
// that ends before it begins), ErrGRPCRoleNotFound.
func (s *Store) RoleGrantPermission(by Info, name string, p *authpb.Permission) error {
	return s.change(by, func(next *state) (bool, error) {
		if p == nil {
			return false, rpctypes.ErrGRPCPermissionNotGiven
		}
		if !validSpan(p.Key, p.RangeEnd) {
			return false, rpctypes.ErrGRPCInvalidAuthMgmt
		}
		role := next.roles[name]
		if role == nil {
			return false, rpctypes.ErrGRPCRoleNotFound
		}
		changed := cloneOf(role)
		perms := changed.KeyPermission
		// As in etcd only the first permission that begins with the key is
		// looked at: where there are several, the same range is listed again.
		i := sort.Search(len(perms), func(i int) bool { return bytes.Compare(perms[i].Key, p.Key) >= 0 })
		if i < len(perms) && bytes.Equal(perms[i].Key, p.Key) && bytes.Equal(perms[i].RangeEnd, p.RangeEnd) {
			perms[i].PermType = p.PermType
		} else {
			changed.KeyPermission = append(perms, &authpb.Permission{
				PermType: p.PermType, Key: bytes.Clone(p.Key), RangeEnd: bytes.Clone(p.RangeEnd),
			})
			slices.SortStableFunc(changed.KeyPermission, func(a, b *authpb.Permission) int { return bytes.Compare(a.Key, b.Key) })
		}
		next.roles[name] = changed
		next.revision++
		s.log.Info("auth: permission granted", "role", name, "type", p.PermType.String())
		return true, nil
	})
}

// RoleRevokePermission takes the permission for a range from a role. Errors:
// those of [Store.CheckAdmin], ErrGRPCRoleNotFound, ErrGRPCPermissionNotGranted.
func (s *Store) RoleRevokePermission(by Info, name string, key, end []byte) error {
	return s.change(by, func(next *state) (bool, error) {
		role := next.roles[name]
		if role == nil {
			return false, rpctypes.ErrGRPCRoleNotFound
		}
		changed := cloneOf(role)
		changed.KeyPermission = slices.DeleteFunc(changed.KeyPermission, func(p *authpb.Permission) bool {
			return bytes.Equal(p.Key, key) && bytes.Equal(p.RangeEnd, end)
		})
		if len(changed.KeyPermission) == len(role.KeyPermission) {
			return false, rpctypes.ErrGRPCPermissionNotGranted
		}
		next.roles[name] = changed
		next.revision++
		s.log.Info("auth: permission revoked", "role", name)
		return true, nil
	})
}

// RoleGet returns the permissions of a role, by key; those of root are shown as
// everything. While authentication is enabled a user without the role root may
// ask for its own roles only. Errors: those of [Store.CheckAdmin],
// ErrGRPCRoleNotFound.
func (s *Store) RoleGet(by Info, name string) ([]*authpb.Permission, error) {
	st := s.state.Load()
	if err := st.admin(by); err != nil {
		if u := st.users[by.User]; u == nil || !slices.Contains(u.Roles, name) {
			return nil, err
		}
	}
	role := st.roles[name]
	switch {
	case role == nil:
		return nil, rpctypes.ErrGRPCRoleNotFound
	case name == rootName:
		return []*authpb.Permission{{PermType: authpb.Permission_READWRITE, RangeEnd: bytes.Clone(openEnd)}}, nil
	default:
		return cloneOf(role).KeyPermission, nil
	}
}

// RoleList returns the names of all roles, sorted. Errors: those of
// [Store.CheckAdmin].
func (s *Store) RoleList(by Info) ([]string, error) {
	st := s.state.Load()
	if err := st.admin(by); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(st.roles)), nil
}
