package etcdsnap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// File is a snapshot file open for reading. It is for one goroutine.
type File struct {
	f       *os.File
	size    int64              // of the database
	sum     *[sha256.Size]byte // nil if there is none
	db      *database
	buckets map[string][]byte // as the bucket of buckets has them
	ordered []string          // their names
}

// Open opens a snapshot file and reads its table of contents. Errors wrap
// ErrCorrupt, or are those of the file system. It does not compare the
// checksum: see [File.Verify].
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := open(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func open(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrCorrupt, f.Name())
	}
	s := &File{f: f, size: info.Size(), buckets: make(map[string][]byte)}
	// A database is a whole number of pages, so a remainder tells that the
	// checksum is there. etcd tells it the same way.
	if s.size%minPageSize == sha256.Size {
		s.size -= sha256.Size
		s.sum = new([sha256.Size]byte)
		if _, err := f.ReadAt(s.sum[:], s.size); err != nil {
			return nil, err
		}
	}
	if s.db, err = openDatabase(f, s.size); err != nil {
		return nil, err
	}
	if err := s.readBuckets(); err != nil {
		return nil, err
	}
	return s, nil
}

// readBuckets reads which buckets there are.
func (s *File) readBuckets() error {
	err := s.db.walk(s.db.root, func(e entry) error {
		if !e.bucket {
			return fmt.Errorf("%w: %q is not a bucket", ErrCorrupt, e.key)
		}
		name := string(e.key)
		s.buckets[name], s.ordered = bytes.Clone(e.value), append(s.ordered, name)
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range []string{bucketKey, bucketMeta} {
		if _, ok := s.buckets[name]; !ok {
			return fmt.Errorf("%w: it has no bucket %q", ErrCorrupt, name)
		}
	}
	return nil
}

// Close closes the file.
func (s *File) Close() error { return s.f.Close() }

// Verify compares the checksum at the end of the file with that of the
// database. Errors: ErrNoChecksum, ErrChecksum, ctx's, those of reading.
func (s *File) Verify(ctx context.Context) error {
	if s.sum == nil {
		return ErrNoChecksum
	}
	h := sha256.New()
	if _, err := io.Copy(&stoppable{ctx, h}, io.NewSectionReader(s.f, 0, s.size)); err != nil {
		return err
	}
	if [sha256.Size]byte(h.Sum(nil)) != *s.sum {
		return ErrChecksum
	}
	return nil
}

// walk calls fn with the entries of a bucket in order until ctx is done. A
// bucket that is not there has none.
func (s *File) walk(ctx context.Context, bucket string, fn func(entry) error) error {
	value, ok := s.buckets[bucket]
	if !ok {
		return nil
	}
	return s.db.walkBucket(value, func(e entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.bucket {
			return fmt.Errorf("%w: bucket %q holds the bucket %q", ErrCorrupt, bucket, e.key)
		}
		return fn(e)
	})
}

// Changes calls fn with each change in the order of revisions; a deletion has
// version 0. The key-value is fn's to keep. Errors wrap ErrCorrupt, or
// are ctx's, those of reading, or fn's.
func (s *File) Changes(ctx context.Context, fn func(r Revision, kv *mvccpb.KeyValue) error) error {
	s.db.reset()
	return s.walk(ctx, bucketKey, func(e entry) error {
		r, kv, err := parseChange(e)
		if err != nil || kv == nil {
			return err
		}
		return fn(r, kv)
	})
}

// parseChange reads an entry of the key bucket. The key-value is nil where
// there is none: etcdutl writes an empty one to raise the revision.
func parseChange(e entry) (Revision, *mvccpb.KeyValue, error) {
	r, tombstone, err := parseRevision(e.key)
	if err != nil || len(e.value) == 0 {
		return r, nil, err
	}
	kv := &mvccpb.KeyValue{}
	if err := proto.Unmarshal(e.value, kv); err != nil {
		return r, nil, fmt.Errorf("%w: revision %d: %w", ErrCorrupt, r.Main, err)
	}
	switch {
	case len(kv.Key) == 0:
		return r, nil, fmt.Errorf("%w: revision %d has an empty key", ErrCorrupt, r.Main)
	case tombstone:
		return r, &mvccpb.KeyValue{Key: kv.Key, ModRevision: r.Main}, nil
	case kv.ModRevision != r.Main || kv.Version < 1 || kv.CreateRevision < 1 || kv.CreateRevision > kv.ModRevision:
		return r, nil, fmt.Errorf("%w: revision %d is of a key-value that says mod revision %d, create revision %d, version %d",
			ErrCorrupt, r.Main, kv.ModRevision, kv.CreateRevision, kv.Version)
	}
	return r, kv, nil
}

// Live calls fn with each key-value that is visible at the end, in the order
// of revisions: first with those for whose keys early is true, unless it is nil. The key-value is fn's to keep. It reads the
// changes two or three times and holds every key in memory, but no values. Errors are those of Changes.
func (s *File) Live(ctx context.Context, early func(key []byte) bool, fn func(kv *mvccpb.KeyValue) error) error {
	latest := make(map[string]Revision)
	err := s.Changes(ctx, func(r Revision, kv *mvccpb.KeyValue) error {
		if kv.Version == 0 {
			delete(latest, string(kv.Key))
		} else {
			latest[string(kv.Key)] = r
		}
		return nil
	})
	if err != nil {
		return err
	}
	some := func(wanted func(key []byte) bool) error {
		return s.Changes(ctx, func(r Revision, kv *mvccpb.KeyValue) error {
			if kv.Version == 0 || latest[string(kv.Key)] != r || !wanted(kv.Key) {
				return nil
			}
			return fn(kv)
		})
	}
	if early == nil {
		return some(func([]byte) bool { return true })
	}
	for key := range latest {
		if early([]byte(key)) {
			if err := some(early); err != nil {
				return err
			}
			break
		}
	}
	return some(func(key []byte) bool { return !early(key) })
}

// Revision returns the last revision: the greatest of any change, or the compact
// revision if that is greater. Errors are those of Changes.
func (s *File) Revision(ctx context.Context) (int64, error) {
	last := int64(1)
	s.db.reset()
	err := s.walk(ctx, bucketKey, func(e entry) error {
		r, _, err := parseRevision(e.key)
		last = r.Main
		return err
	})
	if err != nil {
		return 0, err
	}
	s.db.reset()
	err = s.walk(ctx, bucketMeta, func(e entry) error {
		if name := string(e.key); name != metaScheduledCompact && name != metaFinishedCompact {
			return nil
		}
		r, _, err := parseRevision(e.value)
		last = max(last, r.Main)
		return err
	})
	return last, err
}
