package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopTimeout is how long a process may take to end after SIGTERM.
const stopTimeout = 20 * time.Second

// Process is a program that is run, ended and run again with the same
// arguments. Its methods may be called from several goroutines.
type Process struct {
	t    testing.TB
	name string
	bin  string
	args []string
	env  []string
	// hostName is the program's own, "" for that of the test.
	hostName string
	log      string
	// keepUp starts the program again when it ends by itself, as an init
	// system does.
	keepUp bool

	mu       sync.Mutex
	cmd      *exec.Cmd     // nil if not running
	ended    chan struct{} // closed when cmd has ended and was not restarted
	stopping bool
	restarts int
}

// newProcess returns a process that is not running. It ends with the test.
func newProcess(t testing.TB, logs, name, bin string, args ...string) *Process {
	p := &Process{t: t, name: name, bin: bin, args: args, log: filepath.Join(logs, name+".log")}
	t.Cleanup(p.Stop)
	return p
}

// Start runs the program. It fails the test if it runs already.
func (p *Process) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.t.Fatalf("%s runs already", p.name)
	}
	p.stopping = false
	p.ended = make(chan struct{})
	if err := p.run(); err != nil {
		p.t.Fatal(err)
	}
}

// run starts the program once; p.mu is held.
func (p *Process) run() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close() // the child has its own
	fmt.Fprintf(out, "=== %s %s %s\n", time.Now().Format(time.RFC3339), p.bin, strings.Join(p.args, " "))
	cmd := exec.Command(p.bin, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = out, out
	// The children must not outlive a test binary that is killed.
	cmd.SysProcAttr = deathSignal()
	if p.hostName != "" {
		hostNamed(cmd, p.hostName)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cmd = cmd
	go p.wait(cmd)
	return nil
}

// wait collects the process and, if it was not told to end, runs it again.
func (p *Process) wait(cmd *exec.Cmd) {
	_ = cmd.Wait() // how it ended is in its log
	for {
		p.mu.Lock()
		if p.stopping || !p.keepUp {
			p.cmd = nil
			close(p.ended)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		time.Sleep(time.Second) // as systemd's RestartSec would
		p.mu.Lock()
		if p.stopping {
			p.mu.Unlock()
			continue
		}
		p.restarts++
		err := p.run() // collected by a wait of its own
		if err != nil {
			p.keepUp = false
		}
		p.mu.Unlock()
		if err == nil {
			return
		}
	}
}

// Restarts returns how often the program ended by itself and was run again.
func (p *Process) Restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.restarts
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// Kill ends the program with SIGKILL.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

// Stop ends the program with SIGTERM, and with SIGKILL if that takes too long.
func (p *Process) Stop() { p.end(syscall.SIGTERM) }

func (p *Process) end(sig os.Signal) {
	p.mu.Lock()
	if p.cmd == nil {
		p.mu.Unlock()
		return
	}
	p.stopping = true
	_ = p.cmd.Process.Signal(sig) // it may have ended by itself
	ended := p.ended
	p.mu.Unlock()
	select {
	case <-ended:
		return
	case <-time.After(stopTimeout):
	}
	p.mu.Lock()
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
	}
	p.mu.Unlock()
	<-ended
}

// Log returns what the program printed over all its runs.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// LogDir returns a directory for the test's logs. It is kept, and named in the
// test's output with the end of each log, if the test fails.
func LogDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", strings.ReplaceAll(t.Name(), "/", "-")+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(dir)
			return
		}
		t.Logf("logs are kept in %s", dir)
		logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			t.Log(err)
		}
		for _, log := range logs {
			if b, err := os.ReadFile(log); err == nil {
				t.Logf("the end of %s:\n%s", filepath.Base(log), b[max(0, len(b)-2<<10):])
			}
		}
	})
	return dir
}
