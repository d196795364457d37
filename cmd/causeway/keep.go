package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/identity"
)

// keepFlags say up to where a restriction keeps what its subject wrote.
type keepFlags struct {
	ops    []string
	before string
}

func newKeepFlags(c *cobra.Command) *keepFlags {
	k := &keepFlags{}
	c.Flags().StringArrayVar(&k.ops, "keep", nil, "keep what the subject wrote up to this operation; may be repeated (default: all that this node has)")
	c.Flags().StringVar(&k.before, "before", "", "keep what its nodes wrote before this time (RFC 3339, or a duration ago such as 2h), by their own clocks: check with --dry-run")
	c.MarkFlagsMutuallyExclusive("keep", "before")
	return k
}

// heads returns the keep heads, ascending: what was named, or all that the node
// has. With key, only that key of the subject is meant.
func (k *keepFlags) heads(cmd *cobra.Command, s *site, subject identity.StatementID, key *identity.PublicKey) ([][32]byte, error) {
	ids := s.issuer.Heads
	switch {
	case len(k.ops) > 0:
		ids = nil
		for _, text := range k.ops {
			id, err := dag.ParseID(text)
			if err != nil {
				return nil, usageError{fmt.Errorf("--keep %s: %w", text, err)}
			}
			ids = append(ids, id)
		}
	case k.before != "":
		at, err := parseMoment(k.before, time.Now())
		if err != nil {
			return nil, usageError{fmt.Errorf("--before: %w", err)}
		}
		if ids, err = s.client.Keep(cmd.Context(), subject, key, at); err != nil {
			return nil, err
		}
	}
	keep := make([][32]byte, len(ids))
	for i, id := range ids {
		keep[i] = id
	}
	slices.SortFunc(keep, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(keep), nil
}

// parseMoment reads a time, or a duration before now.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("neither a time such as 2026-01-31T03:00:00Z nor a duration such as 2h")
	}
	return at, nil
}
