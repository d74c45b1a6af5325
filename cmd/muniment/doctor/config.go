package doctor

import (
	"context"
	"errors"
	"os"

	"muniment/cmd/muniment/config"
)

// configuration reads the configuration and holds it against its rules. The other
// checks go on with as much of a bad one as can be read.
func (d *doctor) configuration(_ context.Context, r *report) {
	cfg, err := config.Load(d.place.File, d.Getenv)
	d.cfg = cfg
	if err != nil {
		r.fail("", "mend what is named; the guide lists every key", "%v", err)
		if cfg.Data == "" {
			d.cfg = config.Default()
		}
	}
	if d.folder != nil {
		d.cfg.Data = *d.folder
	}
	wrong := splitErrors(d.cfg.Check())
	for _, one := range wrong {
		r.fail("", "mend it in the configuration file or its environment variable", "%v", one)
	}
	if err == nil && len(wrong) == 0 {
		r.ok("", "%s, documents: %s, keys: %s", orElse(d.place.File, "no file"), d.cfg.Storage.Kind, d.cfg.Keys.Kind)
	}
	d.configurationFile(r)
	for _, path := range d.cfg.SecretFiles() {
		switch err := config.CheckSecretFile(path); {
		case errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist):
			r.fail("secrets", "put the file there, readable for the user that runs the server", "%v", err)
		case err != nil:
			r.fail("secrets", "chmod 600 "+path, "%v", err)
		default:
			r.ok("secrets", "%s is for its owner and group alone", path)
		}
	}
}

// configurationFile says whether others may change it: who can name another bucket can have the documents put there.
func (d *doctor) configurationFile(r *report) {
	if d.place.File == "" {
		return
	}
	info, err := os.Stat(d.place.File)
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		r.fail("file", "chmod go-w "+d.place.File, "others than its owner may change %s (mode %04o)", d.place.File,
			info.Mode().Perm())
	}
}

// splitErrors are the errors that one was joined of.
func splitErrors(err error) []error {
	var many interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many.Unwrap()
	}
	return []error{err}
}
