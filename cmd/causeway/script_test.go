package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/causeway-sync/causeway/integration/freeport"
	"github.com/causeway-sync/causeway/node/admin"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"causeway": main})
}

// TestScripts runs the command line as people do: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Values[tbKey{}] = t
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":   scriptCode,
			"ready":  scriptReady,
			"term":   scriptTerm,
			"forked": scriptForked,
			"merged": scriptMerged,
			"put":    scriptPut,
		},
	})
}

// scriptCode implements "code N command…": the command must exit with N.
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptReady implements "ready DIR [VAR]": it waits until the node of DIR
// serves clients, and sets VAR to its first client URL.
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: ready dir [var]")
	}
	client := admin.NewClient(ts.MkAbs(args[0]))
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		st, err := client.Status(context.Background())
		if last = err; err == nil && st.Ready {
			if len(args) == 2 {
				ts.Setenv(args[1], st.ClientURLs[0])
			}
			return
		}
	}
	ts.Fatalf("the node of %s does not serve: %v", args[0], last)
}

// scriptTerm implements "term": it sends SIGTERM to the background command
// that was started last.
func scriptTerm(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.BackgroundCmds()
	if neg || len(args) != 0 || len(running) == 0 {
		ts.Fatalf("usage: term, with a command in the background")
	}
	ts.Check(running[len(running)-1].Process.Signal(syscall.SIGTERM))
}

// freePort returns a TCP port of the loopback that nobody listens on.
func freePort() (string, error) {
	addr, err := freeport.Addr()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(addr)
	return port, err
}

// need skips a test if a program is missing.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

// TestRunInProcess calls run itself: what main does is in it.
func TestRunInProcess(t *testing.T) {
	var out, errOut strings.Builder
	code := run(t.Context(), []string{"version", "-o", "json"}, stdio{in: os.Stdin, out: &out, err: &errOut})
	if code != exitOK || !strings.Contains(out.String(), `"format": 1`) || errOut.Len() != 0 {
		t.Errorf("run(version) = %d, %q, %q", code, out.String(), errOut.String())
	}
}

func TestOneLine(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain", "plain"},
		{"a\nb\n", "a; b"},
		{"op: identity: wrong passphrase", "op: wrong passphrase"},
		{"node: p2p: bad configuration: identity: why", "bad configuration: why"},
		{"no\x1b[31mcolour\x00", "no?[31mcolour?"},
		{"nodes: dagger: kept", "nodes: dagger: kept"},
	} {
		if got := oneLine(errors.New(tc.in)); got != tc.want {
			t.Errorf("oneLine(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}
