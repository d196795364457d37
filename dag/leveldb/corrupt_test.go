package leveldb_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	raw "github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/dag/leveldb/powertest"
)

// content is a store's content: records of random bytes that are never zero,
// each with an op, and a named value.
type content struct{ records []dag.Record }

func randomContent(r *rand.Rand, n, maxLen int) content {
	var c content
	for i := range n {
		p := make([]byte, 1+r.IntN(maxLen))
		for j := range p {
			p[j] = byte(1 + r.IntN(255))
		}
		c.records = append(c.records, dag.Record{Kind: 1, Payload: p, Ops: []dag.ID{{byte(i), byte(i >> 8), 1}}})
	}
	return c
}

// write appends the content, a synced Append for each record, and returns the
// disk as it is after a clean Close, or without.
func (c content) write(t testing.TB, closed bool) *powertest.Disk {
	t.Helper()
	d := powertest.New(1)
	s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutMeta("m", []byte("value")); err != nil {
		t.Fatal(err)
	}
	for _, r := range c.records {
		if _, err := s.Append([]dag.Record{r}, true); err != nil {
			t.Fatal(err)
		}
	}
	if !closed {
		d.PowerLoss()
	}
	s.Close()
	return d
}

// compacted is write, with everything in tables.
func (c content) compacted(t testing.TB) *powertest.Disk {
	t.Helper()
	d := c.write(t, true)
	s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// read opens the disk and reads everything in every way. It returns the first
// error; it is an error of its own kind if what is read is not the content.
func (c content) read(d *powertest.Disk) error {
	s, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if got := int(s.Last()); got != len(c.records) {
		return fmt.Errorf("SERVED: Last = %d, want %d", got, len(c.records))
	}
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	for i, w := range c.records {
		switch r, err := s.Read(dag.Index(i + 1)); {
		case err != nil:
			note(err)
		case !bytes.Equal(r.Payload, w.Payload) || len(r.Ops) != 1 || r.Ops[0] != w.Ops[0]:
			return fmt.Errorf("SERVED: Read(%d) is not the record appended", i+1)
		}
		switch at, ok, err := s.Lookup(w.Ops[0]); {
		case err != nil:
			note(err)
		case ok && at != dag.Index(i+1):
			return fmt.Errorf("SERVED: Lookup = %d, want %d", at, i+1)
		}
	}
	if v, err := s.GetMeta("m"); err != nil {
		note(err)
	} else if string(v) != "value" {
		return fmt.Errorf("SERVED: meta %q", v)
	}
	note(s.Scan(1, func(i dag.Index, r dag.Record) error {
		if !bytes.Equal(r.Payload, c.records[i-1].Payload) {
			return fmt.Errorf("SERVED: Scan(%d) is not the record appended", i)
		}
		return nil
	}))
	note(s.Check())
	return first
}

// wantCorrupt checks that err is a CorruptError, and that it names key.
func wantCorrupt(t *testing.T, what string, err error, key string) {
	t.Helper()
	var ce *dag.CorruptError
	if !errors.As(err, &ce) || !errors.Is(err, dag.ErrCorrupt) || !strings.Contains(ce.Key, key) {
		t.Errorf("%s: %v, want a CorruptError of %q", what, err, key)
	}
}

// TestBitRot flips single bits all over the files of a closed store. Nothing
// wrong may be served; damage to anything but padding is refused.
func TestBitRot(t *testing.T) {
	s := seed(t)
	r := rand.New(rand.NewPCG(s, 2))
	c := randomContent(r, 40, 3000)
	for name, tc := range map[string]struct {
		disk *powertest.Disk
		typ  storage.FileType
	}{
		"journal after Close":         {c.write(t, true), storage.TypeJournal},
		"journal after a power loss":  {c.write(t, false), storage.TypeJournal},
		"manifest":                    {c.compacted(t), storage.TypeManifest},
		"manifest after a power loss": {c.write(t, false), storage.TypeManifest},
		"table":                       {c.compacted(t), storage.TypeTable},
	} {
		t.Run(name, func(t *testing.T) {
			refused, tries := 0, 0
			for _, fd := range tc.disk.Files(tc.typ) {
				whole := tc.disk.Content(fd)
				for range 60 {
					at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
					if tries < 30 { // the last bytes are the hardest
						at = max(len(whole)-1-r.IntN(100), 0)
					}
					tries++
					rotten := bytes.Clone(whole)
					rotten[at] ^= bit
					d := tc.disk.Clone(1)
					d.Tamper(fd, rotten)
					switch err := c.read(d); {
					case err == nil: // padding, or bytes that nothing relies on
					case errors.Is(err, dag.ErrCorrupt):
						refused++
					default:
						t.Errorf("%v, byte %d of %d, bit %#x: %v", fd, at, len(whole), bit, err)
					}
				}
			}
			if refused < tries/2 { // a table's last bytes are padding, for the most part
				t.Errorf("%d of %d refused", refused, tries)
			}
		})
	}
}

// TestRotInJournal damages each synced batch of a journal, the last included.
func TestRotInJournal(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 3))
	c := randomContent(r, 30, 5000)
	d := c.write(t, false)
	fd := d.Files(storage.TypeJournal)[0]
	whole := d.Content(fd)
	for i, rec := range c.records {
		at := bytes.Index(whole, rec.Payload[:min(len(rec.Payload), 16)])
		rotten := bytes.Clone(whole)
		rotten[at] ^= 0x10
		e := d.Clone(1)
		e.Tamper(fd, rotten)
		wantCorrupt(t, fmt.Sprintf("record %d", i+1), c.read(e), fd.String())
	}
}

// TestZeroedInJournal loses a sector of a journal: a power loss may do that to
// the last batch only.
func TestZeroedInJournal(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 4))
	c := content{}
	for range 30 {
		c.records = append(c.records, randomContent(r, 1, 1000).records[0])
		c.records[len(c.records)-1].Payload = bytes.Repeat([]byte{1}, 1500)
		c.records[len(c.records)-1].Ops = []dag.ID{{byte(len(c.records))}}
	}
	d := c.write(t, false)
	fd := d.Files(storage.TypeJournal)[0]
	whole := d.Content(fd)
	// But the last batch, of 1,500 bytes and some 250 of framing, and what
	// shares a sector with it: no whole batch follows to vouch for them.
	for at := 0; at < len(whole)-1750-512; at += 512 {
		rotten := bytes.Clone(whole)
		clear(rotten[at : at+512])
		e := d.Clone(1)
		e.Tamper(fd, rotten)
		wantCorrupt(t, fmt.Sprintf("bytes from %d of %d", at, len(whole)), c.read(e), fd.String())
	}
	// The last batch may be torn.
	rotten := bytes.Clone(whole)
	clear(rotten[len(rotten)/512*512-512 : len(rotten)/512*512])
	e := d.Clone(1)
	e.Tamper(fd, rotten)
	c.records = c.records[:len(c.records)-1]
	if err := c.read(e); err != nil {
		t.Errorf("torn last batch: %v", err)
	}
}

// TestTornTail cuts a journal at every length: the whole batches before survive,
// and a batch that is cut is dropped, however it was cut.
func TestTornTail(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 5))
	c := randomContent(r, 6, 300)
	d := c.write(t, false)
	fd := d.Files(storage.TypeJournal)[0]
	whole := d.Content(fd)
	was := 0
	for cut := 0; cut <= len(whole); cut += 1 + r.IntN(40) {
		for _, zeros := range []int{0, 4096} {
			e := d.Clone(1)
			e.Tamper(fd, append(bytes.Clone(whole[:cut]), make([]byte, zeros)...))
			s, err := leveldb.OpenStorage(e.Boot(), leveldb.Options{})
			if err != nil {
				t.Fatalf("cut at %d, %d zeros: %v", cut, zeros, err)
			}
			n := int(s.Last())
			if n < was {
				t.Fatalf("cut at %d: %d records, but %d where it was shorter", cut, n, was)
			}
			was = n
			if err := s.Check(); err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			s.Close()
		}
	}
	if was < len(c.records)-1 {
		t.Errorf("%d records at the end, want %d or one less", was, len(c.records))
	}
}

// TestTamperedKeys changes the store's keys through goleveldb itself, so that
// all its checksums hold.
func TestTamperedKeys(t *testing.T) {
	c := randomContent(rand.New(rand.NewPCG(1, 6)), 100, 200)
	key := func(i int) []byte { return binary.BigEndian.AppendUint64([]byte{'r'}, uint64(i)) }
	get := func(db *raw.DB, k []byte) []byte {
		v, err := db.Get(k, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	op := func(i int) []byte { return append([]byte{'o'}, c.records[i-1].Ops[0][:]...) }
	for _, tc := range []struct {
		name   string
		tamper func(db *raw.DB, b *raw.Batch)
		want   string // the key that the error names
	}{
		{"nothing", func(*raw.DB, *raw.Batch) {}, ""},
		{"deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete(key(20)) }, "record 20"},
		{"first deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete(key(1)) }, "record 1"},
		{"last deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete(key(100)) }, "record 100"},
		{"added", func(db *raw.DB, b *raw.Batch) { b.Put(key(101), get(db, key(100))) }, "record 100"},
		{"swapped", func(db *raw.DB, b *raw.Batch) {
			b.Put(key(30), get(db, key(31)))
			b.Put(key(31), get(db, key(30)))
		}, "record 30"},
		{"swapped near the end", func(db *raw.DB, b *raw.Batch) {
			b.Put(key(98), get(db, key(99)))
			b.Put(key(99), get(db, key(98)))
		}, "record 98"},
		{"altered", func(db *raw.DB, b *raw.Batch) {
			v := get(db, key(10))
			v[len(v)-1] ^= 1
			b.Put(key(10), v)
		}, "record 10"},
		{"cut", func(db *raw.DB, b *raw.Batch) { b.Put(key(10), get(db, key(10))[:40]) }, "record 10"},
		{"emptied", func(db *raw.DB, b *raw.Batch) { b.Put(key(10), nil) }, "record 10"},
		{"mark deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete([]byte("c")) }, "mark"},
		{"mark cut", func(_ *raw.DB, b *raw.Batch) { b.Put([]byte("c"), []byte("x")) }, "mark"},
		{"format deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete([]byte("f")) }, "format"},
		{"op deleted", func(_ *raw.DB, b *raw.Batch) { b.Delete(op(3)) }, "op "},
		{"op to another record", func(db *raw.DB, b *raw.Batch) { b.Put(op(3), get(db, op(4))) }, "op "},
		{"op beyond the end", func(_ *raw.DB, b *raw.Batch) { b.Put(op(3), key(200)[1:]) }, "op "},
		{"op cut", func(_ *raw.DB, b *raw.Batch) { b.Put(op(3), nil) }, "op "},
		{"op added", func(db *raw.DB, b *raw.Batch) { b.Put(append([]byte{'o'}, make([]byte, 32)...), get(db, op(4))) }, "op "},
		{"meta altered", func(db *raw.DB, b *raw.Batch) {
			v := get(db, []byte("mm"))
			v[5] ^= 1
			b.Put([]byte("mm"), v)
		}, `meta "m"`},
		{"meta cut", func(_ *raw.DB, b *raw.Batch) { b.Put([]byte("mm"), []byte("x")) }, `meta "m"`},
		{"meta moved", func(db *raw.DB, b *raw.Batch) { b.Put([]byte("mn"), get(db, []byte("mm"))) }, `meta "n"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := c.compacted(t)
			db, err := raw.Open(d.Boot(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var b raw.Batch
			tc.tamper(db, &b)
			if err := db.Write(&b, &opt.WriteOptions{Sync: true}); err != nil {
				t.Fatal(err)
			}
			db.Close()
			err = c.read(d)
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCorrupt(t, tc.name, err, tc.want)
		})
	}
}

// TestMissingFiles removes each file of a store in turn.
func TestMissingFiles(t *testing.T) {
	c := randomContent(rand.New(rand.NewPCG(1, 7)), 20, 200)
	for name, d := range map[string]*powertest.Disk{"closed": c.write(t, true), "compacted": c.compacted(t)} {
		for _, fd := range d.Files(storage.TypeAll) {
			e := d.Clone(1)
			e.Tamper(fd, nil)
			wantCorrupt(t, fmt.Sprintf("%s, without %v", name, fd), c.read(e), "")
			if fd.Type == storage.TypeTable {
				e.Tamper(fd, d.Content(fd)[:100])
				wantCorrupt(t, fmt.Sprintf("%s, %v cut", name, fd), c.read(e), "")
			}
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	d := content{}.compacted(t)
	db, err := raw.Open(d.Boot(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("f"), []byte("causeway-store-9"), &opt.WriteOptions{Sync: true}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := leveldb.OpenStorage(d.Boot(), leveldb.Options{}); !errors.Is(err, leveldb.ErrFormat) {
		t.Errorf("Open = %v, want ErrFormat", err)
	}
}
