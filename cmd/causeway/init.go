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
keep the operator's key elsewhere or under a passphrase.`,
		Example: `  causeway init --data-dir a --operator-name acme
  causeway key new ~/.ssh/causeway-operator
  causeway init --data-dir a --operator-key ~/.ssh/causeway-operator`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	operator := newOperatorFlags(c, std, "founder")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		signer, err := operatorSigner(cmd.Context(), operator, *dir)
		if err != nil && !errors.Is(err, errNoOperatorKey) { // without one, Init makes it
			return err
		}
		mesh, err := node.Init(*dir, node.InitOptions{Name: operator.name, Operator: signer})
		if err != nil {
			return explain(err, *dir)
		}
		fmt.Fprintf(std.err, "Founded a mesh. Start its node: causeway serve --data-dir %s\n", *dir)
		return printMembership(std, *out, mesh, *dir)
	}
	return c
}
