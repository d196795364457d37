// Package sshagent lets a key that an ssh-agent holds sign statements, so that
// an operator's private key need not be where statements are made.
//
// The agent is asked to sign exactly what `ssh-keygen -Y sign -n
// statement@causeway` has it sign (OpenSSH's PROTOCOL.sshsig), and what it
// returns is verified before it is used: an agent, or whoever sits at its
// socket, can refuse but not make a wrong statement. What the agent protects
// its keys with is not this package's matter.
//
// docs/keys.md, "ssh-agent", describes it for people.
package sshagent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/causeway-sync/causeway/identity"
)

// SocketVariable is the environment variable that names the agent's socket.
const SocketVariable = "SSH_AUTH_SOCK"

const (
	// listTimeout bounds how long an agent may take to say what it holds.
	listTimeout = 10 * time.Second
	// signTimeout bounds how long it may take to sign: it may ask a person.
	signTimeout = 5 * time.Minute
)

// An Agent is where an ssh-agent listens. It holds no connection: each call
// makes its own. It is safe for concurrent use.
type Agent struct{ socket string }

// Find returns the agent that the environment names. The error is [ErrNoAgent]
// if it names none; whether it answers is not looked at.
func Find() (*Agent, error) {
	socket := os.Getenv(SocketVariable)
	if socket == "" {
		return nil, fmt.Errorf("%w: %s is not set", ErrNoAgent, SocketVariable)
	}
	return &Agent{socket}, nil
}

// At returns the agent that listens on a unix socket.
func At(socket string) *Agent { return &Agent{socket} }

// A Key is the public half of a key that an agent holds. The comment is
// somebody's text: it may hold anything.
type Key struct {
	Public  identity.PublicKey
	Comment string
}

// Keys returns the Ed25519 keys that the agent holds, in its order. Others,
// those on FIDO tokens among them, are left out. Errors: [ErrNoAgent], ctx's.
func (a *Agent) Keys(ctx context.Context) ([]Key, error) {
	var held []*agent.Key
	err := a.call(ctx, listTimeout, func(c agent.Agent) (err error) {
		held, err = c.List()
		return err
	})
	if err != nil {
		return nil, err
	}
	keys := []Key{}
	for _, h := range held {
		if h.Format != ssh.KeyAlgoED25519 {
			continue
		}
		pub, _, err := identity.ParseAuthorizedKey(string(ssh.MarshalAuthorizedKey(h)))
		if err == nil {
			keys = append(keys, Key{Public: pub, Comment: h.Comment})
		}
	}
	return keys, nil
}

// Signer returns what signs statements with the key pub, which the agent must
// hold. ctx bounds the signing too. Errors: [ErrNoAgent], [ErrNotHeld], ctx's.
func (a *Agent) Signer(ctx context.Context, pub identity.PublicKey) (*Signer, error) {
	keys, err := a.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(keys, func(k Key) bool { return k.Public == pub }) {
		return nil, fmt.Errorf("%w %s", ErrNotHeld, pub.Fingerprint())
	}
	return &Signer{ctx: ctx, agent: a, pub: pub}, nil
}

// call runs fn on a new connection, which ends with ctx or after timeout.
func (a *Agent) call(ctx context.Context, timeout time.Duration, fn func(agent.Agent) error) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(limited, "unix", a.socket)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoAgent, err)
	}
	defer conn.Close()
	defer context.AfterFunc(limited, func() { conn.Close() })()
	// A client that cannot close its connection has no goroutine of its own.
	if err := fn(agent.NewClient(struct{ io.ReadWriter }{conn})); err != nil {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return fmt.Errorf("%w: no answer within %v", ErrNoAgent, timeout)
		}
		return err
	}
	return nil
}

// A Signer is an [identity.StatementSigner] that asks an agent. Make it with
// [Agent.Signer]. It is safe for concurrent use.
type Signer struct {
	ctx   context.Context // of the command that signs: the interface has no room for one
	agent *Agent
	pub   identity.PublicKey
}

var _ identity.StatementSigner = (*Signer)(nil)

// Public implements [identity.StatementSigner].
func (s *Signer) Public() identity.PublicKey { return s.pub }

// SignStatement implements [identity.StatementSigner]. It waits for the agent,
// which may ask a person. Errors: [ErrRefused], [ErrSignature], [ErrNoAgent],
// those of the context that the signer was made with.
func (s *Signer) SignStatement(payload []byte) (identity.Signature, error) {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(s.pub[:]))
	if err != nil {
		return identity.Signature{}, err
	}
	data := identity.SSHSignedData(payload)
	var sig *ssh.Signature
	err = s.agent.call(s.ctx, signTimeout, func(c agent.Agent) (err error) {
		sig, err = c.Sign(key, data)
		return err
	})
	switch {
	case errors.Is(err, ErrNoAgent), s.ctx.Err() != nil:
		return identity.Signature{}, err
	case err != nil:
		return identity.Signature{}, fmt.Errorf("%w: %w", ErrRefused, err)
	case sig.Format != ssh.KeyAlgoED25519 || len(sig.Blob) != ed25519.SignatureSize || !ed25519.Verify(s.pub[:], data, sig.Blob):
		return identity.Signature{}, ErrSignature
	}
	return identity.Signature(sig.Blob), nil
}
