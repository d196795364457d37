package p2p

import (
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/causeway-sync/causeway/dag"
)

// reason names one kind of misbehaviour, in logs and metrics. Refusals of
// package dag add theirs: "refused_" and the dag's reason.
type reason string

const (
	reasonMalformed   reason = "malformed"    // bytes that are no message, op or statement
	reasonMesh        reason = "other-mesh"   // an op or a summary of another mesh
	reasonOversize    reason = "oversize"     // a frame over its bound
	reasonProtocol    reason = "protocol"     // well-formed, but not what the protocol allows here
	reasonStalled     reason = "stalled"      // no progress within the deadline
	reasonBudget      reason = "budget"       // too many sessions, or too much in the pool
	reasonNotEnrolled reason = "not-enrolled" // used a gated protocol without being enrolled
	reasonJoin        reason = "join"         // bad join attempts
)

// reasonVersion is an op of a later version of the format, which a correct
// peer with a later build relays in good faith.
var reasonVersion = refused(&dag.Refusal{Reason: dag.ReasonVersion})

// refused returns the reason for an op that package dag refused.
func refused(r *dag.Refusal) reason { return reason("refused-" + r.Reason.String()) }

// weight says how much one event lowers a peer's standing.
type weight float64

const (
	weightNone  weight = 0   // counted and logged only: a correct peer may do it
	weightFault weight = 10  // suspicious: a slow or overloaded peer may do it at times
	weightLie   weight = 100 // no correct peer does it
)

// The standing at which a peer is shut out, and how fast faults are forgiven, per second.
const (
	banAt    = 100
	forgive  = 0.2
	maxLogs  = 64        // reasons logged apart per peer
	logRate  = 10        // lines about misbehaviour per second, of all peers
	logBurst = 500       // and at once
	forgetIn = time.Hour // a ban's growth is forgotten after so long without another
)

// weightOf says how bad a reason is.
func weightOf(r reason) weight {
	switch r {
	case reasonNotEnrolled, reasonJoin, reasonVersion:
		return weightNone
	case reasonStalled, reasonBudget:
		return weightFault
	default:
		return weightLie
	}
}

type conduct struct {
	score  float64
	at     time.Time // of the score
	bans   int
	until  time.Time // end of the last ban
	logged map[reason]time.Time
	last   string // last misbehaviour, for people
}

// standings keeps account of what peers did. It is safe for concurrent use and
// holds at most maxStandings peers; when it is full, the one whose account is
// oldest and carries no ban goes.
type standings struct {
	log     *slog.Logger
	metrics *metrics
	timing  Timing
	now     func() time.Time
	onBan   func(peer.ID, time.Duration) // called without the lock held

	mu    sync.Mutex
	peers map[peer.ID]*conduct
	lines bucket // of the log: strangers with fresh identities must not fill it
}

func newStandings(log *slog.Logger, m *metrics, t Timing, onBan func(peer.ID, time.Duration)) *standings {
	return &standings{log: log, metrics: m, timing: t, now: time.Now, onBan: onBan, peers: make(map[peer.ID]*conduct),
		lines: newBucket(logRate, logBurst, time.Now())}
}

// report records that p did r. It logs it, once per interval, counts it, and
// shuts p out when its standing is used up.
func (s *standings) report(p peer.ID, r reason, detail error) {
	label := s.metrics.label(p)
	s.metrics.misbehaviour.WithLabelValues(label, string(r)).Inc()
	var ban time.Duration
	s.mu.Lock()
	now := s.now()
	c := s.account(p, now)
	c.score = max(0, c.score-now.Sub(c.at).Seconds()*forgive) + float64(weightOf(r))
	c.at = now
	c.last = string(r)
	if c.score >= banAt && now.After(c.until) {
		if now.Sub(c.until) > forgetIn {
			c.bans = 0
		}
		ban = min(s.timing.BanMax, s.timing.BanMin<<min(c.bans, 20))
		c.bans++
		c.until = now.Add(ban)
		c.score = 0
	}
	logIt := now.Sub(c.logged[r]) >= s.timing.LogEvery && s.lines.take(1, now)
	if logIt && (len(c.logged) < maxLogs || !c.logged[r].IsZero()) {
		c.logged[r] = now
	}
	s.mu.Unlock()
	if logIt {
		s.log.Warn("peer misbehaved", "peer", p.String(), "reason", string(r), "detail", text(detail))
	}
	if ban > 0 {
		s.metrics.bans.WithLabelValues(label).Inc()
		s.log.Warn("peer is shut out", "peer", p.String(), "reason", string(r), "for", ban)
		s.onBan(p, ban)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	const bound = 512
	s := err.Error()
	return s[:min(len(s), bound)]
}

func (s *standings) account(p peer.ID, now time.Time) *conduct {
	if c := s.peers[p]; c != nil {
		return c
	}
	if len(s.peers) >= maxStandings {
		var victim peer.ID
		var oldest time.Time
		for id, c := range s.peers {
			if now.After(c.until) && (victim == "" || c.at.Before(oldest)) {
				victim, oldest = id, c.at
			}
		}
		delete(s.peers, victim)
	}
	c := &conduct{at: now, logged: make(map[reason]time.Time)}
	s.peers[p] = c
	return c
}

// banned reports whether p is shut out, and until when.
func (s *standings) banned(p peer.ID) (until time.Time, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.peers[p]
	if c == nil || !s.now().Before(c.until) {
		return time.Time{}, false
	}
	return c.until, true
}

// faults returns what p's misbehaviour amounts to by now, at most banAt.
func (s *standings) faults(p peer.ID) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.peers[p]
	if c == nil {
		return 0
	}
	return min(banAt, max(0, c.score-s.now().Sub(c.at).Seconds()*forgive))
}

// last returns the last thing p did against the protocol, or "".
func (s *standings) last(p peer.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.peers[p]; c != nil {
		return c.last
	}
	return ""
}
