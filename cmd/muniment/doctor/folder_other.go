//go:build !linux

package doctor

import (
	"errors"
	"io/fs"
)

// diskOf knows Linux's file systems only.
func diskOf(string) (free, total int64, kind string, err error) {
	return 0, 0, "", errors.ErrUnsupported
}

// ownerOf knows Linux's users only.
func ownerOf(fs.FileInfo) (user int, known bool) { return 0, false }
