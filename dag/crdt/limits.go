package crdt

// Bounds of format version 1 (docs/merge.md section 7). They decide what a
// value is, so every node must hold the same ones; a change is a new version.
const (
	// MaxValue bounds a value whose tree is looked at, and the result of a
	// patch or a merge, in bytes. Larger values, which etcd takes, are only ever replaced whole.
	MaxValue = 256 << 10

	// MaxPatch bounds an encoded patch, in bytes: one that is longer than the
	// value it makes is sent as a replace.
	MaxPatch = MaxValue

	// MaxDepth bounds the nesting of a value, a patch and a schema's use. It
	// bounds recursion.
	MaxDepth = 100

	// MaxNodes bounds the nodes of a tree: what a value may take in memory, at
	// about 150 bytes each, and what parsing and merging it costs.
	MaxNodes = 1 << 14

	// MaxSchema bounds an encoded schema, in bytes, and MaxTypes its types.
	MaxSchema = 1 << 20
	MaxTypes  = 1 << 14

	// MaxIndent bounds one level of a JSON text's indentation, in bytes.
	MaxIndent = 8

	// maxAlign bounds the product of the lengths of two arrays that are
	// aligned by their longest common subsequence, once what they share at
	// either end is set aside. Beyond it the rest is taken item by item.
	maxAlign = 1 << 16
)
