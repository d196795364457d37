package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxPassphrase bounds a passphrase, in bytes.
const maxPassphrase = 1024

// errNoTerminal says that a passphrase is needed and nobody can be asked.
var errNoTerminal = errors.New("a passphrase is needed: use a terminal or --passphrase-fd")

// passphrases is where a command gets its passphrases from: lines of an open
// file, or the person at the terminal. They are never in the command line.
type passphrases struct {
	std stdio
	fd  int // -1: ask
	src io.Reader
}

// passphraseFlag adds --passphrase-fd.
func passphraseFlag(c *cobra.Command, std stdio) *passphrases {
	p := &passphrases{std: std}
	c.Flags().IntVar(&p.fd, "passphrase-fd", -1, "read passphrases from this file descriptor, one to a line, instead of asking")
	return p
}

// read returns the next passphrase: the next line of the file descriptor, or
// what is typed at prompt.
func (p *passphrases) read(ctx context.Context, prompt string) ([]byte, error) {
	if p.fd < 0 {
		return p.ask(ctx, prompt)
	}
	if p.src == nil {
		p.src = p.std.in
		if p.fd != 0 {
			f := os.NewFile(uintptr(p.fd), "passphrase")
			if _, err := f.Stat(); err != nil {
				return nil, fmt.Errorf("--passphrase-fd %d is not an open file", p.fd)
			}
			p.src = f
		}
	}
	return readLine(p.src)
}

// fresh returns a new passphrase, asked for twice; it may be empty.
func (p *passphrases) fresh(ctx context.Context, what string) ([]byte, error) {
	first, err := p.read(ctx, fmt.Sprintf("New passphrase for %s (empty for none): ", what))
	if err != nil || p.fd >= 0 {
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
			return nil, errors.New("no passphrase at the file descriptor: it is at its end")
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
