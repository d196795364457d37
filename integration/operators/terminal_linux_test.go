package operators

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a bash in a terminal of its own: prompts are shown and answered
// as a person does it.
type terminal struct {
	t      *testing.T
	bash   *exec.Cmd
	keys   *os.File // the terminal: what is written here was typed
	lines  *os.File // commands for bash, which are not typed, so that they do not show
	closed chan struct{}

	mu  sync.Mutex
	out strings.Builder // all that the terminal showed
}

// newTerminal starts bash in dir. It ends with the test, and with it what runs
// in its background.
func newTerminal(t *testing.T, dir string, env []string) *terminal {
	t.Helper()
	master, slave := openTerminal(t)
	defer slave.Close()
	script, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer script.Close()
	s := &terminal{t: t, keys: master, lines: lines, closed: make(chan struct{})}
	s.bash = exec.Command("bash", "--noprofile", "--norc", "/dev/fd/3")
	s.bash.Dir, s.bash.Env = dir, env
	s.bash.Stdin, s.bash.Stdout, s.bash.Stderr = slave, slave, slave
	s.bash.ExtraFiles = []*os.File{script}
	s.bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.bash.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	t.Cleanup(s.end)
	return s
}

// openTerminal returns the two ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// read collects what the terminal shows, until nobody has it open any more.
func (s *terminal) read() {
	defer close(s.closed)
	b := make([]byte, 4096)
	for {
		n, err := s.keys.Read(b)
		s.mu.Lock()
		s.out.Write(b[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// shown returns what the terminal showed, from there on, as lines.
func (s *terminal) shown(from int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.out.String()[from:], "\r\n", "\n")
}

func (s *terminal) length() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Len()
}

// answer is what is typed once a prompt is shown.
type answer struct{ prompt, text string }

// run has bash run a line, types the answers as they are asked for, and
// returns what was shown and the exit code.
func (s *terminal) run(line string, answers []answer) (shown string, code int) {
	s.t.Helper()
	const mark = "end-of-command"
	from := s.length()
	// The mark is put together by bash: it is nowhere in the line.
	if _, err := fmt.Fprintf(s.lines, "%s\nprintf '%%s-of-%%s %%d\\n' end command $?\n", line); err != nil {
		s.t.Fatalf("%s: bash is gone: %v", line, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		shown = s.shown(from)
		if len(answers) > 0 && strings.HasSuffix(shown, answers[0].prompt) {
			time.Sleep(20 * time.Millisecond) // ssh-add empties the terminal as it turns the echo off
			if _, err := io.WriteString(s.keys, answers[0].text+"\n"); err != nil {
				s.t.Fatal(err)
			}
			answers = answers[1:]
			continue
		}
		if before, after, ok := strings.Cut(shown, mark+" "); ok && strings.HasSuffix(after, "\n") {
			code, err := strconv.Atoi(strings.TrimSpace(after))
			if err != nil {
				s.t.Fatalf("%s: %q", line, shown)
			}
			return before, code
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not end; it shows\n%s", line, shown)
		}
	}
}

// end ends bash and what it runs.
func (s *terminal) end() {
	fmt.Fprintln(s.lines, `ssh-agent -k >/dev/null; kill $(jobs -p) 2>/dev/null; wait; exit 0`)
	s.lines.Close()
	over := make(chan error, 1)
	go func() { over <- s.bash.Wait() }()
	select {
	case <-over:
	case <-time.After(patience):
		// All that bash started is in its session, and in its process group.
		_ = syscall.Kill(-s.bash.Process.Pid, syscall.SIGKILL)
		s.t.Errorf("the session does not end: %v", <-over)
	}
	s.keys.Close()
	<-s.closed
}
