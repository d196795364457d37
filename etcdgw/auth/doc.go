// Package auth keeps the users, roles and permissions of one gateway, and
// decides what a client may do, as etcd does with simple tokens.
//
// Users and roles are this node's own: they are not part of the mesh's state,
// no other node sees them, and changing them moves no revision of the keyspace.
// They restrict the clients of this gateway; what the node itself may write is
// decided by the roster, whatever is allowed here.
//
// A [Store] holds one immutable state at a time. A change makes the next one,
// saves it whole in a [Storage] and only then shows it, so that a change that was
// answered is durable, a change that failed had no effect, and checks wait for
// no disk. Checks use the state of the moment they are made.
//
// Errors are those of package rpctypes, with etcd's codes and texts, but for
// [ErrNoPasswordUser], which etcd has outside that package. The behaviour is
// described, with the encoding of the state, in docs/etcd.md.
package auth
