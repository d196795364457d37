package profile

import "errors"

var (
	// ErrName is returned for a name that is no profile's.
	ErrName = errors.New("profile: neither shared nor independent")
	// ErrRoot is returned for a root that is no prefix of patterns.
	ErrRoot = errors.New("profile: bad root")
	// ErrPatterns is returned for patterns outside of the root, too many of
	// them, or such as the profile has no use for.
	ErrPatterns = errors.New("profile: bad patterns")
)
