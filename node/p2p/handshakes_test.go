package p2p

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHandshakesTakeTurns has as many handshakes as may wait compute, each in two
// pieces: one computes at a time, and all of them no more than their share.
func TestHandshakesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandshakes(1)
		const piece = 2 * time.Millisecond
		began := time.Now()
		computing, done := 0, 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range maxWaiting {
			wg.Go(func() {
				for range 2 {
					if err := h.enter(t.Context(), false, false); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if computing++; computing > 1 {
						t.Errorf("%d compute at one time", computing)
					}
					mu.Unlock()
					time.Sleep(piece)
					mu.Lock()
					computing--
					done++
					mu.Unlock()
					h.leave(piece)
				}
			})
		}
		wg.Wait()
		all := time.Duration(done) * piece
		if took := time.Since(began); float64(all-handshakeBurst-piece) > handshakeShare*float64(took) {
			t.Errorf("%d pieces, %v in all, were computed in %v", done, all, took)
		}
	})
}

// TestHandshakesOfKnownAddresses: who is known good has every other turn, and who has begun
// goes before those of its kind who have not.
func TestHandshakesOfKnownAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandshakes(1)
		if err := h.enter(t.Context(), false, false); err != nil {
			t.Fatal(err)
		}
		var got []string
		wait := func(name string, begun, known bool) {
			go func() {
				if err := h.enter(t.Context(), begun, known); err != nil {
					t.Error(err)
				}
				got = append(got, name)
				h.leave(minPause)
			}()
			synctest.Wait()
		}
		wait("stranger 1", false, false)
		wait("stranger 2", false, false)
		wait("stranger, begun", true, false)
		wait("known 1", false, true)
		wait("known, begun", true, true)
		h.leave(0)
		time.Sleep(time.Minute)
		synctest.Wait() // and see what they did
		if want := []string{"known, begun", "stranger, begun", "known 1", "stranger 1", "stranger 2"}; !slices.Equal(got, want) {
			t.Errorf("their turns were %q, want %q", got, want)
		}
	})
}

// TestHandshakesWait: only so many of a kind wait, and who gives up leaves no gap.
func TestHandshakesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandshakes(1)
		if err := h.enter(t.Context(), false, false); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range maxWaiting {
			go func() {
				if err := h.enter(ctx, false, false); !errors.Is(err, context.Canceled) {
					t.Errorf("a handshake that was given up: %v", err)
				}
			}()
		}
		synctest.Wait()
		if err := h.enter(ctx, false, false); !errors.Is(err, errCrowd) {
			t.Errorf("one handshake too many: %v, want %v", err, errCrowd)
		}
		known := make(chan error, 1)
		go func() { known <- h.enter(t.Context(), false, true) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		h.leave(0)
		if err := <-known; err != nil {
			t.Error(err)
		}
		h.leave(0)
		if err := h.enter(t.Context(), false, false); err != nil {
			t.Error(err)
		}
	})
}
