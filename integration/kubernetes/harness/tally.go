package harness

import (
	"bytes"
	"maps"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Request is a type of request to a store: what kube-apiserver asks, and for
// which resource.
type Request struct {
	// Kind is get, list, count, create, update, delete, one of the last three
	// after "failed ", watch, progress, or the RPC's name.
	Kind string
	// Resource is what comes after /registry/ in the key, without names; ""
	// where there is no key.
	Resource string
}

// Tally counts requests by type. It is safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	counts map[Request]int
}

func newTally() *Tally { return &Tally{counts: make(map[Request]int)} }

// Snapshot returns the counts so far.
func (t *Tally) Snapshot() map[Request]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

func (t *Tally) add(kind string, key []byte) {
	t.mu.Lock()
	t.counts[Request{kind, resourceOf(key)}]++
	t.mu.Unlock()
}

// grouped are the first parts of keys whose second part belongs to the
// resource's name.
var grouped = map[string]bool{"services": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true}

// resourceOf returns the resource that a key of kube-apiserver is of.
func resourceOf(key []byte) string {
	rest, ok := bytes.CutPrefix(key, []byte("/registry/"))
	if !ok {
		return string(key) // compact_rev_key, or nothing
	}
	parts := strings.Split(string(rest), "/")
	if len(parts) > 1 && grouped[parts[0]] {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// call follows one call of an RPC. request and response may be called at the
// same time, each by one goroutine.
type call struct {
	tally  *Tally
	method string // without its service

	mu   sync.Mutex
	last []byte // the request of a unary call
}

func (t *Tally) call(method string) *call {
	return &call{tally: t, method: method[strings.LastIndexByte(method, '/')+1:]}
}

// request takes note of a message to the store.
func (c *call) request(m []byte) {
	if c.method == "Watch" {
		var r pb.WatchRequest
		if r.Unmarshal(m) != nil {
			return
		}
		switch {
		case r.GetCreateRequest() != nil:
			c.tally.add("watch", r.GetCreateRequest().Key)
		case r.GetProgressRequest() != nil:
			c.tally.add("progress", nil)
		}
		return
	}
	c.mu.Lock()
	c.last = m
	c.mu.Unlock()
}

// response takes note of a message from the store: a unary call counts when it
// is answered.
func (c *call) response(m []byte) {
	c.mu.Lock()
	request := c.last
	c.mu.Unlock()
	switch c.method {
	case "Watch":
	case "Range":
		var r pb.RangeRequest
		if r.Unmarshal(request) != nil {
			return
		}
		switch {
		case r.CountOnly:
			c.tally.add("count", r.Key)
		case len(r.RangeEnd) > 0:
			c.tally.add("list", r.Key)
		default:
			c.tally.add("get", r.Key)
		}
	case "Txn":
		var r pb.TxnRequest
		var answer pb.TxnResponse
		if r.Unmarshal(request) != nil || answer.Unmarshal(m) != nil || len(r.Compare) != 1 || len(r.Success) != 1 {
			c.tally.add("other Txn", nil)
			return
		}
		kind := "update"
		switch {
		case r.Success[0].GetRequestDeleteRange() != nil:
			kind = "delete"
		case r.Compare[0].Target == pb.Compare_MOD && r.Compare[0].GetModRevision() == 0:
			kind = "create"
		}
		if !answer.Succeeded {
			kind = "failed " + kind
		}
		c.tally.add(kind, r.Compare[0].Key)
	default:
		c.tally.add(c.method, nil)
	}
}
