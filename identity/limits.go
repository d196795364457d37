package identity

// Bounds of the format (docs/op.md, sections 4, 6 and 7). They are consensus:
// changing one needs a new version of the format.
const (
	// MaxStatementSize is the greatest length in bytes of an encoded statement:
	// it bounds what one carried statement costs every node for ever.
	MaxStatementSize = 16 << 10
	// MaxKeys is the most keys of an operator, and the most founders.
	MaxKeys = 16
	// MaxPatterns is the most patterns in a grant: it bounds what folding several costs.
	MaxPatterns = 32
	// MaxPatternSize is the greatest length in bytes of a key pattern.
	MaxPatternSize = 1024
	// MaxRules is the most rules in one policy statement.
	MaxRules = 256
	// MaxNameSize is the greatest length in bytes of an operator's name.
	MaxNameSize = 128
	// MaxKeep is the most keep heads of a restriction: as many as an op has parents.
	MaxKeep = 128
	// MaxRotations is the greatest index of a rotated key.
	MaxRotations = 255
	// MaxVersions is the most apiVersions of a form.
	MaxVersions = 8
	// MaxFormSize is the greatest length in bytes of a form's kind and of each apiVersion.
	MaxFormSize = 128
)

// maxSupersedes follows from the greatest statement; it bounds the allocation.
const maxSupersedes = MaxStatementSize / 34

// maxKeyFileSize bounds what is read of a key file, in bytes. An Ed25519 key
// takes less than 1 KiB with any comment ssh-keygen would write.
const maxKeyFileSize = 64 << 10

// maxSSHSignatureSize bounds an armored signature, in bytes; ours takes 320.
const maxSSHSignatureSize = 4 << 10
