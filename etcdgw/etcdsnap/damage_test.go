package etcdsnap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// TestDamage flips bits of the pages, keeping the headers good: whatever comes
// of it, it is an answer, and in bounded time.
func TestDamage(t *testing.T) {
	var changes []change
	for i := range int64(400) {
		changes = append(changes, change{Revision{i + 2, 0}, value(fmt.Sprint("key", i), strings.Repeat("v", 100), i+2, i+2, 1, 0)})
	}
	b := write(t, sampleMeta, []Lease{{ID: 7, TTL: 60}}, changes)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	damaged := 0
	for range 500 {
		c := bytes.Clone(b)
		for range 1 + rnd.IntN(3) {
			i := 2*4096 + rnd.IntN(len(c)-32-2*4096)
			if rnd.IntN(2) == 0 { // the beginning of a page, where its structure is
				i = i/4096*4096 + rnd.IntN(256)
			}
			c[i] = byte(rnd.Uint32())
		}
		if err := readAll(c); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("no damage was found: the test tested nothing")
	}
}

// readAll reads everything of a snapshot in memory.
func readAll(b []byte) error {
	ctx := context.Background()
	s := &File{size: int64(len(b)), buckets: map[string][]byte{}}
	var err error
	if s.db, err = openDatabase(bytes.NewReader(b), s.size); err != nil {
		return err
	}
	if err := s.readBuckets(); err != nil {
		return err
	}
	_, err = s.Status(ctx)
	return errors.Join(err,
		s.Live(ctx, nil, func(*mvccpb.KeyValue) error { return nil }),
		second(s.Leases(ctx)), second(s.Revision(ctx)), second(s.Auth(ctx)))
}

func second[T any](_ T, err error) error { return err }

// FuzzFile reads files of any content behind headers that are made good.
func FuzzFile(f *testing.F) {
	f.Add(smallPages(f, write(f, sampleMeta, []Lease{{ID: 7, TTL: 60}}, sample())))
	f.Add(smallPages(f, write(f, Meta{}, nil, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, at := range []int{0, minPageSize} {
			if len(b) >= at+pageHeaderSize+metaSize {
				h := fnv.New64a()
				h.Write(b[at+pageHeaderSize : at+pageHeaderSize+metaSize-8])
				binary.LittleEndian.PutUint64(b[at+pageHeaderSize+metaSize-8:], h.Sum64())
			}
		}
		if err := readAll(b); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v is not ErrCorrupt", err)
		}
	})
}

// smallPages returns the database of a snapshot with the smallest pages, so
// that it is short, and has many of them.
func smallPages(t testing.TB, snapshot []byte) []byte {
	t.Helper()
	from, err := bbolt.Open(save(t, snapshot), 0o400, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := bbolt.Open(filepath.Join(t.TempDir(), "small.db"), 0o600, &bbolt.Options{PageSize: minPageSize, NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := bbolt.Compact(to, from, 0); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err = to.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(&b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
