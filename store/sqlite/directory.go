package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/store"
)

var _ store.Directory = (*Store)(nil)

// PutEntry stores e if its revision is the stored one; see store.Directory. It is on disk when PutEntry returns, with Options.Async, too.
func (s *Store) PutEntry(ctx context.Context, e store.Entry) (store.Entry, error) {
	e, err := e.Clean()
	if err != nil {
		return store.Entry{}, err
	}
	what := "put " + e.Kind
	if err := s.begin(ctx, what, e.ID); err != nil {
		return store.Entry{}, err
	}
	defer s.end()
	w := &write{ctx: ctx, what: what, id: e.ID}
	var stored store.Entry // set by the writer, read after it has answered
	w.do = func(ctx context.Context) error {
		stored = e
		var rev, created int64
		var others int
		if err := s.stmts.getEntry.QueryRowContext(ctx, e.Kind, e.ID).Scan(&rev, &created); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := s.stmts.entryNamed.QueryRowContext(ctx, e.Kind, e.Name, e.ID).Scan(&others); err != nil {
			return err
		}
		switch {
		case rev != e.Rev:
			w.verdict = fmt.Errorf("revision %d, but %d is stored: %w", e.Rev, rev, store.ErrConflict)
			return nil
		case others > 0:
			w.verdict = fmt.Errorf("%.80q is the name of another: %w", e.Name, store.ErrConflict)
			return nil
		}
		stored.Rev++
		stored.TmUpdate = store.At(time.Now())
		if stored.TmCreate = store.AtMicro(created); rev == 0 {
			stored.TmCreate = stored.TmUpdate
		}
		body, err := encode(stored)
		if err != nil {
			return err
		}
		_, err = s.stmts.putEntry.ExecContext(ctx, e.Kind, e.ID, e.Name, stored.TmCreate.Micro(), stored.Rev, body)
		return err
	}
	if err := s.submit(w, false); err != nil {
		return store.Entry{}, err
	}
	return stored.Clean()
}

// Entry returns an entry; see store.Directory.
func (s *Store) Entry(ctx context.Context, kind, id string) (e store.Entry, err error) {
	what := "get " + kind
	if err := s.begin(ctx, what, id); err != nil {
		return e, err
	}
	defer s.end()
	var body []byte
	if err := s.reader.QueryRowContext(ctx, `SELECT body FROM entries WHERE kind = ? AND id = ?`, kind, id).Scan(&body); err != nil {
		return e, wrap(ctx, what, id, err)
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("store/sqlite: %s %.80q: %w", what, id, err)
	}
	return e, nil
}

// ListEntries returns a page of entries; see store.Directory.
func (s *Store) ListEntries(ctx context.Context, f store.EntryFilter) ([]store.Entry, string, error) {
	w := from("entries")
	w.and("kind = ?", f.Kind)
	if f.Name != "" {
		w.and("name = ? AND name <> ''", f.Name)
	}
	return page(ctx, s, "list entries", "body", w, f.PageSize, f.PageToken, scanBody[store.Entry])
}

// DeleteEntry removes an entry; see store.Directory.
func (s *Store) DeleteEntry(ctx context.Context, kind, id string) error {
	what := "delete " + kind
	if err := s.begin(ctx, what, id); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: what, id: id}
	w.do = func(ctx context.Context) error {
		res, err := s.stmts.dropEntry.ExecContext(ctx, kind, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			w.verdict = store.ErrNotFound
		}
		return nil
	}
	return s.submit(w, false)
}
