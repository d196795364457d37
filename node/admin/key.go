package admin

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// Keys is what the server asks about the keys of the store. How a key came to
// its value is read from the log, along the key's trail (docs/view.md).
type Keys interface {
	// Value returns what a key shows. ErrNotFound if it shows nothing.
	Value(ctx context.Context, key []byte) (KeyValue, error)
	// History returns the writes of a key, as far back as about limit of them go.
	History(ctx context.Context, key []byte, limit int) (KeyHistory, error)
	// Blame returns who set each field of a key's value, as far back as about
	// limit writes go. ErrNotFound if the key has no replicated value.
	Blame(ctx context.Context, key []byte, limit int) (KeyBlame, error)
	// Conflicts returns what was merged and what lost, of up to limit keys from one
	// on that more than one write decides now.
	Conflicts(ctx context.Context, from []byte, limit int) (ConflictPage, error)
}

// KeyValue is what a key shows.
type KeyValue struct {
	Key            []byte `json:"key"`
	Value          []byte `json:"value"`
	CreateRevision int64  `json:"create_revision"`
	ModRevision    int64  `json:"mod_revision"`
	Version        int64  `json:"version"`
	Lease          int64  `json:"lease"`
}

// KeyWriter names a write of a key; the zero value is nobody's. Wall is its author's clock and proves nothing.
type KeyWriter struct {
	Op          dag.ID             `json:"op,omitzero"`
	Transaction uint32             `json:"transaction"`
	Write       uint32             `json:"write"`
	Author      identity.PublicKey `json:"author,omitzero"`
	Operator    string             `json:"operator"` // of the author; empty if unknown
	Wall        time.Time          `json:"wall,omitzero"`
}

// KeyWrite is one write of a key.
type KeyWrite struct {
	KeyWriter
	Kind   string       `json:"kind"`            // put, patch, delete, delete-final or delete-range
	Value  []byte       `json:"value,omitempty"` // of a put; of a patch its bytes (docs/merge.md section 6)
	Schema dag.SchemaID `json:"schema,omitzero"` // of a put: how the value merges; none for plain JSON
	Leased bool         `json:"leased,omitempty"`
	Void   bool         `json:"void"`   // by the roster it does not count
	Counts bool         `json:"counts"` // it does count: not so a patch that meant nothing
}

// KeyHistory are writes of one key, each after its past.
type KeyHistory struct {
	Key    []byte     `json:"key"`
	Writes []KeyWrite `json:"writes"`
	All    bool       `json:"all"` // no write came before the first
}

// KeyPlace is one field of a value, and who set it.
type KeyPlace struct {
	Path   []string  `json:"path"`  // names of members, numbers of protobuf fields, items in brackets
	Value  []byte    `json:"value"` // JSON text or protobuf records, or all of an opaque value
	Writer KeyWriter `json:"writer"`
}

// KeyBlame says who set each field of a value.
type KeyBlame struct {
	Key    []byte     `json:"key"`
	Value  []byte     `json:"value"`
	Merged bool       `json:"merged"` // several writes that did not see each other made it
	All    bool       `json:"all"`    // no write came before the first that was looked at; else that stands for those before
	Places []KeyPlace `json:"places"`
}

// ConflictVersion is what one write made of a place.
type ConflictVersion struct {
	Writer  KeyWriter `json:"writer"`
	Value   []byte    `json:"value"`
	Deleted bool      `json:"deleted"` // there is no value
}

// Conflict is a place of a value where not everything that was written is.
type Conflict struct {
	Kind  string            `json:"kind"`           // docs/merge.md section 10
	Path  []string          `json:"path"`           // empty for the whole value
	Rule  string            `json:"rule,omitempty"` // of a leaf: which of several it shows
	Shown ConflictVersion   `json:"shown"`
	Lost  []ConflictVersion `json:"lost"`
}

// KeyConflicts are the conflicts of one key.
type KeyConflicts struct {
	Key       []byte      `json:"key"`
	Value     []byte      `json:"value"`     // what the key has; absent if Absent
	Absent    bool        `json:"absent"`    // it has no replicated value
	Merged    bool        `json:"merged"`    // the value is a merge of several writes
	Writers   []KeyWriter `json:"writers"`   // the writes that no other saw
	Conflicts []Conflict  `json:"conflicts"` // none where all that was written is in the value
}

// ConflictPage are the conflicts of some keys, in order.
type ConflictPage struct {
	Keys []KeyConflicts `json:"keys"`
	Next []byte         `json:"next,omitempty"` // where to go on; none if that was all
}

// keyRoutes adds the paths about keys.
func keyRoutes(n Keys, get func(path string, f func(r *http.Request) (any, error))) {
	of := func(path string, f func(ctx context.Context, key []byte, limit int) (any, error)) {
		get(path, func(r *http.Request) (any, error) {
			key, err := checkKey(r.URL.Query().Get("key"))
			if err != nil {
				return nil, err
			}
			limit, err := checkKeyLimit(r.URL.Query().Get("limit"), MaxKeyWrites)
			if err != nil {
				return nil, err
			}
			return f(r.Context(), key, limit)
		})
	}
	of("/v0/keys/value", func(ctx context.Context, key []byte, _ int) (any, error) { return n.Value(ctx, key) })
	of("/v0/keys/history", func(ctx context.Context, key []byte, limit int) (any, error) { return n.History(ctx, key, limit) })
	of("/v0/keys/blame", func(ctx context.Context, key []byte, limit int) (any, error) { return n.Blame(ctx, key, limit) })
	get("/v0/keys/conflicts", func(r *http.Request) (any, error) {
		var from []byte
		if text := r.URL.Query().Get("from"); text != "" {
			var err error
			if from, err = checkKey(text); err != nil {
				return nil, err
			}
		}
		limit, err := checkKeyLimit(r.URL.Query().Get("limit"), MaxConflictKeys)
		if err != nil {
			return nil, err
		}
		return n.Conflicts(r.Context(), from, limit)
	})
}

// checkKey decodes a key in a query.
func checkKey(text string) ([]byte, error) {
	key, err := base64.URLEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, fmt.Errorf("%w: the key is not base64url of at least one byte", ErrInvalid)
	}
	return key, nil
}

// checkKeyLimit parses a number of writes or keys, which is most if there is none.
func checkKeyLimit(s string, most int) (int, error) {
	if s == "" {
		return most, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%w: limit %q is not between 1 and %d", ErrInvalid, s, most)
	}
	return n, nil
}

// askKey asks about one key.
func (c *Client) askKey(ctx context.Context, what string, key []byte, limit int, v any) error {
	q := url.Values{"key": {base64.URLEncoding.EncodeToString(key)}}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return c.get(ctx, "/v0/keys/"+what+"?"+q.Encode(), v)
}

// Value returns what a key shows, ErrNotFound if nothing.
func (c *Client) Value(ctx context.Context, key []byte) (v KeyValue, err error) {
	err = c.askKey(ctx, "value", key, 0, &v)
	return v, err
}

// History returns the writes of a key as far back as about limit of them go; 0
// means MaxKeyWrites.
func (c *Client) History(ctx context.Context, key []byte, limit int) (h KeyHistory, err error) {
	err = c.askKey(ctx, "history", key, limit, &h)
	return h, err
}

// Blame returns who set each field of a key's value; limit as in History.
func (c *Client) Blame(ctx context.Context, key []byte, limit int) (b KeyBlame, err error) {
	err = c.askKey(ctx, "blame", key, limit, &b)
	return b, err
}

// Conflicts returns what was merged and what lost, of up to limit keys from one on; 0 means
// MaxConflictKeys.
func (c *Client) Conflicts(ctx context.Context, from []byte, limit int) (p ConflictPage, err error) {
	q := url.Values{}
	if len(from) > 0 {
		q.Set("from", base64.URLEncoding.EncodeToString(from))
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	err = c.get(ctx, "/v0/keys/conflicts?"+q.Encode(), &p)
	return p, err
}
