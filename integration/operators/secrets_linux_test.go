package operators

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/causeway-sync/causeway/identity/dagcbor"
)

// passphrase is typed wherever the page shows that one is.
const passphrase = "zq7 correct-horse"

// secrets are what must be nowhere but in its file, and what was seen
// everywhere else: what the terminal and the logs showed, what nodes served,
// the command lines and environments of processes, the data directories.
type secrets struct {
	dir    string
	hidden map[string]string // by secret, what it is
	seen   map[string]string // by place, what was there
	mu     sync.Mutex        // guards procs
	procs  map[string]bool   // command lines and environments
	files  map[string]bool   // what was in files of secrets, once it was learned
}

func newSecrets(dir string) *secrets {
	s := &secrets{dir: dir, hidden: make(map[string]string), seen: make(map[string]string), procs: make(map[string]bool), files: make(map[string]bool)}
	s.hide("a passphrase", []byte(passphrase))
	return s
}

// hide notes a secret, in the encodings in which it may be written by mistake.
func (s *secrets) hide(what string, secret []byte) {
	decimal := strings.Trim(fmt.Sprint(secret), "[]")
	for _, text := range []string{
		string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), decimal, strings.ReplaceAll(decimal, " ", ", "),
		base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
	} {
		s.hidden[text] = what
	}
}

// isSecret says which files hold secrets: they are looked into for what is nowhere else.
func isSecret(name string) bool {
	switch filepath.Base(name) {
	case "acme", "team-b", "ticket", "node.key", "node.key.next", "operator.key":
		return true
	}
	return false
}

// learn takes the secrets out of the files that hold some now, as they come and go.
func (s *secrets) learn(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isSecret(path) {
			return nil // files come and go while nodes run
		}
		b, err := os.ReadFile(path)
		if err != nil || s.files[string(b)] {
			return nil
		}
		if filepath.Base(path) == "ticket" {
			s.learnTicket(t, strings.TrimSpace(string(b)))
			return nil
		}
		s.learnKey(t, path, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// learnTicket takes the key out of a ticket (docs/p2p.md, section 8); all else in it
// is no secret.
func (s *secrets) learnTicket(t *testing.T, text string) {
	t.Helper()
	_, payload, _ := strings.Cut(text, ":")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatalf("ticket: %v", err)
	}
	d := dagcbor.NewDecoder(b)
	d.Tuple(7)
	d.Uint()
	d.Link()
	seed := make([]byte, 32)
	d.Fixed(seed)
	if d.Err() != nil {
		t.Fatalf("ticket: %v", d.Err())
	}
	s.hide("a ticket's key", seed)
	end := d.Offset()
	s.hidden[payload[((end-32)*8+5)/6:end*8/6]] = "a ticket" // as its text shows it
}

func (s *secrets) learnKey(t *testing.T, path string, text []byte) {
	t.Helper()
	s.files[string(text)] = true
	raw, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		raw, err = ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(passphrase))
	}
	key, ok := raw.(*ed25519.PrivateKey)
	if err != nil || !ok {
		t.Fatalf("%s: %T, %v", path, raw, err)
	}
	s.hide("the private key "+path, key.Seed())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines[3 : len(lines)-1] { // the first two hold no secret but the public half
		if len(line) > 20 {
			s.hidden[line] = "the key file " + path
		}
	}
}

// watchProcesses looks at every process of the machine until the result is called.
func (s *secrets) watchProcesses(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			time.Sleep(15 * time.Millisecond)
			for _, name := range []string{"cmdline", "environ"} {
				files, _ := filepath.Glob("/proc/[0-9]*/" + name)
				for _, file := range files {
					if b, err := os.ReadFile(file); err == nil {
						s.mu.Lock()
						s.procs[string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))] = true
						s.mu.Unlock()
					}
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// collect asks the nodes that run for all that they say of themselves.
func (s *secrets) collect(t *testing.T, bin string, urls ...string) {
	t.Helper()
	s.learn(t)
	client := http.Client{Timeout: patience}
	for _, url := range urls {
		if r, err := client.Get(url + "/metrics"); err == nil {
			b, err := io.ReadAll(r.Body)
			if err := r.Body.Close(); err != nil {
				t.Error(err)
			}
			if err == nil {
				s.seen["metrics of "+url] += string(b)
			}
		}
	}
	for _, dir := range []string{"a", "b", "stolen"} {
		if _, err := os.Stat(filepath.Join(s.dir, dir, "admin.sock")); err != nil {
			continue // no node runs there
		}
		for _, args := range []string{"status", "peers", "member list", "key list", "dag log"} {
			line := append(strings.Fields(args), "-o", "json", "--data-dir", dir)
			cmd := exec.Command(bin, line...)
			cmd.Dir = s.dir
			out, _ := cmd.CombinedOutput() // it may be that no node runs there
			s.seen[args+" of "+dir] += string(out)
		}
	}
}

// check looks for the secrets everywhere else.
func (s *secrets) check(t *testing.T, shown string) {
	t.Helper()
	s.seen["the terminal"] = shown
	for p := range s.procs {
		s.seen["the process list"] += p + "\n"
	}
	inFiles := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if isSecret(path) {
			inFiles += len(s.find(string(b)))
			return nil
		}
		s.seen[path] = string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range s.seen {
		for _, what := range s.find(text) {
			t.Errorf("%s is in %s", what, place)
		}
	}
	// The search finds secrets where they are, and looked where it should.
	if inFiles == 0 || len(s.hidden) < 40 {
		t.Errorf("%d of %d secrets are in the files that hold them", inFiles, len(s.hidden))
	}
	for place, text := range map[string]string{
		"the terminal": "SHA256:", "the process list": "causeway member revoke", "status of a": `"state_hash"`, "member list of a": `"forked": true`,
		"status of stolen": `"revoked"`, filepath.Join(s.dir, "a.log"): "level=DEBUG",
	} {
		if !strings.Contains(s.seen[place], text) {
			t.Errorf("%s does not hold %q: it was not looked at", place, text)
		}
	}
	metrics := false
	for place, text := range s.seen {
		metrics = metrics || strings.HasPrefix(place, "metrics of ") && strings.Contains(text, "causeway_forked_authors 1")
	}
	if !metrics {
		t.Error("no node's metrics with a forker were looked at")
	}
}

// find returns which secrets are in text.
func (s *secrets) find(text string) (found []string) {
	for secret, what := range s.hidden {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}
