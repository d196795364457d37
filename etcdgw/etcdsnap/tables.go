package etcdsnap

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/authpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Leases returns the leases. Errors are those of Changes.
func (s *File) Leases(ctx context.Context) ([]Lease, error) {
	var leases []Lease
	s.db.reset()
	err := s.walk(ctx, bucketLease, func(e entry) error {
		l, err := parseLease(e.value)
		if err == nil && (l.ID == 0 || len(e.key) != 8 || binary.BigEndian.Uint64(e.key) != uint64(l.ID)) {
			err = fmt.Errorf("%w: lease %x is lease %x", ErrCorrupt, e.key, l.ID)
		}
		leases = append(leases, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	return leases, nil
}

// parseLease reads etcd's message leasepb.Lease.
func parseLease(b []byte) (l Lease, err error) {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Lease{}, fmt.Errorf("%w: lease: %w", ErrCorrupt, protowire.ParseError(n))
		}
		b = b[n:]
		var v uint64
		if kind == protowire.VarintType {
			v, n = protowire.ConsumeVarint(b)
		} else {
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return Lease{}, fmt.Errorf("%w: lease: %w", ErrCorrupt, protowire.ParseError(n))
		}
		b = b[n:]
		switch field {
		case 1:
			l.ID = int64(v)
		case 2:
			l.TTL = int64(v)
		}
	}
	return l, nil
}

// Auth returns the users and roles. Errors are those of Changes.
func (s *File) Auth(ctx context.Context) (Auth, error) {
	var a Auth
	s.db.reset()
	err := s.walk(ctx, bucketAuth, func(e entry) error {
		switch string(e.key) {
		case authEnabled:
			a.Enabled = bytes.Equal(e.value, []byte{1})
		case authRevision:
			if len(e.value) != 8 {
				return fmt.Errorf("%w: an auth revision of %d bytes", ErrCorrupt, len(e.value))
			}
			a.Revision = binary.BigEndian.Uint64(e.value)
		}
		return nil
	})
	if err != nil {
		return Auth{}, err
	}
	err = s.walk(ctx, bucketAuthUsers, func(e entry) error {
		u := &authpb.User{}
		if err := proto.Unmarshal(e.value, u); err != nil || !bytes.Equal(u.Name, e.key) {
			return fmt.Errorf("%w: user %q: %w", ErrCorrupt, e.key, cmp.Or(err, errName))
		}
		a.Users = append(a.Users, u)
		return nil
	})
	if err != nil {
		return Auth{}, err
	}
	err = s.walk(ctx, bucketAuthRoles, func(e entry) error {
		r := &authpb.Role{}
		if err := proto.Unmarshal(e.value, r); err != nil || !bytes.Equal(r.Name, e.key) {
			return fmt.Errorf("%w: role %q: %w", ErrCorrupt, e.key, cmp.Or(err, errName))
		}
		a.Roles = append(a.Roles, r)
		return nil
	})
	if err != nil {
		return Auth{}, err
	}
	return a, nil
}

var errName = errors.New("it has another name")
