package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/node/admin"
)

func newDAG(std stdio) *cobra.Command {
	c := group("dag", "Look at the operations a node holds",
		`Dag shows the signed operations that a data directory holds, by asking the node
that runs on it, or by reading the directory while none does.`)
	c.AddCommand(newDAGHeads(std), newDAGLog(std), newDAGShow(std), newDAGForks(std), newDAGProof(std), newDAGVerifyProof(std), newDAGVerify(std), newDAGGraph(std), newDAGExport(std))
	return c
}

func newDAGHeads(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:     "heads",
		Short:   "List the operations that no other has as parent",
		Long:    "Heads lists the operations that no other operation names as its parent.",
		Example: "  causeway dag heads",
		Args:    exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withSource(cmd.Context(), *dir, func(source source) error {
			ops, err := source.Heads(cmd.Context())
			if err != nil {
				return err
			}
			return writeOps(std, *out, ops)
		})
	}
	return c
}

func newDAGLog(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "List the latest operations, children before their parents",
		Long: `Log lists the latest operations that the node holds, children before
their parents. The time is what the author's clock said and proves nothing.`,
		Example: `  causeway dag log
  causeway dag log -n 100 -o json | jq -r '.[].author' | sort | uniq -c`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	n := c.Flags().IntP("limit", "n", admin.DefaultLogOps, fmt.Sprintf("how many, at most %d", admin.MaxLogOps))
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *n < 1 || *n > admin.MaxLogOps {
			return usageError{fmt.Errorf("--limit %d is not between 1 and %d", *n, admin.MaxLogOps)}
		}
		return withSource(cmd.Context(), *dir, func(source source) error {
			ops, err := source.Log(cmd.Context(), *n)
			if err != nil {
				return err
			}
			return writeOps(std, *out, ops)
		})
	}
	return c
}

func newDAGShow(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "show <op>",
		Short: "Show one operation and what it writes",
		Long: `Show prints the header of one operation, its writes and the statements it
carries. With -o json keys and values are in base64 and whole; without, a long
value is named by its length.`,
		Example: `  causeway dag show bafyreib…
  causeway dag show "$(causeway dag heads -o json | jq -r '.[0].id')"`,
		Args: exactly(1, "the op's ID"),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := dag.ParseID(args[0])
		if err != nil {
			return usageError{fmt.Errorf("%q: %w", args[0], err)}
		}
		return withSource(cmd.Context(), *dir, func(source source) error {
			op, err := source.Op(cmd.Context(), id)
			if err != nil {
				return err
			}
			return out.write(std.out, op, func(w io.Writer) { writeOp(w, op) })
		})
	}
	return c
}

// writeOps writes a list of ops.
func writeOps(std stdio, out format, ops []admin.Op) error {
	return out.write(std.out, nonNil(ops), func(w io.Writer) {
		fmt.Fprintln(w, "ID\tDEPTH\tSEQ\tPARENTS\tVOID\tAUTHOR\tTIME")
		for _, op := range ops {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", op.ID, op.Depth, op.Seq, len(op.Parents), op.Void, author(op), op.Wall.Format(time.RFC3339))
		}
	})
}

// author names the author of op: its operator if it has one.
func author(op admin.Op) string {
	if op.Operator != "" {
		return op.Operator
	}
	return op.Author.String()
}

// writeOp writes one op for people.
func writeOp(w io.Writer, op admin.OpDetail) {
	fmt.Fprintf(w, "op\t%s\n", op.ID)
	fmt.Fprintf(w, "author\t%s\n", op.Author)
	fmt.Fprintf(w, "operator\t%s\n", orDash(op.Operator))
	fmt.Fprintf(w, "seq\t%d\n", op.Seq)
	if op.Prev != nil {
		fmt.Fprintf(w, "prev\t%s\n", op.Prev)
	}
	for i, p := range op.Parents {
		fmt.Fprintf(w, "%s\t%s\n", []string{"parents", ""}[min(i, 1)], p)
	}
	fmt.Fprintf(w, "depth\t%d\n", op.Depth)
	if op.Epoch != 0 {
		fmt.Fprintf(w, "epoch\t%d\n", op.Epoch)
	}
	fmt.Fprintf(w, "time\t%s\n", op.Wall.Format(time.RFC3339Nano))
	fmt.Fprintf(w, "size\t%d bytes block, %d bytes body\n", op.BlockBytes, op.BodyBytes)
	for _, s := range op.Statements {
		fmt.Fprintf(w, "statement\t%s %s by %s\n", s.Kind, s.ID, s.Issuer)
	}
	for _, s := range op.Schemas {
		fmt.Fprintf(w, "%s\t%d bytes\n", s.ID, s.Bytes)
	}
	for i, t := range op.Transactions {
		void := ""
		if i < len(op.VoidReasons) && op.VoidReasons[i] != "" {
			void = ", void: " + oneLine(errors.New(op.VoidReasons[i]))
		}
		fmt.Fprintf(w, "transaction %d\t%d writes%s\n", i, len(t), void)
		for _, wr := range t {
			fmt.Fprintf(w, "\t%s\n", describe(wr))
		}
	}
}

// maxShownValue is the longest value, in bytes, that is printed whole.
const maxShownValue = 120

// describePatch returns a patch for people.
func describePatch(patch []byte) string {
	p, err := crdt.DecodePatch(patch)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no patch", len(patch))
	}
	text := p.String()
	if len(text) > maxShownValue {
		return fmt.Sprintf("%d bytes", len(patch))
	}
	return text
}

// describe returns one write for people. Keys and values are quoted: they are
// other people's bytes.
func describe(wr admin.Write) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q", wr.Kind, wr.Key)
	switch {
	case wr.Kind == "delete-range" && len(wr.End) == 0:
		b.WriteString(" and all after it")
	case wr.Kind == "delete-range":
		fmt.Fprintf(&b, " to %q", wr.End)
	case wr.Kind == "put" && len(wr.Value) > maxShownValue:
		fmt.Fprintf(&b, " = %d bytes", len(wr.Value))
	case wr.Kind == "put":
		fmt.Fprintf(&b, " = %q", wr.Value)
	case wr.Kind == "patch":
		b.WriteString(": " + describePatch(wr.Value))
	}
	if wr.Schema != dag.SchemaJSON {
		fmt.Fprintf(&b, " (%s)", wr.Schema)
	}
	if wr.Leased {
		b.WriteString(" (leased)")
	}
	return b.String()
}
