package auth

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/testing/protocmp"
)

// memory is a Storage in memory.
type memory struct{ b []byte }

func (m *memory) LoadAuth() ([]byte, error) { return m.b, nil }
func (m *memory) SaveAuth(b []byte) error   { m.b = bytes.Clone(b); return nil }

// filled returns a store with two users and two roles, and its storage.
func filled(t testing.TB) (*Store, *memory) {
	t.Helper()
	m := &memory{}
	s, err := Open(Config{Storage: m, BcryptCost: bcrypt.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	nobody := Info{}
	for _, err := range []error{
		s.UserAdd(nobody, &pb.AuthUserAddRequest{Name: "root", Password: "r"}),
		s.UserAdd(nobody, &pb.AuthUserAddRequest{Name: "cert", Options: &authpb.UserAddOptions{NoPassword: true}}),
		s.RoleAdd(nobody, "root"),
		s.RoleAdd(nobody, "a"),
		s.RoleGrantPermission(nobody, "a", &authpb.Permission{PermType: authpb.Permission_WRITE, Key: []byte("k"), RangeEnd: []byte{0}}),
		s.UserGrantRole(nobody, "root", "root"),
		s.UserGrantRole(nobody, "cert", "a"),
		s.Enable(nobody),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, m
}

func TestReopen(t *testing.T) {
	s, m := filled(t)
	again, err := Open(Config{Storage: m})
	if err != nil {
		t.Fatal(err)
	}
	enabled, revision, users, roles := s.Snapshot()
	enabled2, revision2, users2, roles2 := again.Snapshot()
	if enabled != enabled2 || revision != revision2 || revision != 8 {
		t.Errorf("enabled %v, revision %d after reopening, want %v, %d", enabled2, revision2, enabled, revision)
	}
	if diff := cmp.Diff(users, users2, protocmp.Transform()); diff != "" || len(users) != 2 {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(roles, roles2, protocmp.Transform()); diff != "" || len(roles) != 2 {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if err := again.CheckPut(again.ByName("cert"), &pb.PutRequest{Key: []byte("z")}, nil); err != nil {
		t.Errorf("CheckPut = %v after reopening, want nil", err)
	}
}

func TestOpenErrors(t *testing.T) {
	_, m := filled(t)
	for name, b := range map[string][]byte{
		"empty":     {},
		"version":   append([]byte{1}, m.b[1:]...),
		"flags":     append([]byte{0, 2}, m.b[2:]...),
		"cut":       m.b[:len(m.b)-1],
		"longer":    append(bytes.Clone(m.b), 0),
		"revision":  {0, 0, 0, 0, 0},
		"order":     {0, 0, 1, 0, 2, 3, 10, 1, 'b', 3, 10, 1, 'a'},
		"user item": {0, 0, 1, 1, 2, 10, 9, 0},
	} {
		if _, err := Open(Config{Storage: &memory{b}}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Open of %s = %v, want %v", name, err, ErrCorrupt)
		}
	}
	for _, cfg := range []Config{{BcryptCost: 3}, {BcryptCost: 32}, {TokenTTL: -1}} {
		if _, err := Open(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("Open(%+v) = %v, want %v", cfg, err, ErrConfig)
		}
	}
}

// FuzzState checks that what decodes encodes to something that decodes alike.
func FuzzState(f *testing.F) {
	_, m := filled(f)
	f.Add(m.b)
	f.Add([]byte{0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			return
		}
		b, err = s.encode()
		if err != nil {
			return // names that are not UTF-8
		}
		again, err := decodeState(b)
		if err != nil {
			t.Fatalf("decode(encode) = %v", err)
		}
		if b2, err := again.encode(); err != nil || !bytes.Equal(b, b2) {
			t.Fatalf("encode(decode(encode)) = %x, %v, want %x", b2, err, b)
		}
	})
}

func TestRestore(t *testing.T) {
	s, _ := filled(t)
	enabled, revision, users, roles := s.Snapshot()
	m := &memory{}
	if err := Restore(m, enabled, revision, users, roles); err != nil {
		t.Fatal(err)
	}
	again, err := Open(Config{Storage: m})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Authenticate("root", "r"); err != nil || again.Revision() != revision {
		t.Errorf("Authenticate = %v, revision %d, want nil, %d", err, again.Revision(), revision)
	}
	for name, err := range map[string]error{
		"two users of a name": Restore(m, false, 1, append(users, users[0]), roles),
		"two roles of a name": Restore(m, false, 1, users, append(roles, roles[0])),
		"no root":             Restore(m, true, 1, nil, nil),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("Restore of %s = %v, want %v", name, err, ErrCorrupt)
		}
	}
}
