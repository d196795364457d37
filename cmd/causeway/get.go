package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
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
With -o raw the bytes are written as they are. While no node runs, the data directory is read.`,
		Example: `  causeway get /registry/deployments/default/web -o yaml
  causeway get /registry/secrets/default/token -o json | jq .metadata.managedFields`,
		Args: exactly(1, "the key"),
	}
	dir := dataDirFlag(c)
	out := valueJSON
	c.Flags().VarP(&out, "output", "o", "how to write the value: json, yaml or raw")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withKey(cmd.Context(), *dir, args[0], func(source source, key []byte) error {
			kv, err := source.Value(cmd.Context(), key)
			if err != nil {
				return err
			}
			b, err := out.append(nil, kv.Value)
			if err != nil {
				return err
			}
			_, err = std.out.Write(b)
			return err
		})
	}
	return c
}

// append appends a value.
func (f valueFormat) append(b, value []byte) ([]byte, error) {
	switch text := readable(value); f {
	case valueRaw:
		return append(b, value...), nil
	case valueYAML:
		return appendYAML(b, text)
	default:
		var indented bytes.Buffer
		err := json.Indent(&indented, text, "", "  ")
		b = append(b, bytes.TrimRight(indented.Bytes(), " \t\r\n")...)
		return append(b, '\n'), err
	}
}

// withKey is withSource for a question about a key.
func withKey(ctx context.Context, dir, key string, fn func(source source, key []byte) error) error {
	if len(key) == 0 {
		return usageError{fmt.Errorf("a key is not empty")}
	}
	return withSource(ctx, dir, func(source source) error { return fn(source, []byte(key)) })
}
