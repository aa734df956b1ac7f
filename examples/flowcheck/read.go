package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/callbin/callbin/flow"
)

// text is a file that was read.
type text struct {
	name string
	data []byte
}

// readAll reads files, the *.json files of folders, and standard input as -. The error is about
// those that cannot be read, beside the others.
func readAll(names []string, stdin io.Reader) ([]text, error) {
	var texts []text
	var errs []error
	read := func(name string, r io.Reader) {
		data, err := io.ReadAll(io.LimitReader(r, flow.MaxSize+1)) // one more is too large
		if err != nil {
			errs = append(errs, err)
			return
		}
		texts = append(texts, text{name, data})
	}
	open := func(name string) {
		f, err := os.Open(name)
		if err != nil {
			errs = append(errs, err)
			return
		}
		defer f.Close()
		read(name, f)
	}
	for _, name := range names {
		switch stat, err := os.Stat(name); {
		case name == "-":
			read("stdin", stdin)
		case err != nil:
			errs = append(errs, err)
		case !stat.IsDir():
			open(name)
		default:
			inside, err := flowFiles(name)
			if err != nil {
				errs = append(errs, err)
			}
			for _, n := range inside {
				open(n)
			}
		}
	}
	return texts, errors.Join(errs...)
}

// flowFiles returns the files of a folder that flow.OpenDir would take for flows, sorted.
func flowFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); !e.IsDir() && strings.HasSuffix(n, ".json") && !strings.HasPrefix(n, ".") {
			names = append(names, filepath.Join(dir, n))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: there is no *.json in it", dir)
	}
	return names, nil
}
