package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
)

// FileBlobs keeps blobs as files of a directory, under their names. It never leaves
// the directory, also not through symbolic links. Closing a writer hands the data to
// the operating system and does not wait for the disk. Safe for concurrent use.
type FileBlobs struct {
	root *os.Root

	mu     sync.RWMutex
	closed bool // guarded by mu
}

var _ Blobs = (*FileBlobs)(nil)

// Files opens dir, which is made where it is missing, as a place for blobs. What it
// makes is readable by its owner only: recordings are private. Close it after use.
func Files(dir string) (*FileBlobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: open directory for blobs: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("store: open directory for blobs: %w", err)
	}
	return &FileBlobs{root: root}, nil
}

// Dir is the directory.
func (b *FileBlobs) Dir() string { return b.root.Name() }

func (b *FileBlobs) begin(ctx context.Context, verb, name string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("store: %s blob %.80q: %w", verb, name, context.Cause(ctx))
	}
	if err := CheckBlobName(name); err != nil {
		return err
	}
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return fmt.Errorf("store: %s blob %q: %w", verb, name, ErrClosed)
	}
	return nil
}

// CreateBlob makes a file; see Blobs.
func (b *FileBlobs) CreateBlob(ctx context.Context, name string) (BlobWriter, error) {
	if err := b.begin(ctx, "create", name); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	f, err := b.create(name)
	if errors.Is(err, fs.ErrNotExist) {
		// The first file of a folder pays for making it, not every file.
		if err = b.root.MkdirAll(path.Dir(name), 0o700); err == nil {
			f, err = b.create(name)
		}
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) { // taken, or a folder's name is a blob's
		return nil, fmt.Errorf("store: create blob %q: %w", name, ErrConflict)
	}
	if err != nil {
		return nil, fmt.Errorf("store: create blob %q: %w", name, err)
	}
	return f, nil
}

func (b *FileBlobs) create(name string) (*os.File, error) {
	return b.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// OpenBlob opens a file; see Blobs. The reader is an *os.File.
func (b *FileBlobs) OpenBlob(ctx context.Context, name string) (BlobReader, error) {
	if err := b.begin(ctx, "open", name); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	st, err := b.root.Stat(name)
	if err == nil && !st.Mode().IsRegular() { // a folder; or a pipe, whose opening would block
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, blobError("open", name, err)
	}
	f, err := b.root.Open(name)
	if err != nil {
		return nil, blobError("open", name, err)
	}
	return f, nil
}

// DeleteBlob removes a file; see Blobs. Its folders stay.
func (b *FileBlobs) DeleteBlob(ctx context.Context, name string) error {
	if err := b.begin(ctx, "delete", name); err != nil {
		return err
	}
	defer b.mu.RUnlock()
	st, err := b.root.Lstat(name)
	if err == nil && st.IsDir() {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = b.root.Remove(name)
	}
	if err != nil {
		return blobError("delete", name, err)
	}
	return nil
}

// Close lets go of the directory; files that are open stay so. It is idempotent.
func (b *FileBlobs) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.root.Close()
}

func blobError(verb, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("store: %s blob %q: %w", verb, name, ErrNotFound)
	}
	return fmt.Errorf("store: %s blob %q: %w", verb, name, err)
}
