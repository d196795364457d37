package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/cmd/causeway/dagsvg"
	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/admin"
)

// defaultGraphOps is how many operations are drawn unless told otherwise.
const defaultGraphOps = 100

func newDAGGraph(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "graph [<op>]",
		Short: "Draw the latest operations as SVG",
		Long: `Graph draws the latest operations, or an operation and the latest of its past, as
SVG: authors as lanes, time from left to right by depth, parents as edges. An
author who has forked has a row for each branch, and the operations that prove
it are ringed in red. One of which a revocation or a policy voids something is
crossed out. Point at an operation to see what it is.`,
		Example: `  causeway dag graph >dag.svg
  causeway dag graph -n 1000 --out dag.svg
  causeway dag graph "$(causeway dag forks -o json | jq -r '.[0].a')" >fork.svg`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exactly(1, "")(cmd, args)
			}
			return nil
		},
	}
	dir := dataDirFlag(c)
	file := c.Flags().String("out", "-", "file to write, which must not exist yet; - is standard output")
	n := c.Flags().IntP("limit", "n", defaultGraphOps, fmt.Sprintf("how many operations, at most %d", admin.MaxLogOps))
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *n < 1 || *n > admin.MaxLogOps {
			return usageError{fmt.Errorf("--limit %d is not between 1 and %d", *n, admin.MaxLogOps)}
		}
		window := func(source source) ([]admin.Op, error) { return source.Log(cmd.Context(), *n) }
		if len(args) == 1 {
			id, err := dag.ParseID(args[0])
			if err != nil {
				return usageError{fmt.Errorf("%q: %w", args[0], err)}
			}
			window = func(source source) ([]admin.Op, error) { return source.Before(cmd.Context(), id, *n) }
		}
		return withSource(cmd.Context(), *dir, func(source source) error {
			ops, err := window(source)
			if err != nil {
				return err
			}
			return writeNew(std.out, *file, func(w io.Writer) error { return dagsvg.Draw(w, ops) })
		})
	}
	return c
}
