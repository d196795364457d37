package auth

import "errors"

var (
	// ErrNoPasswordUser answers a password for a user that has none, or a hashed
	// one that is not base64. etcd sends it with code Unknown and this text.
	ErrNoPasswordUser = errors.New("auth: authentication failed, password was given for no password user")
	// ErrConfig is wrapped by the error of [Open] for a bad configuration.
	ErrConfig = errors.New("auth: invalid configuration")
	// ErrCorrupt is wrapped by the error of [Open] when what the storage returns
	// is no encoded state.
	ErrCorrupt = errors.New("auth: the saved state cannot be read")
)
