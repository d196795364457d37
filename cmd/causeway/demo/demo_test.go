package demo_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/causeway-sync/causeway/cmd/causeway/demo"
)

func TestMain(m *testing.M) {
	// goleveldb's goroutine outlives Close by up to a second.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// logged tells the test's log what happens.
type logged struct{ t *testing.T }

func (l logged) Begin(step string)            { l.t.Log(step) }
func (l logged) End(result string, err error) { l.t.Log("  ", result, err) }

// TestDemo runs the demonstration: its steps are checks, and fail if what they
// announce does not happen.
func TestDemo(t *testing.T) {
	rep, err := demo.Run(t.Context(), demo.Config{Dir: t.TempDir(), Progress: logged{t}})
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Agree {
		t.Errorf("the honest sites differ: %+v", rep.Sites)
	}
	if len(rep.Sites) != 3 {
		t.Fatalf("%d sites, want 3", len(rep.Sites))
	}
	for _, s := range rep.Sites {
		if s.Forks != 1 {
			t.Errorf("%s knows of %d forks, want 1", s.Name, s.Forks)
		}
		if s.Door != "open" && s.Door != "closed" {
			t.Errorf("at %s the door is %q", s.Name, s.Door)
		}
	}
	want := map[string]string{
		"forged signature":        "refused-bad-signature",
		"op of another mesh":      "other-mesh",
		"write outside its grant": "refused-outside-grant",
	}
	for _, l := range rep.Lies {
		if l.Refused != want[l.What] {
			t.Errorf("%s: refused as %q, want %q", l.What, l.Refused, want[l.What])
		}
		delete(want, l.What)
	}
	for what := range want {
		t.Errorf("%s: not tried", what)
	}
}
