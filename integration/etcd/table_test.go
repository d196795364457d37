package etcd

import "testing"

// TestTables puts the tables of each RPC to an etcd and a node. The tables of
// a pair run one after the other on the same state: etcd's is the reference,
// whatever came before.
func TestTables(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			p := startPair(t, v.start)
			for _, table := range tables {
				if !t.Run(table.name, func(t *testing.T) { table.run(p.in(t)) }) {
					p.realign() // so that one failure does not show in every table after it
				}
			}
		})
	}
}

var tables = []struct {
	name string
	run  func(*pair)
}{
	{"Maintenance", tableMaintenance},
	{"Cluster", tableCluster},
	{"Unknown", tableUnknown},
	{"Put", tablePut},
	{"Range", tableRange},
	{"RangeStream", tableRangeStream},
	{"DeleteRange", tableDeleteRange},
	{"Txn", tableTxn},
	{"TxnCompare", tableTxnCompare},
	{"TxnOverlap", tableTxnOverlap},
	{"Size", tableSize},
	{"Lease", tableLease},
	{"LeaseExpiry", tableLeaseExpiry},
	{"Watch", tableWatch},
	{"WatchControl", tableWatchControl},
	{"WatchHistory", tableWatchHistory},
	{"WatchProgress", tableWatchProgress},
	{"WatchFragment", tableWatchFragment},
	{"Compact", tableCompact},
	{"Lock", tableLock},
	{"Election", tableElection},
	{"JSON", tableJSON},
	{"Auth", tableAuth},
	{"AuthRanges", tableAuthRanges},
	{"RangeCombined", tableRangeCombined},
	{"LeaseBounds", tableLeaseBounds},
	{"WatchCompacted", tableWatchCompacted},
	{"Health", tableHealth},
	{"Alarm", tableAlarm},
}
