package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/verify"
)

func newDAGVerify(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check a data directory that no node is using",
		Long: `Verify reads a whole data directory and says whether it is what its node wrote:
every hash, every signature, every rule of validity, the log's records against
one another, and the values of all keys against their definition. It changes
nothing, and needs no private key. The node must not run.

The verdict is on standard output: "sound", or "damaged" with what was found.
Exit codes: 0 sound, 1 damaged or not to be checked, 2 wrong command line.`,
		Example: `  causeway dag verify --data-dir a
  causeway dag verify --data-dir a --closed -o json | jq -r '.findings[].where'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	var options verify.Options
	c.Flags().BoolVar(&options.Closed, "closed", false, "the node was stopped in good order: a log that does not end so is damaged")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		bar := newBar(std.err)
		options.Progress = func(step verify.Step, done, total uint64) { bar.draw(string(step), done, total) }
		report, err := verify.Run(cmd.Context(), *dir, options)
		bar.clear()
		if errors.Is(err, verify.ErrNoNode) {
			return fmt.Errorf("data directory %s holds no node", *dir)
		}
		if err != nil {
			return explain(err, *dir)
		}
		if err := out.write(std.out, report, func(w io.Writer) { writeReport(w, report) }); err != nil {
			return err
		}
		if report.Verdict != verify.Sound {
			return fmt.Errorf("data directory %s is damaged", *dir)
		}
		return nil
	}
	return c
}

// writeReport writes r for people.
func writeReport(w io.Writer, r *verify.Report) {
	fmt.Fprintf(w, "verdict\t%s\n", r.Verdict)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "found\t%s: %s: %s\n", f.Step, printable(f.Where), oneLine(errors.New(f.What)))
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(w, "not reached\t%s\n", join(r.Skipped))
	}
	if slices.Contains(r.Skipped, verify.StepRecords) {
		return
	}
	if r.Mesh != nil {
		fmt.Fprintf(w, "mesh\t%s\n", r.Mesh)
	}
	fmt.Fprintf(w, "records\t%d\n", r.Records)
	fmt.Fprintf(w, "ops\t%d\n", r.Operations)
	fmt.Fprintf(w, "forks\t%d\n", r.Forks)
	if r.StateHash != "" {
		fmt.Fprintf(w, "revision\t%d\n", r.Revision)
		fmt.Fprintf(w, "void\t%d transactions\n", r.Void)
		fmt.Fprintf(w, "unsealed\t%d transactions\n", r.Unsealed)
		fmt.Fprintf(w, "keys\t%d\n", r.Keys)
		fmt.Fprintf(w, "state hash\t%s\n", r.StateHash)
	}
	fmt.Fprintf(w, "closed\t%s\n", closing(r))
}

// join lists steps.
func join(steps []verify.Step) string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// closing says how the log ends.
func closing(r *verify.Report) string {
	switch {
	case r.Closed:
		return "yes"
	case r.Torn != "":
		return "no: " + printable(r.Torn) + " ends within a batch, which no acknowledged write was in unless it was cut off later"
	}
	return "no: the node was killed, or the log was cut off later"
}
