//go:build !linux

package processtest

import (
	"os"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr { return nil }

func kill(p *os.Process) { _ = p.Kill() }
