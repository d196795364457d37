package main

import (
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/identity"
	"github.com/causeway-sync/causeway/node/admin"
)

// TestStatusWaiting: what is short and who waits has a line each.
func TestStatusWaiting(t *testing.T) {
	var out strings.Builder
	key := identity.NewKeyFromSeed([32]byte{1}).Public()
	writeStatus(&out, admin.Status{
		Short:   []admin.Space{{Space: "disk", Free: 300 << 20, Reserve: 1 << 30}, {Space: "memory"}},
		Waiting: []admin.WaitingAuthor{{Author: key, Operator: "team-b"}},
	})
	for _, want := range []string{"\nshort\tdisk: 300 MiB free, 1024 MiB are kept", "\n\tmemory: 0 MiB", "\nwaiting\t" + key.String() + " of team-b: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status lacks the line %q:\n%s", want, out.String())
		}
	}
}

// TestStatusAlarms: each alarm has a line that says what it does.
func TestStatusAlarms(t *testing.T) {
	var out strings.Builder
	writeStatus(&out, admin.Status{Alarms: []admin.Alarm{admin.AlarmCorrupt, admin.AlarmLogSpace, admin.AlarmNoSpace}})
	for _, want := range []string{"\nalarms\tCORRUPT: clients may not write ", "\n\tLOGSPACE: little space ", "\n\tNOSPACE: clients may only delete "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status lacks the line %q:\n%s", want, out.String())
		}
	}
}
