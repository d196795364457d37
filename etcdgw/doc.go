// Package etcdgw serves the etcd v3 API of one node: KV, Watch, Lease,
// Maintenance, Cluster, Auth, Lock and Election over gRPC and,
// as etcd's JSON gateway does, over HTTP below /v3/, and /health, /livez, /readyz, /version and
// /metrics over HTTP on the same port.
//
// Towards the clients of this node it behaves as a one-member etcd does:
// linearizable reads and writes, dense local revisions, watches without gaps,
// durability before the answer, and etcd's own error codes and texts, since
// clients compare the texts. Every deviation is listed in docs/etcd.md with the
// test that shows it.
//
// The package holds no state of its own but the tokens of users. It checks requests, hands writes to a
// [Backend] and reads what the backend has published in its mvcc.View. All that
// is acknowledged has been published before, so a read of the published view is
// linearizable without further ado.
//
// It does not promise anything across nodes: a compare holds against this node's
// state, and a lease lives on this node.
package etcdgw
