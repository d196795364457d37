package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// A chart draws lines over n, both axes logarithmic.
type chart struct {
	title  string
	y      string // what the vertical axis is, with its unit
	lowest float64
	lines  [][]float64 // by algorithm and length
}

// draw writes the charts of the paper's scenario into a folder.
func draw(folder string, byLength [][]*tally) error {
	trips := chart{title: "Round trips per reconciliation", y: "round trips", lowest: 1}
	overhead := chart{title: "Bytes beside operations, both sides", y: "bytes", lowest: 100}
	for i := range algorithms {
		var t, b []float64
		for _, tallies := range byLength {
			runs := float64(tallies[i].runs)
			t = append(t, float64(tallies[i].roundTrips)/runs)
			b = append(b, float64(tallies[i].overhead)/runs)
		}
		trips.lines, overhead.lines = append(trips.lines, t), append(overhead.lines, b)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, c := range map[string]chart{"sync-round-trips.svg": trips, "sync-overhead.svg": overhead} {
		if err := os.WriteFile(filepath.Join(folder, name), c.svg(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The drawing's measures, in pixels.
const (
	width, height            = 560, 320
	left, right, top, bottom = 64, 132, 36, 44
)

// strokes tell the algorithms apart, by dashes too: some readers see no colours.
var strokes = [...]string{
	`stroke="#b04030" stroke-dasharray="2 3"`,
	`stroke="#4060b0" stroke-dasharray="7 3"`,
	`stroke="#207040"`,
}

// svg returns the drawing, the same for the same numbers.
func (c chart) svg() []byte {
	highest := c.lowest
	for _, line := range c.lines {
		for _, v := range line {
			highest = max(highest, v)
		}
	}
	decades := math.Ceil(math.Log10(highest/c.lowest) - 0.01) // a hair above the last line is no new one
	x := func(n float64) float64 {
		last := float64(lengths[len(lengths)-1])
		return left + (width-left-right)*math.Log10(n)/math.Log10(last)
	}
	y := func(v float64) float64 {
		return height - bottom - (height-top-bottom)*math.Log10(v/c.lowest)/decades
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#333">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">%s</text>`+"\n", left, c.title)
	for d := 0.0; d <= decades; d++ {
		v := c.lowest * math.Pow(10, d)
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/>`, left, y(v), width-right)
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-8, y(v)+4, thousands(int(v)))
	}
	for _, n := range lengths {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(float64(n)), height-bottom+18, thousands(n))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">n, operations at each side since they last met</text>`+"\n", (left+width-right)/2, height-8)
	fmt.Fprintf(&b, `<text transform="translate(14 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, c.y)
	for i, line := range slices.Backward(c.lines) { // dashes over the full line
		fmt.Fprintf(&b, `<polyline fill="none" stroke-width="2" %s points="`, strokes[i])
		for j, v := range line {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(lengths[j])), y(v))
		}
		b.WriteString(`"/>` + "\n")
		key := top + 14 + 20*i
		fmt.Fprintf(&b, `<path d="M%d %dh24" stroke-width="2" %s/>`, width-right+12, key-4, strokes[i])
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", width-right+42, key, algorithms[i].name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// thousands writes 10000 as 10,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
