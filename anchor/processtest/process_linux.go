package processtest

import (
	"os"
	"syscall"
)

// childAttributes gives a server a process group of its own, and has the kernel end it when the test binary ends, which
// a test that runs into its time limit does without any cleanup.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func kill(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // its group; it fails when nothing of it is left
}
