package p2p

import "time"

// bucket is a token bucket. The zero value is not full: use newBucket. Not
// safe for concurrent use. Time is passed in.
type bucket struct {
	rate, burst float64 // tokens per second, tokens
	tokens      float64
	last        time.Time
}

func newBucket(rate, burst float64, now time.Time) bucket {
	return bucket{rate: rate, burst: burst, tokens: burst, last: now}
}

func (b *bucket) refill(now time.Time) {
	if d := now.Sub(b.last); d > 0 {
		b.tokens = min(b.burst, b.tokens+d.Seconds()*b.rate)
		b.last = now
	}
}

// take takes n tokens if there are as many, and reports whether it did.
func (b *bucket) take(n float64, now time.Time) bool {
	b.refill(now)
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}

// owe takes n tokens in any case and returns how long to wait until the debt is paid.
func (b *bucket) owe(n float64, now time.Time) time.Duration {
	b.refill(now)
	b.tokens -= n
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.rate * float64(time.Second))
}

// left returns how many tokens there are, less than 0 for a debt.
func (b *bucket) left(now time.Time) int64 {
	b.refill(now)
	return int64(b.tokens)
}
