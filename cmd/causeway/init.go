package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node"
)

// operatorFlags are the flags that say who acts: a name and a key.
type operatorFlags struct {
	name    string
	keyFile string
	secret  *passphrases
}

// newOperatorFlags adds --operator-key and --passphrase-fd, and --operator-name
// if it has a default.
func newOperatorFlags(c *cobra.Command, std stdio, defaultName string) *operatorFlags {
	o := &operatorFlags{secret: passphraseFlag(c, std)}
	c.Flags().StringVar(&o.keyFile, "operator-key", "", "the operator's key file (default "+node.OperatorKeyFile+" in the data directory)")
	if defaultName != "" {
		c.Flags().StringVar(&o.name, "operator-name", defaultName, "the operator's name, for people")
	}
	return o
}

// read returns the key in file, asking for its passphrase if it has one.
func (o *operatorFlags) read(ctx context.Context, file string) (*identity.PrivateKey, error) {
	return identity.ReadKeyFile(file, func() ([]byte, error) {
		return o.secret.read(ctx, fmt.Sprintf("Passphrase for %s: ", file))
	})
}

// signer returns the key that --operator-key names, or nil for the data
// directory's own, which is made if it is not there.
func (o *operatorFlags) signer(ctx context.Context) (identity.StatementSigner, error) {
	if o.keyFile == "" {
		return nil, nil
	}
	k, err := o.read(ctx, o.keyFile)
	if err != nil {
		return nil, err
	}
	return k, nil
}

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
		signer, err := operator.signer(cmd.Context())
		if err != nil {
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
