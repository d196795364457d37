package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/causeway-sync/causeway/etcdgw/mvcc"
)

// conflictCollector exposes what concurrent writes made of keys (docs/etcd.md, "Metrics").
type conflictCollector struct{ view *mvcc.View }

var (
	descConcurrent = prometheus.NewDesc("causeway_concurrent_writes_total",
		"Writes of a key received from others that had not seen all earlier writes of it, by what became of the key.", []string{"outcome"}, nil)
	descUnsettled = prometheus.NewDesc("causeway_unsettled_keys",
		"Keys whose values more than one write decides now: what causeway conflicts lists.", nil, nil)
)

// Describe implements prometheus.Collector.
func (conflictCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- descConcurrent
	ch <- descUnsettled
}

// Collect implements prometheus.Collector.
func (c conflictCollector) Collect(ch chan<- prometheus.Metric) {
	for outcome, n := range c.view.Outcomes() {
		ch <- prometheus.MustNewConstMetric(descConcurrent, prometheus.CounterValue, float64(n), outcome)
	}
	ch <- prometheus.MustNewConstMetric(descUnsettled, prometheus.GaugeValue, float64(c.view.Stats().Unsettled))
}
