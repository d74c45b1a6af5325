package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path/filepath"

	"muniment/cmd/muniment/demo/samples"
)

// source is a document that the demonstration deposits.
type source struct {
	name, title, mediaType, recordDate string
	attributes                         map[string]string
	open                               func() (io.ReadCloser, int64, error) // its content and its length
}

// sourcesOf are the files given, with those in folders, or else the built-in set.
func sourcesOf(args []string) ([]source, error) {
	if len(args) == 0 {
		return builtIn()
	}
	var out []source
	for _, arg := range args {
		root, err := filepath.EvalSymlinks(arg) // of what was named, but of nothing in it
		if err != nil {
			return nil, fmt.Errorf("looking for files: %w", err)
		}
		err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.Type().IsRegular() {
				out = append(out, fromFile(root, path))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("looking for files: %w", err)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("there is no file to deposit in what was given")
	}
	return out, nil
}

func fromFile(root, path string) source {
	title, err := filepath.Rel(root, path)
	if err != nil || title == "." {
		title = filepath.Base(path)
	}
	return source{
		name: filepath.Base(path), title: title, mediaType: mime.TypeByExtension(filepath.Ext(path)),
		open: func() (io.ReadCloser, int64, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, 0, err
			}
			info, err := f.Stat()
			if err != nil {
				return nil, 0, errors.Join(err, f.Close())
			}
			return f, info.Size(), nil
		},
	}
}

func builtIn() ([]source, error) {
	docs, err := samples.All()
	if err != nil {
		return nil, err
	}
	var out []source
	for _, s := range docs {
		out = append(out, source{
			name: s.Name, title: s.Title, mediaType: s.MediaType, recordDate: s.RecordDate, attributes: s.Attributes,
			open: func() (io.ReadCloser, int64, error) {
				return io.NopCloser(bytes.NewReader(s.Content)), int64(len(s.Content)), nil
			},
		})
	}
	return out, nil
}
