package commit

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/leveldb"
	"github.com/causeway-sync/causeway/dag/leveldb/powertest"
	"github.com/causeway-sync/causeway/dag/memstore"
)

var (
	powerSeed  = flag.Uint64("commit.power-seed", 0, "seed of the power-loss tests; 0 picks one")
	powerRuns  = flag.Int("commit.power-runs", 8, "disks to run")
	powerBoots = flag.Int("commit.power-boots", 10, "power losses of each disk")
)

// TestPowerLoss runs a pipeline on a disk that loses power and with it
// whatever was not synced. After each loss: the store opens, every answered
// write is there, the revision has not gone back, and every op that was
// handed to other nodes is still the node's own: it has not forked itself.
func TestPowerLoss(t *testing.T) {
	base := *powerSeed
	if base == 0 {
		base = uint64(time.Now().UnixNano())
	}
	for i := range *powerRuns {
		seed := base + uint64(i)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			t.Logf("replay with -commit.power-seed=%d -commit.power-runs=1", seed)
			runPowerLoss(t, seed)
		})
	}
}

// clients are what the writers of a power-loss test know.
type clients struct {
	mu       sync.Mutex
	begun    [4]int
	acked    [4]int
	revision int64 // greatest in any answer
	total    int
}

func runPowerLoss(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	disk := powertest.New(seed)
	store, err := leveldb.OpenStorage(disk.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mesh := found(t, store)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	witness := open(t, memstore.New(), mesh, "witness") // keeps whatever was published
	var c clients
	for boot := range *powerBoots {
		store, err := leveldb.OpenStorage(disk.Boot(), leveldb.Options{})
		if err != nil {
			t.Fatalf("boot %d: %v", boot, err)
		}
		p, err := Open(Config{Store: store, Key: key("founder"), Mesh: mesh, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatalf("boot %d: %v", boot, err)
		}
		published := make(chan *dag.Signed, 4096)
		p.OnOp(func(_ *dag.Op, block, body []byte) {
			u, err := dag.Decode(block, body)
			if err != nil {
				t.Errorf("published op: %v", err)
				return
			}
			published <- dag.AssumeVerified(u)
		})
		c.verify(t, p)
		deliver(t, p, witness)
		c.write(t, p, disk, rnd)
		p.Close()     // it has stopped by itself
		store.Close() // fails, since the power is gone, but ends its goroutines
		close(published)
		for s := range published {
			if err := witness.Admit(t.Context(), []*dag.Signed{s})[0]; err != nil && !errors.Is(err, dag.ErrDuplicate) {
				t.Fatalf("boot %d: published op %v: %v", boot, s.ID(), err)
			}
		}
		if n := len(witness.Graph().Forks()); n != 0 {
			t.Fatalf("boot %d: forks = %d: the node forked itself", boot, n)
		}
	}
	if c.total == 0 {
		t.Fatal("no write was answered: the test tested nothing")
	}
	t.Logf("%d power losses, %d answered writes, %d ops", *powerBoots, c.total, witness.Graph().Len())
}

// write lets the clients write until the power goes, at a random change of the disk.
func (c *clients) write(t *testing.T, p *Pipeline, disk *powertest.Disk, rnd *rand.Rand) {
	disk.LosePowerAt(1 + rnd.IntN(200))
	var wg sync.WaitGroup
	for w := range c.begun {
		wg.Go(func() {
			for {
				c.mu.Lock()
				c.begun[w]++
				n := c.begun[w]
				c.mu.Unlock()
				resp, err := p.Submit(t.Context(), &pb.PutRequest{Key: fmt.Append(nil, w), Value: fmt.Append(nil, n)})
				if err != nil {
					return
				}
				c.mu.Lock()
				c.acked[w] = n
				c.total++
				c.revision = max(c.revision, resp.(*pb.PutResponse).Header.Revision)
				c.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (c *clients) verify(t *testing.T, p *Pipeline) {
	t.Helper()
	if got := p.View().Revision(); got < c.revision {
		t.Fatalf("revision %d after a power loss, %d was answered", got, c.revision)
	}
	for w := range c.begun {
		got, _ := strconv.Atoi(get(t, p, fmt.Sprint(w))) // absent reads as 0
		if got < c.acked[w] || got > c.begun[w] {
			t.Fatalf("writer %d: stored %d, answered %d, begun %d", w, got, c.acked[w], c.begun[w])
		}
	}
}

// TestFailedAppendStops makes the disk full under load: the pipeline stops,
// nobody is told that an unsynced write is done, and a restart with room
// again has everything that was answered.
func TestFailedAppendStops(t *testing.T) {
	disk := powertest.New(1)
	store, err := leveldb.OpenStorage(disk.Boot(), leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mesh := found(t, store)
	fatal := make(chan error, 1)
	p, err := Open(Config{Store: store, Key: key("founder"), Mesh: mesh, Logger: slog.New(slog.DiscardHandler), OnFatal: func(err error) { fatal <- err }})
	if err != nil {
		t.Fatal(err)
	}
	disk.Full(64 << 10)
	answered := -1
	for i := 0; ; i++ {
		if _, err = p.Submit(t.Context(), &pb.PutRequest{Key: []byte("k"), Value: fmt.Appendf(make([]byte, 0, 1000), "%01000d", i)}); err != nil {
			break
		}
		answered = i
	}
	if !errors.Is(err, ErrStopped) {
		t.Errorf("put on a full disk: %v, want ErrStopped", err)
	}
	select {
	case err := <-fatal:
		if !errors.Is(err, dag.ErrFailed) {
			t.Errorf("fatal error = %v, want one that wraps dag.ErrFailed", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the pipeline did not report why it stopped")
	}
	p.Close()
	store.Close()

	disk.Full(1 << 30)
	if store, err = leveldb.OpenStorage(disk.Boot(), leveldb.Options{}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	q := open(t, store, mesh, "founder")
	defer q.Close()
	got, err := strconv.Atoi(get(t, q, "k"))
	if err != nil || got < answered || got > answered+1 {
		t.Errorf("k = %d (%v) after the restart, answered up to %d", got, err, answered)
	}
}
