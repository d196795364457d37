package auth

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/proto"
)

// rootName is the name of the user who must exist while authentication is
// enabled, and of the role that allows everything.
const rootName = "root"

// state is one state of users and roles. It is immutable once it is shown; so
// are the messages in it.
type state struct {
	enabled  bool
	revision uint64 // of the users and roles; 1 at first
	users    map[string]*user
	roles    map[string]*authpb.Role
}

// user is a user with what its roles allow.
type user struct {
	*authpb.User
	root   bool // has the role root
	grants grants
}

func newState() *state {
	return &state{revision: 1, users: make(map[string]*user), roles: make(map[string]*authpb.Role)}
}

// next returns a copy to be changed: its maps are its own, what they hold is
// shared.
func (s *state) next() *state {
	n := *s
	n.users, n.roles = maps.Clone(s.users), maps.Clone(s.roles)
	return &n
}

// putUser sets a user. Its grants are worked out by refresh.
func (s *state) putUser(u *authpb.User) { s.users[string(u.Name)] = &user{User: u} }

// refresh works out what each user may do.
func (s *state) refresh() {
	for name, u := range s.users {
		var permissions []*authpb.Permission
		fresh := &user{User: u.User}
		for _, role := range u.Roles {
			fresh.root = fresh.root || role == rootName
			permissions = append(permissions, s.roles[role].GetKeyPermission()...)
		}
		fresh.grants = newGrants(permissions)
		s.users[name] = fresh
	}
}

// noPassword reports whether the user is one that authenticates by certificate
// only.
func (u *user) noPassword() bool { return u.Options.GetNoPassword() }

const stateVersion = 0x00

// encode returns the state in the encoding of docs/etcd.md, "Users and roles".
func (s *state) encode() ([]byte, error) {
	b := []byte{stateVersion, 0}
	if s.enabled {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, s.revision)
	appendItem := func(m proto.Message) error {
		item, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return err
		}
		b = append(binary.AppendUvarint(b, uint64(len(item))), item...)
		return nil
	}
	b = binary.AppendUvarint(b, uint64(len(s.users)))
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		if err := appendItem(s.users[name].User); err != nil {
			return nil, fmt.Errorf("encode user %q: %w", name, err)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s.roles)))
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		if err := appendItem(s.roles[name]); err != nil {
			return nil, fmt.Errorf("encode role %q: %w", name, err)
		}
	}
	return b, nil
}

// decodeState is the inverse of encode. Its errors wrap ErrCorrupt.
func decodeState(b []byte) (*state, error) {
	fail := func(what string) (*state, error) { return nil, fmt.Errorf("%w: %s", ErrCorrupt, what) }
	if len(b) < 2 || b[0] != stateVersion || b[1] > 1 {
		return fail("unknown version or flags")
	}
	s := newState()
	s.enabled = b[1] == 1
	r := itemReader{rest: b[2:]}
	s.revision = r.uint()
	last := ""
	for i, n := uint64(0), r.uint(); i < n && !r.bad; i++ {
		u := new(authpb.User)
		r.item(u)
		if i > 0 && string(u.Name) <= last {
			return fail("users out of order")
		}
		last = string(u.Name)
		s.putUser(u)
	}
	for i, n := uint64(0), r.uint(); i < n && !r.bad; i++ {
		role := new(authpb.Role)
		r.item(role)
		if i > 0 && string(role.Name) <= last {
			return fail("roles out of order")
		}
		last = string(role.Name)
		s.roles[last] = role
	}
	if r.bad || len(r.rest) > 0 || s.revision == 0 {
		return fail("malformed")
	}
	s.refresh()
	return s, nil
}

// itemReader takes an encoded state apart.
type itemReader struct {
	rest []byte
	bad  bool
}

func (r *itemReader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *itemReader) item(m proto.Message) {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return
	}
	if err := proto.Unmarshal(r.rest[:n], m); err != nil {
		r.bad = true
	}
	r.rest = r.rest[n:]
}
