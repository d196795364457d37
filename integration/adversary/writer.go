package adversary

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A Writer is a client that writes at one node, quietly: one put at a time, a
// few in a second, to few keys.
type Writer struct {
	tb    testing.TB
	site  *Site
	pause sync.Mutex // held by whoever has it wait

	mu      sync.Mutex
	answers int
	slowest time.Duration
	failure error

	cancel context.CancelFunc
	done   chan struct{}
}

// writeEvery is how long a writer waits between two puts.
const writeEvery = 25 * time.Millisecond

func newWriter(tb testing.TB, s *Site) *Writer {
	w := &Writer{tb: tb, site: s}
	tb.Cleanup(w.stop) // before the node ends: cleanups run last first
	return w
}

func (w *Writer) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan struct{})
	kv := w.site.KV()
	go func() {
		defer close(w.done)
		for i := 0; ctx.Err() == nil; i++ {
			w.pause.Lock()
			key, value := fmt.Sprintf("/quiet/%s/%d", w.site.Name, i%16), fmt.Sprintf("value %d", i)
			began := time.Now()
			bounded, done := context.WithTimeout(ctx, Within)
			_, err := kv.Put(bounded, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
			done()
			w.pause.Unlock()
			if ctx.Err() != nil {
				return
			}
			w.mu.Lock()
			if err != nil {
				w.failure = fmt.Errorf("put %s: %w", key, err)
			} else {
				w.answers++
				w.slowest = max(w.slowest, time.Since(began))
			}
			w.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(writeEvery):
			}
		}
	}()
}

func (w *Writer) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.done
		w.cancel = nil
	}
}

// Pause has the writer wait, once its put is answered, until the result is called.
func (w *Writer) Pause() (resume func()) {
	w.pause.Lock()
	return w.pause.Unlock
}

// take returns how many puts were answered since the last call, the slowest of
// them, and the last failure.
func (w *Writer) take() (answers int, slowest time.Duration, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answers, slowest, failure = w.answers, w.slowest, w.failure
	w.answers, w.slowest, w.failure = 0, 0, nil
	return answers, slowest, failure
}

// answered returns how many puts were answered since the last take.
func (w *Writer) answered() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}
