package dag

import "github.com/causeway-sync/causeway/identity"

// Bounds of the format (docs/op.md section 4). They decide which ops are
// valid, so every node must hold the same ones; a change is a new version.
const (
	// MaxParents bounds an op's parents: a header stays below 6 KiB, and more
	// heads than that are folded by several ops.
	MaxParents = 128

	// MaxBlock bounds a block, in bytes: MaxParents links of 41 bytes, 64
	// bytes of signature and the other fields stay below it. No valid block
	// reaches it; it lets a reader refuse a frame by its length.
	MaxBlock = 6 << 10

	// MaxBody bounds a body container, in bytes: above etcd's largest request
	// (1.5 MiB, 2 MiB as a gRPC message) with room for a transaction's other keys.
	MaxBody = 4 << 20

	// MaxTransactions bounds the transactions of an op: the proof that one was
	// dropped stays at 12 hashes, and a seal stays small.
	MaxTransactions = 4096

	// MaxTransactionWrites bounds the writes of a transaction: what one delete
	// of a range, written key by key, may touch.
	MaxTransactionWrites = 65536

	// MaxWrites bounds the writes of an op: one transaction of the largest
	// size and 64 KiB of small ones, the most that a seal gathers. It keeps
	// what a parsed body occupies in memory (160 bytes for each write of
	// at least 5) at 20 MiB beside the body itself.
	MaxWrites = 2 * MaxTransactionWrites

	// MaxStatements bounds the statements of an op: rosters are small.
	MaxStatements = 64

	// MaxStatement bounds a statement, in bytes.
	MaxStatement = identity.MaxStatementSize

	// MaxSchemas bounds the merge schemas of an op: one seal writes few kinds
	// of values for the first time.
	MaxSchemas = 64

	// MaxSchema bounds a merge schema, in bytes. It is that of dag/crdt.
	MaxSchema = 1 << 20

	// MaxKey bounds a key and the end of a range, in bytes. etcd has no bound
	// of its own but the request's.
	MaxKey = 1 << 20

	// MaxEpoch is the greatest revision window: revisions, epoch · 2^40 and
	// up, stay below 2^63.
	MaxEpoch = 1<<23 - 1
)

// maxOps bounds the ops of a Graph: positions in a chain and chain numbers are
// 32 bits. At about 200 bytes for each op it is beyond any machine's memory.
const maxOps = 1<<32 - 1

// maxUnions bounds a Graph's memory of which two rosters made which third;
// beyond it the memory is emptied. A mesh at rest uses a handful.
const maxUnions = 1024
