package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

// valueFormat is the value of --output of get.
type valueFormat string

const (
	valueJSON valueFormat = "json"
	valueYAML valueFormat = "yaml"
	valueRaw  valueFormat = "raw"
)

// String implements pflag.Value.
func (f *valueFormat) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *valueFormat) Type() string { return "format" }

// Set implements pflag.Value.
func (f *valueFormat) Set(s string) error {
	switch valueFormat(s) {
	case valueJSON, valueYAML, valueRaw:
		*f = valueFormat(s)
		return nil
	}
	return fmt.Errorf("%q is not json, yaml or raw", s)
}

func newGet(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "get KEY",
		Short: "Show the value of a key, readably",
		Long: `Get prints what a key shows at this node. A Kubernetes object in protobuf is
shown by the names of its fields; what this program does not know of it, a
field of a later version say, under "field N". JSON stays as it is but for its
layout, other text is a JSON string, and other bytes are in base64.
With -o raw the bytes are written as they are.`,
		Example: `  causeway get /registry/deployments/default/web -o yaml
  causeway get /registry/secrets/default/token -o json | jq .metadata.managedFields`,
		Args: exactly(1, "the key"),
	}
	dir := dataDirFlag(c)
	out := valueJSON
	c.Flags().VarP(&out, "output", "o", "how to write the value: json, yaml or raw")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := keyClient(*dir, args[0])
		if err != nil {
			return err
		}
		kv, err := client.Value(cmd.Context(), []byte(args[0]))
		if err != nil {
			return err
		}
		var b []byte
		switch text := readable(kv.Value); out {
		case valueRaw:
			b = kv.Value
		case valueYAML:
			b, err = appendYAML(nil, text)
		default:
			var indented bytes.Buffer
			err = json.Indent(&indented, text, "", "  ")
			b = append(bytes.TrimRight(indented.Bytes(), " \t\r\n"), '\n')
		}
		if err != nil {
			return err
		}
		_, err = std.out.Write(b)
		return err
	}
	return c
}

// keyClient returns a client of the node that serves a data directory, to be asked about a key.
func keyClient(dir, key string) (*admin.Client, error) {
	if len(key) == 0 {
		return nil, usageError{fmt.Errorf("a key is not empty")}
	}
	if err := checkDataDir(dir); err != nil {
		return nil, err
	}
	return admin.NewClient(dir), nil
}
