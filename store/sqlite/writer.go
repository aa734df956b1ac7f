package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// write is one change that waits for the writer.
type write struct {
	ctx  context.Context
	what string
	id   string
	do   func(context.Context) error // runs inside of a transaction
	// verdict is what do found out about the request (a conflict), which is no fault of the medium.
	verdict error
	done    chan error // nil: nobody waits
}

// statements of the writer, prepared once on its connection.
type statements struct {
	putCall, changeCall, dropMeta, addMeta, dropCall, dropTrace *sql.Stmt
	putRecording, dropRecording, putGroupcall, dropGroupcall    *sql.Stmt
	putQueuecall, dropQueuecall                                 *sql.Stmt
	putConference, dropConference, putStay, dropStay            *sql.Stmt
	getFlow, putFlow, dropFlow, putTrace                        *sql.Stmt
	getKey, putKey, dropKey, dropKeys                           *sql.Stmt
	putVoicemail, dropVoicemail, putMailbox                     *sql.Stmt
	getEntry, entryNamed, putEntry, dropEntry                   *sql.Stmt
	all                                                         []*sql.Stmt
}

func (p *statements) prepare(ctx context.Context, conn *sql.Conn) error {
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&p.putCall, `INSERT INTO calls (id, tm_create, status, hangup_reason, direction, journey_id, source, source_name, destination, destination_name, body, account, activeflow_id)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO NOTHING`},
		{&p.changeCall, `UPDATE calls SET tm_create = ?2, status = ?3, hangup_reason = ?4, direction = ?5, journey_id = ?6, source = ?7, source_name = ?8,
			destination = ?9, destination_name = ?10, body = ?11, account = ?12, activeflow_id = ?13 WHERE id = ?1`},
		{&p.dropMeta, `DELETE FROM call_metadata WHERE call_id = ?`},
		{&p.addMeta, `INSERT INTO call_metadata (call_id, tm, name, value) VALUES (?, ?, ?, ?)`},
		{&p.dropCall, `DELETE FROM calls WHERE id = ?`},
		{&p.dropTrace, `DELETE FROM traces WHERE call_id = ?`},
		{&p.putRecording, `INSERT INTO recordings (id, tm_create, status, reference_id, journey_id, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, status = excluded.status, reference_id = excluded.reference_id,
			journey_id = excluded.journey_id, body = excluded.body`},
		{&p.dropRecording, `DELETE FROM recordings WHERE id = ?`},
		{&p.putGroupcall, `INSERT INTO groupcalls (id, tm_create, status, master_call_id, journey_id, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, status = excluded.status, master_call_id = excluded.master_call_id,
			journey_id = excluded.journey_id, body = excluded.body`},
		{&p.dropGroupcall, `DELETE FROM groupcalls WHERE id = ?`},
		{&p.putVoicemail, `INSERT INTO voicemails (id, tm_create, mailbox_id, status, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, mailbox_id = excluded.mailbox_id, status = excluded.status, body = excluded.body`},
		{&p.dropVoicemail, `DELETE FROM voicemails WHERE id = ?`},
		{&p.putMailbox, `INSERT INTO mailboxes (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body`},
		{&p.putQueuecall, `INSERT INTO queuecalls (id, tm_create, status, queue_id, reference_id, service_agent_id, body) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, status = excluded.status, queue_id = excluded.queue_id,
			reference_id = excluded.reference_id, service_agent_id = excluded.service_agent_id, body = excluded.body`},
		{&p.dropQueuecall, `DELETE FROM queuecalls WHERE id = ?`},
		{&p.putConference, `INSERT INTO conferences (id, tm_create, status, name, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, status = excluded.status, name = excluded.name, body = excluded.body`},
		{&p.dropConference, `DELETE FROM conferences WHERE id = ?`},
		{&p.putStay, `INSERT INTO conferencecalls (id, tm_create, conference_id, reference_id, journey_id, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_create = excluded.tm_create, conference_id = excluded.conference_id,
			reference_id = excluded.reference_id, journey_id = excluded.journey_id, body = excluded.body`},
		{&p.dropStay, `DELETE FROM conferencecalls WHERE id = ?`},
		{&p.getEntry, `SELECT rev, tm_create FROM entries WHERE kind = ? AND id = ?`},
		{&p.entryNamed, `SELECT COUNT(*) FROM entries WHERE kind = ? AND name = ? AND name <> '' AND id <> ?`},
		{&p.putEntry, `INSERT INTO entries (kind, id, name, tm_create, rev, body) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, rev = excluded.rev, body = excluded.body`},
		{&p.dropEntry, `DELETE FROM entries WHERE kind = ? AND id = ?`},
		{&p.getFlow, `SELECT rev, tm_create FROM flows WHERE id = ?`},
		{&p.putFlow, `INSERT INTO flows (id, tm_create, tm_update, rev, name, detail, body) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET tm_update = excluded.tm_update, rev = excluded.rev, name = excluded.name,
			detail = excluded.detail, body = excluded.body`},
		{&p.dropFlow, `DELETE FROM flows WHERE id = ?`},
		{&p.putTrace, `INSERT INTO traces (call_id, lines) VALUES (?, ?) ON CONFLICT (call_id) DO UPDATE SET lines = excluded.lines`},
		{&p.getKey, `SELECT sum, call_id, tm_create, tm_expire FROM keys WHERE name = ?`},
		{&p.putKey, `INSERT INTO keys (name, sum, call_id, tm_create, tm_expire) VALUES (?, ?, ?, ?, ?)`},
		{&p.dropKey, `DELETE FROM keys WHERE name = ?`},
		{&p.dropKeys, `DELETE FROM keys WHERE tm_expire <= ?`},
	} {
		stmt, err := conn.PrepareContext(ctx, s.text)
		if err != nil {
			return err
		}
		*s.stmt = stmt
		p.all = append(p.all, stmt)
	}
	return nil
}

func (p *statements) close() error {
	var errs []error
	for _, s := range p.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// submit hands a change to the writer and, unless async, waits until it is committed.
func (s *Store) submit(w *write, async bool) error {
	if !async {
		w.done = make(chan error, 1) // the writer must not wait for one who has gone
	} else {
		w.ctx = context.WithoutCancel(w.ctx)
	}
	ctx := w.ctx
	select {
	case s.queue <- w:
	case <-ctx.Done():
		return wrap(ctx, w.what, w.id, ctx.Err())
	}
	if async {
		return nil
	}
	select {
	case err := <-w.done:
		return wrap(ctx, w.what, w.id, err)
	case <-ctx.Done():
		return wrap(ctx, w.what, w.id, ctx.Err())
	}
}

// settle waits for what was queued before, so that a read sees it.
func (s *Store) settle(ctx context.Context) error {
	if !s.opt.Async {
		return nil
	}
	return s.submit(&write{ctx: ctx, what: "wait for the writer", do: func(context.Context) error { return nil }}, false)
}

// gather is how long the writer waits for company once writes come faster than it commits:
// what is committed together shares the pages of its indexes, and the wait for the disk. A
// write that comes alone is committed at once.
const gather = 5 * time.Millisecond

// run is the writer: one transaction for whatever waits.
func (s *Store) run() {
	defer close(s.stopped)
	batch := make([]*write, 0, s.opt.MaxBatch)
	for w := range s.queue {
		company := len(batch) > 1
		batch = s.fill(append(batch[:0], w), company)
		err := s.commit(batch)
		if err != nil && len(batch) > 1 {
			// One of them may be at fault: the others must not suffer from it.
			for i := range batch {
				s.finish(batch[i], s.commit(batch[i:i+1]))
			}
			continue
		}
		for _, w := range batch {
			s.finish(w, err)
		}
	}
}

// fill adds to batch what waits, and what comes while it gathers.
func (s *Store) fill(batch []*write, company bool) []*write {
	var over <-chan time.Time
	if company {
		t := time.NewTimer(gather)
		defer t.Stop()
		over = t.C
	}
	for len(batch) < s.opt.MaxBatch {
		select {
		case w, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch = append(batch, w)
			continue
		default:
		}
		if over == nil {
			return batch
		}
		select {
		case w, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch = append(batch, w)
		case <-over:
			return batch
		}
	}
	return batch
}

func (s *Store) finish(w *write, err error) {
	if err == nil {
		err = w.verdict
	}
	if w.done != nil {
		w.done <- err
	} else if err != nil {
		s.opt.Logger.Error("a record is lost", "op", w.what, "id", w.id, "err", explain(err))
	}
}

// commit runs all changes of a batch in one transaction.
func (s *Store) commit(batch []*write) (err error) {
	ctx := context.Background() // what has begun is brought to its end
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, undo := s.conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, undo)
		}
	}()
	for _, w := range batch {
		if w.ctx.Err() != nil {
			w.verdict = context.Cause(w.ctx)
			continue
		}
		w.verdict = nil
		if err := w.do(ctx); err != nil {
			return fmt.Errorf("%s %.80q: %w", w.what, w.id, err)
		}
	}
	_, err = s.conn.ExecContext(ctx, "COMMIT")
	return err
}
