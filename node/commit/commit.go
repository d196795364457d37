// Package commit is a node's commit pipeline: the single writer that turns
// client requests and received operations into records of the admission log,
// and the log into a graph and a view (docs/node.md).
//
// It guarantees:
//
//   - Nothing is answered, published to readers, or handed to other nodes
//     before it is durable. After a failed append it stops for good.
//   - Every own op's parents are the heads of exactly the snapshot its
//     transactions were evaluated against: received ops are admitted only when
//     every answered transaction has been sealed.
//   - An own op is durable before anyone can fetch it, so that a crash never
//     makes the node fork itself.
//   - The view is a function of the log: replaying it gives the same revisions.
//
// It does not talk to the network; node/p2p and the gateway call it.
package commit
