package p2p

import (
	"errors"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the package's Prometheus metrics. Peers are named by the first
// maxMetricPeers IDs that misbehaved; what others do counts under "other", so
// that nobody can grow our memory with fresh IDs.
type metrics struct {
	misbehaviour *prometheus.CounterVec // by peer, reason
	bans         *prometheus.CounterVec // by peer
	syncs        *prometheus.CounterVec // by side (out, in), result (done, failed)
	ops          *prometheus.CounterVec // ops delivered, by way (gossip, sync)
	dropped      *prometheus.CounterVec // by queue
	bytes        *prometheus.CounterVec // by direction (in, out), of sync and join streams
	joins        *prometheus.CounterVec // join attempts at this node, by result

	mu    sync.Mutex
	named map[peer.ID]bool
}

func newMetrics() *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "causeway", Subsystem: "p2p", Name: name, Help: help}, labels)
	}
	return &metrics{
		misbehaviour: vec("misbehaviour_total", "What peers did against the protocol, by peer and reason.", "peer", "reason"),
		bans:         vec("bans_total", "Times a peer was shut out, by peer.", "peer"),
		syncs:        vec("syncs_total", "Sync sessions, by side that started them and result.", "side", "result"),
		ops:          vec("ops_delivered_total", "Operations of others delivered, by the way they came.", "way"),
		dropped:      vec("dropped_total", "Items dropped because a bounded queue was full, by queue.", "queue"),
		bytes:        vec("stream_bytes_total", "Bytes on sync streams, by direction.", "direction"),
		joins:        vec("joins_total", "Attempts to join by ticket at this node, by result.", "result"),
		named:        make(map[peer.ID]bool),
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.misbehaviour, m.bans, m.syncs, m.ops, m.dropped, m.bytes, m.joins}
}

// register exports the metrics to r; a nil r exports nothing.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.collectors() {
		if err := r.Register(c); err != nil {
			for _, done := range m.collectors()[:i] {
				r.Unregister(done)
			}
			return errors.Join(ErrConfig, err)
		}
	}
	return nil
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.collectors() {
		r.Unregister(c)
	}
}

// label returns the peer's ID while there is room for its name, else "other".
func (m *metrics) label(p peer.ID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.named[p] {
		if len(m.named) >= maxMetricPeers {
			return "other"
		}
		m.named[p] = true
	}
	return p.String()
}
