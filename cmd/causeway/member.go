package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

func newMember(std stdio) *cobra.Command {
	c := group("member", "Show who belongs to the mesh", "Member shows the operators of the mesh, their grants and their nodes.")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the operators of the mesh and their nodes",
		Long: `List shows every operator admitted to the mesh: its role, how many nodes it has
and may have, and the patterns of keys they may write.`,
		Example: `  causeway member list
  causeway member list -o json | jq '.[].name'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(list), outputFlag(list)
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		members, err := admin.NewClient(*dir).Members(cmd.Context())
		if err != nil {
			return err
		}
		return out.write(std.out, nonNil(members), func(w io.Writer) {
			fmt.Fprintln(w, "NAME\tROLE\tNODES\tPATTERNS\tID")
			for _, m := range members {
				patterns := make([]string, len(m.Patterns))
				for i, p := range m.Patterns {
					patterns[i] = strconv.Quote(string(p))
				}
				fmt.Fprintf(w, "%s\t%s\t%d/%d\t%s\t%s\n", m.Name, m.Role, len(m.Nodes), m.Slots, orDash(strings.Join(patterns, " ")), m.ID)
			}
		})
	}
	c.AddCommand(list)
	return c
}
