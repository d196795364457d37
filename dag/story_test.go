package dag_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/identity"
	"github.com/cockroachdb/datadriven"
)

// TestStories tells the stories of docs/roster.md. Each file under
// testdata/stories draws a mesh, in the language of dagtest.Mesh.Draw, and says
// what becomes of its ops:
//
//	mesh [authors=2] [rotations=0] [founders=1] [threshold=1]
//	draw              draws ops and makes statements
//	deliver [names]   adds ops that were drawn, all or those; says which are refused
//	verdicts          says of each op with writes whether they count
//	standing          says of each key that was named who it is
//
// `go test ./dag -run TestStories -rewrite` writes the answers anew.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		var s *story
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "mesh" {
				s = newStory(t, d)
				return ""
			}
			return s.tell(d)
		})
	})
}

type story struct {
	t         *testing.T
	m         *dagtest.Mesh
	c         *dagtest.Chart
	delivered map[string]bool
}

func newStory(t *testing.T, d *datadriven.TestData) *story {
	cfg := dagtest.Config{Authors: 2, Founders: 1, Threshold: 1}
	d.MaybeScanArgs(t, "authors", &cfg.Authors)
	d.MaybeScanArgs(t, "rotations", &cfg.Rotations)
	d.MaybeScanArgs(t, "founders", &cfg.Founders)
	d.MaybeScanArgs(t, "threshold", &cfg.Threshold)
	m := dagtest.NewMesh(t, cfg)
	return &story{t: t, m: m, c: m.Draw(""), delivered: make(map[string]bool)}
}

func (s *story) tell(d *datadriven.TestData) string {
	switch d.Cmd {
	case "draw":
		s.c.Draw(d.Input)
		return ""
	case "deliver":
		names := s.c.Names
		if len(d.CmdArgs) > 0 {
			names = nil
			for _, arg := range d.CmdArgs {
				names = append(names, arg.Key)
			}
		}
		return s.deliver(names)
	case "verdicts":
		return s.verdicts()
	case "standing":
		return s.standing()
	}
	s.t.Fatalf("%s: no directive %s", d.Pos, d.Cmd)
	return ""
}

// deliver adds ops, and says which are refused and why.
func (s *story) deliver(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if s.delivered[name] {
			continue
		}
		s.delivered[name] = true
		_, _, err := s.m.Graph.Add(s.c.Signed(name))
		var missing *dag.MissingError
		switch {
		case err == nil:
		case errors.As(err, &missing):
			fmt.Fprintf(&b, "%s: its past was refused\n", name)
		case dag.ReasonOf(err) != 0:
			fmt.Fprintf(&b, "%s: refused: %v\n", name, dag.ReasonOf(err))
		default:
			s.t.Fatalf("add %s: %v", name, err)
		}
	}
	return b.String()
}

// verdicts lists the ops that write, and whether that counts.
func (s *story) verdicts() string {
	var b strings.Builder
	roster := s.m.Graph.Roster()
	for _, name := range s.c.Names {
		o, ok := s.m.Graph.Get(s.c.ID(name))
		if !ok || len(s.c.Signed(name).Transactions()) == 0 {
			continue
		}
		verdict := dag.Judge(roster, o)
		for _, t := range s.c.Signed(name).Transactions() {
			var passed []string
			for i := range t {
				if w := &t[i]; w.Kind == dag.DeleteRange && verdict.Passes(w.Key) {
					passed = append(passed, string(w.Key))
				}
			}
			fmt.Fprintf(&b, "%s: %s", name, why(verdict.Void(t)))
			if len(passed) > 0 {
				fmt.Fprintf(&b, ", but passes over %s", strings.Join(passed, " "))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func why(err error) string {
	if err == nil {
		return "counts"
	}
	for _, known := range []struct {
		err  error
		text string
	}{
		{identity.ErrNotEnrolled, "not enrolled"},
		{identity.ErrRevoked, "revoked"},
		{identity.ErrReader, "a reader"},
		{identity.ErrOutsideGrant, "outside the grant"},
		{identity.ErrLocal, "a local key"},
		{identity.ErrOwned, "another's key"},
		{dag.ErrForm, "not well formed"},
	} {
		if errors.Is(err, known.err) {
			return "void: " + known.text
		}
	}
	return "void: " + err.Error()
}

// standing lists the keys that have letters.
func (s *story) standing() string {
	var b strings.Builder
	roster := s.m.Graph.Roster()
	for letter := byte('a'); letter <= 'z'; letter++ {
		key, ok := s.c.Key(letter)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "%c: ", letter)
		a, ok := roster.Author(key)
		if !ok {
			b.WriteString("nobody\n")
			continue
		}
		fmt.Fprintf(&b, "%s, slot %d, index %d", a.OperatorName, a.Slot, a.Index)
		if errors.Is(roster.Standing(key).Err(), identity.ErrRevoked) {
			b.WriteString(", revoked")
		}
		if n := len(roster.Siblings(key)); n > 0 {
			fmt.Fprintf(&b, ", one of %d keys there", n+1)
		}
		if n := len(s.m.Graph.Tips(key)); n > 1 {
			fmt.Fprintf(&b, ", %d branches", n)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
