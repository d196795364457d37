package p2p

import (
	"fmt"
	"slices"
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
	lanes        *prometheus.CounterVec // sessions of the statement lane, by side (out, in), result (done, failed)
	statements   *prometheus.CounterVec // statements on the lane, by what became of them (given, useful, idle, carried)
	throttled    *prometheus.CounterVec // what forkers and the revoked are delayed, by way (gossip: ops; sync: frames)
	batches      prometheus.Histogram   // ops of gossip verified and admitted at once
	gauges       []prometheus.Collector

	registerer prometheus.Registerer // where they are registered, or nil

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
		lanes:        vec("lanes_total", "Sessions of the statement lane, by side that started them and result.", "side", "result"),
		statements:   vec("statements_total", "Statements on the statement lane: given to a peer; taken, and of use here or idle; carried by this node.", "result"),
		throttled:    vec("throttled_total", "Delays of proven forkers and revoked authors: ops not taken by gossip, frames of a sync that waited, ops that wait for space.", "way"),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "causeway", Subsystem: "p2p", Name: "gossip_batch_ops",
			Help: "Operations of gossip that were verified in one batch and admitted with one append.", Buckets: prometheus.ExponentialBuckets(1, 2, 7),
		}),
		named: make(map[peer.ID]bool),
	}
}

// watch adds gauges of what n holds now. It is called before register.
func (m *metrics) watch(n *Network) {
	gauge := func(name, help string, value func() float64) {
		m.gauges = append(m.gauges, prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: "causeway", Subsystem: "p2p", Name: name, Help: help}, value))
	}
	gauge("connected_peers", "Peers connected, enrolled or not.", func() float64 { return float64(len(n.host.Network().Peers())) })
	gauge("connected_operators", "Operators of connected peers that may sync, this node's own apart. Whoever surrounds it is few.", func() float64 {
		operators, _, _ := n.company()
		return float64(operators)
	})
	gauge("configured_peers", "Peers configured at this node.", func() float64 {
		_, configured, _ := n.company()
		return float64(configured)
	})
	gauge("configured_peers_connected", "Configured peers that are connected and may sync.", func() float64 {
		_, _, connected := n.company()
		return float64(connected)
	})
	gauge("waiting_authors", "Proven forkers and revoked authors whose operations wait for space.", func() float64 {
		return float64(len(n.reserve.waits()))
	})
	for _, s := range n.reserve.spaces {
		m.gauges = append(m.gauges, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "causeway", Subsystem: "p2p", Name: "space_short", ConstLabels: prometheus.Labels{"space": s.Name},
			Help: "1 while less of a space is free than its reserve.",
		}, func() float64 {
			if slices.ContainsFunc(n.reserve.shortages(), func(at Shortage) bool { return at.Space == s.Name }) {
				return 1
			}
			return 0
		}))
	}
	gauge("pending_ops", "Operations that wait for their past.", func() float64 {
		ops, _ := n.delivery.pool.Len()
		return float64(ops)
	})
	gauge("pending_bytes", "Memory of operations that wait for their past.", func() float64 {
		_, bytes := n.delivery.pool.Len()
		return float64(bytes)
	})
	m.gauges = append(m.gauges, lagCollector{n, prometheus.NewDesc("causeway_p2p_lag_ops",
		"Operations that a connected peer is not known to hold, and heads it announced that are not held here, by peer; of peers beyond the first 64 the greatest, as other.",
		[]string{"peer"}, nil)})
}

// lagCollector exports the lag of each connected peer that may sync.
type lagCollector struct {
	n    *Network
	desc *prometheus.Desc
}

func (c lagCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c lagCollector) Collect(ch chan<- prometheus.Metric) {
	n := c.n
	g := n.backend.Graph()
	roster := g.Roster()
	connected := n.host.Network().Peers()
	slices.Sort(connected)
	named, other := 0, -1
	for _, p := range connected {
		if n.admittedBy(roster, p) != nil {
			continue
		}
		s, _ := n.peers.get(p)
		lag := s.lag(g)
		if named == maxMetricPeers {
			other = max(other, lag)
			continue
		}
		named++
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(lag), p.String())
	}
	if other >= 0 {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(other), "other")
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return append([]prometheus.Collector{m.misbehaviour, m.bans, m.syncs, m.ops, m.dropped, m.bytes, m.joins, m.lanes, m.statements, m.throttled, m.batches}, m.gauges...)
}

// register exports the metrics to r, all or none; a nil r exports nothing.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.collectors() {
		if err := r.Register(c); err != nil {
			for _, done := range m.collectors()[:i] {
				r.Unregister(done)
			}
			return fmt.Errorf("%w: metrics: %w", ErrConfig, err)
		}
	}
	m.registerer = r
	return nil
}

// unregister undoes register, if it succeeded.
func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors() {
		m.registerer.Unregister(c)
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
