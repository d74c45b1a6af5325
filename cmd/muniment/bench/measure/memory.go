package measure

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// PeakMemory is the largest anonymous resident memory that a process has while work runs, in bytes, sampled every
// 20 ms. It needs Linux.
func PeakMemory(pid int, work func() error) (peak float64, err error) {
	if _, err := rssAnon(pid); err != nil {
		return 0, err
	}
	done := make(chan struct{})
	highest := make(chan float64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		most := 0.0
		for {
			select {
			case <-done:
				highest <- most
				return
			case <-tick.C:
				if now, err := rssAnon(pid); err == nil {
					most = max(most, now)
				}
			}
		}
	}()
	err = work()
	close(done)
	return <-highest, err
}

// rssAnon is a process's anonymous resident memory in bytes (proc(5)).
func rssAnon(pid int) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the server's memory, which needs Linux: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			var kib float64
			_, err := fmt.Sscan(rest, &kib)
			return kib * 1024, err
		}
	}
	return 0, errors.New("reading the server's memory: /proc has no RssAnon")
}
