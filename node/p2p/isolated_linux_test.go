package p2p

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// isolatedEnv names the test that runs in a network namespace of its own.
const isolatedEnv = "CAUSEWAY_TEST_ISOLATED"

// isolated runs the test once more in a new process with a network of its own,
// made by the commands, and returns false when that has passed; in that process
// it returns true. Where the system gives no such network the test is skipped: the
// steps test and race of .ci/run run it where they may make namespaces (as root, say).
func isolated(t *testing.T, commands ...string) bool {
	t.Helper()
	if os.Getenv(isolatedEnv) == t.Name() {
		for _, c := range commands {
			words := strings.Fields(c)
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", c, err, out)
			}
		}
		return true
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no network of its own: iproute2 is not installed")
	}
	attributes := func() *syscall.SysProcAttr {
		a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		if os.Geteuid() != 0 {
			a.Cloneflags |= syscall.CLONE_NEWUSER
			a.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			a.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		return a
	}
	probe := exec.Command("ip", "link", "set", "lo", "up")
	probe.SysProcAttr = attributes()
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("no network of its own: %v %s", err, out)
	}
	run := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	run.Env = append(os.Environ(), isolatedEnv+"="+t.Name())
	run.SysProcAttr = attributes()
	runtime.LockOSThread() // the process ends with this thread at the latest
	defer runtime.UnlockOSThread()
	out, err := run.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("in a network of its own: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("in a network of its own: %s", out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Fatalf("in a network of its own it did not run:\n%s", out)
	}
	return false
}
