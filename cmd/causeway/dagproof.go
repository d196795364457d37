package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

func newDAGForks(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "forks",
		Short: "List the authors that have forked",
		Long: `Forks lists the authors that have signed two operations on one predecessor: a
liar, a thief beside the owner, or a disk that was copied. Proof exports what
proves it. "By proof" says that a peer showed the proof, and not both of the
operations are at this node.`,
		Example: `  causeway dag forks
  causeway dag forks -o json | jq -r '.[].author'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withSource(cmd.Context(), *dir, func(source source) error {
			forked, err := source.Forked(cmd.Context())
			if err != nil {
				return err
			}
			return out.write(std.out, nonNil(forked), func(w io.Writer) {
				fmt.Fprintln(w, "AUTHOR\tFINGERPRINT\tOPERATOR\tBRANCHES\tOPS")
				for _, f := range forked {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d%s\t%s %s\n", f.Author, f.Author.Fingerprint(), orDash(printable(f.Operator)), f.Branches, shownNote(f), f.A, f.B)
				}
			})
		})
	}
	return c
}

// shownNote says of a forker that the ops which prove it are not both here.
func shownNote(f admin.ForkedAuthor) string {
	if f.Shown {
		return " here, by proof"
	}
	return ""
}

func newDAGProof(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "proof <author>",
		Short: "Export the proof that an author has forked",
		Long: `Proof writes what proves that an author has signed two operations on one
predecessor: the two signed headers, for anybody to check with verify-proof. The
author is a public key, or its fingerprint. The proof is bytes: it goes to a
file, or to standard output if that is no terminal.`,
		Example: `  causeway dag proof --out liar.proof ed25519:…
  causeway dag proof SHA256:… | ssh auditor causeway dag verify-proof -`,
		Args: exactly(1, "the author"),
	}
	dir := dataDirFlag(c)
	file := c.Flags().String("out", "-", "file to write, which must not exist yet; - is standard output")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *file == "-" && isTerminal(std.out) {
			return usageError{errors.New("a proof is no text: name a file with --out")}
		}
		return withSource(cmd.Context(), *dir, func(source source) error {
			author, err := findForked(cmd.Context(), source, args[0])
			if err != nil {
				return err
			}
			proof, err := source.ForkProof(cmd.Context(), author)
			if err != nil {
				return err
			}
			return writeNew(std.out, *file, func(w io.Writer) error {
				_, err := w.Write(proof.Proof)
				return err
			})
		})
	}
	return c
}

// findForked returns the author that text names: a public key, or the
// fingerprint of one that has forked.
func findForked(ctx context.Context, source source, text string) (identity.PublicKey, error) {
	if !strings.HasPrefix(text, "SHA256:") {
		author, err := identity.ParsePublicKey(text)
		if err != nil {
			return identity.PublicKey{}, usageError{fmt.Errorf("%q is neither a public key, ed25519:…, nor a fingerprint, SHA256:…", text)}
		}
		return author, nil
	}
	forked, err := source.Forked(ctx)
	if err != nil {
		return identity.PublicKey{}, err
	}
	for _, f := range forked {
		if f.Author.Fingerprint() == text {
			return f.Author, nil
		}
	}
	return identity.PublicKey{}, fmt.Errorf("fork of %s: %w", text, admin.ErrNotFound)
}

// writeNew calls write with standard output if file is "-", else with a new file
// of that name, which is removed if write fails.
func writeNew(stdout io.Writer, file string, write func(io.Writer) error) error {
	if file == "-" {
		return write(stdout)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// provenFork is what verify-proof prints.
type provenFork struct {
	Author      identity.PublicKey `json:"author"`
	Fingerprint string             `json:"fingerprint"`
	Mesh        *dag.ID            `json:"mesh"`
	Prev        *dag.ID            `json:"prev"` // nil: both are the author's first
	Ops         [2]provenOp        `json:"ops"`
}

// provenOp is one of the two ops. What it says is what its author signed: only
// that the author did is proven.
type provenOp struct {
	ID   dag.ID    `json:"id"`
	Seq  uint64    `json:"seq"`
	Wall time.Time `json:"wall"`
}

// maxProof bounds a proof, in bytes.
const maxProof = 1 + 2*dag.MaxBlock

func newDAGVerifyProof(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify-proof <file>",
		Short: "Check a proof that an author has forked",
		Long: `Verify-proof checks, from the file alone, that one author has signed two
operations of one mesh on one predecessor. It needs no node, no data directory
and no network. "-" is standard input. Exit codes: 0 proven, 1 not.`,
		Example: `  causeway dag verify-proof liar.proof
  causeway dag verify-proof liar.proof -o json | jq -r .author`,
		Args: exactly(1, "the file"),
	}
	out := outputFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		p, err := readProof(std.in, args[0])
		if err != nil {
			return err
		}
		return out.write(std.out, p, func(w io.Writer) {
			fmt.Fprintf(w, "proven\t%s has forked\n", p.Author)
			fmt.Fprintf(w, "fingerprint\t%s\n", p.Fingerprint)
			fmt.Fprintf(w, "mesh\t%s\n", p.Mesh)
			if p.Prev == nil {
				fmt.Fprintf(w, "prev\t-\n")
			} else {
				fmt.Fprintf(w, "prev\t%s\n", p.Prev)
			}
			for _, op := range p.Ops {
				fmt.Fprintf(w, "signed\t%s, seq %d, said to be of %s\n", op.ID, op.Seq, op.Wall.Format(time.RFC3339))
			}
		})
	}
	return c
}

// readProof reads a proof and checks it.
func readProof(stdin io.Reader, file string) (provenFork, error) {
	src := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return provenFork{}, err
		}
		defer f.Close()
		src = f
	}
	b, err := io.ReadAll(io.LimitReader(src, maxProof+1))
	if err != nil {
		return provenFork{}, fmt.Errorf("read %s: %w", file, err)
	}
	fork, headers, err := dag.ForkHeaders(b)
	if err != nil {
		return provenFork{}, fmt.Errorf("%s: %w", file, err)
	}
	p := provenFork{Author: fork.Author, Fingerprint: fork.Author.Fingerprint(), Mesh: headers[0].Mesh, Prev: headers[0].Prev}
	for i, id := range []dag.ID{fork.A, fork.B} {
		p.Ops[i] = provenOp{ID: id, Seq: headers[i].Seq, Wall: admin.Moment(headers[i].Wall)}
	}
	return p, nil
}
