// Package etcd compares a Causeway node with a real etcd: the same requests are
// put to both, by one client at a time, and whole responses, errors and watch
// histories must be equal. It holds tests only.
//
// The etcd is go.etcd.io/etcd/server/v3 of the version whose API the node
// serves, embedded, one member, on loopback. The node is the built causeway
// command. It is tested as the founder of a mesh and as a node that joined one.
//
// The tables go through one RPC after the other; the random test mixes them all:
//
//	go test .                                      all, with ten thousand operations
//	go test . -run Random -ops 100000 -timeout 2h  the long run
//	go test . -run Random -seed 7                  the operations of seed 7 again
//
// # What is made equal before it is compared
//
// Everything else is compared as it comes, text of errors and order included.
//
//   - cluster_id, member_id and raft_term of a header: those of the site become 1, anything else stays.
//     The same for the leader in Status and the member in MemberList.
//   - Revisions of a joined node above 1 are shifted down by its window's: the window's first change is
//     etcd's revision 2. The founder's are compared as they are.
//   - IDs of leases that the server chose stand for the order in which they were granted.
//   - The seconds that are left to a lease may differ by ten. The keys of a lease are sorted: etcd's order is chance.
//   - Status: version, storage version, sizes and raft indexes must be there where etcd has them. The quota, and
//     the name and URLs of the member, are not compared.
//   - Authenticate: a token must be there.
//   - Hash and HashKV: the number must not be 0. HashKV of a founder is compared as it comes
//     where no server chose a lease's ID (TestHashKV).
//   - Responses of a watch that hold events are cut into events, since how many revisions share a response
//     depends on timing. That revisions are not split among responses and that the header is
//     not behind the events is checked of each site by itself. Progress notifications of
//     single watches are checked, not compared: how many come depends on timing.
//   - The header's revision in a cancellation for compaction: etcd sends 0.
//
// # What is not asked
//
// Only what docs/etcd.md lists as different, and what ends an etcd 3.7.3: in a random transaction, a
// delete of a range without end (range_end "\x00") beside a put. etcd does not see that the
// two overlap. It panics when the put keeps the value or the lease that the delete took, and when the
// key is read at that revision after a compaction at just that one.
package etcd
