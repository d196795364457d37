// Package usage reads what a process has used of the machine. It needs the
// /proc of Linux; elsewhere [Of] returns [ErrUnsupported].
package usage

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrUnsupported says that the system has no /proc as Linux has it.
var ErrUnsupported = errors.New("usage: needs the /proc of Linux")

// ticksPerSecond is the unit of times in /proc/<pid>/stat, USER_HZ. It is 100
// on every architecture that Go supports.
const ticksPerSecond = 100

// A Usage is what a process uses at one instant, or has used until then.
type Usage struct {
	RSS  int64         // resident memory, in bytes
	Peak int64         // the most that RSS ever was
	CPU  time.Duration // user and system time of all threads
}

// Of returns what the process with the ID given uses now.
func Of(pid int) (Usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	var u Usage
	if u.RSS, err = kilobytes(string(status), "VmRSS:"); err != nil {
		return Usage{}, err
	}
	if u.Peak, err = kilobytes(string(status), "VmHWM:"); err != nil {
		return Usage{}, err
	}
	u.CPU, err = cpu(string(stat))
	return u, err
}

// kilobytes returns the bytes of a line such as "VmRSS:	  1234 kB".
func kilobytes(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%w: no line %s", ErrUnsupported, name)
}

// cpu returns the sum of utime and stime, the 14th and 15th field of a stat
// line. The second field is a name in parentheses that may hold anything.
func cpu(stat string) (time.Duration, error) {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%w: a stat line of another form", ErrUnsupported)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
