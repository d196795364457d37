package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/node/admin"
)

// blamedPlace is a field of a value, and who set it.
type blamedPlace struct {
	place
	Writer admin.KeyWriter `json:"writer"`
}

// blamed is what blame shows.
type blamed struct {
	Key    string        `json:"key"`
	Merged bool          `json:"merged"` // several writes that did not see each other made the value
	All    bool          `json:"all"`    // all writes of the key were looked at
	Places []blamedPlace `json:"places"`
}

func newBlame(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "blame KEY",
		Short: "Show which operation of which operator set each field of a value",
		Long: `Blame lists the fields of a key's value with the operation that set each. It
reads the key's writes backwards, --depth of them about; what is older is blamed
on the first one that it read, and that is said. The time is what the author's
clock said and proves nothing. While no node runs, the data directory is read.`,
		Example: `  causeway blame /registry/deployments/default/web
  causeway blame greeting -o json | jq -r '.places[].writer.operator' | sort | uniq -c`,
		Args: exactly(1, "the key"),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	depth := depthFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkDepth(*depth); err != nil {
			return err
		}
		return withKey(cmd.Context(), *dir, args[0], func(source source, key []byte) error {
			b, err := source.Blame(cmd.Context(), key, *depth)
			if err != nil {
				return err
			}
			shown := blamed{Key: args[0], Merged: b.Merged, All: b.All, Places: []blamedPlace{}}
			for _, p := range b.Places {
				shown.Places = append(shown.Places, blamedPlace{placeOf(b.Value, p.Path, p.Value), p.Writer})
			}
			if !b.All {
				fmt.Fprintf(std.err, "The key has older writes; what they set is blamed on the first of the last %d or so.\n", *depth)
			}
			return out.write(std.out, shown, func(w io.Writer) { writeBlamed(w, shown.Places) })
		})
	}
	return c
}

// writeBlamed writes places for people.
func writeBlamed(w io.Writer, places []blamedPlace) {
	fmt.Fprintln(w, "OPERATOR\tTIME\tOP\tFIELD\tVALUE")
	for _, p := range places {
		path, value := p.text()
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", writerName(p.Writer), p.Writer.Wall.Format(time.RFC3339), p.Writer.Op, path, value)
	}
}

// depthFlag adds --depth.
func depthFlag(c *cobra.Command) *int {
	return c.Flags().Int("depth", admin.MaxKeyWrites, fmt.Sprintf("about how many writes of the key to read, at most %d", admin.MaxKeyWrites))
}

func checkDepth(n int) error {
	if n < 1 || n > admin.MaxKeyWrites {
		return usageError{fmt.Errorf("--depth %d is not between 1 and %d", n, admin.MaxKeyWrites)}
	}
	return nil
}

// writerName names who made a write: the operator if it is known.
func writerName(w admin.KeyWriter) string {
	switch {
	case w.Operator != "":
		return printable(w.Operator)
	case w.Op == (dag.ID{}):
		return "-"
	}
	return w.Author.String()
}
