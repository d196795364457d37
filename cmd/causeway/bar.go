package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barWidth = 24 // characters
	// barEvery is the least time between two pictures of a bar.
	barEvery = 100 * time.Millisecond
)

// bar shows on a terminal how far a long task is. Elsewhere it shows nothing.
type bar struct {
	w     io.Writer // nil: no terminal
	step  string
	drawn time.Time
}

func newBar(w io.Writer) *bar {
	if !isTerminal(w) {
		w = nil
	}
	return &bar{w: w}
}

// draw shows that so much of a step's total is done; a total of 0 is not known.
// It draws a new step at once, and not much more often than can be seen.
func (b *bar) draw(step string, done, total uint64) {
	now := time.Now()
	if b.w == nil || step == b.step && now.Sub(b.drawn) < barEvery {
		return
	}
	b.step, b.drawn = step, now
	if total == 0 {
		fmt.Fprintf(b.w, "\r\x1b[K%-10s", step)
		return
	}
	full := int(min(done, total) * barWidth / total)
	fmt.Fprintf(b.w, "\r\x1b[K%-10s [%s%s] %d/%d", step, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total)
}

// clear removes the bar.
func (b *bar) clear() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
