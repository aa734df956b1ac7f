package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/callbin/callbin/store"
)

func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// PutCall stores c; see store.Calls.
func (s *Store) PutCall(ctx context.Context, c store.Call) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	body, err := encode(c)
	if err != nil {
		return fmt.Errorf("store/sqlite: put call %s: %w", c.ID, err)
	}
	if err := s.begin(ctx, "put call", c.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put call", id: c.ID}
	w.do = func(ctx context.Context) error {
		row := []any{c.ID, c.TmCreate.Micro(), c.Status, c.HangupReason, c.Direction, indexed(c.JourneyID),
			indexed(c.Source.Target), indexed(c.Source.TargetName), indexed(c.Destination.Target), indexed(c.Destination.TargetName), body, indexed(c.Account), indexed(c.ActiveflowID)}
		res, err := s.stmts.putCall.ExecContext(ctx, row...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 { // it was there: most calls are stored once, when they have ended
			if _, err := s.stmts.changeCall.ExecContext(ctx, row...); err != nil {
				return err
			}
			if _, err := s.stmts.dropMeta.ExecContext(ctx, c.ID); err != nil {
				return err
			}
		}
		for k, v := range c.Metadata {
			if _, err := s.stmts.addMeta.ExecContext(ctx, c.ID, c.TmCreate.Micro(), indexed(k), indexed(v)); err != nil {
				return err
			}
		}
		return nil
	}
	return s.submit(w, s.opt.Async)
}

// Call returns a call; see store.Calls.
func (s *Store) Call(ctx context.Context, id string) (store.Call, error) {
	return get[store.Call](ctx, s, "get call", id, `SELECT body FROM calls WHERE id = ?`)
}

// get reads one record by its id.
func get[T any](ctx context.Context, s *Store, what, id, query string) (v T, err error) {
	if err := s.begin(ctx, what, id); err != nil {
		return v, err
	}
	defer s.end()
	if err := s.settle(ctx); err != nil {
		return v, err
	}
	var body []byte
	if err := s.reader.QueryRowContext(ctx, query, id).Scan(&body); err != nil {
		return v, wrap(ctx, what, id, err)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, fmt.Errorf("store/sqlite: %s %.80q: %w", what, id, err)
	}
	return v, nil
}

// where collects conditions and their arguments.
type where struct {
	table  string
	tm, id string // the columns that the list is ordered by
	text   string
	args   []any
}

func from(table string) where { return where{table: table, tm: "tm_create", id: "id"} }

func (w *where) and(condition string, args ...any) {
	if w.text == "" {
		w.text = " WHERE "
	} else {
		w.text += " AND "
	}
	w.text += condition
	w.args = append(w.args, args...)
}

// equal adds a condition where value is given.
func (w *where) equal(column, value string) {
	if value != "" {
		// The second half lets a partial index be used, whatever the parameter is.
		w.and(column+" = ? AND "+column+" <> ''", indexed(value))
	}
}

// either matches the target or the name of an address.
func (w *where) either(column, value string) {
	if value != "" {
		w.and("(("+column+" = ? AND "+column+" <> '') OR ("+column+"_name = ? AND "+column+"_name <> ''))", indexed(value), indexed(value))
	}
}

func (w *where) within(since, until store.Time) {
	if !since.IsZero() {
		w.and(w.tm+" >= ?", ceil(since))
	}
	if !until.IsZero() {
		w.and(w.tm+" < ?", ceil(until))
	}
}

// ceil rounds a limit up to whole microseconds, of which records have no parts.
func ceil(t store.Time) int64 {
	us := store.At(t.Time)
	if us.Before(t.Time) {
		return us.Micro() + 1
	}
	return us.Micro()
}

// page reads one page; w says which rows, and scan reads one.
func page[T any](ctx context.Context, s *Store, what, columns string, w where, size int, token string, scan func(*sql.Rows) (T, store.Cursor, error)) (list []T, next string, err error) {
	size, at, err := store.Page(size, token)
	if err != nil {
		return nil, "", err
	}
	if err := s.begin(ctx, what, ""); err != nil {
		return nil, "", err
	}
	defer s.end()
	if err := s.settle(ctx); err != nil {
		return nil, "", err
	}
	if !at.IsZero() {
		w.and("("+w.tm+", "+w.id+") < (?, ?)", at.Time.Micro(), at.ID)
	}
	// One row more tells whether there is a next page.
	rows, err := s.reader.QueryContext(ctx, "SELECT "+columns+" FROM "+w.table+w.text+" ORDER BY "+w.tm+" DESC, "+w.id+" DESC LIMIT ?", append(w.args, size+1)...)
	if err != nil {
		return nil, "", wrap(ctx, what, "", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if len(list) == size {
			return list, at.Token(), nil
		}
		v, place, err := scan(rows)
		if err != nil {
			return nil, "", wrap(ctx, what, "", err)
		}
		list, at = append(list, v), place
	}
	if err := rows.Err(); err != nil {
		return nil, "", wrap(ctx, what, "", err)
	}
	return list, "", nil
}

func scanBody[T any, P interface {
	*T
	At() store.Cursor
}](rows *sql.Rows) (v T, at store.Cursor, err error) {
	var body sql.RawBytes
	if err := rows.Scan(&body); err != nil {
		return v, at, err
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return v, at, err
	}
	return v, P(&v).At(), nil
}

// ListCalls returns a page of calls; see store.Calls.
func (s *Store) ListCalls(ctx context.Context, f store.CallFilter) ([]store.Call, string, error) {
	w := from("calls")
	pairs := slices.Sorted(maps.Keys(f.Metadata))
	if len(pairs) > 0 {
		// Walking the pairs in the order of time finds a page without sorting all that match.
		w = where{table: "call_metadata JOIN calls ON calls.id = call_metadata.call_id", tm: "call_metadata.tm", id: "call_metadata.call_id"}
		w.and("call_metadata.name = ? AND call_metadata.value = ?", indexed(pairs[0]), indexed(f.Metadata[pairs[0]]))
		for _, k := range pairs[1:] {
			w.and("EXISTS (SELECT 1 FROM call_metadata AS m WHERE m.call_id = calls.id AND m.name = ? AND m.value = ?)", indexed(k), indexed(f.Metadata[k]))
		}
	}
	w.equal("status", f.Status)
	w.equal("hangup_reason", f.HangupReason)
	w.equal("direction", f.Direction)
	w.equal("journey_id", f.JourneyID)
	w.equal("account", f.Account)
	w.equal("activeflow_id", f.ActiveflowID)
	w.either("source", f.Source)
	w.either("destination", f.Destination)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list calls", "body", w, f.PageSize, f.PageToken, scanBody[store.Call])
}

// DeleteCall removes a call with its trace; see store.Calls.
func (s *Store) DeleteCall(ctx context.Context, id string) error {
	return s.drop(ctx, "delete call", id, s.stmts.dropCall, s.stmts.dropMeta, s.stmts.dropTrace)
}

// drop removes a row, and what belongs to it.
func (s *Store) drop(ctx context.Context, what, id string, row *sql.Stmt, more ...*sql.Stmt) error {
	if err := s.begin(ctx, what, id); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: what, id: id}
	w.do = func(ctx context.Context) error {
		res, err := row.ExecContext(ctx, id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			w.verdict = store.ErrNotFound
			return nil
		}
		for _, stmt := range more {
			if _, err := stmt.ExecContext(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}
	return s.submit(w, false)
}

// PutRecording stores r; see store.Recordings.
func (s *Store) PutRecording(ctx context.Context, r store.Recording) error {
	r, err := r.Clean()
	if err != nil {
		return err
	}
	body, err := encode(r)
	if err != nil {
		return fmt.Errorf("store/sqlite: put recording %s: %w", r.ID, err)
	}
	if err := s.begin(ctx, "put recording", r.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put recording", id: r.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putRecording.ExecContext(ctx, r.ID, r.TmCreate.Micro(), r.Status, indexed(r.ReferenceID), indexed(r.JourneyID), body)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Recording returns a recording; see store.Recordings.
func (s *Store) Recording(ctx context.Context, id string) (store.Recording, error) {
	return get[store.Recording](ctx, s, "get recording", id, `SELECT body FROM recordings WHERE id = ?`)
}

// ListRecordings returns a page of recordings; see store.Recordings.
func (s *Store) ListRecordings(ctx context.Context, f store.RecordingFilter) ([]store.Recording, string, error) {
	w := from("recordings")
	w.equal("status", f.Status)
	w.equal("reference_id", f.ReferenceID)
	w.equal("journey_id", f.JourneyID)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list recordings", "body", w, f.PageSize, f.PageToken, scanBody[store.Recording])
}

// DeleteRecording removes a recording; see store.Recordings.
func (s *Store) DeleteRecording(ctx context.Context, id string) error {
	return s.drop(ctx, "delete recording", id, s.stmts.dropRecording)
}

// PutFlow stores f if its revision is the stored one; see store.Flows.
func (s *Store) PutFlow(ctx context.Context, f store.Flow) (store.Flow, error) {
	f, err := f.Clean()
	if err != nil {
		return store.Flow{}, err
	}
	if err := s.begin(ctx, "put flow", f.ID); err != nil {
		return store.Flow{}, err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put flow", id: f.ID}
	var stored store.Flow // set by the writer, read after it has answered
	w.do = func(ctx context.Context) error {
		stored = f
		var rev, created int64
		err := s.stmts.getFlow.QueryRowContext(ctx, f.ID).Scan(&rev, &created)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if rev != f.Rev {
			w.verdict = fmt.Errorf("revision %d, but %d is stored: %w", f.Rev, rev, store.ErrConflict)
			return nil
		}
		stored.Rev++
		stored.TmUpdate = store.At(time.Now())
		if stored.TmCreate = store.AtMicro(created); rev == 0 {
			stored.TmCreate = stored.TmUpdate
		}
		_, err = s.stmts.putFlow.ExecContext(ctx, f.ID, stored.TmCreate.Micro(), stored.TmUpdate.Micro(), stored.Rev, f.Name, f.Detail, string(f.Body))
		return err
	}
	if err := s.submit(w, false); err != nil {
		return store.Flow{}, err
	}
	return stored.Clean()
}

const flowColumns = "id, tm_create, tm_update, rev, name, detail, body"

func scanFlow(scan func(...any) error) (f store.Flow, at store.Cursor, err error) {
	var created, updated int64
	var body string
	if err := scan(&f.ID, &created, &updated, &f.Rev, &f.Name, &f.Detail, &body); err != nil {
		return f, at, err
	}
	f.TmCreate, f.TmUpdate = store.AtMicro(created), store.AtMicro(updated)
	if body != "" {
		f.Body = json.RawMessage(body)
	}
	return f, f.At(), nil
}

// Flow returns a flow; see store.Flows.
func (s *Store) Flow(ctx context.Context, id string) (store.Flow, error) {
	if err := s.begin(ctx, "get flow", id); err != nil {
		return store.Flow{}, err
	}
	defer s.end()
	f, _, err := scanFlow(s.reader.QueryRowContext(ctx, "SELECT "+flowColumns+" FROM flows WHERE id = ?", id).Scan)
	return f, wrap(ctx, "get flow", id, err)
}

// ListFlows returns a page of flows; see store.Flows.
func (s *Store) ListFlows(ctx context.Context, f store.FlowFilter) ([]store.Flow, string, error) {
	w := from("flows")
	if f.Name != "" {
		w.and("name = ?", f.Name)
	}
	return page(ctx, s, "list flows", flowColumns, w, f.PageSize, f.PageToken,
		func(rows *sql.Rows) (store.Flow, store.Cursor, error) { return scanFlow(rows.Scan) })
}

// DeleteFlow removes a flow; see store.Flows.
func (s *Store) DeleteFlow(ctx context.Context, id string) error {
	return s.drop(ctx, "delete flow", id, s.stmts.dropFlow)
}

// PutTrace stores a trace; see store.Traces.
func (s *Store) PutTrace(ctx context.Context, callID string, lines []byte) error {
	if err := store.CheckID(callID); err != nil {
		return err
	}
	if err := s.begin(ctx, "put trace of call", callID); err != nil {
		return err
	}
	defer s.end()
	lines = append([]byte{}, lines...) // the writer may come to it later
	w := &write{ctx: ctx, what: "put trace of call", id: callID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putTrace.ExecContext(ctx, callID, lines)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Trace returns a trace; see store.Traces.
func (s *Store) Trace(ctx context.Context, callID string) ([]byte, error) {
	if err := s.begin(ctx, "get trace of call", callID); err != nil {
		return nil, err
	}
	defer s.end()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	var lines []byte
	err := s.reader.QueryRowContext(ctx, `SELECT lines FROM traces WHERE call_id = ?`, callID).Scan(&lines)
	return lines, wrap(ctx, "get trace of call", callID, err)
}

// CreateBlob makes a blob; see store.Blobs.
func (s *Store) CreateBlob(ctx context.Context, name string) (store.BlobWriter, error) {
	if err := s.begin(ctx, "create blob", name); err != nil {
		return nil, err
	}
	defer s.end()
	return s.blobs.CreateBlob(ctx, name)
}

// OpenBlob opens a blob; see store.Blobs.
func (s *Store) OpenBlob(ctx context.Context, name string) (store.BlobReader, error) {
	if err := s.begin(ctx, "open blob", name); err != nil {
		return nil, err
	}
	defer s.end()
	return s.blobs.OpenBlob(ctx, name)
}

// DeleteBlob removes a blob; see store.Blobs.
func (s *Store) DeleteBlob(ctx context.Context, name string) error {
	if err := s.begin(ctx, "delete blob", name); err != nil {
		return err
	}
	defer s.end()
	return s.blobs.DeleteBlob(ctx, name)
}
