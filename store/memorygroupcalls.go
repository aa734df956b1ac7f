package store

import "context"

// shelf is a table of a MemoryStore: rows, their order in lists, and which of them may be forgotten.
type shelf[T any] struct {
	rows  map[string]*T
	order ordered
	ended ordered // to find the oldest
}

func (s *shelf[T]) put(at Cursor, row *T, ended bool) {
	s.rows[at.ID] = row
	s.order.insert(at)
	if ended {
		s.ended.insert(at)
	}
}

func (s *shelf[T]) drop(at Cursor) {
	delete(s.rows, at.ID)
	s.order.remove(at)
	s.ended.remove(at)
}

// trim forgets the oldest that are over, but keep of them; negative: none.
func (s *shelf[T]) trim(keep int) {
	for keep >= 0 && len(s.ended) > keep {
		s.drop(s.ended[0])
	}
}

// PutGroupcall stores g; see Groupcalls.
func (m *MemoryStore) PutGroupcall(ctx context.Context, g Groupcall) error {
	g, err := g.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put groupcall", g.ID); err != nil {
		return err
	}
	if old := m.groupcalls.rows[g.ID]; old != nil {
		m.groupcalls.drop(old.At())
	}
	m.groupcalls.put(g.At(), &g, g.Status == GroupcallHangup)
	m.groupcalls.trim(m.keep)
	return nil
}

// Groupcall returns a groupcall; see Groupcalls.
func (m *MemoryStore) Groupcall(ctx context.Context, id string) (Groupcall, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get groupcall", id); err != nil {
		return Groupcall{}, err
	}
	g := m.groupcalls.rows[id]
	if g == nil {
		return Groupcall{}, notFound("get groupcall", id)
	}
	return g.Clean()
}

// ListGroupcalls returns a page of groupcalls; see Groupcalls.
func (m *MemoryStore) ListGroupcalls(ctx context.Context, f GroupcallFilter) ([]Groupcall, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list groupcalls", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.groupcalls.order, m.groupcalls.rows, size, at, f.Match, Groupcall.Clean)
}

// DeleteGroupcall forgets a groupcall; see Groupcalls.
func (m *MemoryStore) DeleteGroupcall(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete groupcall", id); err != nil {
		return err
	}
	g := m.groupcalls.rows[id]
	if g == nil {
		return notFound("delete groupcall", id)
	}
	m.groupcalls.drop(g.At())
	return nil
}
