package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of the program.
const (
	exitOK      = 0
	exitFailure = 1 // the command could not do what it was asked to
	exitUsage   = 2 // the command line was wrong
)

// stdio is where a run reads and writes. Prompts need in to be a terminal.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// run executes one command line and returns the exit code. When ctx is done it
// ends in good order.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRoot(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(std.err, "causeway: "+oneLine(err))
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailure
}

// packagePrefix is how packages of the module begin the texts of their errors.
var packagePrefix = regexp.MustCompile(`(^|: )(?:(?:identity|identity/sshagent|dag|dag/leveldb|etcdgw|node|commit|p2p|verify): )+`)

// oneLine returns err's text in one line, without the names of packages and
// without control characters: parts of it may come from files and from other
// nodes.
func oneLine(err error) string {
	s := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	s = packagePrefix.ReplaceAllString(s, "$1")
	return printable(s)
}

// printable returns s with a question mark for each control character, so that
// other people's text does nothing to a terminal but be read.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f {
			return '?'
		}
		return r
	}, s)
}

// newRoot returns the command tree.
func newRoot(std stdio) *cobra.Command {
	root := group("causeway", "Keep one key-value state in step across sites that need not trust each other",
		`Causeway keeps one key-value state in step across edge sites run by operators
who do not trust each other. Each site talks to its own node through the etcd
v3 API; the nodes exchange signed operations.

Two sites in three commands:

  causeway serve --data-dir a
  causeway invite --data-dir a | causeway join --data-dir b
  causeway serve --data-dir b --listen-client-urls http://127.0.0.1:22379

Exit codes: 0 success, 1 failure, 2 wrong command line.`)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := cmd.ValidateFlagGroups(); err != nil { // before cobra does, which knows no usageError
			return usageError{err}
		}
		return nil
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
	root.AddCommand(
		newServe(std), newInit(std), newInvite(std), newJoin(std),
		newKey(std), newMember(std), newPolicy(std), newStatus(std), newPeers(std), newGet(std), newHistory(std), newBlame(std), newConflicts(std), newDAG(std), newSnapshot(std),
		newDemo(std), newVersion(std),
	)
	return root
}

// group returns a command that only holds others.
func group(use, short, long string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ArbitraryArgs}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf(", did you mean %q?", near[0])
		}
		return usageError{fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)}
	}
	return c
}

// exactly returns a check for n arguments, named what.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return usageError{fmt.Errorf("%s: %s is missing", cmd.CommandPath(), what)}
		case len(args) > n:
			return usageError{fmt.Errorf("%s: unexpected argument %q", cmd.CommandPath(), args[n])}
		}
		return nil
	}
}

// atMost returns a check for no more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("%s: unexpected argument %q", cmd.CommandPath(), args[n])}
		}
		return nil
	}
}

// dataDirFlag adds --data-dir.
func dataDirFlag(c *cobra.Command) *string {
	return c.Flags().String("data-dir", defaultDataDir, "directory that holds the node's keys and log")
}

// defaultDataDir is where a node lives unless told otherwise.
const defaultDataDir = "./causeway-data"

// checkDataDir fails with one clear line if dir is no directory.
func checkDataDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("data directory %s does not exist", dir)
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case !info.IsDir():
		return fmt.Errorf("data directory %s is not a directory", dir)
	}
	return nil
}
