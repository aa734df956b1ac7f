package sqlite

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/store"
)

var _ store.Queuecalls = (*Store)(nil)

// PutQueuecall stores q; see store.Queuecalls.
func (s *Store) PutQueuecall(ctx context.Context, q store.Queuecall) error {
	q, err := q.Clean()
	if err != nil {
		return err
	}
	body, err := encode(q)
	if err != nil {
		return fmt.Errorf("store/sqlite: put queuecall %s: %w", q.ID, err)
	}
	if err := s.begin(ctx, "put queuecall", q.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put queuecall", id: q.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putQueuecall.ExecContext(ctx, q.ID, q.TmCreate.Micro(), q.Status, indexed(q.QueueID), indexed(q.ReferenceID),
			indexed(q.ServiceAgentID), body)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Queuecall returns a queuecall; see store.Queuecalls.
func (s *Store) Queuecall(ctx context.Context, id string) (store.Queuecall, error) {
	return get[store.Queuecall](ctx, s, "get queuecall", id, `SELECT body FROM queuecalls WHERE id = ?`)
}

// ListQueuecalls returns a page of queuecalls; see store.Queuecalls.
func (s *Store) ListQueuecalls(ctx context.Context, f store.QueuecallFilter) ([]store.Queuecall, string, error) {
	w := from("queuecalls")
	w.equal("status", f.Status)
	w.equal("queue_id", f.QueueID)
	w.equal("reference_id", f.ReferenceID)
	w.equal("service_agent_id", f.ServiceAgentID)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list queuecalls", "body", w, f.PageSize, f.PageToken, scanBody[store.Queuecall])
}

// DeleteQueuecall removes a queuecall; see store.Queuecalls.
func (s *Store) DeleteQueuecall(ctx context.Context, id string) error {
	return s.drop(ctx, "delete queuecall", id, s.stmts.dropQueuecall)
}
