package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

func newHistory(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "history KEY",
		Short: "List the writes of a key, the latest last",
		Long: `History lists the writes of a key, each after those that its author had seen:
puts, patches (what changed of the value that their author saw) and deletes, of
all operators. It reads them backwards, --depth of them about. A write that is
void does not count by the roster; a patch may mean nothing where it stands.
The time is what the author's clock said and proves nothing. While no node
runs, the data directory is read.`,
		Example: `  causeway history /registry/deployments/default/web
  causeway history greeting -o json | jq -r '.writes[] | select(.void).op'`,
		Args: exactly(1, "the key"),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	depth := depthFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkDepth(*depth); err != nil {
			return err
		}
		return withKey(cmd.Context(), *dir, args[0], func(source source, key []byte) error {
			h, err := source.History(cmd.Context(), key, *depth)
			if err != nil {
				return err
			}
			if !h.All {
				fmt.Fprintln(std.err, "The key has older writes; --depth goes further back.")
			}
			return out.write(std.out, h, func(w io.Writer) {
				fmt.Fprintln(w, "OPERATOR\tTIME\tOP\tWRITE\tWHAT")
				for i := range h.Writes {
					x := &h.Writes[i]
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", writerName(x.KeyWriter), x.Wall.Format(time.RFC3339), x.Op, x.Kind, what(x))
				}
			})
		})
	}
	return c
}

// what says what a write did, in one line.
func what(x *admin.KeyWrite) string {
	text := "-"
	switch x.Kind {
	case "put":
		text = shorten(printable(string(readable(x.Value))))
	case "patch":
		text = shorten(describePatch(x.Value))
	}
	switch {
	case x.Void:
		text += " (void)"
	case !x.Counts:
		text += " (means nothing)"
	}
	if x.Leased {
		text += " (leased)"
	}
	return text
}
