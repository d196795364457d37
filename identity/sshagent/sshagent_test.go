package sshagent_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/identity/sshagent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newKey(t *testing.T) *identity.PrivateKey {
	t.Helper()
	k, err := identity.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// listen serves the socket that it returns until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // shorter than t.TempDir: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return socket
}

// keyring returns an in-process agent and its socket.
func keyring(t *testing.T) (agent.Agent, string) {
	t.Helper()
	ring := agent.NewKeyring()
	return ring, listen(t, func(c net.Conn) { _ = agent.ServeAgent(ring, c) })
}

func add(t *testing.T, ring agent.Agent, k *identity.PrivateKey, comment string) {
	t.Helper()
	seed := k.Seed()
	key := ed25519.NewKeyFromSeed(seed[:])
	if err := ring.Add(agent.AddedKey{PrivateKey: &key, Comment: comment}); err != nil {
		t.Fatal(err)
	}
}

func admit(issuer identity.PublicKey) identity.Statement {
	return identity.Statement{
		Mesh: new([32]byte), Issuer: issuer, Seq: 1,
		Content: identity.Admit{Name: "a", Keys: []identity.PublicKey{issuer}, Grant: identity.Grant{Role: identity.RoleReader}},
	}
}

// check has the agent at socket sign a statement with k's key.
func check(t *testing.T, socket string, k *identity.PrivateKey) {
	t.Helper()
	signer, err := sshagent.At(socket).Signer(t.Context(), k.Public())
	if err != nil {
		t.Fatal(err)
	}
	s, err := identity.SignStatement(admit(k.Public()), signer)
	if err != nil {
		t.Fatal(err)
	}
	if !s.VerifySignature() {
		t.Error("the statement's signature does not verify")
	}
	want, err := identity.SignStatement(admit(k.Public()), k)
	if err != nil {
		t.Fatal(err)
	}
	if s.Signature() != want.Signature() {
		t.Error("the agent's signature is another than the key's")
	}
}

func TestSigner(t *testing.T) {
	ring, socket := keyring(t)
	k, other := newKey(t), newKey(t)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: foreign}); err != nil {
		t.Fatal(err)
	}
	add(t, ring, other, "other")
	add(t, ring, k, "mine")
	keys, err := sshagent.At(socket).Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []sshagent.Key{{Public: other.Public(), Comment: "other"}, {Public: k.Public(), Comment: "mine"}}
	if len(keys) != 2 || keys[0] != want[0] || keys[1] != want[1] {
		t.Errorf("Keys() = %v, want %v", keys, want)
	}
	check(t, socket, k)

	t.Setenv(sshagent.SocketVariable, socket)
	found, err := sshagent.Find()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := found.Signer(t.Context(), newKey(t).Public()); !errors.Is(err, sshagent.ErrNotHeld) {
		t.Errorf("Signer(a key the agent lacks) = %v, want ErrNotHeld", err)
	}
	signer, err := found.Signer(t.Context(), k.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.RemoveAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.SignStatement([]byte("payload")); !errors.Is(err, sshagent.ErrRefused) {
		t.Errorf("SignStatement after the key is gone = %v, want ErrRefused", err)
	}
}

func TestNoAgent(t *testing.T) {
	t.Setenv(sshagent.SocketVariable, "")
	if _, err := sshagent.Find(); !errors.Is(err, sshagent.ErrNoAgent) {
		t.Errorf("Find() = %v, want ErrNoAgent", err)
	}
	if _, err := sshagent.At(filepath.Join(t.TempDir(), "none")).Keys(t.Context()); !errors.Is(err, sshagent.ErrNoAgent) {
		t.Errorf("Keys() of no socket = %v, want ErrNoAgent", err)
	}
}

// liar is an agent that holds a key and signs with what sign returns.
type liar struct {
	agent.Agent
	sign func(data []byte) (*ssh.Signature, error)
}

func (l liar) Sign(_ ssh.PublicKey, data []byte) (*ssh.Signature, error) { return l.sign(data) }

func TestLyingAgent(t *testing.T) {
	k, other := newKey(t), newKey(t)
	ring := agent.NewKeyring()
	add(t, ring, k, "")
	good := func(data []byte) []byte {
		seed := k.Seed()
		return ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), data)
	}
	for name, sign := range map[string]func([]byte) (*ssh.Signature, error){
		"another key": func(data []byte) (*ssh.Signature, error) {
			seed := other.Seed()
			return &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), data)}, nil
		},
		"other data": func(data []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: good(append(data, 0))}, nil
		},
		"another format": func(data []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: good(data)}, nil
		},
		"a cut signature": func(data []byte) (*ssh.Signature, error) {
			return &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: good(data)[:63]}, nil
		},
		"nothing": func([]byte) (*ssh.Signature, error) { return &ssh.Signature{}, nil },
	} {
		socket := listen(t, func(c net.Conn) { _ = agent.ServeAgent(liar{ring, sign}, c) })
		signer, err := sshagent.At(socket).Signer(t.Context(), k.Public())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signer.SignStatement([]byte("payload")); !errors.Is(err, sshagent.ErrSignature) && !errors.Is(err, sshagent.ErrRefused) {
			t.Errorf("%s: SignStatement = %v, want ErrSignature", name, err)
		}
	}
}

// TestSilentAgent: an agent that says nothing does not outlive the command.
func TestSilentAgent(t *testing.T) {
	asked := make(chan struct{}, 1)
	socket := listen(t, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			asked <- struct{}{}
		}
		_, _ = io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := sshagent.At(socket).Keys(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Keys() of a silent agent = %v, want context.Canceled", err)
	}
}

// TestNonsenseAgent: what an agent says makes a call fail at worst.
func TestNonsenseAgent(t *testing.T) {
	for _, answer := range []string{"", "\x00\x00\x00\x00", "\x00\x00\x00\x01\x0c", "\x00\x00\x00\x05\x0c\xff\xff\xff\xff", "\xff\xff\xff\xff", "\x00\x00\x00\x01\x05"} {
		socket := listen(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 64))
			_, _ = io.WriteString(c, answer)
		})
		if keys, err := sshagent.At(socket).Keys(t.Context()); err == nil && len(keys) > 0 {
			t.Errorf("Keys() of %q = %v", answer, keys)
		}
	}
}

// TestOpenSSHAgent asks the real thing.
func TestOpenSSHAgent(t *testing.T) {
	for _, program := range []string{"ssh-agent", "ssh-add"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: %s is not installed", program)
		}
	}
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "key")
	daemon := exec.Command("ssh-agent", "-D", "-a", socket)
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	}()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it prints its socket once it listens
		t.Fatal(err)
	}
	k := newKey(t)
	if err := identity.WriteKeyFile(file, k, "mine", nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	add := exec.CommandContext(ctx, "ssh-add", file)
	add.Env = append(os.Environ(), sshagent.SocketVariable+"="+socket)
	if b, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v\n%s", err, b)
	}
	keys, err := sshagent.At(socket).Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0] != (sshagent.Key{Public: k.Public(), Comment: "mine"}) {
		t.Errorf("Keys() = %v, %v", keys, err)
	}
	check(t, socket, k)
}
