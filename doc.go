// Package causeway is the root of a module that keeps one key-value state in
// step across edge sites run by operators who do not trust each other. It
// holds no code but the tests of what concerns the whole: the graph of imports,
// the documents' claims.
//
// From the bottom up, each importing only what stands before it:
//
//   - identity: keys, signatures, statements, the roster; identity/dagcbor is
//     their encoding
//   - dag: signed operations, their validity and causality; pure
//   - dag/reconcile: the synchronisation state machine; pure
//   - dag/leveldb, dag/memstore: the store contract on disk and in memory
//   - etcdgw/mvcc: the materialised view with its local revisions
//   - etcdgw: the etcd v3 services
//   - node/commit, node/p2p, node/admin: commit pipeline, network, admin socket
//   - node: one node put together
//   - cmd/causeway: the command line
//
// Start with README.md; docs/ holds the formats and protocols.
package causeway
