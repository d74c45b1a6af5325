package node

import (
	"fmt"

	"muniment/cmd/muniment/cli"
)

const (
	// adminConnections is how many connections the admin port serves at a time.
	adminConnections = 16
	// reservedFiles are the open files kept for everything but connections and what they read and write.
	reservedFiles = 64
	// filesPerConnection: the connection itself, and an object that is written or read for it.
	filesPerConnection = 2
	// mostConnections is the default where the limit of open files allows more: each takes some 50 KB.
	mostConnections = 4096
)

// maxConnections is how many connections may be served at a time: as configured or, with 0, what the limit of open
// files allows. More than it allows is refused: a client without a credential could then use up the files that deposits
// need.
func maxConnections(configured int) (int, error) {
	files, err := OpenFiles()
	if err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	return ConnectionsWithin(files, configured)
}

// ConnectionsWithin is how many connections may be served at a time where so many files may be open.
func ConnectionsWithin(files uint64, configured int) (int, error) {
	room := 0
	if files > reservedFiles {
		room = int(min((files-reservedFiles)/filesPerConnection, 1<<20))
	}
	switch {
	case room == 0 || configured > room:
		return 0, cli.Hint(fmt.Errorf("%d open files are allowed, which is room for %d connections", files, room),
			"raise the limit (ulimit -n), or lower limits.connections")
	case configured > 0:
		return configured, nil
	}
	return min(room, mostConnections), nil
}
