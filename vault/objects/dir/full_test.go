package dir_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"muniment/vault/objects"
	"muniment/vault/objects/dir"
)

// TestFull fills a small file system of its own, in a process with a mount namespace of its own.
func TestFull(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	c := child(t, "filler", root)
	var out bytes.Buffer
	c.Stderr = &out
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := c.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) ||
		strings.Contains(out.String(), cannotMount) {
		t.Skipf("this machine permits no user namespace with a file system in it: %v %s", err, out.String())
	}
	if err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
}

const cannotMount = "mounting a small file system"

// fill fills a file system of 1 MiB with objects, then with bodies too large, and looks at what each refusal leaves.
func fill(root string) error {
	if err := syscall.Mount("none", root, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	s, err := dir.Open(ctx(), config(root, true))
	if err != nil {
		return err
	}
	defer s.Close()
	kept := map[string]string{}
	full := false
	for n := 0; !full; n++ {
		key := fmt.Sprintf("t/%02d", n)
		info, err := s.Put(ctx(), key, strings.NewReader(bodyOf(key)), objects.PutOptions{Length: -1})
		switch {
		case err == nil:
			kept[key] = info.Version
		case errors.Is(err, objects.ErrFull) && errors.Is(err, syscall.ENOSPC):
			full = true
		default:
			return fmt.Errorf("put to a full disk: %w, want ErrFull and ENOSPC", err)
		}
	}
	if len(kept) < 10 {
		return fmt.Errorf("only %d objects fitted into 1 MiB", len(kept))
	}
	for key, version := range kept {
		if _, err := s.Stat(ctx(), key, version); err != nil {
			return fmt.Errorf("an object on a full disk: %w", err)
		}
	}
	// Freeing one object must make room for another of its size again and again: refused Puts leave nothing.
	if err := s.Delete(ctx(), "t/00", kept["t/00"]); err != nil {
		return fmt.Errorf("deleting on a full disk: %w", err)
	}
	for range 20 {
		body := strings.NewReader(strings.Repeat("x", 4<<20))
		if _, err := s.Put(ctx(), "t/large", body, objects.PutOptions{Length: 4 << 20}); !errors.Is(err,
			objects.ErrFull) {
			return fmt.Errorf("put of more than the disk holds: %w, want ErrFull", err)
		}
	}
	if _, err := s.Put(ctx(), "t/00", strings.NewReader(bodyOf("t/00")), objects.PutOptions{Length: -1}); err != nil {
		return fmt.Errorf("put after room was made: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(root, "incoming", "*", "*"))
	if err != nil || len(left) > 0 {
		return fmt.Errorf("refused puts left %d files, %w", len(left), err)
	}
	return nil
}

// TestErrnoOfTheBody shows that what a body's reader suffers is not taken for the store's own trouble.
func TestErrnoOfTheBody(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), true, config("", true).Clock)
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.ECONNRESET} {
		_, err := s.Put(t.Context(), "a", iotest.ErrReader(errno), objects.PutOptions{Length: -1})
		if !errors.Is(err, errno) || errors.Is(err, objects.ErrFull) || errors.Is(err, objects.ErrUnavailable) {
			t.Errorf("Put of a body that fails with %q: %v", errno, err)
		}
	}
}

// TestUnavailable takes the folder away under an open store.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "store")
	s := open(t, root, true, config("", true).Clock)
	if err := os.Rename(root, root+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, objects.ErrUnavailable) || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("Check without the folder: %v, want ErrUnavailable", err)
	}
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x"), objects.PutOptions{Length: 1}); !errors.Is(err,
		objects.ErrUnavailable) {
		t.Errorf("Put without the folder: %v, want ErrUnavailable", err)
	}
}
