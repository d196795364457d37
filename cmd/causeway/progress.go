package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows steps while they run on a terminal, as plain lines when they
// have ended elsewhere. It implements demo.Progress.
type progress struct {
	w        io.Writer
	inPlace  bool
	step     string
	began    time.Time
	stop     chan struct{} // ends the spinner
	finished chan struct{} // it has ended
}

// spinnerEvery is the time between two pictures of the spinner.
const spinnerEvery = 100 * time.Millisecond

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// newProgress returns a progress on w; animate allows drawing in place, if w
// is a terminal.
func newProgress(w io.Writer, animate bool) *progress {
	return &progress{w: w, inPlace: animate && isTerminal(w)}
}

// Begin implements demo.Progress.
func (p *progress) Begin(step string) {
	p.step, p.began = step, time.Now()
	if !p.inPlace {
		return
	}
	p.stop, p.finished = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(p.finished)
		ticker := time.NewTicker(spinnerEvery)
		defer ticker.Stop()
		for i := 0; ; i++ {
			fmt.Fprintf(p.w, "\r%c %s", spinner[i%len(spinner)], step)
			select {
			case <-p.stop:
				return
			case <-ticker.C:
			}
		}
	}()
}

// End implements demo.Progress.
func (p *progress) End(result string, err error) {
	mark, text := "✓", result
	if err != nil {
		mark, text = "✗", "failed"
	}
	took := time.Since(p.began).Round(10 * time.Millisecond)
	if !p.inPlace {
		fmt.Fprintf(p.w, "%s %s: %s (%v)\n", mark, p.step, text, took)
		return
	}
	close(p.stop)
	<-p.finished
	fmt.Fprintf(p.w, "\r\x1b[K%s %s\n    %s (%v)\n", mark, p.step, text, took)
}
