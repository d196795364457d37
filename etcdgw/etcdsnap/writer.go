package etcdsnap

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

const (
	// batchKeys and batchBytes bound what is written in one transaction of the
	// database, and so what is held in memory.
	batchKeys  = 10_000
	batchBytes = 4 << 20
	// fillPercent is how full pages are made: keys come in order. etcd's value.
	fillPercent = 0.9
)

// tempPattern names files being built. On systems where an open file can be
// removed the name is gone before anything is written.
const tempPattern = "snapshot-*.db.tmp"

// Meta is what a snapshot says beside keys and leases.
type Meta struct {
	// Compacted is the compact revision, 0 if nothing is compacted.
	Compacted int64
	// Index and Term are those of the last log entry applied; at least 1.
	Index, Term uint64
	// MemberID, Name and ClientURLs describe the member. etcdutl replaces them.
	MemberID   uint64
	Name       string
	ClientURLs []string
	// Auth holds users and roles. The zero value has none and is not enabled.
	Auth Auth
}

// Auth is the state of etcd's authentication.
type Auth struct {
	Enabled  bool
	Revision uint64 // 0 is written as 1, that of an etcd without users
	Users    []*authpb.User
	Roles    []*authpb.Role
}

// Writer builds a snapshot in a file that nobody else sees. It is for one
// goroutine.
type Writer struct {
	db   *bbolt.DB
	path string // "" if the name is gone

	tx      *bbolt.Tx // of the current batch
	keys    *bbolt.Bucket
	pending int // in tx
	bytes   int // in tx

	last Revision
}

// Create begins a snapshot in a temporary file in dir, readable by its owner
// alone. The writer must be closed; then the file is gone. If dir is empty it is the
// system's directory for temporary files.
func Create(dir string) (*Writer, error) {
	f, err := os.CreateTemp(dir, tempPattern)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: f.Name()}
	err = f.Close()
	if err == nil {
		// The file is thrown away, so it need not be durable.
		w.db, err = bbolt.Open(w.path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType})
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(w.path))
	}
	if os.Remove(w.path) == nil {
		w.path = ""
	}
	return w, nil
}

// Close removes the file.
func (w *Writer) Close() error {
	var err error
	if w.tx != nil {
		err = w.tx.Rollback()
		w.tx = nil
	}
	err = errors.Join(err, w.db.Close())
	if w.path != "" {
		err = errors.Join(err, os.Remove(w.path))
	}
	return err
}

// Put adds a change: a value, or a deletion if kv has version 0. Revisions
// must ascend.
func (w *Writer) Put(r Revision, kv *mvccpb.KeyValue) error {
	if r.Main < w.last.Main || r.Main == w.last.Main && r.Sub <= w.last.Sub && w.last != (Revision{}) {
		return fmt.Errorf("etcdsnap: revision %d.%d after %d.%d", r.Main, r.Sub, w.last.Main, w.last.Sub)
	}
	w.last = r
	if err := w.begin(); err != nil {
		return err
	}
	tombstone := kv.Version == 0
	if tombstone {
		kv = &mvccpb.KeyValue{Key: kv.Key}
	}
	key := appendRevision(make([]byte, 0, revisionSize+1), r, tombstone)
	value, err := proto.Marshal(kv)
	if err != nil {
		return fmt.Errorf("etcdsnap: encode revision %d: %w", r.Main, err)
	}
	// The database keeps both slices until the batch ends.
	if err := w.keys.Put(key, value); err != nil {
		return fmt.Errorf("etcdsnap: write revision %d: %w", r.Main, err)
	}
	w.pending++
	w.bytes += len(value)
	if w.pending >= batchKeys || w.bytes >= batchBytes {
		return w.commit()
	}
	return nil
}

// begin makes sure that there is a batch.
func (w *Writer) begin() (err error) {
	if w.tx != nil {
		return nil
	}
	if w.tx, err = w.db.Begin(true); err != nil {
		return err
	}
	if w.keys, err = w.tx.CreateBucketIfNotExists([]byte(bucketKey)); err != nil {
		return err
	}
	w.keys.FillPercent = fillPercent
	return nil
}

// commit writes the batch to the file.
func (w *Writer) commit() error {
	tx := w.tx
	w.tx, w.keys, w.pending, w.bytes = nil, nil, 0, 0
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("etcdsnap: write the snapshot: %w", err)
	}
	return nil
}

// Finish adds what belongs to a snapshot beside its keys. Nothing may be put
// afterwards.
func (w *Writer) Finish(m Meta, leases []Lease) error {
	if err := w.begin(); err != nil {
		return err
	}
	for _, fill := range []func() error{
		func() error { return w.putMeta(m) },
		func() error { return w.putLeases(leases) },
		func() error { return w.putMember(m) },
		func() error { return w.putAuth(m.Auth) },
		func() error { return w.putAll(bucketAlarm) },
	} {
		if err := fill(); err != nil {
			return fmt.Errorf("etcdsnap: write the snapshot: %w", err)
		}
	}
	return w.commit()
}

// pair is a key with its value.
type pair struct {
	key   string
	value []byte
}

// putAll makes a bucket and fills it.
func (w *Writer) putAll(bucket string, pairs ...pair) error {
	b, err := w.tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := b.Put([]byte(p.key), p.value); err != nil {
			return fmt.Errorf("%s %q: %w", bucket, p.key, err)
		}
	}
	return nil
}

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (w *Writer) putMeta(m Meta) error {
	conf, err := json.Marshal(struct {
		Voters    []uint64 `json:"voters"`
		AutoLeave bool     `json:"auto_leave"`
	}{Voters: []uint64{m.MemberID}})
	if err != nil {
		return err
	}
	pairs := []pair{
		{metaConsistentIndex, bigEndian(max(m.Index, 1))},
		{metaTerm, bigEndian(max(m.Term, 1))},
		{metaConfState, conf},
		{metaStorageVersion, []byte(StorageVersion)},
	}
	if m.Compacted > 0 {
		at := appendRevision(nil, Revision{Main: m.Compacted}, false)
		pairs = append(pairs, pair{metaScheduledCompact, at}, pair{metaFinishedCompact, at})
	}
	return w.putAll(bucketMeta, pairs...)
}

func (w *Writer) putLeases(leases []Lease) error {
	var pairs []pair
	for _, l := range leases {
		pairs = append(pairs, pair{string(bigEndian(uint64(l.ID))), l.append(nil)})
	}
	return w.putAll(bucketLease, pairs...)
}

// append appends the lease as etcd's message leasepb.Lease.
func (l Lease) append(b []byte) []byte {
	for field, n := range []int64{l.ID, l.TTL} {
		if n != 0 {
			b = protowire.AppendTag(b, protowire.Number(field+1), protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(n))
		}
	}
	return b
}

func (w *Writer) putMember(m Meta) error {
	member, err := json.Marshal(struct {
		ID         uint64   `json:"id"`
		PeerURLs   []string `json:"peerURLs"`
		Name       string   `json:"name,omitempty"`
		ClientURLs []string `json:"clientURLs,omitempty"`
	}{m.MemberID, []string{}, m.Name, m.ClientURLs})
	if err != nil {
		return err
	}
	return errors.Join(
		w.putAll(bucketMembers, pair{strconv.FormatUint(m.MemberID, 16), member}),
		w.putAll(bucketMembersRemoved),
		w.putAll(bucketCluster, pair{clusterVersion, []byte(StorageVersion)},
			pair{clusterDowngrade, []byte(`{"target-version":"","enabled":false}`)}),
	)
}

func (w *Writer) putAuth(a Auth) error {
	enabled := []byte{0}
	if a.Enabled {
		enabled[0] = 1
	}
	var users, roles []pair
	for _, u := range a.Users {
		b, err := proto.Marshal(u)
		if err != nil {
			return err
		}
		users = append(users, pair{string(u.Name), b})
	}
	for _, r := range a.Roles {
		b, err := proto.Marshal(r)
		if err != nil {
			return err
		}
		roles = append(roles, pair{string(r.Name), b})
	}
	return errors.Join(
		w.putAll(bucketAuth, pair{authEnabled, enabled}, pair{authRevision, bigEndian(max(a.Revision, 1))}),
		w.putAll(bucketAuthUsers, users...),
		w.putAll(bucketAuthRoles, roles...),
	)
}

// Size returns the size of the finished database in bytes, without its checksum.
func (w *Writer) Size() (size int64, err error) {
	err = w.db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	return size, err
}

// Copy writes the finished database to out and returns its SHA-256, which is
// to follow it. It ends with ctx.
func (w *Writer) Copy(ctx context.Context, out io.Writer) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	err = w.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(&stoppable{ctx, io.MultiWriter(out, h)})
		return err
	})
	h.Sum(sum[:0])
	return sum, err
}

// stoppable is a writer that fails once its context is done.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s *stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}
