package main

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// bind binds this process, and those that it starts from now on, to a core.
func bind(core int) { bindProcess(os.Getpid(), core) }

// bindProcess binds every thread of a process to a core, if the machine has it.
func bindProcess(pid, core int) {
	var set unix.CPUSet
	set.Set(core)
	for range 2 { // threads that were begun meanwhile, too
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*")
		for _, task := range tasks {
			if tid, err := strconv.Atoi(filepath.Base(task)); err == nil {
				_ = unix.SchedSetaffinity(tid, &set)
			}
		}
	}
}
