package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is a user who may do nothing.
const nobody = 65534

// TestFsckOfAReadOnlyFolder: a folder that may be read, and not written, as on a snapshot, is checked.
func TestFsckOfAReadOnlyFolder(t *testing.T) {
	long(t, processes)
	t.Parallel()
	v := newVictim(t, "muniment")
	if !v.start(nil) {
		t.Fatalf("the server did not start\n%s", v.stderr)
	}
	v.load("kept", 2)
	if err := v.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	cmd := exec.CommandContext(t.Context(), v.program, "fsck", "--data", v.dir, "--keys")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	root := os.Getuid() == 0
	if root { // whom no mode keeps from writing
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, path := range append(above(v.dir), above(v.program)...) {
			if err := os.Chmod(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Env = append(cmd.Env, "TMPDIR=/tmp")
	}
	err := filepath.WalkDir(v.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && root {
			err = os.Chown(path, nobody, nobody)
		}
		if err != nil {
			return err
		}
		if e.IsDir() {
			t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
			return os.Chmod(path, 0o500)
		}
		return os.Chmod(path, 0o400)
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
}

// above are the folders that a path lies in, below the system's own folder for what is temporary.
func above(path string) (all []string) {
	for dir := filepath.Dir(path); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		all = append(all, dir)
	}
	return all
}
