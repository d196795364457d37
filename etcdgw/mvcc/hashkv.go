package mvcc

import (
	"cmp"
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// HashKV is a hash of the history from the compact revision up to a revision.
type HashKV struct {
	Sum       uint32
	Revision  int64 // hashed up to
	Present   int64 // the revision as of the call
	Compacted int64 // the compact revision, 0 if nothing is compacted
}

// HashKV returns etcd's hash of the published history up to rev (0: the present):
// the number that an etcd has which holds the same versions at the same revisions.
// It costs a pass over keys and history, read beside the writer. Errors:
// ErrGRPCCompacted, ErrGRPCFutureRev, and ctx's. Any goroutine may call it.
func (v *View) HashKV(ctx context.Context, rev int64) (HashKV, error) {
	s := v.acquire()
	defer s.release()
	h := kvHash{sum: crc32.Update(0, castagnoli, []byte("key"))} // the name of etcd's bucket
	if rev < 0 {
		return HashKV{Sum: h.sum, Revision: rev, Present: s.revision, Compacted: s.compacted}, nil // of nothing, as in etcd
	}
	rev, err := resolve(rev, s.window, s.revision, s.compacted)
	if err != nil {
		return HashKV{}, err
	}
	old, err := s.before(ctx, rev)
	if err != nil {
		return HashKV{}, err
	}
	for _, x := range old {
		if err := h.add(x); err != nil {
			return HashKV{}, err
		}
	}
	e := Export{s: s}
	err = e.events(ctx, func(x *version) error {
		if r := x.kv.ModRevision; r <= s.compacted || r > rev {
			return nil
		}
		return h.add(x)
	})
	return HashKV{Sum: h.sum, Revision: rev, Present: s.revision, Compacted: s.compacted}, err
}

// before returns the versions up to the compact revision that a hash up to rev
// covers, in their order: those visible at both, or if nothing is visible at rev, as in
// etcd, at the former.
func (s *snapshot) before(ctx context.Context, rev int64) ([]*version, error) {
	if s.compacted == 0 {
		return nil, nil
	}
	var old []*version
	none := true
	err := s.scan(ctx, span{open: true}, rev, func(x *version) bool {
		if none = false; x.kv.ModRevision <= s.compacted {
			old = append(old, x)
		}
		return true
	})
	if none && err == nil {
		err = s.scan(ctx, span{open: true}, s.compacted, func(x *version) bool {
			old = append(old, x)
			return true
		})
	}
	slices.SortFunc(old, func(a, b *version) int {
		return cmp.Or(cmp.Compare(a.kv.ModRevision, b.kv.ModRevision), cmp.Compare(a.sub, b.sub))
	})
	return old, err
}

// kvHash hashes versions as etcd stores them: the revision as the key, with a
// mark if it is a deletion, and the key-value.
type kvHash struct {
	sum uint32
	buf []byte
}

func (h *kvHash) add(x *version) (err error) {
	h.buf = binary.BigEndian.AppendUint64(h.buf[:0], uint64(x.kv.ModRevision))
	h.buf = binary.BigEndian.AppendUint64(append(h.buf, '_'), uint64(x.sub))
	kv := &x.kv
	if x.tombstone() {
		h.buf = append(h.buf, 't')
		kv = &mvccpb.KeyValue{Key: kv.Key}
	}
	if h.buf, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(h.buf, kv); err != nil {
		return err
	}
	h.sum = crc32.Update(h.sum, castagnoli, h.buf)
	return nil
}
