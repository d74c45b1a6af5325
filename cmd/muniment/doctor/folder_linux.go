package doctor

import (
	"io/fs"
	"syscall"
)

// diskOf is the room on the file system of a folder, in bytes, and its kind where that is none to keep records on.
func diskOf(path string) (free, total int64, kind string, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, 0, "", err
	}
	kinds := map[int64]string{0x6969: "nfs", 0xff534d42: "cifs", 0x01021994: "tmpfs", 0x858458f6: "ramfs",
		0x794c7630: "overlay"}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, kinds[int64(uint32(s.Type))], nil
}

// ownerOf is the user that a file belongs to.
func ownerOf(info fs.FileInfo) (user int, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}
