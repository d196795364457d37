package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"
)

func newDAGExport(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write all operations to a CAR file",
		Long: `Export writes all operations of a data directory, headers and bodies, to a CARv1
file, which IPLD tools read. All in it is signed by its authors; what is the
node's own (revisions, keys, history) is not in it. The same operations give
the same file.`,
		Example: `  causeway dag export --data-dir a --out a.car
  causeway dag export --data-dir a | sha256sum`,
		Args: exactly(0, ""),
	}
	dir := dataDirFlag(c)
	file := c.Flags().String("out", "-", "file to write, which must not exist yet; - is standard output")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file == "-" && isTerminal(std.out) {
			return usageError{errors.New("a CAR file is no text: name a file with --out")}
		}
		return withSource(cmd.Context(), *dir, func(source source) error {
			return writeNew(std.out, *file, func(w io.Writer) error { return source.Export(cmd.Context(), w) })
		})
	}
	return c
}
