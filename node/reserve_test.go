package node

import (
	"errors"
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/causeway-sync/causeway/node/commit"
)

// TestReserveDisk: a tenth, within bounds, and always well before own clients are refused.
func TestReserveDisk(t *testing.T) {
	const gib = 1 << 30
	for total, want := range map[int64]int64{
		0: 256 << 20, 100 << 20: 256 << 20, gib: 256 << 20, 2 * gib: gib / 2, 4 * gib: gib, 8 * gib: gib,
		20 * gib: 2 * gib, 100 * gib: 10 * gib, 1000 * gib: 16 * gib,
	} {
		got := reserveDisk(total)
		if got != want {
			t.Errorf("reserveDisk(%d) = %d, want %d", total, got, want)
		}
		if got < 2*commit.LowSpace {
			t.Errorf("reserveDisk(%d) = %d: own clients are refused at %d", total, got, commit.LowSpace)
		}
	}
}

// TestReserveConfig: a reserve below which own clients are refused is none.
func TestReserveConfig(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.ReserveMemoryBytes = -1
	for bytes, want := range map[int64]int{-1: 0, 0: 1, 2 * commit.LowSpace: 1} {
		if cfg.ReserveDiskBytes = bytes; cfg.Validate() != nil || len(cfg.spaces()) != want {
			t.Errorf("a reserve of %d bytes: %v, %d spaces, want %d", bytes, cfg.Validate(), len(cfg.spaces()), want)
		}
	}
	cfg.ReserveDiskBytes = 2 * commit.LowSpace
	free, reserve, err := cfg.spaces()[0].Measure()
	if err != nil || free <= 0 || reserve != cfg.ReserveDiskBytes {
		t.Errorf("Measure() = %d, %d, %v, want some free, and the reserve that is configured", free, reserve, err)
	}
	cfg.ReserveDiskBytes = 2*commit.LowSpace - 1
	if err := cfg.Validate(); !errors.Is(err, ErrConfig) {
		t.Errorf("a reserve of %d bytes: %v, want ErrConfig", cfg.ReserveDiskBytes, err)
	}
}

// TestMemoryBounds reads what a Linux says, of either version of cgroups, and of a container.
func TestMemoryBounds(t *testing.T) {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	machine := memoryBound{3 << 20, 8 << 20}
	meminfo := text("MemTotal:        8192 kB\nMemFree:   1000 kB\nMemAvailable:    3072 kB\n")
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  []memoryBound
	}{
		"nothing":    {fstest.MapFS{}, nil},
		"machine":    {fstest.MapFS{"proc/meminfo": meminfo, "proc/self/cgroup": text("0::/\n")}, []memoryBound{machine}},
		"old kernel": {fstest.MapFS{"proc/meminfo": text("MemTotal: 8192 kB\n")}, nil},
		"version 2": {fstest.MapFS{
			"proc/meminfo": meminfo, "proc/self/cgroup": text("0::/system.slice/causeway.service\n"),
			"sys/fs/cgroup/system.slice/causeway.service/memory.max":     text("4000000\n"),
			"sys/fs/cgroup/system.slice/causeway.service/memory.current": text("3000000\n"),
			"sys/fs/cgroup/system.slice/causeway.service/memory.stat":    text("anon 1\ninactive_file 500000\n"),
			"sys/fs/cgroup/system.slice/memory.max":                      text("max\n"),
			"sys/fs/cgroup/system.slice/memory.current":                  text("3000000\n"),
		}, []memoryBound{machine, {1_500_000, 4_000_000}}},
		"version 1 in a container": {fstest.MapFS{
			"proc/self/cgroup":                                  text("9:name=systemd:/\n4:memory:/docker/abc\n1:cpu:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":        text("1000\n"),
			"sys/fs/cgroup/memory/memory.usage_in_bytes":        text("1200\n"),
			"sys/fs/cgroup/memory/docker/memory.limit_in_bytes": text("9223372036854771712\n"),
			"sys/fs/cgroup/memory/docker/memory.usage_in_bytes": text("1\n"),
		}, []memoryBound{{0, 1000}}},
		"nonsense": {fstest.MapFS{"proc/meminfo": text("MemTotal: x kB\nMemAvailable:\n"), "proc/self/cgroup": text("0\n::\n"),
			"sys/fs/cgroup/memory.max": text("x")}, nil},
	} {
		got := newMemoryUnder(c.files).bounds()
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(memoryBound{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTightest: what leaves the least above its reserve counts.
func TestTightest(t *testing.T) {
	bounds := []memoryBound{{3000, 20_000}, {1500, 2000}}
	if free, reserve, err := tightest(bounds, 0); free != 3000 || reserve != 2000 || err != nil {
		t.Errorf("tightest = %d, %d, %v, want the first, of which a tenth is reserved", free, reserve, err)
	}
	if free, reserve, err := tightest(bounds, 10); free != 1500 || reserve != 10 || err != nil {
		t.Errorf("tightest = %d, %d, %v, want the second", free, reserve, err)
	}
	if _, _, err := tightest(nil, 0); !errors.Is(err, errNoBound) {
		t.Errorf("tightest of none = %v, want errNoBound", err)
	}
}

// TestGoLimit: GOMEMLIMIT bounds memory, if it is set.
func TestGoLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	debug.SetMemoryLimit(math.MaxInt64)
	if b, ok := goLimit(); ok {
		t.Errorf("goLimit without a limit = %v", b)
	}
	debug.SetMemoryLimit(1 << 40)
	if b, ok := goLimit(); !ok || b.total != 1<<40 || b.free <= 1<<39 || b.free >= 1<<40 {
		t.Errorf("goLimit = %v, %v, want most of a TiB", b, ok)
	}
}
