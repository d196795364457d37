//go:build !linux

package harness

import (
	"os/exec"
	"testing"
)

// Island is not to be had here: the test is skipped.
func Island(t testing.TB) bool {
	t.Skip("links are cut in a network namespace, which Linux has")
	return false
}

func cutNetwork(testing.TB, bool) { panic("harness: not on an island") }

func addAddress(testing.TB, string) { panic("harness: not on an island") }

func hostNamed(*exec.Cmd, string) { panic("harness: not on an island") }
