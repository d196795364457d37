package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/p2p"
)

// maxText bounds what is read as a ticket, a request or a pass, in bytes.
const maxText = 128 << 10

func newJoin(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "join",
		Short: "Join a mesh with a ticket or a pass",
		Long: `Join redeems a ticket for a data directory that holds no node yet: it makes the
node's key, and the operator's unless one is given, and is enrolled by the node
that issued the ticket. The ticket is a secret; it is read from standard input
or a file, never from the command line.

A node that an operator enrolled by its request ("causeway member request") has
a pass instead of a ticket: --pass-file. It is no secret.`,
		Example: `  causeway invite --data-dir a | causeway join --data-dir b
  causeway join --ticket-file ticket --operator-name acme`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "operator")
	file := c.Flags().String("ticket-file", "-", "file that holds the ticket; - is standard input")
	pass := c.Flags().String("pass-file", "", "file that holds a pass instead of a ticket; - is standard input")
	c.MarkFlagsMutuallyExclusive("ticket-file", "pass-file")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *pass != "" {
			return joinWithPass(cmd.Context(), std, *out, *dir, *pass)
		}
		if *file == "-" && operator.secret.fd == 0 {
			return usageError{errors.New("--passphrase-fd 0 needs --ticket-file: standard input cannot hold both")}
		}
		text, err := readText(cmd.Context(), std, *file, "ticket")
		if err != nil {
			return err
		}
		ticket, err := p2p.ParseTicket(text)
		if err != nil {
			return err
		}
		signer, err := operatorSigner(cmd.Context(), operator, *dir)
		if err != nil && !errors.Is(err, errNoOperatorKey) { // without one, Join makes it
			return err
		}
		if err := node.Join(cmd.Context(), *dir, text, node.JoinOptions{Name: operator.name, Operator: signer}); err != nil {
			return explain(err, *dir)
		}
		fmt.Fprintf(std.err, "Joined the mesh. Start the node: causeway serve --data-dir %s\n", *dir)
		return printMembership(std, *out, ticket.Mesh, *dir)
	}
	return c
}

func joinWithPass(ctx context.Context, std stdio, out format, dir, file string) error {
	text, err := readText(ctx, std, file, "pass")
	if err != nil {
		return err
	}
	pass, err := node.JoinWithPass(dir, text)
	if err != nil {
		return explain(err, dir)
	}
	fmt.Fprintf(std.err, "Joined the mesh. Start the node: causeway serve --data-dir %s\n", dir)
	return printMembership(std, out, pass.Mesh, dir)
}

// readText reads a ticket, a request or a pass from file, standard input if
// that is "-". A terminal gives one line, unseen.
func readText(ctx context.Context, std stdio, file, what string) (string, error) {
	src, from := std.in, "standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("%s file: %w", what, err)
		}
		defer f.Close()
		src, from = f, file
		if info, err := f.Stat(); what == "ticket" && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			fmt.Fprintf(std.err, "Others may read %s, mode %#o: a ticket is a secret. Write it under umask 077, and remove it once it is used.\n", file, info.Mode().Perm())
		}
	}
	if f, ok := src.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(std.err, strings.ToUpper(what[:1])+what[1:]+": ")
		secret, err := hidden(ctx, f)
		fmt.Fprintln(std.err)
		if err != nil {
			return "", err
		}
		src = strings.NewReader(string(secret))
	}
	b, err := io.ReadAll(io.LimitReader(src, maxText+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	if len(b) > maxText {
		return "", fmt.Errorf("%s is too long for a %s", from, what)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return "", fmt.Errorf("%s holds no %s", from, what)
	}
	return string(b), nil
}
