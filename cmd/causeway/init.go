package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
)

// membership is what init and join print: what this directory now belongs to.
type membership struct {
	Mesh dag.ID             `json:"mesh"`
	Node identity.PublicKey `json:"node"`
}

// printMembership prints which mesh the node of dataDir belongs to.
func printMembership(std stdio, out format, mesh dag.ID, dataDir string) error {
	info, err := readPublic(filepath.Join(dataDir, node.NodeKeyFile))
	if err != nil {
		return err
	}
	m := membership{Mesh: mesh, Node: info.PublicKey}
	return out.write(std.out, m, func(w io.Writer) {
		fmt.Fprintf(w, "mesh\t%s\n", m.Mesh)
		fmt.Fprintf(w, "node\t%s\n", m.Node)
	})
}

func newInit(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "init",
		Short: "Found a mesh of one node",
		Long: `Init founds a mesh in a data directory that holds no node yet. Serve does the
same on an empty directory; init is for whoever wants to name the operator, or
keep the operator's key elsewhere or under a passphrase.

A founder's key can do everything in the mesh, for ever: who the founders are is
fixed. With --founder and --threshold several of them must agree on a statement,
which one makes and the others endorse ("causeway member endorse"), so that one
stolen key is not the end of the mesh.`,
		Example: `  causeway init --data-dir a --operator-name acme
  causeway key new ~/.ssh/causeway-operator
  causeway init --data-dir a --operator-key ~/.ssh/causeway-operator
  causeway init --data-dir a --founder bob.pub --founder carol.pub --threshold 2`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "founder")
	founders := c.Flags().StringArray("founder", nil, "public key of a further founder: a .pub file or the key's text; may be repeated")
	threshold := c.Flags().Uint64("threshold", 1, "how many founders must agree to act as the root of the mesh")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		others, err := publicKeys(*founders)
		if err != nil {
			return usageError{fmt.Errorf("--founder: %w", err)}
		}
		if *threshold < 1 || *threshold > uint64(len(others)+1) {
			return usageError{fmt.Errorf("--threshold %d is not between 1 and %d, the number of founders", *threshold, len(others)+1)}
		}
		signer, err := operatorSigner(cmd.Context(), operator, *dir)
		if err != nil && !errors.Is(err, errNoOperatorKey) { // without one, Init makes it
			return err
		}
		mesh, err := node.Init(*dir, node.InitOptions{Name: operator.name, Operator: signer, Founders: others, Threshold: *threshold})
		if err != nil {
			return explain(err, *dir)
		}
		fmt.Fprintf(std.err, "Founded a mesh. Start its node: causeway serve --data-dir %s\n", *dir)
		return printMembership(std, *out, mesh, *dir)
	}
	return c
}
