package harness

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Rule is a rule of a profile, as causeway prints it.
type Rule struct {
	Pattern  string `json:"pattern"`
	Priority uint64 `json:"priority"`
	Mode     string `json:"mode"`
	Form     *Form  `json:"form"`
}

// Form is what a rule demands of values.
type Form struct {
	Kind        string   `json:"kind"`
	APIVersions []string `json:"api_versions"`
}

// SharedProfile returns the rules of the profile "shared".
func SharedProfile(t testing.TB) []Rule {
	t.Helper()
	out, err := exec.Command(program(t, buildCauseway), "policy", "profile", "shared", "--print", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var rules []Rule
	if err := json.Unmarshal(out, &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// Holding returns the rule that holds for a key, or nil.
func Holding(rules []Rule, key string) *Rule {
	var best *Rule
	for i := range rules {
		if r := &rules[i]; r.matches(key) && (best == nil || r.Priority > best.Priority) {
			best = r
		}
	}
	return best
}

// matches knows the patterns of the profile, whose only wildcard is a last **.
func (r *Rule) matches(key string) bool {
	if prefix, open := strings.CutSuffix(r.Pattern, "**"); open {
		return strings.HasPrefix(key, prefix)
	}
	return key == r.Pattern
}

// NewShared returns a Causeway node that is not started, founded a mesh and has
// the profile "shared" for it.
func NewShared(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	return newProfiled(t, NewCauseway(t, logs, flags...), "shared")
}

// NewIndependent returns a Causeway node that is not started, founded a mesh and
// has the profile "independent" for it, which replicates one pattern.
func NewIndependent(t testing.TB, logs string, flags ...string) *Store {
	t.Helper()
	return newProfiled(t, NewCauseway(t, logs, flags...), "independent", "--replicate", "/registry/configmaps/team-a/**")
}

func newProfiled(t testing.TB, s *Store, profile ...string) *Store {
	t.Helper()
	s.Start()
	setProfile(t, s, profile...)
	s.Stop()
	return s
}

// setProfile sets a profile on a node that runs, with the command's arguments.
func setProfile(t testing.TB, s *Store, profile ...string) {
	t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for { // the admin socket opens a moment after the client port
		var msg bytes.Buffer
		cmd := exec.Command(s.bin, append([]string{"policy", "profile", "--data-dir", s.Dir, "--yes"}, profile...)...)
		cmd.Stderr = &msg
		err := cmd.Run()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("causeway policy profile: %v\n%s", err, &msg)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
