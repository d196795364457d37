package auth

import (
	"fmt"

	"go.etcd.io/etcd/api/v3/authpb"
)

// Restore replaces what storage keeps by users and roles of another gateway or
// of an etcd, as [Store.Snapshot] returns them. The names of users, and those of
// roles, must differ. No store may be open on it. Errors: ErrCorrupt, storage's.
func Restore(storage Storage, enabled bool, revision uint64, users []*authpb.User, roles []*authpb.Role) error {
	s := newState()
	s.enabled, s.revision = enabled, max(revision, 1)
	for _, u := range users {
		s.putUser(u)
	}
	for _, r := range roles {
		s.roles[string(r.Name)] = r
	}
	if len(s.users) != len(users) || len(s.roles) != len(roles) {
		return fmt.Errorf("%w: two users or two roles of one name", ErrCorrupt)
	}
	if root := s.users[rootName]; enabled && root == nil {
		return fmt.Errorf("%w: enabled without the user %s", ErrCorrupt, rootName)
	}
	b, err := s.encode()
	if err != nil {
		return err
	}
	if _, err := decodeState(b); err != nil {
		return err
	}
	return storage.SaveAuth(b)
}
