package usage

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestOfThisProcess(t *testing.T) {
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
	}
	u, err := Of(os.Getpid())
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || u.RSS < 1<<20 || u.Peak < u.RSS || u.CPU <= 0 {
		t.Errorf("Of(self) = %+v, %v, want memory and time used", u, err)
	}
}

func TestCPU(t *testing.T) {
	const stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14"
	if got, err := cpu(stat); err != nil || got != 3*time.Second {
		t.Errorf("cpu() = %v, %v, want 3s", got, err)
	}
}
