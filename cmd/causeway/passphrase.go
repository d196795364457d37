package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxPassphrase bounds a passphrase, in bytes.
const maxPassphrase = 1024

// errNoTerminal says that a passphrase is needed and nobody can be asked.
var errNoTerminal = errors.New("a passphrase is needed: use a terminal, --passphrase-fd or --passphrase-credential")

// passphrases is where a command gets its passphrases from: lines of an open
// file, lines of a systemd credential, or the person at the terminal. They are
// never in the command line, nor in the environment.
type passphrases struct {
	std        stdio
	fd         int    // -1: not given
	credential string // name of a systemd credential; empty: not given
	src        io.Reader
}

// passphraseFlag adds --passphrase-fd and --passphrase-credential.
func passphraseFlag(c *cobra.Command, std stdio) *passphrases {
	p := &passphrases{std: std}
	c.Flags().IntVar(&p.fd, "passphrase-fd", -1, "read passphrases from this file descriptor, one to a line, instead of asking")
	c.Flags().StringVar(&p.credential, "passphrase-credential", "", "read passphrases from this systemd credential, one to a line, instead of asking")
	c.MarkFlagsMutuallyExclusive("passphrase-fd", "passphrase-credential")
	return p
}

// offered reports whether a flag says where passphrases are: nobody is asked then.
func (p *passphrases) offered() bool { return p.fd >= 0 || p.credential != "" }

// read returns the next passphrase: the next line of what a flag names, or
// what is typed at prompt.
func (p *passphrases) read(ctx context.Context, prompt string) ([]byte, error) {
	if !p.offered() {
		return p.ask(ctx, prompt)
	}
	if p.src == nil {
		src, err := p.open()
		if err != nil {
			return nil, err
		}
		p.src = src
	}
	return readLine(p.src)
}

// open opens what the flags name.
func (p *passphrases) open() (io.Reader, error) {
	switch {
	case p.credential != "":
		return readCredential(p.credential)
	case p.fd == 0:
		return p.std.in, nil
	}
	f := os.NewFile(uintptr(p.fd), "passphrase")
	if _, err := f.Stat(); err != nil {
		return nil, fmt.Errorf("--passphrase-fd %d is not an open file", p.fd)
	}
	return f, nil
}

// credentialsVariable names the directory in which systemd puts a service's
// credentials. The directory's name is no secret; what is in it is.
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// maxCredential bounds a credential, in bytes: two passphrases and their line ends.
const maxCredential = 2 * (maxPassphrase + 2)

// readCredential returns the lines of a systemd credential.
func readCredential(name string) (io.Reader, error) {
	if name == "." || name == ".." || name != filepath.Base(name) {
		return nil, usageError{fmt.Errorf("--passphrase-credential %q is a path, not a credential's name", name)}
	}
	dir := os.Getenv(credentialsVariable)
	if dir == "" {
		return nil, fmt.Errorf("credential %s: %s is not set: systemd sets it for a service with credentials", name, credentialsVariable)
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", name, err)
	}
	// Not the group's bits: systemd gives the service's user access by an
	// access list, whose mask they then show.
	if perm := info.Mode().Perm(); perm&0o007 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("credential %s is accessible to others: mode is %#o", name, perm)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", name, err)
	}
	if len(b) > maxCredential {
		return nil, fmt.Errorf("credential %s exceeds %d bytes", name, maxCredential)
	}
	return bytes.NewReader(b), nil
}

// fresh returns a new passphrase, asked for twice; it may be empty.
func (p *passphrases) fresh(ctx context.Context, what string) ([]byte, error) {
	first, err := p.read(ctx, fmt.Sprintf("New passphrase for %s (empty for none): ", what))
	if err != nil || p.offered() {
		return first, err
	}
	again, err := p.read(ctx, "Again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, errors.New("the passphrases differ")
	}
	return first, nil
}

// ask reads a passphrase from the terminal without showing it.
func (p *passphrases) ask(ctx context.Context, prompt string) ([]byte, error) {
	f, ok := p.std.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, errNoTerminal
	}
	fmt.Fprint(p.std.err, prompt)
	defer fmt.Fprintln(p.std.err)
	secret, err := hidden(ctx, f)
	if err == nil && len(secret) > maxPassphrase {
		return nil, fmt.Errorf("the passphrase exceeds %d bytes", maxPassphrase)
	}
	return secret, err
}

// hidden reads a line from a terminal without showing it, until ctx is done.
func hidden(ctx context.Context, tty *os.File) ([]byte, error) {
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	type answer struct {
		secret []byte
		err    error
	}
	// The reader ends with the line or with the process: a read from a
	// terminal cannot be called off.
	typed := make(chan answer, 1)
	go func() {
		secret, err := term.ReadPassword(fd)
		typed <- answer{secret, err}
	}()
	select {
	case a := <-typed:
		return a.secret, a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return nil, ctx.Err()
	}
}

// readLine reads up to a line end, byte by byte so that the next line stays
// in r.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n', err == io.EOF && len(line) > 0:
			return bytes.TrimSuffix(line, []byte("\r")), nil
		case err == io.EOF:
			return nil, errors.New("no passphrase is left to read")
		case err != nil:
			return nil, fmt.Errorf("read passphrase: %w", err)
		case n == 0:
			continue
		}
		if line = append(line, b[0]); len(line) > maxPassphrase {
			return nil, fmt.Errorf("the passphrase exceeds %d bytes", maxPassphrase)
		}
	}
}
