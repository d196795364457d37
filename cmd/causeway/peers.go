package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

func newPeers(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "peers",
		Short: "List the nodes that the running node knows",
		Long: `Peers lists the other nodes that this one knows, and for each how many
operations it is not known to hold, and what it last did against the protocol.`,
		Example: `  causeway peers
  causeway peers -o json | jq '.[] | select(.connected | not)'`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		peers, err := admin.NewClient(*dir).Peers(cmd.Context())
		if err != nil {
			return err
		}
		return out.write(std.out, nonNil(peers), func(w io.Writer) {
			fmt.Fprintln(w, "ID\tOPERATOR\tCONNECTED\tLAG\tADDRESS\tMISCONDUCT")
			for _, p := range peers {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", p.ID, orDash(p.Operator), yesNo(p.Connected), p.LagOps, orDash(p.Address), orDash(p.Misconduct))
			}
		})
	}
	return c
}
