//go:build !unix

package bolt

import "os"

// unlock does nothing: here a file that is mapped stays locked until the process ends.
func unlock(*os.File) {}
