package etcdgw

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// stateCollector shows the backend's and its view's figures, taken anew at each
// scrape.
type stateCollector struct{ backend Backend }

func stateDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, nil, nil)
}

// The figures that have a meaning in etcd have etcd's name.
var (
	descHasLeader   = stateDesc("etcd_server_has_leader", "Whether clients are served: 1 once this node is ready, 0 before.")
	descIsLeader    = stateDesc("etcd_server_is_leader", "The same as etcd_server_has_leader: a node is its own leader.")
	descSize        = stateDesc("etcd_mvcc_db_total_size_in_bytes", "Bytes of storage allocated.")
	descSizeInUse   = stateDesc("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of storage that hold live data and history.")
	descRevision    = stateDesc("etcd_debugging_mvcc_current_revision", "The current revision.")
	descCompacted   = stateDesc("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction.")
	descKeys        = stateDesc("etcd_debugging_mvcc_keys_total", "Keys.")
	descWatchers    = stateDesc("etcd_debugging_mvcc_watcher_total", "Watches.")
	descStreams     = stateDesc("etcd_debugging_mvcc_watch_stream_total", "Watch streams.")
	descSlow        = stateDesc("etcd_debugging_mvcc_slow_watcher_total", "Watches that lag and are served from history.")
	descIndex       = stateDesc("etcd_server_proposals_applied_total", "Records written to the log and applied.")
	descCommitted   = stateDesc("etcd_server_proposals_committed_total", "The same as etcd_server_proposals_applied_total: what is logged is applied.")
	descQuota       = stateDesc("etcd_server_quota_backend_bytes", "Bytes that clients may store, live data and history; 0 if there is no bound.")
	descSpaceLow    = stateDesc("causeway_log_space_low", "Whether writes are refused because too little space is left for the log.")
	descAlarm       = prometheus.NewDesc("etcd_debugging_server_alarms", "Alarms that stand, by member (in hexadecimal) and type.", []string{"server_id", "alarm_type"}, nil)
	descLiveBytes   = stateDesc("causeway_live_bytes", "Bytes of the keys and values that are visible.")
	descHistory     = stateDesc("causeway_history_events", "Events kept for watches and reads in the past.")
	descLeases      = stateDesc("causeway_leases", "Leases granted by this node and not ended.")
	descsOfAllState = []*prometheus.Desc{
		descHasLeader, descIsLeader, descSize, descSizeInUse, descRevision, descCompacted, descKeys,
		descWatchers, descStreams, descSlow, descIndex, descCommitted, descQuota, descSpaceLow, descAlarm, descLiveBytes, descHistory, descLeases,
	}
)

// Describe implements prometheus.Collector.
func (stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descsOfAllState {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	view, status := c.backend.View(), c.backend.Status()
	stats := view.Stats()
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	ready := one(c.backend.Ready())
	for _, m := range []struct {
		desc  *prometheus.Desc
		value float64
	}{
		{descHasLeader, ready},
		{descIsLeader, ready},
		{descSize, float64(status.Size)},
		{descSizeInUse, float64(status.SizeInUse)},
		{descQuota, float64(status.Quota)},
		{descSpaceLow, one(c.backend.LogSpaceLow())},
		{descRevision, float64(view.Revision())},
		{descCompacted, float64(view.CompactRevision())},
		{descKeys, float64(stats.Keys)},
		{descWatchers, float64(stats.Watchers)},
		{descStreams, float64(stats.Streams)},
		{descSlow, float64(stats.Lagging)},
		{descLiveBytes, float64(stats.Bytes)},
		{descHistory, float64(stats.History)},
		{descLeases, float64(stats.Leases)},
	} {
		ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value)
	}
	for _, a := range view.Alarms() {
		ch <- prometheus.MustNewConstMetric(descAlarm, prometheus.GaugeValue, 1, strconv.FormatUint(a.Member, 16), a.Type.String())
	}
	for _, d := range []*prometheus.Desc{descIndex, descCommitted} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(status.Index))
	}
}
