package measure

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// tick is the unit of /proc's times: USER_HZ is 100 wherever Go runs on Linux.
const tick = time.Second / 100

// ProcessorTime is the processor time that a process has taken so far, to a hundredth of a second (proc(5)). It swings
// less than rates do on a machine that other work shares. It needs Linux.
func ProcessorTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading a process's time, which needs Linux: %w", err)
	}
	// The name of the program comes second, in brackets, and may hold anything.
	var user, system int64
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading a process's time: /proc has %q", stat)
	}
	if _, err := fmt.Sscan(string(fields[11])+" "+string(fields[12]), &user, &system); err != nil {
		return 0, fmt.Errorf("reading a process's time: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}
