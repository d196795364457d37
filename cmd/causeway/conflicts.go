package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

// shownVersion is what one write made of a place.
type shownVersion struct {
	Value   place           `json:"place"`
	Deleted bool            `json:"deleted"`
	Writer  admin.KeyWriter `json:"writer"`
}

// shownConflict is a place of a value where not everything that was written is.
type shownConflict struct {
	Kind  string         `json:"kind"`
	Path  []string       `json:"path"`
	Rule  string         `json:"rule,omitempty"`
	Shown shownVersion   `json:"shown"`
	Lost  []shownVersion `json:"lost"`
}

// conflictedKey is a key that more than one write decides.
type conflictedKey struct {
	Key       string            `json:"key"`
	Absent    bool              `json:"absent"`
	Merged    bool              `json:"merged"`
	Writers   []admin.KeyWriter `json:"writers"` // who did not see each other
	Conflicts []shownConflict   `json:"conflicts"`
}

func newConflicts(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "conflicts [PREFIX]",
		Short: "List what was merged, and what lost, with both values",
		Long: `Conflicts lists the keys whose values more than one write decides now: operators
wrote them without having seen each other's writes. For each it says whose
writes these are, and every field where not all that they wrote is in the
value: what is shown, and what is not. A key without such a field was merged
without loss. The next write of anyone who has seen all settles a key; then it
is no longer listed, and "causeway history" has what was written. While no node
runs, the data directory is read.`,
		Example: `  causeway conflicts
  causeway conflicts /registry/configmaps/ -o json | jq '.[].conflicts[].lost'`,
		Args: atMost(1),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withSource(cmd.Context(), *dir, func(source source) error {
			keys, err := conflictsOf(cmd.Context(), source, strings.Join(args, ""))
			if err != nil {
				return err
			}
			return out.write(std.out, keys, func(w io.Writer) { writeConflicts(w, keys) })
		})
	}
	return c
}

// conflictsOf returns the conflicts of the keys with a prefix.
func conflictsOf(ctx context.Context, source source, prefix string) ([]conflictedKey, error) {
	keys := []conflictedKey{}
	for from := []byte(prefix); ; {
		page, err := source.Conflicts(ctx, from, admin.MaxConflictKeys)
		if err != nil {
			return nil, err
		}
		for i := range page.Keys {
			if strings.HasPrefix(string(page.Keys[i].Key), prefix) {
				keys = append(keys, conflicted(&page.Keys[i]))
			}
		}
		if from = page.Next; len(from) == 0 || !strings.HasPrefix(string(from), prefix) {
			return keys, nil
		}
	}
}

// conflicted makes the conflicts of a key readable.
func conflicted(k *admin.KeyConflicts) conflictedKey {
	shown := conflictedKey{Key: string(k.Key), Absent: k.Absent, Merged: k.Merged, Writers: k.Writers, Conflicts: []shownConflict{}}
	for _, c := range k.Conflicts {
		version := func(v admin.ConflictVersion) shownVersion {
			s := shownVersion{Deleted: v.Deleted, Writer: v.Writer, Value: place{Path: nonNil(c.Path)}}
			if v.Deleted {
				s.Value.Value = mustJSON(nil)
				if names, _, ok := spelled(k.Value, c.Path); ok {
					s.Value.Path = names
				}
			} else {
				s.Value = placeOf(k.Value, c.Path, v.Value)
			}
			return s
		}
		x := shownConflict{Kind: c.Kind, Rule: c.Rule, Shown: version(c.Shown), Lost: []shownVersion{}}
		x.Path = x.Shown.Value.Path
		for _, v := range c.Lost {
			x.Lost = append(x.Lost, version(v))
		}
		shown.Conflicts = append(shown.Conflicts, x)
	}
	return shown
}

// spelled spells a path to where nothing is.
func spelled(whole []byte, path []string) ([]string, []byte, bool) {
	if len(path) == 0 {
		return nil, nil, false
	}
	p := placeOf(whole, path, nil)
	return p.Path, p.Value, true
}

// writeConflicts writes conflicts for people.
func writeConflicts(w io.Writer, keys []conflictedKey) {
	fmt.Fprintln(w, "KEY\tFIELD\tWHY\tSHOWN\tBY\tLOST\tBY")
	for i := range keys {
		k := &keys[i]
		if len(k.Conflicts) == 0 {
			var names []string
			for _, writer := range k.Writers {
				names = append(names, writerName(writer))
			}
			fmt.Fprintf(w, "%q\t-\tmerged\t\t%s\t-\t-\n", k.Key, strings.Join(names, ", "))
		}
		for _, c := range k.Conflicts {
			why := c.Kind
			if c.Rule != "" {
				why += " (" + c.Rule + ")"
			}
			for _, lost := range c.Lost {
				path, value := c.Shown.text()
				_, other := lost.text()
				fmt.Fprintf(w, "%q\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Key, path, why, value, writerName(c.Shown.Writer), other, writerName(lost.Writer))
			}
		}
	}
}

// text returns the path in one word, and the value in one line.
func (v *shownVersion) text() (path, value string) {
	path, value = v.Value.text()
	if v.Deleted {
		value = "(none)"
	}
	return path, value
}
