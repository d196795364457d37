// Package operators types docs/operators.md, command by command, into a
// terminal: from the installed command alone, with ssh-keygen and ssh-agent.
package operators

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/causeway-sync/causeway/integration/freeport"
	"github.com/causeway-sync/causeway/integration/harness"
)

// patience bounds every wait.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { harness.Main(m) }

// command is one that the page types, with the output it shows.
type command struct{ line, output string }

// hidden is what the page shows in place of what is typed without echo.
const hidden = "········"

// page returns the commands of docs/operators.md, in order.
func page(t *testing.T) []command {
	t.Helper()
	text, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []command
	for _, m := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(m[1]) {
			last := len(commands) - 1
			switch command_, ok := strings.CutPrefix(line, "$ "); {
			case ok:
				commands = append(commands, command{line: strings.TrimSuffix(command_, "\n")})
			case last >= 0 && strings.HasSuffix(commands[last].line, "\\"):
				commands[last].line += "\n" + strings.TrimSuffix(line, "\n")
			case last >= 0:
				commands[last].output += line
			}
		}
	}
	return commands
}

// answers returns what is typed at the prompts that the output shows.
func (c command) answers(passphrase string) (answers []answer) {
	for line := range strings.Lines(c.output) {
		line = strings.TrimSuffix(line, "\n")
		if prompt, ok := strings.CutSuffix(line, hidden); ok {
			answers = append(answers, answer{prompt, passphrase})
		} else if prompt, ok := strings.CutSuffix(line, "[y/N] y"); ok {
			answers = append(answers, answer{prompt + "[y/N] ", "y"})
		}
	}
	return answers
}

// matches reports whether what was shown is what the page shows: "…" stands for
// any text within a line, and alone for any lines.
func (c command) matches(shown string) bool {
	var want strings.Builder
	want.WriteString(`^`)
	for line := range strings.Lines(squeeze(c.output)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "…" {
			want.WriteString(`(?:.*\n)*`)
			continue
		}
		for i, part := range strings.Split(strings.TrimSuffix(line, hidden), "…") {
			if i > 0 {
				want.WriteString(`.*`)
			}
			want.WriteString(regexp.QuoteMeta(part))
		}
		want.WriteString(`\n`)
	}
	want.WriteString(`$`)
	return regexp.MustCompile(want.String()).MatchString(squeeze(shown))
}

// squeeze returns the text without what is written over on a line, as a
// progress bar is, and with single spaces: columns are as wide as names and keys.
func squeeze(text string) string {
	return spaces.ReplaceAllString(indents.ReplaceAllString(overwritten.ReplaceAllString(text, ""), ""), " ")
}

var (
	overwritten = regexp.MustCompile(`(?m)^.*(\r|\x1b\[K)`)
	indents     = regexp.MustCompile(`(?m)^ +`)
	spaces      = regexp.MustCompile(` {2,}`)
)

// fails reports whether the page shows the command to fail.
func (c command) fails() bool {
	return strings.Contains(c.output, "causeway: ") || strings.Contains(c.output, "Error: ")
}

// asks reports whether the command only asks: what one site wrote takes a
// moment to the other, so it is asked again until the answer is right.
func (c command) asks() bool {
	for _, word := range []string{"causeway status", "causeway peers", "causeway member list", "causeway dag ", " get ", "grep ", "curl "} {
		if strings.Contains(c.line, word) && !strings.Contains(c.line, ">") {
			return true
		}
	}
	return false
}

// TestOperatorsPage types the page, in an empty directory and on free ports, and
// expects what it shows. Nodes log at the finest level. Meanwhile and afterwards
// it looks for the secrets of the story wherever they must not be.
func TestOperatorsPage(t *testing.T) {
	for _, program := range []string{"bash", "etcdctl", "ssh-keygen", "ssh-agent", "ssh-add", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir()
	env := []string{
		"PATH=" + filepath.Dir(harness.Binary(t)) + ":" + os.Getenv("PATH"),
		"HOME=" + dir, "TERM=dumb", "LC_ALL=C.UTF-8", "ETCDCTL_API=3", "TMPDIR=" + os.TempDir(),
	}
	commands := page(t)
	if len(commands) < 60 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	numbers := []string{freePort(t), freePort(t), freePort(t)}
	ports := strings.NewReplacer("2379", numbers[0], "2380", numbers[1], "2381", numbers[2])
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
		for _, file := range logs {
			b, _ := os.ReadFile(file)
			t.Logf("%s:\n%s", filepath.Base(file), b)
		}
	})
	secrets := newSecrets(dir)
	var urls []string
	for _, n := range numbers {
		urls = append(urls, "http://127.0.0.1:"+n)
	}
	watch := secrets.watchProcesses(t)
	term := newTerminal(t, dir, env)
	for _, c := range commands {
		c.line, c.output = ports.Replace(c.line), ports.Replace(c.output)
		line := strings.ReplaceAll(c.line, "causeway serve ", "causeway serve --log-level debug ")
		t.Logf("$ %s", line)
		began := time.Now()
		for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			shown, code := term.run(line, c.answers(passphrase))
			if c.matches(shown) && (code == 0 || c.fails()) {
				t.Logf("%s%v", shown, time.Since(began).Round(time.Millisecond))
				break
			}
			if !c.asks() || time.Now().After(deadline) {
				t.Fatalf("%s: exit code %d\n--- shown\n%s--- the page\n%s", line, code, shown, c.output)
			}
		}
		secrets.learn(t)
		if strings.Contains(line, "member list") || strings.Contains(line, "^state") {
			secrets.collect(t, harness.Binary(t), urls...)
		}
	}
	watch()
	t.Logf("%d secrets, %d places", len(secrets.hidden), len(secrets.seen))
	secrets.check(t, term.shown(0))
}

func freePort(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	u := url.URL{Host: addr}
	return u.Port()
}
