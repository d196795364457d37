package auth

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Info says who makes a request. The zero value is nobody.
type Info struct {
	User string
	// Revision is that of users and roles at which the user was found; 0 for
	// nobody. A permission checked at a later revision is refused.
	Revision uint64
}

// LeaseKeys returns the keys under a lease, none if there is no such lease.
type LeaseKeys func(lease int64) [][]byte

// admin returns nil if authentication is disabled or by has the role root.
func (s *state) admin(by Info) error {
	if !s.enabled {
		return nil
	}
	if by.User == "" {
		return rpctypes.ErrGRPCUserEmpty
	}
	u := s.users[by.User]
	if u == nil {
		return rpctypes.ErrGRPCUserNotFound
	}
	if !u.root {
		return rpctypes.ErrGRPCPermissionDenied
	}
	return nil
}

// allow returns nil if authentication is disabled or by may read, or write,
// the keys of the range.
func (s *state) allow(by Info, write bool, key, end []byte) error {
	if !s.enabled {
		return nil
	}
	if by.Revision == 0 {
		return rpctypes.ErrGRPCUserEmpty
	}
	if by.Revision < s.revision {
		return rpctypes.ErrGRPCAuthOldRevision
	}
	u := s.users[by.User]
	if u == nil {
		return rpctypes.ErrGRPCPermissionDenied
	}
	granted := u.grants.read
	if write {
		granted = u.grants.write
	}
	if u.root || granted.contain(newSpan(key, end)) {
		return nil
	}
	return rpctypes.ErrGRPCPermissionDenied
}

// CheckAdmin returns nil if authentication is disabled or the user has the role
// root. Errors: ErrGRPCUserEmpty (nobody), ErrGRPCUserNotFound,
// ErrGRPCPermissionDenied.
func (s *Store) CheckAdmin(by Info) error { return s.state.Load().admin(by) }

// CheckKnown returns nil if authentication is disabled or by is anybody. Error:
// ErrGRPCUserEmpty.
func (s *Store) CheckKnown(by Info) error {
	if s.Enabled() && by == (Info{}) {
		return rpctypes.ErrGRPCUserEmpty
	}
	return nil
}

// CheckCurrent returns ErrGRPCAuthOldRevision if users or roles have changed
// since by was found: what was read meanwhile must not be shown.
func (s *Store) CheckCurrent(by Info) error {
	if by.Revision != 0 && by.Revision != s.Revision() {
		return rpctypes.ErrGRPCAuthOldRevision
	}
	return nil
}

// CheckRange returns nil if authentication is disabled or the user may read the
// range, with etcd's meaning of end. Errors: ErrGRPCUserEmpty (nobody),
// ErrGRPCAuthOldRevision (users or roles have changed since the user was found),
// ErrGRPCPermissionDenied.
func (s *Store) CheckRange(by Info, key, end []byte) error {
	return s.state.Load().allow(by, false, key, end)
}

// CheckPut checks a put: its key must be writable, readable too if the previous
// value is asked for, and so must the keys be that its lease already has, for
// who may not revoke a lease may not use it. Errors: those of [Store.CheckRange].
func (s *Store) CheckPut(by Info, r *pb.PutRequest, keys LeaseKeys) error {
	return s.state.Load().checkPut(by, r, keys)
}

func (s *state) checkPut(by Info, r *pb.PutRequest, keys LeaseKeys) error {
	if err := s.allow(by, true, r.Key, nil); err != nil {
		return err
	}
	if err := s.checkLease(by, r.Lease, true, keys); err != nil {
		return err
	}
	if r.PrevKv {
		return s.allow(by, false, r.Key, nil)
	}
	return nil
}

// CheckDelete checks a delete: its range must be writable, and readable too if
// the previous values are asked for. Errors: those of [Store.CheckRange].
func (s *Store) CheckDelete(by Info, r *pb.DeleteRangeRequest) error {
	return s.state.Load().checkDelete(by, r)
}

func (s *state) checkDelete(by Info, r *pb.DeleteRangeRequest) error {
	if err := s.allow(by, true, r.Key, r.RangeEnd); err != nil {
		return err
	}
	if r.PrevKv {
		return s.allow(by, false, r.Key, r.RangeEnd)
	}
	return nil
}

// CheckTxn checks a transaction: what it compares must be readable, and all
// operations of both branches allowed, whichever is taken. Errors: those of
// [Store.CheckRange].
func (s *Store) CheckTxn(by Info, r *pb.TxnRequest, keys LeaseKeys) error {
	return s.state.Load().checkTxn(by, r, keys)
}

func (s *state) checkTxn(by Info, r *pb.TxnRequest, keys LeaseKeys) error {
	if !s.enabled {
		return nil
	}
	for _, c := range r.Compare {
		if err := s.allow(by, false, c.Key, c.RangeEnd); err != nil {
			return err
		}
	}
	for _, branch := range [2][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range branch {
			var err error
			switch op := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
				err = s.allow(by, false, op.RequestRange.GetKey(), op.RequestRange.GetRangeEnd())
			case *pb.RequestOp_RequestPut:
				err = s.checkPut(by, op.RequestPut, keys)
			case *pb.RequestOp_RequestDeleteRange:
				err = s.checkDelete(by, op.RequestDeleteRange)
			case *pb.RequestOp_RequestTxn:
				err = s.checkTxn(by, op.RequestTxn, keys)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckLease checks that all keys under a lease may be written (to renew or
// revoke it) or read (to see it). A user with the role root may do so at any
// revision. Errors: those of [Store.CheckRange].
func (s *Store) CheckLease(by Info, lease int64, write bool, keys LeaseKeys) error {
	return s.state.Load().checkLease(by, lease, write, keys)
}

func (s *state) checkLease(by Info, lease int64, write bool, keys LeaseKeys) error {
	if lease == 0 || s.admin(by) == nil {
		return nil
	}
	for _, key := range keys(lease) {
		if err := s.allow(by, write, key, nil); err != nil {
			return err
		}
	}
	return nil
}
