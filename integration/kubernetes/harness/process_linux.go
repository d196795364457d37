package harness

import "syscall"

// deathSignal asks the kernel to end a child with its parent.
func deathSignal() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
