// Package node puts a Causeway node together: the data directory, the commit
// pipeline (node/commit), the network (node/p2p), the etcd gateway (etcdgw)
// and the admin socket (node/admin). Its page is docs/node.md.
//
// [Init] founds a mesh, [Join] joins one by a ticket; [Open] runs the node that
// either has prepared, and founds a mesh of one on an empty directory. A node
// owns everything it starts; [Node.Close] ends it.
package node
