package store

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// memoryBlobs keeps blobs in memory up to a limit.
type memoryBlobs struct {
	limit int64 // negative: none

	mu    sync.Mutex
	all   map[string]*memoryBlob // this and all below guarded by mu
	age   []*memoryBlob          // oldest first
	bytes int64
}

// memoryBlob is guarded by the mu of its memoryBlobs.
type memoryBlob struct {
	name    string
	data    []byte
	writing bool
	gone    bool // deleted: what is written no longer counts
}

func newMemoryBlobs(limit int64) *memoryBlobs {
	if limit == 0 {
		limit = 256 << 20
	}
	return &memoryBlobs{limit: limit, all: map[string]*memoryBlob{}}
}

func (b *memoryBlobs) begin(ctx context.Context, verb, name string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("store: %s blob %.80q: %w", verb, name, context.Cause(ctx))
	}
	return CheckBlobName(name)
}

func (b *memoryBlobs) CreateBlob(ctx context.Context, name string) (BlobWriter, error) {
	if err := b.begin(ctx, "create", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[name] != nil {
		return nil, fmt.Errorf("store: create blob %q: %w", name, ErrConflict)
	}
	blob := &memoryBlob{name: name, writing: true}
	b.all[name] = blob
	b.age = append(b.age, blob)
	return &memoryWriter{memoryFile{blobs: b, blob: blob}}, nil
}

func (b *memoryBlobs) OpenBlob(ctx context.Context, name string) (BlobReader, error) {
	if err := b.begin(ctx, "open", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	blob := b.all[name]
	if blob == nil {
		return nil, notFound("open blob", name)
	}
	return &memoryReader{memoryFile{blobs: b, blob: blob}}, nil
}

func (b *memoryBlobs) DeleteBlob(ctx context.Context, name string) error {
	if err := b.begin(ctx, "delete", name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	blob := b.all[name]
	if blob == nil {
		return notFound("delete blob", name)
	}
	b.drop(slices.Index(b.age, blob))
	return nil
}

// drop forgets b.age[i]; mu is held.
func (b *memoryBlobs) drop(i int) {
	blob := b.age[i]
	blob.gone = true
	b.bytes -= int64(len(blob.data))
	delete(b.all, blob.name)
	b.age = slices.Delete(b.age, i, i+1)
}

// grow makes room for n bytes of blob; mu is held.
func (b *memoryBlobs) grow(n int64) error {
	for b.limit >= 0 && b.bytes+n > b.limit {
		i := slices.IndexFunc(b.age, func(o *memoryBlob) bool { return !o.writing })
		if i < 0 {
			return fmt.Errorf("blobs in memory have reached their limit of %d bytes", b.limit)
		}
		b.drop(i)
	}
	b.bytes += n
	return nil
}

// memoryFile is an open blob with a position.
type memoryFile struct {
	blobs  *memoryBlobs
	blob   *memoryBlob
	pos    int64
	closed bool
}

func (f *memoryFile) Seek(offset int64, whence int) (int64, error) {
	f.blobs.mu.Lock()
	defer f.blobs.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(f.blob.data))
	case io.SeekStart:
	default:
		return 0, fmt.Errorf("store: seek blob %q: whence %d: %w", f.blob.name, whence, ErrInvalid)
	}
	if f.closed {
		return 0, fmt.Errorf("store: seek blob %q: %w", f.blob.name, fs.ErrClosed)
	}
	if offset < 0 {
		return 0, fmt.Errorf("store: seek blob %q: before its start: %w", f.blob.name, ErrInvalid)
	}
	f.pos = offset
	return offset, nil
}

type memoryReader struct{ memoryFile }

func (r *memoryReader) Read(p []byte) (int, error) {
	r.blobs.mu.Lock()
	defer r.blobs.mu.Unlock()
	if r.closed {
		return 0, fmt.Errorf("store: read blob %q: %w", r.blob.name, fs.ErrClosed)
	}
	if r.pos >= int64(len(r.blob.data)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, r.blob.data[r.pos:])
	r.pos += int64(n)
	return n, nil
}

func (r *memoryReader) Close() error {
	r.closed = true
	return nil
}

type memoryWriter struct{ memoryFile }

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.blobs.mu.Lock()
	defer w.blobs.mu.Unlock()
	if w.closed {
		return 0, fmt.Errorf("store: write blob %q: %w", w.blob.name, fs.ErrClosed)
	}
	end := w.pos + int64(len(p))
	if more := end - int64(len(w.blob.data)); more > 0 && len(p) > 0 {
		if !w.blob.gone {
			if err := w.blobs.grow(more); err != nil {
				return 0, fmt.Errorf("store: write blob %q: %w", w.blob.name, err)
			}
		}
		w.blob.data = append(w.blob.data, make([]byte, more)...)
	}
	w.pos += int64(copy(w.blob.data[min(w.pos, int64(len(w.blob.data))):], p))
	return len(p), nil
}

func (w *memoryWriter) Close() error {
	w.blobs.mu.Lock()
	defer w.blobs.mu.Unlock()
	w.closed, w.blob.writing = true, false
	return nil
}
