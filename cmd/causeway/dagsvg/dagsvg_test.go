package dagsvg

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag/dagtest"
	"github.com/causeway-sync/causeway/node/admin"
)

var rewrite = flag.Bool("rewrite", false, "write the golden picture anew")

// chart is two honest authors and one that forks.
func chart(t *testing.T) (*dagtest.Mesh, *dagtest.Chart) {
	t.Helper()
	m := dagtest.New(t, 4)
	c := m.Draw(`
		G -> a1{/k=1} -> b1{/k=2} -> a2{/k=3}
		     |  -> c1{/k=v} -> c2{/k=w}
		     |  -> c1'{/j=v}
	`)
	c.Add()
	return m, c
}

func draw(t *testing.T, ops []admin.Op) string {
	t.Helper()
	var b strings.Builder
	if err := Draw(&b, ops); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return b.String()
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, b.String())
		}
	}
}

// TestDraw compares a picture with the one that a person has looked at.
func TestDraw(t *testing.T) {
	m, _ := chart(t)
	ops := admin.Latest(m.Graph, 100)
	ops[len(ops)-2].Void = 1 // as if its author had been revoked
	got := draw(t, ops)
	golden := filepath.Join("testdata", "fork.svg")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the picture differs from %s; -rewrite writes it anew", golden)
	}
	slices.Reverse(ops)
	if draw(t, append(ops, ops...)) != got {
		t.Error("the order of the operations makes a difference")
	}
	if n := strings.Count(got, `<circle class="f"`); n != 2+1 { // and the legend's
		t.Errorf("%d forks marked, want 2", n-1)
	}
}

// TestLayout: an honest author has one row, a forker one for each branch, and an
// operation is right of its parents.
func TestLayout(t *testing.T) {
	m, c := chart(t)
	p := newPicture(admin.Latest(m.Graph, 100))
	rows := make(map[string]int)
	for _, l := range p.lanes {
		rows[l.author.String()] = len(l.last)
	}
	for author, want := range map[int]int{0: 1, 1: 1, 2: 2} {
		if got := rows[m.Author(author).String()]; got != want {
			t.Errorf("author %d has %d rows, want %d", author, got, want)
		}
	}
	taken := make(map[[2]int]bool)
	for _, pl := range p.places {
		if at := [2]int{pl.x, pl.y}; taken[at] {
			t.Errorf("two operations at %v", at)
		} else {
			taken[at] = true
		}
		for _, parent := range pl.op.Parents {
			if p.at[parent].x >= pl.x {
				t.Errorf("%s is not right of its parent", c.Name(pl.op.ID))
			}
		}
		if got, want := pl.fork, strings.HasPrefix(c.Name(pl.op.ID), "c1"); got != want {
			t.Errorf("%s: fork %v, want %v", c.Name(pl.op.ID), got, want)
		}
	}
}

// TestWindow: edges that lead out of the window are stubs; no operations, no failure.
func TestWindow(t *testing.T) {
	m, _ := chart(t)
	if got := draw(t, admin.Latest(m.Graph, 2)); !strings.Contains(got, `class="e o"`) && !strings.Contains(got, `class="p o"`) {
		t.Error("no stub for a parent before the window")
	}
	draw(t, nil)
}

// TestForeignText: names are other people's text.
func TestForeignText(t *testing.T) {
	m, _ := chart(t)
	ops := admin.Latest(m.Graph, 100)
	for i := range ops {
		ops[i].Operator = "</text><script>alert(1)</script>\x1b[31m\u009b" + strings.Repeat("x", 300)
	}
	got := draw(t, ops)
	if strings.Contains(got, "<script") || strings.ContainsAny(got, "\x1b\u009b") {
		t.Error("a name is more than text")
	}
}
