package etcdsnap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// change is a change of the key bucket.
type change struct {
	r  Revision
	kv *mvccpb.KeyValue
}

func value(key, value string, create, mod, version, lease int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: create, ModRevision: mod, Version: version, Lease: lease}
}

func deleted(key string, mod int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), ModRevision: mod}
}

// sample is a small history: a is put twice, b deleted with c put in the same transaction.
func sample() []change {
	return []change{
		{Revision{2, 0}, value("a", "1", 2, 2, 1, 0)},
		{Revision{3, 0}, value("b", "", 3, 3, 1, 0)},
		{Revision{4, 0}, value("a", "2", 2, 4, 2, 7)},
		{Revision{5, 0}, deleted("b", 5)},
		{Revision{5, 1}, value("c", "\x00\xff", 5, 5, 1, 0)},
	}
}

var sampleMeta = Meta{
	Compacted: 3, Index: 9, MemberID: 0xabc, Name: "default", ClientURLs: []string{"http://127.0.0.1:2379"},
	Auth: Auth{Enabled: true, Revision: 4, Users: []*authpb.User{{Name: []byte("root"), Roles: []string{"root"}}}, Roles: []*authpb.Role{{Name: []byte("root")}}},
}

// write makes a snapshot and returns the bytes of its file.
func write(t testing.TB, m Meta, leases []Lease, changes []change) []byte {
	t.Helper()
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := w.Put(c.r, c.kv); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(m, leases); err != nil {
		t.Fatal(err)
	}
	size, err := w.Size()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	sum, err := w.Copy(context.Background(), &b)
	if err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != size {
		t.Errorf("%d bytes were written, %d announced", b.Len(), size)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the writer left %v", left)
	}
	return append(b.Bytes(), sum[:]...)
}

// save puts b into a file and returns its path.
func save(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// changesOf reads the changes of a file.
func changesOf(t testing.TB, s *File) []change {
	t.Helper()
	var got []change
	err := s.Changes(context.Background(), func(r Revision, kv *mvccpb.KeyValue) error {
		got = append(got, change{r, kv})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustOpen(t testing.TB, path string) *File {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var compareChanges = cmp.Options{protocmp.Transform(), cmp.AllowUnexported(change{})}

func TestRoundTrip(t *testing.T) {
	leases := []Lease{{ID: 7, TTL: 60}, {ID: -1, TTL: 3600}}
	s := mustOpen(t, save(t, write(t, sampleMeta, leases, sample())))
	if err := s.Verify(t.Context()); err != nil {
		t.Errorf("Verify = %v", err)
	}
	if diff := cmp.Diff(sample(), changesOf(t, s), compareChanges); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
	got, err := s.Leases(t.Context())
	if diff := cmp.Diff(leases, got); err != nil || diff != "" {
		t.Errorf("Leases: %v (-want +got):\n%s", err, diff)
	}
	var live []string
	err = s.Live(t.Context(), nil, func(kv *mvccpb.KeyValue) error {
		live = append(live, fmt.Sprintf("%s=%q@%d", kv.Key, kv.Value, kv.ModRevision))
		return nil
	})
	if diff := cmp.Diff([]string{`a="2"@4`, `c="\x00\xff"@5`}, live); err != nil || diff != "" {
		t.Errorf("Live: %v (-want +got):\n%s", err, diff)
	}
	live = nil
	err = s.Live(t.Context(), func(key []byte) bool { return string(key) == "c" || string(key) == "none" }, func(kv *mvccpb.KeyValue) error {
		live = append(live, string(kv.Key))
		return nil
	})
	if diff := cmp.Diff([]string{"c", "a"}, live); err != nil || diff != "" {
		t.Errorf("Live with c early: %v (-want +got):\n%s", err, diff)
	}
	if rev, err := s.Revision(t.Context()); rev != 5 || err != nil {
		t.Errorf("Revision = %d, %v, want 5", rev, err)
	}
	st, err := s.Status(t.Context())
	if err != nil || st.Revision != 5 || st.TotalKey != 2 || st.Version != StorageVersion || st.Hash == 0 || st.TotalSize == 0 {
		t.Errorf("Status = %+v, %v", st, err)
	}
	a, err := s.Auth(t.Context())
	if diff := cmp.Diff(sampleMeta.Auth, a, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("Auth: %v (-want +got):\n%s", err, diff)
	}
}

// TestSchema reads what is written as etcd does, with bbolt.
func TestSchema(t *testing.T) {
	path := save(t, write(t, sampleMeta, []Lease{{ID: 7, TTL: 60}}, sample()))
	db, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got := map[string]string{}
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			got[string(name)] = ""
			return b.ForEach(func(k, v []byte) error {
				if string(name) != bucketKey && !strings.HasPrefix(string(name), bucketAuth) {
					got[string(name)] += fmt.Sprintf("%s=%s ", printable(k), printable(v))
				} else {
					got[string(name)] += printable(k) + " "
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"key": "00000000000000025f0000000000000000 00000000000000035f0000000000000000 00000000000000045f0000000000000000 " +
			"00000000000000055f000000000000000074 00000000000000055f0000000000000001 ",
		"meta": `confState={"voters":[2748],"auto_leave":false} consistent_index=0000000000000009 ` +
			`finishedCompactRev=00000000000000035f0000000000000000 scheduledCompactRev=00000000000000035f0000000000000000 ` +
			`storageVersion=3.6.0 term=0000000000000001 `,
		"lease":           "0000000000000007=0807103c ",
		"alarm":           "",
		"cluster":         `clusterVersion=3.6.0 downgrade={"target-version":"","enabled":false} `,
		"members":         `abc={"id":2748,"peerURLs":[],"name":"default","clientURLs":["http://127.0.0.1:2379"]} `,
		"members_removed": "",
		"auth":            "authEnabled authRevision ",
		"authUsers":       "root ",
		"authRoles":       "root ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
}

// printable returns b as text, in hexadecimal if it is none.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("%x", b)
		}
	}
	return string(b)
}

// TestLarge writes more than one batch, with values beyond a page, and pages
// with branches.
func TestLarge(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var want []change
	for i := range 25_000 {
		n := rnd.IntN(40)
		if i%5000 == 0 {
			n = 1 << 20
		}
		rev := int64(1<<40 + 2*i)
		want = append(want, change{Revision{rev, 0}, value(fmt.Sprintf("/registry/pods/%d", i), strings.Repeat("v", n), rev, rev, 1, 0)})
	}
	s := mustOpen(t, save(t, write(t, Meta{}, nil, want)))
	got := changesOf(t, s)
	if len(got) != len(want) {
		t.Fatalf("%d changes, want %d", len(got), len(want))
	}
	for i, c := range want {
		if got[i].r != c.r || !proto.Equal(got[i].kv, c.kv) {
			t.Fatalf("change %d is %v, want %v", i, got[i].r, c.r)
		}
	}
	if st, err := s.Status(t.Context()); err != nil || st.TotalKey != len(want) {
		t.Errorf("Status = %+v, %v", st, err)
	}
}

func TestEmpty(t *testing.T) {
	s := mustOpen(t, save(t, write(t, Meta{Compacted: 1 << 40}, nil, nil)))
	if rev, err := s.Revision(t.Context()); rev != 1<<40 || err != nil {
		t.Errorf("Revision = %d, %v, want the compact revision", rev, err)
	}
	if st, err := s.Status(t.Context()); err != nil || st.TotalKey != 0 {
		t.Errorf("Status = %+v, %v", st, err)
	}
}

func TestPutOrder(t *testing.T) {
	w, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, c := range []struct {
		r  Revision
		ok bool
	}{{Revision{2, 0}, true}, {Revision{2, 0}, false}, {Revision{2, 1}, true}, {Revision{1, 5}, false}, {Revision{3, 0}, true}} {
		if err := w.Put(c.r, value("a", "", 1, c.r.Main, 1, 0)); (err == nil) != c.ok {
			t.Errorf("Put(%v) = %v, want ok %v", c.r, err, c.ok)
		}
	}
}

// TestChecksum: a changed byte, a missing checksum and a file that was cut off
// are told apart.
func TestChecksum(t *testing.T) {
	b := write(t, sampleMeta, nil, sample())
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"intact":          {b, nil},
		"no checksum":     {b[:len(b)-32], ErrNoChecksum},
		"another":         {append(bytes.Clone(b[:len(b)-32]), make([]byte, 32)...), ErrChecksum},
		"a byte changed":  {changed(b, len(b)/2), ErrChecksum},
		"the sum changed": {changed(b, len(b)-1), ErrChecksum},
	} {
		s, err := Open(save(t, c.b))
		if err == nil {
			err = s.Verify(t.Context())
			s.Close()
		}
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if !errors.Is(ErrChecksum, ErrCorrupt) || errors.Is(ErrNoChecksum, ErrCorrupt) {
		t.Error("a wrong checksum is damage, a missing one is not")
	}
}

func changed(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x40
	return b
}

// TestOpenRefuses: what is no snapshot at all.
func TestOpenRefuses(t *testing.T) {
	b := write(t, Meta{}, nil, sample())
	for name, file := range map[string][]byte{
		"empty":       nil,
		"short":       make([]byte, 100),
		"zeros":       make([]byte, 1<<16),
		"text":        []byte(strings.Repeat("no snapshot\n", 1000)),
		"cut off":     b[:len(b)/2/4096*4096],
		"header only": b[:8192],
	} {
		if s, err := Open(save(t, file)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Open = %v, %v, want ErrCorrupt", name, s, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Open of a directory = %v, want ErrCorrupt", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of nothing = %v, want os.ErrNotExist", err)
	}
}

// TestSecondHeader: where the first header is torn the second one counts.
func TestSecondHeader(t *testing.T) {
	b := write(t, Meta{}, nil, sample())
	clear(b[16:80])
	if diff := cmp.Diff(sample(), changesOf(t, mustOpen(t, save(t, b))), compareChanges); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
}

// TestSmallPages: the size of pages is the machine's that wrote the file.
func TestSmallPages(t *testing.T) {
	var want []change
	for i := range int64(300) {
		want = append(want, change{Revision{i + 2, 0}, value(fmt.Sprint("key", i), strings.Repeat("v", int(i%7)*200), i+2, i+2, 1, 0)})
	}
	s := mustOpen(t, save(t, smallPages(t, write(t, Meta{}, nil, want))))
	if diff := cmp.Diff(want, changesOf(t, s), compareChanges); diff != "" {
		t.Errorf("Changes (-want +got):\n%.2000s", diff)
	}
}
