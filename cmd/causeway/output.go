package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// format is the value of --output: how data is written to standard output.
type format string

const (
	formatText format = "text"
	formatJSON format = "json"
)

// outputFlag adds -o, --output.
func outputFlag(c *cobra.Command) *format {
	f := formatText
	c.Flags().VarP(&f, "output", "o", "how to write data: text or json")
	return &f
}

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *format) Set(s string) error {
	switch format(s) {
	case formatText, formatJSON:
		*f = format(s)
		return nil
	}
	return fmt.Errorf("%q is not text or json", s)
}

// write writes v as JSON, or lets text write it for people, in columns parted
// by tabs.
func (f format) write(w io.Writer, v any, text func(w io.Writer)) error {
	if f == formatJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	text(tw)
	return tw.Flush()
}

// nonNil returns s, an empty slice for nil: JSON then has [] and not null.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// orDash returns s, or a dash if it is empty, so that columns stay columns.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
