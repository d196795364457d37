package harness

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter runs functions one after the other on a thread that lives as long as
// the process. The kernel sends a child its death signal when the thread ends
// that started it, be it long before the process.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// startTied starts cmd so that it does not outlive this process, however that ends.
func startTied(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starter() <- func() { started <- cmd.Start() }
	return <-started
}
