package main

import (
	"strings"
	"testing"
)

func TestBar(t *testing.T) {
	var out strings.Builder
	b := newBar(&out)
	b.draw("step", 1, 2)
	b.clear()
	if out.Len() != 0 {
		t.Errorf("not a terminal: wrote %q", out.String())
	}
	b.w = &out
	b.draw("step", 0, 0)
	b.draw("step", 1, 2) // too soon to be seen
	b.draw("next", 3, 4)
	b.draw("last", 9, 4)
	b.clear()
	const erase = "\r\x1b[K"
	want := erase + "step      " + erase + "next       [" + strings.Repeat("=", 18) + strings.Repeat(" ", 6) + "] 3/4" +
		erase + "last       [" + strings.Repeat("=", 24) + "] 9/4" + erase
	if out.String() != want {
		t.Errorf("drew %q, want %q", out.String(), want)
	}
}
