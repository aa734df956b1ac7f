package sqlite

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/store"
)

var _ store.Conferences = (*Store)(nil)

// PutConference stores c; see store.Conferences.
func (s *Store) PutConference(ctx context.Context, c store.Conference) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	body, err := encode(c)
	if err != nil {
		return fmt.Errorf("store/sqlite: put conference %s: %w", c.ID, err)
	}
	if err := s.begin(ctx, "put conference", c.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put conference", id: c.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putConference.ExecContext(ctx, c.ID, c.TmCreate.Micro(), c.Status, indexed(c.Name), body)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Conference returns a conference; see store.Conferences.
func (s *Store) Conference(ctx context.Context, id string) (store.Conference, error) {
	return get[store.Conference](ctx, s, "get conference", id, `SELECT body FROM conferences WHERE id = ?`)
}

// ListConferences returns a page of conferences; see store.Conferences.
func (s *Store) ListConferences(ctx context.Context, f store.ConferenceFilter) ([]store.Conference, string, error) {
	w := from("conferences")
	w.equal("status", f.Status)
	w.equal("name", f.Name)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list conferences", "body", w, f.PageSize, f.PageToken, scanBody[store.Conference])
}

// DeleteConference removes a conference; see store.Conferences.
func (s *Store) DeleteConference(ctx context.Context, id string) error {
	return s.drop(ctx, "delete conference", id, s.stmts.dropConference)
}

// PutConferencecall stores c; see store.Conferences.
func (s *Store) PutConferencecall(ctx context.Context, c store.Conferencecall) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	body, err := encode(c)
	if err != nil {
		return fmt.Errorf("store/sqlite: put conferencecall %s: %w", c.ID, err)
	}
	if err := s.begin(ctx, "put conferencecall", c.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put conferencecall", id: c.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putStay.ExecContext(ctx, c.ID, c.TmCreate.Micro(), indexed(c.ConferenceID), indexed(c.ReferenceID), indexed(c.JourneyID), body)
		return err
	}
	return s.submit(w, s.opt.Async)
}

// Conferencecall returns a stay; see store.Conferences.
func (s *Store) Conferencecall(ctx context.Context, id string) (store.Conferencecall, error) {
	return get[store.Conferencecall](ctx, s, "get conferencecall", id, `SELECT body FROM conferencecalls WHERE id = ?`)
}

// ListConferencecalls returns a page of stays; see store.Conferences.
func (s *Store) ListConferencecalls(ctx context.Context, f store.ConferencecallFilter) ([]store.Conferencecall, string, error) {
	w := from("conferencecalls")
	w.equal("conference_id", f.ConferenceID)
	w.equal("reference_id", f.ReferenceID)
	w.equal("journey_id", f.JourneyID)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list conferencecalls", "body", w, f.PageSize, f.PageToken, scanBody[store.Conferencecall])
}

// DeleteConferencecall removes a stay; see store.Conferences.
func (s *Store) DeleteConferencecall(ctx context.Context, id string) error {
	return s.drop(ctx, "delete conferencecall", id, s.stmts.dropStay)
}
