package p2p

import (
	"slices"
	"sync"
	"time"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// A Space is something that ops take up, as a disk or memory, of which a
// reserve is kept for honest work (docs/p2p.md, section 12).
type Space struct {
	// Name says which, in status, log and metrics.
	Name string
	// Measure returns how much of it is free and how much of that is the
	// reserve, in bytes. It may be called at any time, some times a second.
	// After an error the space counts as not short.
	Measure func() (free, reserve int64, err error)
}

// A Shortage says that less of a space is free than its reserve, or was, and not
// much more is since.
type Shortage struct {
	Space         string
	Free, Reserve int64 // bytes
}

// reserve has the ops of authors whom the throttle slows wait while a space is
// short. It is safe for concurrent use.
type reserve struct {
	n *Network

	mu      sync.Mutex
	spaces  []measured
	looked  time.Time
	taken   int64 // bytes of such authors, since a space is short
	most    int64 // of taken
	authors map[identity.PublicKey]*allowance
}

// measured is a space at the last look.
type measured struct {
	Space
	free, reserve int64
	short, failed bool
}

// allowance is what was taken of an author since a space is short.
type allowance struct {
	taken int64
	waits bool // it has no more
}

func newReserve(n *Network, spaces []Space) *reserve {
	r := &reserve{n: n, authors: make(map[identity.PublicKey]*allowance)}
	for _, s := range spaces {
		r.spaces = append(r.spaces, measured{Space: s})
	}
	return r
}

// look measures the spaces, unless it did so just now, and reports whether ops
// are to wait: a space is short, and this node is enrolled here. (One that has just joined
// needs the past of that, whatever is in it.) The lock is held.
func (r *reserve) look() (short bool) {
	before := r.short()
	if now := time.Now(); now.Sub(r.looked) >= spaceCheck {
		r.looked = now
		for i := range r.spaces {
			r.spaces[i].look(r.n)
		}
	}
	short = r.short()
	if before && !short {
		if len(r.waiting()) > 0 {
			r.n.log.Info("there is space again: the operations of no author wait any more")
			r.n.syncer.wakeUp()
		}
		clear(r.authors)
		r.taken = 0
	}
	if short {
		_, short = r.n.backend.Graph().Roster().Author(r.n.self)
	}
	return short
}

func (m *measured) look(n *Network) {
	free, reserve, err := m.Measure()
	if err != nil {
		if !m.failed {
			n.log.Warn("cannot tell how much space is free", "space", m.Name, "error", err)
		}
		m.failed, m.short = true, false
		return
	}
	m.failed, m.free, m.reserve = false, free, reserve
	// Not short again only with a quarter to spare, so that it does not flutter.
	m.short = free < reserve || m.short && free < reserve+reserve/4
}

// short reports whether a space was at the last look, and sets most.
func (r *reserve) short() (short bool) {
	for _, m := range r.spaces {
		if !m.short {
			continue
		}
		if most := m.reserve / reserveShare; !short || most < r.most {
			r.most = most
		}
		short = true
	}
	return short
}

// of returns the author's allowance. The lock is held.
func (r *reserve) of(author identity.PublicKey) *allowance {
	a := r.authors[author]
	if a == nil {
		a = new(allowance)
		r.authors[author] = a // as many as are known to have forked, or are revoked
	}
	return a
}

// takes reports whether ops of so many bytes, of an author whom the throttle
// slows, may be taken now, with others of it and of all such authors that are about to be. If
// not, and they are verified, the author waits from now on.
func (r *reserve) takes(author identity.PublicKey, bytes, its, all int64, verified bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.look() {
		return true
	}
	a := r.of(author)
	if !a.waits && a.taken+its+bytes <= reserveAuthor && r.taken+all+bytes <= r.most {
		return true
	}
	r.n.metrics.throttled.WithLabelValues("space").Inc()
	if verified && !a.waits {
		first := len(r.waiting()) == 0
		a.waits = true
		r.tell(author, first)
	}
	return false
}

// took counts an op that was delivered: what only comes, as without its past, uses up nothing.
func (r *reserve) took(op *dag.Signed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if author := op.Header().Author; r.look() && r.n.throttle.slows(author, r.n.backend.Graph().Roster()) {
		n := footprint(op)
		r.of(author).taken += n
		r.taken += n
	}
}

// footprint is what an op counts for, in bytes.
func footprint(op *dag.Signed) int64 { return int64(len(op.Block()) + len(op.Body()) + throttleUnit) }

// tell says in the log, once while a space is short, that ops wait, and for whose sake.
func (r *reserve) tell(author identity.PublicKey, first bool) {
	if !first {
		return
	}
	name := ""
	if a, ok := r.n.backend.Graph().Roster().Author(author); ok {
		name = a.OperatorName
	}
	for _, m := range r.spaces {
		if m.short {
			r.n.log.Warn("little space is left: operations of authors who forked or are revoked, and what builds on them, wait until there is more",
				"space", m.Name, "free", m.free, "reserve", m.reserve, "author", author.String(), "operator", name)
		}
	}
}

// waiting returns the authors whose ops wait, ascending. The lock is held.
func (r *reserve) waiting() (authors []identity.PublicKey) {
	roster := r.n.backend.Graph().Roster()
	for author, a := range r.authors {
		if a.waits && r.n.throttle.slows(author, roster) { // it may be readmitted by now
			authors = append(authors, author)
		}
	}
	slices.SortFunc(authors, identity.PublicKey.Compare)
	return authors
}

// waits returns the authors whose ops wait now, ascending.
func (r *reserve) waits() []identity.PublicKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.look() {
		return nil
	}
	return r.waiting()
}

// shortages returns the spaces that are short now.
func (r *reserve) shortages() (all []Shortage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look()
	for _, m := range r.spaces {
		if m.short {
			all = append(all, Shortage{m.Name, m.free, m.reserve})
		}
	}
	return all
}

// sift returns ops less those that wait, in their order. It does not change ops.
func (r *reserve) sift(ops []*dag.Signed) []*dag.Signed {
	if len(r.shortages()) == 0 {
		return ops
	}
	roster := r.n.backend.Graph().Roster()
	slow := make(map[identity.PublicKey]bool)
	its, all := make(map[identity.PublicKey]int64), int64(0) // of those left
	left := make([]*dag.Signed, 0, len(ops))
	for _, s := range ops {
		author := s.Header().Author
		is, known := slow[author]
		if !known {
			is = r.n.throttle.slows(author, roster)
			slow[author] = is
		}
		if is {
			n := footprint(s)
			if !r.takes(author, n, its[author], all, true) {
				continue
			}
			its[author] += n
			all += n
		}
		left = append(left, s)
	}
	return left
}

// Shortages returns the spaces that are short now, and the authors whose ops wait
// for that, ascending.
func (n *Network) Shortages() ([]Shortage, []identity.PublicKey) {
	return n.reserve.shortages(), n.reserve.waits()
}
