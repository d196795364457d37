package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/causeway-sync/causeway/cmd/causeway/demo"
)

func newDemo(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show three sites and one liar on this machine",
		Long: `Demo starts three sites and one liar in this process, on loopback and in an empty
directory. It writes through real etcd clients on both sides of a cut, heals it,
lets the liar forge and fork, and prints what the honest sites hold in the end.
It fails if they differ.`,
		Example: `  causeway demo
  causeway demo -o json 2>/dev/null | jq .agree
  causeway demo --keep ./demo-data`,
		Args: exactly(0, ""),
	}
	out := outputFlag(c)
	keep := c.Flags().String("keep", "", "keep the data of the sites in this directory, which must be empty or new")
	verbose := c.Flags().Bool("verbose", false, "show the logs of the sites as well")
	c.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		dir, remove, err := demoDir(*keep)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remove()) }()
		cfg := demo.Config{Dir: dir, Progress: newProgress(std.err, !*verbose)}
		if *verbose {
			cfg.Logger = slog.New(slog.NewTextHandler(std.err, nil))
		}
		rep, err := demo.Run(cmd.Context(), cfg)
		if err != nil {
			return demoError(cmd.Context(), err)
		}
		if err := out.write(std.out, rep, func(w io.Writer) { writeDemo(w, rep) }); err != nil {
			return err
		}
		if !rep.Agree {
			return errors.New("the honest sites differ")
		}
		fmt.Fprintln(std.err, "The honest sites agree.")
		return nil
	}
	return c
}

// demoError hides what a step says when it was called off.
func demoError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// demoDir returns the directory of a demonstration and what removes it.
func demoDir(keep string) (dir string, remove func() error, err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "causeway-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if err := os.MkdirAll(keep, 0o700); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(keep)
	if err != nil {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("directory %s is not empty", keep)
	}
	dir, err = filepath.Abs(keep)
	return dir, func() error { return nil }, err
}

// writeDemo writes the final table.
func writeDemo(w io.Writer, rep demo.Report) {
	fmt.Fprintln(w, "SITE\tOPS\tHEADS\tFORKS\tREVISION\tSTATE HASH\t/shared/door\t/liar/claim")
	for _, s := range rep.Sites {
		hash := s.StateHash.String()
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s\n",
			s.Name, s.Ops, headText(s), s.Forks, s.Revision, hash[:len("state:")+16], s.Door, s.Claim)
	}
}

// headText returns the end of the one head, where IDs differ, or how many there are.
func headText(s demo.SiteReport) string {
	if len(s.Heads) == 1 {
		id := s.Heads[0].String()
		return "…" + id[len(id)-8:]
	}
	return fmt.Sprintf("%d heads", len(s.Heads))
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
