package sqlite

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/store"
)

// PutGroupcall stores g; see store.Groupcalls.
func (s *Store) PutGroupcall(ctx context.Context, g store.Groupcall) error {
	g, err := g.Clean()
	if err != nil {
		return err
	}
	body, err := encode(g)
	if err != nil {
		return fmt.Errorf("store/sqlite: put groupcall %s: %w", g.ID, err)
	}
	if err := s.begin(ctx, "put groupcall", g.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put groupcall", id: g.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putGroupcall.ExecContext(ctx, g.ID, g.TmCreate.Micro(), g.Status, indexed(g.MasterCallID), indexed(g.JourneyID), body)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Groupcall returns a groupcall; see store.Groupcalls.
func (s *Store) Groupcall(ctx context.Context, id string) (store.Groupcall, error) {
	return get[store.Groupcall](ctx, s, "get groupcall", id, `SELECT body FROM groupcalls WHERE id = ?`)
}

// ListGroupcalls returns a page of groupcalls; see store.Groupcalls.
func (s *Store) ListGroupcalls(ctx context.Context, f store.GroupcallFilter) ([]store.Groupcall, string, error) {
	w := from("groupcalls")
	w.equal("status", f.Status)
	w.equal("master_call_id", f.MasterCallID)
	w.equal("journey_id", f.JourneyID)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list groupcalls", "body", w, f.PageSize, f.PageToken, scanBody[store.Groupcall])
}

// DeleteGroupcall removes a groupcall; see store.Groupcalls.
func (s *Store) DeleteGroupcall(ctx context.Context, id string) error {
	return s.drop(ctx, "delete groupcall", id, s.stmts.dropGroupcall)
}
