package node

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	slash "path"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// errNoBound says that nothing is known to bound the process's memory.
var errNoBound = errors.New("no bound is known")

// memory finds out what bounds the process's memory: what Linux says is
// available, the limits of its cgroups (version 1 and 2), and GOMEMLIMIT. What a
// system does not have is left out.
type memory struct {
	root    fs.FS // "/"
	cgroups []cgroup
}

// A cgroup is the directory of one that the process is in, and the names of files there.
type cgroup struct{ dir, limit, usage, idle string }

func newMemory() *memory { return newMemoryUnder(os.DirFS("/")) }

func newMemoryUnder(root fs.FS) *memory {
	m := &memory{root: root}
	b, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(b)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		g := cgroup{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"}
		if fields[1] != "" { // version 1
			if fields[1] != "memory" {
				continue
			}
			g = cgroup{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}
		}
		// In a container the path may be that outside, and the mount the cgroup itself.
		for mount, dir := g.dir, slash.Join("/", fields[2]); ; dir = slash.Dir(dir) {
			g.dir = slash.Join(mount, dir)
			m.cgroups = append(m.cgroups, g)
			if dir == "/" {
				break
			}
		}
	}
	return m
}

// bounds measures all of them.
func (m *memory) bounds() (all []memoryBound) {
	if b, ok := m.available(); ok {
		all = append(all, b)
	}
	for _, g := range m.cgroups {
		if b, ok := m.left(g); ok {
			all = append(all, b)
		}
	}
	if b, ok := goLimit(); ok {
		all = append(all, b)
	}
	return all
}

// available is what Linux says of the machine.
func (m *memory) available() (b memoryBound, ok bool) {
	text, err := fs.ReadFile(m.root, "proc/meminfo")
	if err != nil {
		return b, false
	}
	free, okFree := field(text, "MemAvailable:")
	total, okTotal := field(text, "MemTotal:")
	return memoryBound{free << 10, total << 10}, okFree && okTotal
}

// left is what a cgroup's limit leaves: pages of files that are not in use are
// given up first.
func (m *memory) left(g cgroup) (b memoryBound, ok bool) {
	limit, ok := m.number(g.dir, g.limit)
	if !ok || limit >= math.MaxInt64>>1 { // "max", or version 1's greatest
		return b, false
	}
	usage, ok := m.number(g.dir, g.usage)
	if !ok {
		return b, false
	}
	stat, _ := fs.ReadFile(m.root, slash.Join(g.dir, "memory.stat"))
	idle, _ := field(stat, g.idle)
	return memoryBound{max(0, limit-usage+idle), limit}, true
}

func (m *memory) number(dir, name string) (int64, bool) {
	b, err := fs.ReadFile(m.root, slash.Join(dir, name))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// field returns the number that follows name at the beginning of a line.
func field(text []byte, name string) (int64, bool) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) >= 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// goLimit is what GOMEMLIMIT leaves once garbage is collected.
func goLimit() (b memoryBound, ok bool) {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return b, false
	}
	names := []string{"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/objects:bytes", "/gc/heap/live:bytes"}
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	v := func(i int) int64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return int64(samples[i].Value.Uint64())
	}
	used := v(0) - v(1) - v(2) - max(0, v(3)-v(4))
	return memoryBound{max(0, limit-used), limit}, true
}
