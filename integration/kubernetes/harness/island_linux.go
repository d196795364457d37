package harness

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// islandEnv is set for the process that is on an island.
const islandEnv = "CAUSEWAY_TEST_ISLAND"

// Rules of the island's routing table. The first two are there while the sites
// are cut off; what the kernel has as rule 0 comes after them.
const (
	cutFromRule = "1"
	cutToRule   = "2"
	localRule   = "10"
)

// Island runs the calling test once more, in a process with a network and a
// host name of its own, and reports whether this is that process: links between
// sites can be cut there, and no other program sees it. Without the permission
// to make a network namespace the test is skipped, but root has it.
func Island(t testing.TB) bool {
	t.Helper()
	if os.Getenv(islandEnv) != "" {
		ip(t, "link", "set", "lo", "up")
		ip(t, "rule", "add", "pref", localRule, "lookup", "local")
		ip(t, "rule", "del", "pref", "0")
		return true
	}
	cmd := exec.Command(os.Args[0], append(passedOn(os.Args[1:]), "-test.v=true", "-test.run=^"+t.Name()+"$")...)
	// The programs are built here: from an island no module can be fetched.
	cmd.Env = append(os.Environ(), islandEnv+"=1", CausewayEnv+"="+program(t, buildCauseway), KubernetesEnv+"="+program(t, buildKubernetes))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS}
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
		t.Skipf("a network namespace cannot be made: %v", err)
	case err != nil:
		t.Errorf("on the island: %v\n%s", err, &out)
	}
	return false
}

// passedOn leaves out what tells the test binary where to write its files.
func passedOn(args []string) (kept []string) {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-test.testlogfile") && !strings.HasPrefix(arg, "-test.cover") && !strings.HasPrefix(arg, "-test.outputdir") {
			kept = append(kept, arg)
		}
	}
	return kept
}

// cutNetwork drops every packet from or to the addresses on which sites listen
// for each other; connections stay open and hear nothing, as on a broken link.
func cutNetwork(t testing.TB, cut bool) {
	t.Helper()
	if !cut {
		ip(t, "rule", "del", "pref", cutFromRule)
		ip(t, "rule", "del", "pref", cutToRule)
		return
	}
	ip(t, "rule", "add", "pref", cutFromRule, "from", peerNetwork, "blackhole")
	ip(t, "rule", "add", "pref", cutToRule, "to", peerNetwork, "blackhole")
}

// addAddress gives the island an address on which a site listens.
func addAddress(t testing.TB, address string) {
	t.Helper()
	ip(t, "address", "add", address+"/32", "dev", "lo")
}

func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// hostNamed changes a command into one that runs with a host name of its own,
// which an island may give.
func hostNamed(cmd *exec.Cmd, name string) {
	cmd.Args = append([]string{"sh", "-c", `hostname "$0" && exec "$@"`, name}, cmd.Args...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUTS
}
