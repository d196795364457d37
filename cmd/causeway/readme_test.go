package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/node/admin"
)

// readmeCommand is a command of the README's session with the output it shows.
type readmeCommand struct {
	line   string
	output string
}

// readmeSession returns the commands of the blocks that the README marks as
// its session, in order.
func readmeSession(t *testing.T) []readmeCommand {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- session -->\n```console\n(.*?)```")
	var commands []readmeCommand
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(m[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				commands = append(commands, readmeCommand{line: strings.TrimSpace(command)})
			} else if len(commands) > 0 {
				commands[len(commands)-1].output += line
			}
		}
	}
	return commands
}

// TestReadmeSession types the README's two-site session, in an empty directory
// and on free ports, and expects what it shows.
func TestReadmeSession(t *testing.T) {
	for _, program := range []string{"bash", "etcdctl", "diff"} {
		need(t, program)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	first, second := mustPort(t), mustPort(t)
	ports := strings.NewReplacer("22379", second, "2379", first)
	commands := readmeSession(t)
	if len(commands) < 8 {
		t.Fatalf("the README's session has %d commands", len(commands))
	}
	env := os.Environ()
	for _, c := range commands {
		line := ports.Replace(c.line)
		t.Log("$", line)
		switch {
		case strings.HasPrefix(line, "go build "):
			// In the source, but with the program written to the session's directory.
			build := strings.Replace(line, "-o causeway", "-o "+filepath.Join(dir, "causeway"), 1)
			if out, err := bash(t.Context(), root, env, build); err != nil {
				t.Fatalf("%s: %v\n%s", build, err, out)
			}
		case strings.HasPrefix(line, "export "):
			env = append(env, strings.TrimPrefix(line, "export "))
		case strings.HasPrefix(line, "./causeway serve"):
			if !strings.Contains(line, "--listen-client-urls") { // the default's port may be taken
				line += " --listen-client-urls http://127.0.0.1:" + first
			}
			serveInSession(t, dir, env, line)
		default:
			expect(t, dir, env, line, c.output)
		}
	}
}

func mustPort(t *testing.T) string {
	t.Helper()
	p, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bash runs one line and returns what it writes to standard output, or to both
// if it fails.
func bash(ctx context.Context, dir string, env []string, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+line)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out) + string(exit.Stderr), err
	}
	return string(out), err
}

// serveInSession starts a node as the reader does in another terminal, waits
// until it serves, and ends it with the test.
func serveInSession(t *testing.T, dir string, env []string, line string) {
	t.Helper()
	var log strings.Builder
	cmd := exec.Command("bash", "-c", "exec "+line)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, &log)
		}
	})
	_, rest, _ := strings.Cut(line, "--data-dir ")
	client := admin.NewClient(filepath.Join(dir, strings.Fields(rest)[0]))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if st, err := client.Status(t.Context()); err == nil && st.Ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not serve", line)
		}
	}
}

// expect runs a line until it writes what the README shows: what one site
// wrote takes a moment to the other. Lines that change something run once.
func expect(t *testing.T, dir string, env []string, line, want string) {
	t.Helper()
	reads := strings.Contains(line, " get ") || strings.Contains(line, "status")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err := bash(t.Context(), dir, env, line)
		// Where the README shows no output it does not matter.
		if err == nil && (got == want || want == "") {
			return
		}
		if !reads || time.Now().After(deadline) {
			t.Fatalf("%s: %v\n%s", line, err, differ(got, want))
		}
	}
}

func differ(got, want string) string { return fmt.Sprintf("wrote %q, want %q", got, want) }
