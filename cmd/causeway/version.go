package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
)

// formatVersion is the version of docs/op.md that this program speaks.
const formatVersion = dag.Version

// versionInfo is what causeway version prints.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source, if known
	Format   int    `json:"format"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion returns what the build recorded.
func readVersion() versionInfo {
	v := versionInfo{
		Version:  "(devel)",
		Format:   formatVersion,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if v.Revision != "" && dirty {
		v.Revision += "+changes"
	}
	return v
}

func newVersion(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of the program and of its format",
		Long:    "Version prints what this program is and which version of the operation format\nit speaks. Format 0 is free to change: only equal builds are sure to understand\neach other.",
		Example: "  causeway version -o json",
		Args:    exactly(0, ""),
	}
	out := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		v := readVersion()
		return out.write(std.out, v, func(w io.Writer) {
			fmt.Fprintf(w, "causeway\t%s\n", v.Version)
			fmt.Fprintf(w, "revision\t%s\n", orDash(v.Revision))
			fmt.Fprintf(w, "format\t%d\n", v.Format)
			fmt.Fprintf(w, "go\t%s %s\n", v.Go, v.Platform)
		})
	}
	return c
}
