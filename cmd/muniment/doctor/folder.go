package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"muniment/cmd/muniment/cli"
	"muniment/cmd/muniment/config"
	"muniment/cmd/muniment/node"
)

const (
	// leastFree is how much room the disk of the data folder must have, in bytes.
	leastFree = 1 << 30
	// slowSync is the median from which syncs are called slow: a deposit waits for one or two.
	slowSync = 20 * time.Millisecond
	// syncProbes is how many syncs are measured.
	syncProbes = 16
)

// dataFolder looks at the folder, its disk, and what is in it.
func (d *doctor) dataFolder(ctx context.Context, r *report) {
	f := node.Folder(d.cfg.Data)
	info, err := os.Stat(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.warn("", "the first serve makes it; if there should be one, name it with --data or in the configuration",
			"there is no %s", f)
		return
	case err != nil:
		r.fail("", "let the user that runs the server enter the folder", "%v", err)
		return
	case !info.IsDir():
		r.fail("", "name a folder", "%s is no folder", f)
		return
	}
	d.owner(f, info, r)
	d.disk(f, r)
	if !d.ready.answered {
		d.parts(f, r)
	}
	if err := ctx.Err(); err == nil {
		d.syncs(ctx, f, r)
	}
}

// owner looks at who may enter.
func (d *doctor) owner(f node.Folder, info fs.FileInfo, r *report) {
	mode := info.Mode().Perm()
	switch {
	case mode&0o022 != 0:
		r.fail("mode", "chmod 700 "+string(f), "others than its owner may write to it (mode %04o)", mode)
	case mode&0o055 != 0:
		r.warn("mode", "chmod 700 "+string(f), "others than its owner may look into it (mode %04o)", mode)
	default:
		r.ok("mode", "%04o", mode)
	}
	if owner, known := ownerOf(info); known && owner != os.Geteuid() && os.Geteuid() != 0 {
		r.warn("owner", "run the doctor as the user that runs the server: sudo -u USER muniment doctor",
			"it belongs to user %d, and this is user %d", owner, os.Geteuid())
	}
}

// disk looks at the file system.
func (d *doctor) disk(f node.Folder, r *report) {
	free, total, kind, err := diskOf(string(f))
	if err != nil {
		r.warn("disk", "look at the disk by other means", "its room cannot be told: %v", err)
		return
	}
	found := fmt.Sprintf("%s of %s are free", cli.Size(free), cli.Size(total))
	switch {
	case free < leastFree:
		r.fail("disk", "make room: a full disk has deposits and reads answered 507", "%s", found)
	case free < total/10:
		r.warn("disk", "make room before it is full: then deposits and reads are answered 507", "%s", found)
	default:
		r.ok("disk", "%s", found)
	}
	switch kind {
	case "":
	case "nfs", "cifs":
		r.fail("file system", "use a disk of this machine: the journal's file lock and syncs are not to be relied "+
			"on there", "%s", kind)
	default:
		r.warn("file system", "use a disk: what is kept there is gone with the machine or the container", "%s", kind)
	}
}

// parts looks at what is in a folder that nobody serves.
func (d *doctor) parts(f node.Folder, r *report) {
	have, err := f.Inventory()
	if err != nil {
		r.refused("parts", err, "see what is named")
		return
	}
	if d.cfg.Storage.Kind == config.StorageS3 { // what lies there has lines of its own
		have.Release, have.Objects = have.Journal, have.Journal
	}
	if d.cfg.Keys.Kind == config.KeysVault {
		have.Keys = have.Journal || have.Release || have.Objects
	}
	found, err := f.State(have)
	if err != nil {
		r.refused("parts", err, "see what is named")
		return
	}
	switch found {
	case node.Fresh:
		r.warn("parts", "the first serve makes a vault here", "there is no vault in it yet")
	case node.Unrestored:
		r.warn("parts", "muniment restore makes it anew from the release bucket", "there is no journal.db")
	default:
		r.ok("parts", "all are there")
	}
}

// syncs measures how long a sync of 4 KiB takes, with a probe that it removes again.
func (d *doctor) syncs(ctx context.Context, f node.Folder, r *report) {
	path := filepath.Join(string(f), ".muniment-doctor")
	took, err := timeSyncs(ctx, path)
	if err != nil {
		r.refused("syncs", fmt.Errorf("writing the probe %s: %w", path, err),
			"let the server's user write to the folder")
		return
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	found := fmt.Sprintf("4 KiB are on disk in %v, at worst %v (probe: %s, removed)",
		rounded(median), rounded(worst), path)
	if median > slowSync {
		r.warn("syncs", "use a disk with a faster sync: every commit waits for it", "%s", found)
		return
	}
	r.ok("syncs", "%s", found)
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func timeSyncs(ctx context.Context, path string) (took []time.Duration, err error) {
	probe, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, probe.Close(), os.Remove(path)) }()
	block := make([]byte, 4096)
	for i := range syncProbes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		began := time.Now()
		if _, err := probe.WriteAt(block, int64(i)*int64(len(block))); err != nil {
			return nil, err
		}
		if err := probe.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// openFiles looks at the limit of open files. It is that of this process: a service may have another.
func (d *doctor) openFiles(_ context.Context, r *report) {
	files, err := node.OpenFiles()
	if err != nil {
		r.warn("", "look at it by other means: ulimit -n", "the limit cannot be told: %v", err)
		return
	}
	most, err := node.ConnectionsWithin(files, d.cfg.Limits.Connections)
	switch {
	case err != nil:
		r.refused("", err, "raise the limit (ulimit -n)")
	case most < 1000:
		r.warn("", "raise it for the service (LimitNOFILE=65536)",
			"%d are allowed to this shell, room for %d connections", files, most)
	default:
		r.ok("", "%d are allowed to this shell, room for %d connections", files, most)
	}
}
