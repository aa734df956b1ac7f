package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/callbin/callbin/store"
)

// Options of Open. The zero value is fine.
type Options struct {
	// Blobs keeps the files; nil: the folder "recordings" beside the database. Closing it is the caller's.
	Blobs store.Blobs
	// Async lets PutCall, PutRecording and PutTrace return once the record waits for the
	// writer. Reads still see it, by waiting for the writer; a fault is logged and a crash loses
	// what was waiting.
	Async bool
	// Fast does not wait for the disk at each transaction (synchronous=NORMAL): the file stays
	// whole, but a power cut loses the last ones.
	Fast bool
	// BusyTimeout is how long to wait for another process that writes. 0: 5 s.
	BusyTimeout time.Duration
	// MaxBatch is the most writes of one transaction. 0: 256.
	MaxBatch int
	Logger   *slog.Logger // nil: slog.Default()
}

// Errors of Open beyond those of the file system.
var (
	ErrNotDatabase = errors.New("the file is not an SQLite database")
	ErrLocked      = errors.New("the database is locked by another process")
)

// Store is a store.Store in an SQLite file. It is safe for concurrent use.
type Store struct {
	opt     Options
	blobs   store.Blobs
	ownBlob *store.FileBlobs // closed with the store; nil where the blobs are the caller's
	reader  *sql.DB
	writer  *sql.DB
	conn    *sql.Conn // the writer's only one; owned by the goroutine of run
	stmts   statements
	queue   chan *write
	stopped chan struct{} // closed at the end of run

	mu     sync.RWMutex
	closed bool           // guarded by mu
	begun  sync.WaitGroup // methods under way; added to under mu
	done   chan struct{}  // closed when Close has finished
	err    error          // of Close, set before done is closed
}

var _ store.Store = (*Store)(nil)

// Open opens the database at path, which is made with its folder where it is missing,
// readable by its owner only. The error matches ErrNotDatabase or ErrLocked where
// that is the reason, and names the file.
func Open(path string, opt Options) (_ *Store, err error) {
	fail := func(err error) error { return fmt.Errorf("store/sqlite: open %s: %w", path, explain(err)) }
	if path == "" {
		return nil, errors.New("store/sqlite: open: no path")
	}
	if opt.BusyTimeout <= 0 {
		opt.BusyTimeout = 5 * time.Second
	}
	if opt.MaxBatch <= 0 {
		opt.MaxBatch = 256
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o700); err != nil {
		return nil, fail(err)
	}
	// SQLite would make it readable for all; its log and index files copy the mode.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(err)
	}
	if err := f.Close(); err != nil {
		return nil, fail(err)
	}
	s := &Store{
		opt: opt, blobs: opt.Blobs,
		queue:   make(chan *write, 4*opt.MaxBatch), // a burst fills the next batches while one is committed
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.blobs == nil {
		if s.ownBlob, err = store.Files(filepath.Join(filepath.Dir(abs), "recordings")); err != nil {
			return nil, fail(err)
		}
		s.blobs = s.ownBlob
	}
	if s.writer, err = sql.Open("sqlite", dsn(abs, opt, false)); err != nil {
		return nil, fail(err)
	}
	s.writer.SetMaxOpenConns(1)
	ctx := context.Background()
	if s.conn, err = s.writer.Conn(ctx); err != nil {
		return nil, fail(err)
	}
	if err := migrate(ctx, s.conn); err != nil {
		return nil, fail(err)
	}
	if err := s.stmts.prepare(ctx, s.conn); err != nil {
		return nil, fail(err)
	}
	if s.reader, err = sql.Open("sqlite", dsn(abs, opt, true)); err != nil {
		return nil, fail(err)
	}
	s.reader.SetMaxOpenConns(max(4, runtime.NumCPU()))
	s.reader.SetMaxIdleConns(max(4, runtime.NumCPU()))
	if err := s.reader.PingContext(ctx); err != nil {
		return nil, fail(err)
	}
	go s.run()
	return s, nil
}

func dsn(abs string, opt Options, readOnly bool) string {
	q := url.Values{}
	add := func(pragma string) { q.Add("_pragma", pragma) }
	add(fmt.Sprintf("busy_timeout(%d)", opt.BusyTimeout.Milliseconds())) // first: the others may wait
	if readOnly {
		add("query_only(1)")
	} else {
		add("journal_mode(WAL)")
		if opt.Fast {
			add("synchronous(NORMAL)")
		} else {
			add("synchronous(FULL)")
		}
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	return u.String()
}

// explain gives SQLite's codes the names that callers can match.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the rest are extended codes
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w (%w)", ErrNotDatabase, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	return err
}

// Close waits for all writes, and closes the file and the store's own blobs.
func (s *Store) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.done
		return nil
	}
	s.begun.Wait()
	close(s.queue)
	<-s.stopped
	s.err = s.release()
	close(s.done)
	return s.err
}

// release closes what is open, in the order of dependence.
func (s *Store) release() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.stmts.close(), s.conn.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if s.ownBlob != nil {
		errs = append(errs, s.ownBlob.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("store/sqlite: close: %w", err)
	}
	return nil
}

// begin is what every method starts with; end has to follow a nil error.
func (s *Store) begin(ctx context.Context, what, id string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("store/sqlite: %s %.80q: %w", what, id, context.Cause(ctx))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("store/sqlite: %s %.80q: %w", what, id, store.ErrClosed)
	}
	s.begun.Add(1)
	return nil
}

func (s *Store) end() { s.begun.Done() }

// wrap makes the error of a method.
func wrap(ctx context.Context, what, id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		err = store.ErrNotFound
	case ctx.Err() != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound):
		err = context.Cause(ctx)
	default:
		err = explain(err)
	}
	return fmt.Errorf("store/sqlite: %s %.80q: %w", what, id, err)
}
