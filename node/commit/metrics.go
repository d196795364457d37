package commit

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the pipeline's counters. Names follow Prometheus' conventions.
type Metrics struct {
	sealed        prometheus.Counter
	admitted      prometheus.Counter
	refused       *prometheus.CounterVec
	forks         prometheus.Counter
	batch         prometheus.Histogram
	appendSeconds prometheus.Histogram
	fsyncSeconds  prometheus.Histogram // the same in etcd's buckets and by its name
	trims         prometheus.Counter
	logBytes      prometheus.Counter
	quota         prometheus.Gauge
}

// NewMetrics registers the pipeline's metrics with r, or with nothing if r is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		sealed:        prometheus.NewCounter(prometheus.CounterOpts{Name: "causeway_ops_sealed_total", Help: "Own ops made durable."}),
		admitted:      prometheus.NewCounter(prometheus.CounterOpts{Name: "causeway_ops_admitted_total", Help: "Received ops made durable."}),
		refused:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "causeway_ops_refused_total", Help: "Received ops that are invalid, by the rule they break."}, []string{"reason"}),
		forks:         prometheus.NewCounter(prometheus.CounterOpts{Name: "causeway_forks_total", Help: "Pairs of ops found that one author signed on one predecessor."}),
		batch:         prometheus.NewHistogram(prometheus.HistogramOpts{Name: "causeway_commit_batch_requests", Help: "Client requests per append.", Buckets: prometheus.ExponentialBuckets(1, 4, 7)}),
		appendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "causeway_commit_append_seconds", Help: "Duration of a durable append to the admission log.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}),
		quota:         prometheus.NewGauge(prometheus.GaugeOpts{Name: "causeway_quota_used_ratio", Help: "Share of the node's quota in the roster that is used; 0 without one."}),
		trims:         prometheus.NewCounter(prometheus.CounterOpts{Name: "causeway_history_trims_total", Help: "Compactions that no client asked for: what other nodes wrote had filled the history in memory."}),
		logBytes:      prometheus.NewCounter(prometheus.CounterOpts{Name: "causeway_log_bytes_total", Help: "Bytes of records appended to the admission log, before the store compresses them."}),
		fsyncSeconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "etcd_disk_wal_fsync_duration_seconds", Help: "Duration of a durable append to the log, writing included.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
	}
	if r != nil {
		r.MustRegister(m.fsyncSeconds, m.sealed, m.admitted, m.refused, m.forks, m.batch, m.appendSeconds, m.quota, m.trims, m.logBytes)
	}
	return m
}
