package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	flowSuffix      = ".json"
	defaultName     = "default"
	maxDestination  = 128 // bytes of a destination that a file can stand for
	maxFlowFiles    = 100_000
	defaultInterval = time.Second
)

// Dir is a folder of flows, one JSON file for each destination: 100.json answers calls to the
// user or extension "100", +16062067563.json those to that number, and default.json all
// others. It is a table in memory: what a caller dials is looked up in it and never
// becomes part of a path. Its methods are safe for concurrent use.
type Dir struct {
	opt   ParseOptions
	check func(*Flow) []Finding
	log   *slog.Logger
	path  string                              // for messages and ParseOptions.Dir; empty for FromFS
	open  func() (fs.FS, func() error, error) // nil: the files never change

	table atomic.Pointer[map[string]*Flow]

	mu    sync.Mutex           // held while files are read
	files map[string]*flowFile // by file name; guarded by mu
}

// flowFile is what is known of one file.
type flowFile struct {
	stat fs.FileInfo
	flow *Flow // the last good one; nil if there was none
	// refused says that there is a flow, which cannot run here.
	refused bool
}

// OpenDir reads all flows of a folder. opt holds for each of them; its Name, Dir and
// File are set by file. Where a file cannot be read or parsed the error is an *Error with the
// findings of all files. check, if not nil, is asked about each flow that parses: what it finds is
// logged, and a finding of SeverityError refuses that flow, whose destination then has
// none, not even the default one. A nil logger is slog.Default().
//
// Symbolic links are followed only within the folder; folders in it, and files with
// other names than *.json or hidden ones, are passed over.
func OpenDir(dir string, opt ParseOptions, check func(*Flow) []Finding, logger *slog.Logger) (*Dir, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("flow: open folder: %w", err)
	}
	d := newDir(opt, check, logger)
	d.path = abs
	d.open = func() (fs.FS, func() error, error) {
		// Opened for each look, so that a folder that was replaced as a whole is seen.
		root, err := os.OpenRoot(abs)
		if err != nil {
			return nil, nil, err
		}
		return root.FS(), root.Close, nil
	}
	fsys, done, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("flow: open folder: %w", err)
	}
	defer done()
	if err := d.first(fsys); err != nil {
		return nil, err
	}
	return d, nil
}

// FromFS is OpenDir for files that never change, such as embedded ones. Relative file:
// URLs of its flows start at opt.Dir.
func FromFS(fsys fs.FS, opt ParseOptions, check func(*Flow) []Finding, logger *slog.Logger) (*Dir, error) {
	d := newDir(opt, check, logger)
	if err := d.first(fsys); err != nil {
		return nil, err
	}
	return d, nil
}

func newDir(opt ParseOptions, check func(*Flow) []Finding, logger *slog.Logger) *Dir {
	if logger == nil {
		logger = slog.Default()
	}
	d := &Dir{opt: opt, check: check, log: logger, files: make(map[string]*flowFile)}
	d.table.Store(&map[string]*Flow{})
	return d
}

// first reads the files for the first time; then a bad one is an error.
func (d *Dir) first(fsys fs.FS) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	findings, err := d.read(fsys)
	if err != nil {
		return fmt.Errorf("flow: read folder: %w", err)
	}
	for _, f := range d.files {
		if f.flow == nil && !f.refused {
			return &Error{Findings: findings}
		}
	}
	d.warn(findings)
	return nil
}

// Lookup returns the flow for a destination, as it was dialled, or the default flow.
// It is false when there is neither, and for what no file could stand for (a path, control
// characters, more than 128 bytes): the default flow is for those who dial wrong, not for
// those who try. It never touches the file system.
func (d *Dir) Lookup(destination string) (*Flow, bool) {
	if destination != "" && !isDestination(destination) {
		return nil, false
	}
	table := *d.table.Load()
	f, ok := table[destination]
	if !ok {
		f = table[defaultName]
	}
	return f, f != nil
}

// Has tells whether there is a flow for this destination itself, the default one aside.
func (d *Dir) Has(destination string) bool { return (*d.table.Load())[destination] != nil }

// Destinations returns all flows by their destinations; "default" is the default flow.
func (d *Dir) Destinations() map[string]*Flow {
	all := maps.Clone(*d.table.Load())
	maps.DeleteFunc(all, func(_ string, f *Flow) bool { return f == nil })
	return all
}

// Watch looks for changed files every interval (0: 1 s) and takes them up, all of one
// look at once, until ctx ends; then it returns context.Cause(ctx). Calls that run keep
// the flow that they have. A bad file is logged once and the last good version of it
// stays in use; a deleted file's flow is gone.
func (d *Dir) Watch(ctx context.Context, interval time.Duration) error {
	if interval <= 0 {
		interval = defaultInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := ""
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		findings, err := d.Reload()
		d.warn(findings)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if message != failing && message != "" { // once, not at every look
			d.log.Warn("flow folder cannot be read, the flows stay as they are", "err", err)
		}
		failing = message
	}
}

// Reload looks for changed files now. It returns what is wrong with those that changed;
// an error means that the folder cannot be read, and nothing has changed.
func (d *Dir) Reload() ([]Finding, error) {
	if d.open == nil {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fsys, done, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("flow: open folder: %w", err)
	}
	defer done()
	findings, err := d.read(fsys)
	if err != nil {
		return nil, fmt.Errorf("flow: read folder: %w", err)
	}
	return findings, nil
}

func (d *Dir) warn(findings []Finding) {
	for _, f := range findings {
		if f.Severity == SeverityError {
			d.log.Warn("flow refused", "file", f.File, "finding", f.String())
		} else {
			d.log.Warn("flow is doubtful", "file", f.File, "finding", f.String())
		}
	}
}

// read brings files and table up to date. d.mu is held.
func (d *Dir) read(fsys fs.FS) ([]Finding, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFlowFiles {
		return nil, fmt.Errorf("%d files, at most %d", len(entries), maxFlowFiles)
	}
	var findings []Finding
	files := make(map[string]*flowFile)
	changed := false
	for _, e := range entries {
		name := e.Name()
		if !isFlowFile(name) {
			continue
		}
		old := d.files[name]
		stat, err := fs.Stat(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since it was listed, or a link to nowhere
		}
		if err != nil {
			stat = nil
		} else if stat.IsDir() {
			continue
		}
		if old != nil && sameFile(old.stat, stat) {
			files[name] = old
			continue
		}
		now := &flowFile{stat: stat}
		files[name] = now
		var more []Finding
		if err == nil {
			now.flow, more, now.refused, err = d.load(fsys, name)
		}
		if err != nil {
			more = []Finding{{Severity: SeverityError, File: name, Message: err.Error()}}
		}
		findings = append(findings, more...)
		if now.flow == nil && old != nil {
			now.flow = old.flow
		}
		changed = true
	}
	if !changed && len(files) == len(d.files) {
		return findings, nil
	}
	d.files = files
	table := make(map[string]*Flow, len(files))
	for name, f := range files {
		if f.flow != nil || f.refused {
			table[strings.TrimSuffix(name, flowSuffix)] = f.flow
		}
	}
	d.table.Store(&table)
	return findings, nil
}

// isFlowFile tells whether a file of that name is for a destination.
func isFlowFile(name string) bool {
	dest, ok := strings.CutSuffix(name, flowSuffix)
	return ok && isDestination(dest)
}

// isDestination tells whether a file could stand for dest.
func isDestination(dest string) bool {
	if dest == "" || len(dest) > maxDestination || dest[0] == '.' || !utf8.ValidString(dest) {
		return false
	}
	return !strings.ContainsFunc(dest, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == '\\' })
}

// sameFile tells whether a file has not changed; both are nil where it could not be looked at.
func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// load reads, parses and checks one file. A nil flow comes with findings or an error;
// refused says that only the check was against it.
func (d *Dir) load(fsys fs.FS, name string) (f *Flow, findings []Finding, refused bool, err error) {
	data, err := readFlow(fsys, name)
	if err != nil {
		return nil, nil, false, err
	}
	opt := d.opt
	opt.Name, opt.File = strings.TrimSuffix(name, flowSuffix), name
	if d.path != "" {
		opt.Dir = d.path
	}
	f, err = Parse(data, opt)
	if bad, ok := errors.AsType[*Error](err); ok {
		return nil, bad.Findings, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	findings = f.warnings
	if d.check != nil {
		findings = d.check(f)
	}
	if hasError(findings) {
		return nil, findings, true, nil
	}
	return f, findings, false, nil
}

// readFlow reads a file that is no longer than a flow may be. A pipe or device in the
// folder is refused before it is opened: it could block.
func readFlow(fsys fs.FS, name string) ([]byte, error) {
	if stat, err := fs.Stat(fsys, name); err != nil {
		return nil, err
	} else if !stat.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSize+1)) // Parse tells of one that is too long
}
