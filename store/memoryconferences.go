package store

import "context"

var _ Conferences = (*MemoryStore)(nil)

// shelfPut, shelfGet, shelfList and shelfDrop are what each shelf of m does. at and clean are methods of T.
func shelfPut[T any](ctx context.Context, m *MemoryStore, what string, s *shelf[T], row *T, at func(*T) Cursor, ended bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := at(row)
	if err := m.check(ctx, "put "+what, place.ID); err != nil {
		return err
	}
	if old := s.rows[place.ID]; old != nil {
		s.drop(at(old))
	}
	s.put(place, row, ended)
	s.trim(m.keep)
	return nil
}

func shelfGet[T any](ctx context.Context, m *MemoryStore, what, id string, s *shelf[T], clean func(T) (T, error)) (T, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var none T
	if err := m.check(ctx, "get "+what, id); err != nil {
		return none, err
	}
	row := s.rows[id]
	if row == nil {
		return none, notFound("get "+what, id)
	}
	return clean(*row)
}

func shelfDrop[T any](ctx context.Context, m *MemoryStore, what, id string, s *shelf[T], at func(*T) Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete "+what, id); err != nil {
		return err
	}
	row := s.rows[id]
	if row == nil {
		return notFound("delete "+what, id)
	}
	s.drop(at(row))
	return nil
}

func shelfList[T any](ctx context.Context, m *MemoryStore, what string, s *shelf[T], pageSize int, token string, match func(*T) bool, clean func(T) (T, error)) ([]T, string, error) {
	size, at, err := Page(pageSize, token)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list "+what, ""); err != nil {
		return nil, "", err
	}
	return pageOf(s.order, s.rows, size, at, match, clean)
}

// PutConference stores c; see Conferences.
func (m *MemoryStore) PutConference(ctx context.Context, c Conference) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	return shelfPut(ctx, m, "conference", &m.conferences, &c, (*Conference).At, c.Status == ConferenceTerminated)
}

// Conference returns a conference; see Conferences.
func (m *MemoryStore) Conference(ctx context.Context, id string) (Conference, error) {
	return shelfGet(ctx, m, "conference", id, &m.conferences, Conference.Clean)
}

// ListConferences returns a page of conferences; see Conferences.
func (m *MemoryStore) ListConferences(ctx context.Context, f ConferenceFilter) ([]Conference, string, error) {
	return shelfList(ctx, m, "conferences", &m.conferences, f.PageSize, f.PageToken, f.Match, Conference.Clean)
}

// DeleteConference forgets a conference; see Conferences.
func (m *MemoryStore) DeleteConference(ctx context.Context, id string) error {
	return shelfDrop(ctx, m, "conference", id, &m.conferences, (*Conference).At)
}

// PutConferencecall stores c; see Conferences.
func (m *MemoryStore) PutConferencecall(ctx context.Context, c Conferencecall) error {
	c, err := c.Clean()
	if err != nil {
		return err
	}
	return shelfPut(ctx, m, "conferencecall", &m.stays, &c, (*Conferencecall).At, c.Status == ConferencecallLeaved)
}

// Conferencecall returns a stay; see Conferences.
func (m *MemoryStore) Conferencecall(ctx context.Context, id string) (Conferencecall, error) {
	return shelfGet(ctx, m, "conferencecall", id, &m.stays, Conferencecall.Clean)
}

// ListConferencecalls returns a page of stays; see Conferences.
func (m *MemoryStore) ListConferencecalls(ctx context.Context, f ConferencecallFilter) ([]Conferencecall, string, error) {
	return shelfList(ctx, m, "conferencecalls", &m.stays, f.PageSize, f.PageToken, f.Match, Conferencecall.Clean)
}

// DeleteConferencecall forgets a stay; see Conferences.
func (m *MemoryStore) DeleteConferencecall(ctx context.Context, id string) error {
	return shelfDrop(ctx, m, "conferencecall", id, &m.stays, (*Conferencecall).At)
}
