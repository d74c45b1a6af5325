package bolt

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"muniment/anchor/bounded"
)

// bootID is drawn by the kernel each time it starts.
const bootID = "/proc/sys/kernel/random/boot_id"

// Place names where a file lies: the boot of the machine, and device and inode of the file. A copy of the file is at
// another place, and so is the file itself after the machine has started again, for it may then be a copy of the whole
// disk.
func Place(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("finding out where a file lies: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("finding out where a file lies: its file system has no inodes")
	}
	boot, err := bounded.ReadFile(bootID, bounded.Small)
	if err != nil {
		return "", fmt.Errorf("finding out which boot of the machine this is: %w", err)
	}
	return fmt.Sprintf("boot %s device %d inode %d", strings.TrimSpace(string(boot)), stat.Dev, stat.Ino), nil
}
