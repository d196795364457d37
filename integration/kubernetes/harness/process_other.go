//go:build !linux

package harness

import "syscall"

// deathSignal is not to be had here: a killed test leaves its children.
func deathSignal() *syscall.SysProcAttr { return nil }
