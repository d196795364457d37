package sshagent

import "errors"

// Errors of this package.
var (
	// ErrNoAgent says that there is no agent, or that it does not answer.
	ErrNoAgent = errors.New("identity/sshagent: no ssh-agent")
	// ErrNotHeld says that the agent does not hold the key, or is locked.
	ErrNotHeld = errors.New("identity/sshagent: the ssh-agent does not hold the key")
	// ErrRefused says that the agent did not sign: a person said no, for instance.
	ErrRefused = errors.New("identity/sshagent: the ssh-agent did not sign")
	// ErrSignature says that what the agent returned is not the key's signature.
	ErrSignature = errors.New("identity/sshagent: the ssh-agent returned a wrong signature")
)
