package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/causeway-sync/causeway/node/admin"
)

func newStatus(std stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the running node says of itself",
		Long: `Status asks the node that serves the data directory what it holds and whom it
sees. Two nodes that agree have the same heads and the same state hash; their
revisions are their own and need not agree.`,
		Example: `  causeway status
  causeway status --data-dir b -o json | jq -r .state_hash`,
		Args: exactly(0, ""),
	}
	dir, out := dataDirFlag(c), outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDataDir(*dir); err != nil {
			return err
		}
		st, err := admin.NewClient(*dir).Status(cmd.Context())
		if err != nil {
			return err
		}
		return out.write(std.out, st, func(w io.Writer) { writeStatus(w, st) })
	}
	return c
}

// writeStatus writes st for people.
func writeStatus(w io.Writer, st admin.Status) {
	fmt.Fprintf(w, "mesh\t%s\n", st.Mesh)
	fmt.Fprintf(w, "node\t%s\n", st.Node)
	fmt.Fprintf(w, "operator\t%s\n", orDash(st.Operator))
	fmt.Fprintf(w, "serving\t%s\n", readiness(st))
	writeStory(w, st.Key)
	if len(st.Alarms) == 0 {
		fmt.Fprintf(w, "alarms\tnone\n")
	}
	for i, a := range st.Alarms {
		fmt.Fprintf(w, "%s\t%s: %s\n", []string{"alarms", ""}[min(i, 1)], a, alarmMeaning[a])
	}
	fmt.Fprintf(w, "ops\t%d\n", st.Ops)
	for i, h := range st.Heads {
		fmt.Fprintf(w, "%s\t%s\n", []string{"heads", ""}[min(i, 1)], h)
	}
	fmt.Fprintf(w, "forks\t%d\n", st.Forks)
	for i, f := range st.Forked {
		fmt.Fprintf(w, "%s\t%s of %s, %d branches%s\n", []string{"forked", ""}[min(i, 1)], f.Author, orDash(printable(f.Operator)), f.Branches, shownNote(f))
	}
	for i, s := range st.Short {
		fmt.Fprintf(w, "%s\t%s: %s free, %s are kept for honest work\n", []string{"short", ""}[min(i, 1)], s.Space, mib(s.Free), mib(s.Reserve))
	}
	for i, a := range st.Waiting {
		fmt.Fprintf(w, "%s\t%s of %s: its operations, and what builds on them\n", []string{"waiting", ""}[min(i, 1)], a.Author, orDash(printable(a.Operator)))
	}
	fmt.Fprintf(w, "revision\t%d\n", st.Revision)
	fmt.Fprintf(w, "keys\t%d\n", st.Keys)
	fmt.Fprintf(w, "unsettled\t%s\n", unsettled(st.Unsettled))
	fmt.Fprintf(w, "state hash\t%s\n", st.StateHash)
	for i, a := range st.PeerAddresses {
		fmt.Fprintf(w, "%s\t%s\n", []string{"peer address", ""}[min(i, 1)], a)
	}
	connected := 0
	for _, p := range st.Peers {
		if p.Connected {
			connected++
		}
	}
	fmt.Fprintf(w, "peers\t%d, %d connected\n", len(st.Peers), connected)
}

// unsettled says how many keys more than one write decides.
func unsettled(n int64) string {
	if n == 0 {
		return "no keys"
	}
	return fmt.Sprintf("%d keys that more than one write decides: see causeway conflicts", n)
}

// mib writes bytes in MiB.
func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// writeStory writes what the node does with its place in the mesh, and what
// became of its key.
func writeStory(w io.Writer, s admin.Story) {
	state := s.State
	if s.Reason != "" {
		state += ": " + oneLine(errors.New(s.Reason))
	}
	fmt.Fprintf(w, "state\t%s\n", state)
	fmt.Fprintf(w, "key\tindex %d, %d rotations left\n", s.Index, s.Rotations)
	for i, k := range s.Past {
		fmt.Fprintf(w, "%s\t%s until %s, %s\n", []string{"past keys", ""}[min(i, 1)], k.Key, k.Rotated.UTC().Format(time.RFC3339), rotationCause(k))
	}
	window := strconv.FormatUint(s.Epoch, 10)
	if s.Part > 0 {
		window += fmt.Sprintf(", part %d", s.Part)
	}
	fmt.Fprintf(w, "window\t%s\n", window)
	if u := s.Usage; u.MaxBytes > 0 || u.MaxWrites > 0 {
		fmt.Fprintf(w, "quota\t%d%% used: %d of %s bytes, %d of %s writes\n", u.Percent, u.Bytes, bound(u.MaxBytes), u.Writes, bound(u.MaxWrites))
	}
}

// rotationCause says why a key was given up.
func rotationCause(k admin.PastKey) string {
	switch {
	case k.Shown == nil:
		return "rotated on request"
	case k.Cause == "sibling":
		return "another key at its place made " + k.Shown.String()
	default:
		return "somebody else made " + k.Shown.String() + " with it"
	}
}

func bound(n uint64) string {
	if n == 0 {
		return "any number of"
	}
	return strconv.FormatUint(n, 10)
}

// alarmMeaning says what an alarm does to clients, and how it ends.
var alarmMeaning = map[admin.Alarm]string{
	admin.AlarmCorrupt:  "clients may not write until it is disarmed",
	admin.AlarmLogSpace: "little space is left for the log: clients may only delete, or not even that, until there is more",
	admin.AlarmNoSpace:  "clients may only delete until it is disarmed",
}

// readiness says whether clients are served, and where.
func readiness(st admin.Status) string {
	switch {
	case st.Superseded:
		return "reads only: somebody else writes at this node's place in the mesh"
	case st.Key.State == "revoked" || st.Key.State == "outdated":
		return "reads only: " + strings.Join(st.ClientURLs, " ")
	case !st.Ready:
		return "not yet: the first sync is not complete"
	case len(st.ClientURLs) == 0:
		return "no client address"
	}
	return strings.Join(st.ClientURLs, " ")
}
