package processtest

import (
	"bufio"
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Program returns the path of a server's program in its pinned version, or says that it is missing (Missing). Under
// -short it skips the test, since real servers take longer than what -short is for.
func Program(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("-short leaves out what needs a real server (%s)", name)
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatalf("finding the pinned version of %s: %v", name, err)
	}
	version, err := pinned(filepath.Join(root, ".ci", "servers", name, "go.mod"))
	if err != nil {
		t.Fatalf("finding the pinned version of %s: %v", name, err)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatalf("finding %s: %v", name, err)
	}
	path := filepath.Join(cache, name+"-"+version, name)
	if _, err := os.Stat(path); err == nil {
		return path
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("finding %s: %v", name, err)
	}
	if path, err := exec.LookPath(name); err == nil && isVersion(t.Context(), path, version) {
		return path
	}
	Missing(t, fmt.Sprintf("%s %s is missing", name, version), "`make servers` builds it")
	return ""
}

// cacheDir is where `make servers` puts the programs, <name>-<version>/<name> each.
func cacheDir() (string, error) {
	if dir := os.Getenv("MUNIMENT_SERVERS_DIR"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache folder (MUNIMENT_SERVERS_DIR may name another): %w", err)
	}
	return filepath.Join(dir, "muniment", "servers"), nil
}

// moduleRoot walks up from the working directory, which of a test is its package's folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module muniment\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no folder above the working directory has the go.mod of module muniment")
		}
		dir = filepath.Dir(dir)
	}
}

// pinned is the version of the module that the tool of a go.mod file comes from.
func pinned(goMod string) (string, error) {
	text, err := os.ReadFile(goMod)
	if err != nil {
		return "", fmt.Errorf("reading the tool's module: %w", err)
	}
	tool := ""
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan(); {
		fields := strings.Fields(strings.TrimPrefix(scanner.Text(), "require "))
		switch {
		case len(fields) < 2:
		case fields[0] == "tool":
			tool = fields[1]
		case tool != "" && strings.HasPrefix(tool+"/", fields[0]+"/"):
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("%s names no tool, or requires no module that has it", goMod)
}

// isVersion tells whether a program is of a version: by the module that Go noted in it, or by what it says of itself,
// since the releases of some are built without.
func isVersion(ctx context.Context, path, version string) bool {
	if info, err := buildinfo.ReadFile(path); err == nil && info.Main.Version == version {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return false
	}
	for _, word := range strings.Fields(string(text)) {
		if strings.TrimPrefix(word, "v") == strings.TrimPrefix(version, "v") {
			return true
		}
	}
	return false
}
