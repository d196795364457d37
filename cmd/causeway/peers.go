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
		Long: `Peers lists the other nodes that this one knows, and for each whether the two
sync, how many operations it is not known to hold, and what it last did against
the protocol. With a node that is revoked, or that refuses to sync with this one,
statements are exchanged and nothing else.`,
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
			fmt.Fprintln(w, "ID\tOPERATOR\tSTATE\tCONNECTED\tLAG\tADDRESS\tMISCONDUCT")
			for _, p := range peers {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.ID, orDash(p.Operator), peerState(p), yesNo(p.Connected), p.LagOps, orDash(p.Address), orDash(p.Misconduct))
			}
		})
	}
	return c
}

// peerState says whether this node and a peer sync, and if not why.
func peerState(p admin.Peer) string {
	switch {
	case p.RevokedBy == nil:
		return p.State
	case p.RevokedAs == "":
		return p.State + " by the root"
	}
	return p.State + " by " + p.RevokedAs
}
