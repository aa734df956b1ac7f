package speech

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// disk keeps files in a directory up to a number of bytes, those not used for longest
// go first. What it knows is its own index; files that other processes wrote are
// found by name and join it then.
type disk struct {
	dir   string
	limit int64

	mu    sync.Mutex
	bytes int64                    // guarded by mu, like all below
	order list.List                // of *onDisk, newest first
	byKey map[string]*list.Element //
}

type onDisk struct {
	key  string
	size int64
}

const tempPrefix = ".tmp-"

// staleTemp is the age at which a file that was never finished is taken for a crash's.
const staleTemp = time.Hour

func openDisk(dir string, limit int64) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, limit: limit, byKey: map[string]*list.Element{}}
	var found []fs.FileInfo
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		switch {
		case isKey(strings.TrimSuffix(st.Name(), fileExt)):
			found = append(found, st)
		case strings.HasPrefix(st.Name(), tempPrefix) && time.Since(st.ModTime()) > staleTemp:
			// Failing to clean up is no reason not to speak.
			_ = os.Remove(filepath.Join(dir, st.Name()))
		}
	}
	slices.SortFunc(found, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, st := range found {
		d.add(strings.TrimSuffix(st.Name(), fileExt), st.Size())
	}
	return d, d.evict()
}

func isKey(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func (d *disk) path(key string) string { return filepath.Join(d.dir, key+fileExt) }

func (d *disk) has(key string) bool {
	st, err := os.Stat(d.path(key))
	return err == nil && st.Mode().IsRegular()
}

// read returns the bytes of a file and marks it as used.
func (d *disk) read(key string) ([]byte, error) {
	b, err := os.ReadFile(d.path(key))
	if err != nil {
		return nil, err
	}
	// The order has to outlive the process; where the file system has no such times, it does not.
	now := time.Now()
	_ = os.Chtimes(d.path(key), now, now)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(key, int64(len(b)))
	return b, nil
}

// write stores a file such that nobody ever sees a part of it.
func (d *disk) write(key string, b []byte) (err error) {
	if int64(len(b)) > d.limit {
		return nil
	}
	if err := writeFile(d.dir, key+fileExt, b); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(key, int64(len(b)))
	return d.evict()
}

func writeFile(dir, name string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// add puts a file in front; mu is held.
func (d *disk) add(key string, size int64) {
	if e := d.byKey[key]; e != nil {
		d.bytes -= d.order.Remove(e).(*onDisk).size
	}
	d.byKey[key] = d.order.PushFront(&onDisk{key, size})
	d.bytes += size
}

// evict removes what is too much; mu is held.
func (d *disk) evict() error {
	for d.bytes > d.limit {
		e := d.order.Remove(d.order.Back()).(*onDisk)
		delete(d.byKey, e.key)
		d.bytes -= e.size
		if err := os.Remove(d.path(e.key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("evict: %w", err)
		}
	}
	return nil
}
