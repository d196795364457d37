package adversary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/integration/harness"
	"github.com/causeway-sync/causeway/integration/liar"
	"github.com/causeway-sync/causeway/node/admin"
)

// mountsEnv is set for the process that has mounts of its own.
const mountsEnv = "CAUSEWAY_TEST_MOUNTS"

// ownMounts runs the calling test once more, in a process whose mounts no other
// sees and that end with it, and reports whether this is that process. Without the
// permission for that the test is skipped.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsEnv) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.v=true", "-test.run=^"+t.Name()+"$", fmt.Sprint("-full=", *full))
	cmd.Env = append(os.Environ(), mountsEnv+"=1", harness.BinaryEnv+"="+harness.Binary(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if testing.Verbose() {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	err := cmd.Run()
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		t.Skipf("mounts of its own cannot be made: %v", err)
	case err != nil:
		t.Errorf("with mounts of its own: %v\n%s", err, &out)
	}
	return false
}

// tmpfs makes the directory one of so many bytes, or gives it another size.
func tmpfs(t *testing.T, dir string, size int64, flags uintptr) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
		t.Fatal(err)
	}
}

// TestSmallDisk: a node has a small disk. A forker pushes branches at it, and an accomplice
// what a revoked author writes on. Of both it takes what it has space for, and a little more, and then they
// wait, however much is pushed: own writes and those of an honest peer go on, nobody is
// blamed, and status says why. With a larger disk it comes to hold all.
func TestSmallDisk(t *testing.T) {
	if !*full {
		t.Skip("the liars' ops are slow: run with -full")
	}
	if !ownMounts(t) {
		return
	}
	const (
		mib     = 1 << 20
		disk    = 412 * mib
		reserve = 396 * mib
		allowed = 4 * mib  // of each author once the disk is short (docs/p2p.md, section 12)
		pace    = 6 * mib  // in a second, at most, what the pace forgives at once included
		each    = 16 * mib // that an author pushes
		size    = 64 << 10
	)
	var dir string
	m := New(t, Config{Name: "small", Sites: 2, Liars: 3, Args: []string{"--reserve-disk-bytes", fmt.Sprint(reserve)}, Disk: func(site int, at string) {
		if site == 0 {
			dir = at
			tmpfs(t, dir, disk, 0)
		}
	}})
	// Its mount ends with the process, which ends the nodes before: so the directory can be removed.
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	victim, honest := m.Sites[0], m.Sites[1]
	forker, revoked, accomplice := m.Liar(), m.Liar(), m.Liar()
	_, operator := m.OperatorOf(revoked)
	m.Carry(t, m.World.State(m.World.OperatorKey(), nil, identity.Revoke{Subject: operator, Keep: [][32]byte{m.World.Founding.ID()}}))

	rng := rand.New(rand.NewPCG(1, 0))
	noise := make([]byte, size) // which the store cannot make smaller
	var branches, chain []*dag.Signed
	var tip *dag.Op
	for i := range each / size {
		write := func(name string) []dag.Transaction {
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			return []dag.Transaction{liar.PutOf(fmt.Sprintf("/liar/%s/%d", name, i), string(noise))}
		}
		branches = append(branches, liar.Sign(t, m.World.Graph, forker, liar.Draft{First: true, Transactions: write("forker")}))
		draft := liar.Draft{First: true, Transactions: write("revoked")}
		if tip != nil {
			draft.First, draft.Prev, draft.Parents = false, tip, []*dag.Op{tip}
		}
		op := liar.Sign(t, m.World.Graph, revoked, draft)
		chain, tip = append(chain, op), m.World.Add(op)
	}
	all := slices.Concat(branches, chain)
	held := func(s *Site) (n int) {
		for _, op := range all {
			if s.Has(t, op.ID()) {
				n++
			}
		}
		return n
	}

	w := m.Watch(t)
	room := max(0, freeOf(t, dir)-reserve)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	push := func(key *identity.PrivateKey, ops []*dag.Signed) {
		p := m.NewPeer(t, key, victim)
		wg.Go(func() {
			for ; ctx.Err() == nil; pause(ctx, 200*time.Millisecond) {
				s := p.Sync(victim, nil, p.Open()...)
				if s == nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
				go drain(s)
				for _, op := range ops {
					if _, err := s.Write(framed(opsFrame(encoded(op)))); err != nil {
						break
					}
				}
				_, _ = s.Write(framed(endFrame()))
				pause(ctx, time.Second)
				_ = s.Reset()
				stop()
			}
		})
	}
	push(forker, branches)
	push(accomplice, chain)
	var status admin.Status
	Eventually(t, "both liars wait", func() bool {
		status = victim.Status(t)
		return len(status.Waiting) == 2
	}, func() string {
		return fmt.Sprintf("short %v, waiting %v, %d of the liars' ops", status.Short, status.Waiting, held(victim))
	})
	for _, a := range status.Waiting {
		if a.Author != forker.Public() && a.Author != revoked.Public() {
			t.Errorf("%v of %q waits, who is no liar", a.Author, a.Operator)
		}
	}
	if len(status.Short) != 1 || status.Short[0].Space != "disk" || status.Short[0].Reserve != reserve {
		t.Errorf("what is short is %v, want the disk", status.Short)
	}
	if short, waiting := victim.Metric(t, "causeway_p2p_space_short", Label("space", "disk")), victim.Metric(t, "causeway_p2p_waiting_authors"); short != 1 || waiting != 2 {
		t.Errorf("metrics: short %v, %v authors waiting, want 1, 2", short, waiting)
	}

	// They go on pushing. A large value travels by sync alone.
	before := held(victim)
	large := strings.Repeat("y", 300<<10)
	for i := range 3 {
		victim.Put(t, "/own", fmt.Sprint(i, large))
		honest.Put(t, "/honest", fmt.Sprint(i, large))
		honest.Becomes(t, "/own", fmt.Sprint(i, large))
		victim.Becomes(t, "/honest", fmt.Sprint(i, large))
	}
	w.Writes(t)
	after, free := held(victim), freeOf(t, dir)
	t.Logf("%d of the liars' %d ops are held, %d since they wait; %d MiB are free, %d MiB the reserve", after, len(all), after-before, free/mib, reserve/mib)
	if after != before {
		t.Errorf("%d more of the liars' ops are held than when they began to wait", after-before)
	}
	if taken := int64(after * size); taken > room+2*allowed+pace {
		t.Errorf("%d bytes of the liars' are held, want at most %d there was space for, and %d of each", taken, room, allowed)
	}
	if free < reserve-reserve/4 {
		t.Errorf("%d bytes are free, want three quarters of the reserve at least", free)
	}
	if p, _ := victim.Peer(t, honest.Key); p.Misconduct != "" {
		t.Errorf("the honest peer is blamed for %q", p.Misconduct)
	}

	tmpfs(t, dir, 2*disk, unix.MS_REMOUNT)
	for _, s := range m.Sites {
		Eventually(t, "all of the liars' ops are at "+s.Name, func() bool { return held(s) == len(all) }, func() string { return fmt.Sprint(held(s), " of ", len(all)) })
	}
	if st := victim.Status(t); len(st.Short)+len(st.Waiting) > 0 {
		t.Errorf("short %v, waiting %v with a larger disk, want nothing", st.Short, st.Waiting)
	}
	cancel()
	wg.Wait()
	w.Survived(t, stores(Budget{Memory: 192 << 20, Disk: 3 * 2 * each}, 2*each+8*len(large)))
}

// freeOf returns how many bytes are free on a directory's file system.
func freeOf(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
