package store

import "context"

var _ Queuecalls = (*MemoryStore)(nil)

// PutQueuecall stores q; see Queuecalls.
func (m *MemoryStore) PutQueuecall(ctx context.Context, q Queuecall) error {
	q, err := q.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put queuecall", q.ID); err != nil {
		return err
	}
	if old := m.queuecalls.rows[q.ID]; old != nil {
		m.queuecalls.drop(old.At())
	}
	m.queuecalls.put(q.At(), &q, q.Over())
	m.queuecalls.trim(m.keep)
	return nil
}

// Queuecall returns a queuecall; see Queuecalls.
func (m *MemoryStore) Queuecall(ctx context.Context, id string) (Queuecall, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get queuecall", id); err != nil {
		return Queuecall{}, err
	}
	q := m.queuecalls.rows[id]
	if q == nil {
		return Queuecall{}, notFound("get queuecall", id)
	}
	return q.Clean()
}

// ListQueuecalls returns a page of queuecalls; see Queuecalls.
func (m *MemoryStore) ListQueuecalls(ctx context.Context, f QueuecallFilter) ([]Queuecall, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list queuecalls", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.queuecalls.order, m.queuecalls.rows, size, at, f.Match, Queuecall.Clean)
}

// DeleteQueuecall forgets a queuecall; see Queuecalls.
func (m *MemoryStore) DeleteQueuecall(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete queuecall", id); err != nil {
		return err
	}
	q := m.queuecalls.rows[id]
	if q == nil {
		return notFound("delete queuecall", id)
	}
	m.queuecalls.drop(q.At())
	return nil
}
