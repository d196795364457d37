// Package dagsvg draws a window of a DAG as SVG 1.1: authors as lanes, time
// from left to right by depth, parents as edges, forks and void operations marked.
//
// The picture is one file without scripts, fonts or links, and the same for the
// same operations. Names in it are other people's text: they are escaped, and
// control characters do not get through.
package dagsvg

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// Sizes of the picture, in pixels.
const (
	column  = 56  // between two depths
	row     = 38  // between two branches of an author
	laneGap = 14  // between two authors
	left    = 190 // of the first operation: names stand there
	top     = 40  // of the first lane: depths stand there
	margin  = 20
	radius  = 7
	legend  = 34
	// leastWidth is that of the legend.
	leastWidth = 760
	nameSize   = 24 // characters of an operator's name that are shown
	idSize     = 6  // characters of an ID that are shown: its last, which differ
)

// palette gives each author a color that is told from its neighbours'.
var palette = []string{"#4477aa", "#228833", "#aa7700", "#66558a", "#11809a", "#883355", "#557711", "#555555"}

// style is the picture's only style sheet.
const style = `text{font:11px sans-serif;fill:#222}.s{font-size:8px;fill:#666}.b{fill:#f6f6f6}` +
	`.e{fill:none;stroke:#b8b8b8}.p{fill:none;stroke-width:2}.o{stroke-dasharray:2 3}.f{fill:none;stroke:#cc0000;stroke-width:2.5}.v{fill:none;stroke:#cc0000;stroke-width:2}.r{font-size:8px;fill:#cc0000;font-weight:bold}`

// Draw writes a picture of ops, which may be in any order. Edges to operations
// that are not among them are stubs.
func Draw(w io.Writer, ops []admin.Op) error {
	p := newPicture(ops)
	var b strings.Builder
	p.draw(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// A place is where an operation is drawn.
type place struct {
	op   *admin.Op
	x, y int
	lane *lane
	fork bool // another operation has the same author and prev
}

// A lane is an author's part of the picture: a row for each branch.
type lane struct {
	author   identity.PublicKey
	operator string
	color    string
	y        int
	last     []dag.ID // of each row
	forked   bool
}

func (l *lane) height() int { return len(l.last) * row }

// picture is the layout.
type picture struct {
	lanes  []*lane
	places []*place // by depth and ID
	at     map[dag.ID]*place
	depths []uint64
}

func newPicture(ops []admin.Op) *picture {
	p := &picture{at: make(map[dag.ID]*place)}
	sorted := slices.Clone(ops)
	slices.SortFunc(sorted, func(a, b admin.Op) int { return cmp.Or(cmp.Compare(a.Depth, b.Depth), a.ID.Compare(b.ID)) })
	sorted = slices.CompactFunc(sorted, func(a, b admin.Op) bool { return a.ID == b.ID })
	lanes := make(map[identity.PublicKey]*lane)
	for i := range sorted {
		op := &sorted[i]
		if lanes[op.Author] == nil {
			lanes[op.Author] = &lane{author: op.Author, operator: op.Operator}
			p.lanes = append(p.lanes, lanes[op.Author])
		}
		if n := len(p.depths); n == 0 || p.depths[n-1] != op.Depth {
			p.depths = append(p.depths, op.Depth)
		}
		pl := &place{op: op, lane: lanes[op.Author], x: left + (len(p.depths)-1)*column}
		pl.y = pl.lane.add(op) * row // within the lane, for now
		p.places = append(p.places, pl)
		p.at[op.ID] = pl
	}
	// An operator's lanes are together, in the order in which they begin: a key that
	// was rotated to stands below the one before.
	slices.SortStableFunc(p.lanes, func(a, b *lane) int { return strings.Compare(a.operator, b.operator) })
	y := top
	for i, l := range p.lanes {
		l.y, l.color = y, palette[i%len(palette)]
		y += l.height() + laneGap
	}
	for _, pl := range p.places {
		pl.y += pl.lane.y + row/2
	}
	p.markForks()
	return p
}

// add puts op behind its prev, or in a new row if that is not in the lane or has
// a successor already, and returns the row.
func (l *lane) add(op *admin.Op) int {
	if op.Prev != nil {
		for i, last := range l.last {
			if last == *op.Prev {
				l.last[i] = op.ID
				return i
			}
		}
	}
	l.last = append(l.last, op.ID)
	return len(l.last) - 1
}

// markForks marks the operations that have author and prev in common with another.
func (p *picture) markForks() {
	type successor struct {
		author identity.PublicKey
		prev   dag.ID // zero: the author's first
	}
	first := make(map[successor]*place)
	for _, pl := range p.places {
		s := successor{author: pl.op.Author}
		if pl.op.Prev != nil {
			s.prev = *pl.op.Prev
		}
		if other := first[s]; other != nil {
			other.fork, pl.fork, pl.lane.forked = true, true, true
			continue
		}
		first[s] = pl
	}
}

func (p *picture) width() int { return left + len(p.depths)*column + margin }

func (p *picture) height() int {
	y := top
	for _, l := range p.lanes {
		y += l.height() + laneGap
	}
	return y + legend
}

func (p *picture) draw(b *strings.Builder) {
	width, height := max(p.width(), leastWidth), p.height()
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", width, height)
	fmt.Fprintf(b, "<title>operations: %d, authors: %d</title>\n<style>%s</style>\n", len(p.places), len(p.lanes), style)
	fmt.Fprintf(b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for _, l := range p.lanes {
		l.draw(b, width)
	}
	fmt.Fprintf(b, `<text class="s" x="%d" y="%d">depth</text>`+"\n", margin, top-12)
	for i, d := range p.depths {
		fmt.Fprintf(b, `<text class="s" x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", left+i*column, top-12, d)
	}
	for _, pl := range p.places {
		p.edges(b, pl)
	}
	for _, pl := range p.places {
		pl.draw(b)
	}
	drawLegend(b, height-legend/2+4)
	b.WriteString("</svg>\n")
}

func (l *lane) draw(b *strings.Builder, width int) {
	fmt.Fprintf(b, `<rect class="b" x="0" y="%d" width="%d" height="%d"/>`+"\n", l.y, width, l.height())
	fmt.Fprintf(b, `<text x="%d" y="%d" style="fill:%s">%s</text>`+"\n", margin, l.y+row/2-1, l.color, clean(cmp.Or(shorten(l.operator), "unknown")))
	fmt.Fprintf(b, `<text class="s" x="%d" y="%d">%s…</text>`+"\n", margin, l.y+row/2+11, clean(l.author.String()[:20]))
	if l.forked {
		fmt.Fprintf(b, `<text class="r" x="%d" y="%d" text-anchor="end">FORKED</text>`+"\n", left-margin, l.y+row/2-2)
	}
}

// edges draws what leads to pl from its parents, and from prev where that is none.
func (p *picture) edges(b *strings.Builder, pl *place) {
	prev := dag.ID{}
	if pl.op.Prev != nil {
		prev = *pl.op.Prev
	}
	seen := prev == dag.ID{}
	for _, parent := range pl.op.Parents {
		if parent == prev {
			seen = true
			p.edge(b, parent, pl, "p", pl.lane.color)
			continue
		}
		p.edge(b, parent, pl, "e", "")
	}
	if !seen {
		p.edge(b, prev, pl, "p o", pl.lane.color)
	}
}

func (p *picture) edge(b *strings.Builder, from dag.ID, to *place, class, color string) {
	stroke := ""
	if color != "" {
		stroke = fmt.Sprintf(` stroke="%s"`, color)
	}
	f := p.at[from]
	if f == nil { // before the window
		if !strings.HasSuffix(class, "o") {
			class += " o"
		}
		fmt.Fprintf(b, `<path class="%s"%s d="M%d %dh%d"/>`+"\n", class, stroke, to.x-column/2, to.y, column/2)
		return
	}
	middle := (f.x + to.x) / 2
	fmt.Fprintf(b, `<path class="%s"%s d="M%d %dC%d %d %d %d %d %d"/>`+"\n", class, stroke, f.x, f.y, middle, f.y, middle, to.y, to.x, to.y)
}

func (pl *place) draw(b *strings.Builder) {
	op := pl.op
	fill := pl.lane.color
	if op.BodyBytes == 0 || op.Void > 0 {
		fill = "#fff"
	}
	b.WriteString("<g>")
	fmt.Fprintf(b, "<title>%s\nauthor %s%s\nseq %d, depth %d, %s\n%s</title>",
		op.ID, op.Author, clean(operatorOf(op)), op.Seq, op.Depth, op.Wall.Format(time.RFC3339), what(pl))
	if op.Carries {
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%[3]d" fill="%s" stroke="%s"/>`, pl.x-radius+1, pl.y-radius+1, 2*radius-2, fill, pl.lane.color)
	} else {
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="%d" fill="%s" stroke="%s"/>`, pl.x, pl.y, radius-1, fill, pl.lane.color)
	}
	if op.Void > 0 {
		fmt.Fprintf(b, `<path class="v" d="M%d %dl10 10m0-10l-10 10"/>`, pl.x-5, pl.y-5)
	}
	if pl.fork {
		fmt.Fprintf(b, `<circle class="f" cx="%d" cy="%d" r="%d"/>`, pl.x, pl.y, radius+4)
	}
	id := op.ID.String()
	class, label := "s", id[len(id)-idSize:]
	if op.Void > 0 {
		class, label = "r", label+" VOID"
	}
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d" text-anchor="middle">%s</text></g>`+"\n", class, pl.x, pl.y+radius+11, label)
}

func operatorOf(op *admin.Op) string {
	if op.Operator == "" {
		return ""
	}
	return " of " + op.Operator
}

// what says what the operation is for.
func what(pl *place) string {
	var is []string
	if pl.op.BodyBytes > 0 {
		is = append(is, fmt.Sprintf("%d bytes of body", pl.op.BodyBytes))
	}
	if pl.op.Void > 0 {
		is = append(is, fmt.Sprintf("%d of its transactions VOID", pl.op.Void))
	}
	if pl.op.Carries {
		is = append(is, "carries statements")
	}
	if pl.op.Epoch != 0 {
		is = append(is, fmt.Sprintf("claims window %d", pl.op.Epoch))
	}
	if pl.fork {
		is = append(is, "FORK: its author signed another one on the same predecessor")
	}
	if len(is) == 0 {
		return "joins heads"
	}
	return strings.Join(is, ", ")
}

func drawLegend(b *strings.Builder, y int) {
	x := margin
	item := func(shape, text string) {
		fmt.Fprintf(b, `<g transform="translate(%d %d)">%s<text class="s" x="14" y="3">%s</text></g>`+"\n", x, y-3, shape, text)
		x += 34 + 5*len(text)
	}
	item(`<circle r="5" fill="#555"/>`, "writes")
	item(`<rect x="-5" y="-5" width="10" height="10" fill="#555"/>`, "statements")
	item(`<circle r="5" fill="#fff" stroke="#555"/>`, "no body")
	item(`<circle r="6" fill="#fff" stroke="#555"/><path class="v" d="M-5 -5l10 10m0-10l-10 10"/>`, "void, or a part of it")
	item(`<circle class="f" r="7"/>`, "fork")
	item(`<path class="p" stroke="#555" d="M-8 0h16"/>`, "prev")
	item(`<path class="e" d="M-8 0h16"/>`, "parent")
	item(`<path class="e o" d="M-8 0h16"/>`, "before the window, or prev that is no parent")
}

// shorten returns the first characters of a name.
func shorten(s string) string {
	if r := []rune(s); len(r) > nameSize {
		return string(r[:nameSize-1]) + "…"
	}
	return s
}

// clean escapes other people's text for XML, which has no place for control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return '?'
		}
		return r
	}, s)
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
