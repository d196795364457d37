package main

import (
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/node/admin"
)

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
