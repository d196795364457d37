package crdt

import "errors"

// Errors of decoding, wrapped with what was wrong.
var (
	ErrPatch  = errors.New("crdt: not the one encoding of a patch")
	ErrSchema = errors.New("crdt: not the one encoding of a merge schema")
	ErrLimit  = errors.New("crdt: beyond a limit")
)

// ErrApply is returned by [Apply] for a value or a result that is not mergeable.
var ErrApply = errors.New("crdt: the patch does not apply")
