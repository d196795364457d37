package etcdgw

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a test leaves a goroutine behind: every test shuts its
// server down.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
