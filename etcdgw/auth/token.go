package auth

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"
)

// DefaultTokenTTL is how long a token lasts after its last use, as in etcd.
const DefaultTokenTTL = 5 * time.Minute

// tokens are the simple tokens given out. They are in memory only.
type tokens struct {
	ttl time.Duration
	now func() time.Time

	mu      sync.Mutex
	byToken map[string]*token
	count   uint64 // tokens ever given out
	swept   time.Time
}

type token struct {
	user   string
	expiry time.Time
}

// sweepInterval is how often tokens that have run out are removed.
const sweepInterval = time.Second

// assign returns a new token of the user: 130 random bits as letters and
// digits, a dot, and a number.
func (t *tokens) assign(user string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.swept) >= sweepInterval {
		for text, tok := range t.byToken {
			if now.After(tok.expiry) {
				delete(t.byToken, text)
			}
		}
		t.swept = now
	}
	t.count++
	text := fmt.Sprintf("%s.%d", rand.Text(), t.count)
	t.byToken[text] = &token{user, now.Add(t.ttl)}
	return text
}

// user returns whose token it is, and lets it last anew.
func (t *tokens) user(text string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tok, ok := t.byToken[text]
	if !ok {
		return "", false
	}
	now := t.now()
	if now.After(tok.expiry) {
		delete(t.byToken, text)
		return "", false
	}
	tok.expiry = now.Add(t.ttl)
	return tok.user, true
}

// revoke ends the tokens of the user.
func (t *tokens) revoke(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for text, tok := range t.byToken {
		if tok.user == user {
			delete(t.byToken, text)
		}
	}
}

// revokeAll ends all tokens.
func (t *tokens) revokeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.byToken)
}
