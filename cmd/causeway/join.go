package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/causeway-sync/causeway/node"
	"github.com/causeway-sync/causeway/node/p2p"
)

// maxTicket bounds what is read as a ticket, in bytes.
const maxTicket = 64 << 10

func newJoin(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "join",
		Short: "Join a mesh with a ticket",
		Long: `Join redeems a ticket for a data directory that holds no node yet: it makes the
node's key, and the operator's unless one is given, and is enrolled by the node
that issued the ticket. The ticket is a secret; it is read from standard input
or a file, never from the command line.`,
		Example: `  causeway invite --data-dir a | causeway join --data-dir b
  causeway join --ticket-file ticket --operator-name acme`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "operator")
	file := c.Flags().String("ticket-file", "-", "file that holds the ticket; - is standard input")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "-" && operator.secret.fd == 0 {
			return usageError{errors.New("--passphrase-fd 0 needs --ticket-file: standard input cannot hold both")}
		}
		text, err := readTicket(cmd.Context(), std, *file)
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

// readTicket reads a ticket's text from file, standard input if that is "-". A
// terminal gives one line.
func readTicket(ctx context.Context, std stdio, file string) (string, error) {
	src, from := std.in, "standard input"
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("ticket file: %w", err)
		}
		defer f.Close()
		src, from = f, file
	}
	if f, ok := src.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(std.err, "Ticket: ")
		secret, err := hidden(ctx, f)
		fmt.Fprintln(std.err)
		if err != nil {
			return "", err
		}
		src = strings.NewReader(string(secret))
	}
	b, err := io.ReadAll(io.LimitReader(src, maxTicket+1))
	if err != nil {
		return "", fmt.Errorf("read ticket: %w", err)
	}
	if len(b) > maxTicket {
		return "", fmt.Errorf("%s is too long for a ticket", from)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return "", fmt.Errorf("%s holds no ticket", from)
	}
	return string(b), nil
}
