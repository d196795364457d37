package adversary

import (
	"testing"
	"time"
)

// A Budget is what an attack may take of each correct node, in bytes.
type Budget struct {
	Memory int64 // resident, more than before; what the runtime has not given back yet included
	Disk   int64 // more than before; what the quiet client wrote included, and what the store reserves ahead
	Log    int64 // of records in the log, beyond quietPut for each put of the quiet clients; that of Usual at least
}

// quietPut is what a put of a quiet client takes in the log of each node, at most:
// its record, and the op that it is sealed as.
const quietPut = 2 << 10

// Usual is the budget of attacks that leave nothing behind, or a few operations.
var Usual = Budget{Memory: 96 << 20, Disk: 24 << 20, Log: 1 << 20}

// stores is the budget of attacks whose operations, of so many bytes in all, are
// valid: their bytes are stored, a tenth more for the records, and nothing else.
func stores(b Budget, bytes int) Budget {
	b.Log = Usual.Log + int64(bytes) + int64(bytes)/10
	return b
}

// A Watch judges what an attack did. Make one before it with [Mesh.Watch].
type Watch struct {
	mesh   *Mesh
	began  time.Time
	before []usage
}

type usage struct{ memory, disk, log int64 }

// logged returns the bytes that the node appended to its log since it started.
func (s *Site) logged(tb testing.TB) int64 { return int64(s.Metric(tb, "causeway_log_bytes_total")) }

// Watch begins to watch the correct nodes. Its own writes before count no more.
func (m *Mesh) Watch(tb testing.TB) *Watch {
	tb.Helper()
	w := &Watch{mesh: m, began: time.Now()}
	for _, s := range m.Sites {
		memory, _ := s.resident()
		w.before = append(w.before, usage{memory, s.stored(), s.logged(tb)})
		s.Writer.take()
	}
	return w
}

// Writes waits until every correct node has answered some more own writes.
func (w *Watch) Writes(tb testing.TB) {
	tb.Helper()
	for _, s := range w.mesh.Sites {
		n := s.Writer.answered()
		Eventually(tb, "own writes go on at "+s.Name, func() bool { return s.Writer.answered() >= n+3 })
	}
}

// Survived checks what holds after every attack: own writes were answered and
// are, the correct nodes agree and think well of each other, and the budget was
// kept. It prints what it measured.
func (w *Watch) Survived(tb testing.TB, b Budget) {
	tb.Helper()
	m := w.mesh
	attack := time.Since(w.began)
	w.Writes(tb)
	m.Agree(tb)
	quiet := int64(0)
	for _, s := range m.Sites {
		quiet += int64(s.Writer.answered()) * quietPut
	}
	for i, s := range m.Sites {
		answers, slowest, failure := s.Writer.take()
		if failure != nil {
			tb.Errorf("%s: an own write failed: %v", s.Name, failure)
		}
		memory, known := s.resident()
		memory -= w.before[i].memory
		disk := s.stored() - w.before[i].disk
		log := s.logged(tb)
		if log >= w.before[i].log { // else it started anew
			log -= w.before[i].log
		}
		tb.Logf("%s: %v of attack, %d own writes, the slowest %v; memory %+.1f MiB, disk %+.1f MiB, log %+.2f MiB, of which %.2f MiB may be own writes",
			s.Name, attack.Round(time.Millisecond), answers, slowest.Round(time.Millisecond), float64(memory)/(1<<20), float64(disk)/(1<<20),
			float64(log)/(1<<20), float64(quiet)/(1<<20))
		if known && memory > b.Memory {
			tb.Errorf("%s: the attack took %d bytes of memory, at most %d are budgeted", s.Name, memory, b.Memory)
		}
		if b.Log = max(b.Log, Usual.Log); log > b.Log+quiet {
			tb.Errorf("%s: the attack put %d bytes into the log, at most %d are budgeted, and %d for the quiet clients", s.Name, log, b.Log, quiet)
		}
		if disk > b.Disk {
			tb.Errorf("%s: the attack took %d bytes of disk, at most %d are budgeted", s.Name, disk, b.Disk)
		}
		for _, other := range m.Sites {
			p, ok := s.Peer(tb, other.Key)
			if ok && (p.Misconduct != "" && p.Misconduct != "stalled" || p.BannedUntil != nil) {
				tb.Errorf("%s blames %s, a correct node, for %q", s.Name, other.Name, p.Misconduct)
			}
		}
	}
}
