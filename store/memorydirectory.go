package store

import (
	"context"
	"fmt"
	"time"
)

var _ Directory = (*MemoryStore)(nil)

// PutEntry stores e if its revision is the stored one; see Directory.
func (m *MemoryStore) PutEntry(ctx context.Context, e Entry) (Entry, error) {
	e, err := e.Clean()
	if err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put "+e.Kind, e.ID); err != nil {
		return Entry{}, err
	}
	s := m.entries[e.Kind]
	if s == nil {
		s = &shelf[Entry]{rows: map[string]*Entry{}}
		m.entries[e.Kind] = s
	}
	old := s.rows[e.ID]
	var rev int64
	if old != nil {
		rev = old.Rev
	}
	if e.Rev != rev {
		return Entry{}, fmt.Errorf("store: put %s %s: revision %d, but %d is stored: %w", e.Kind, e.ID, e.Rev, rev, ErrConflict)
	}
	name := [2]string{e.Kind, e.Name}
	if id, taken := m.entryNames[name]; taken && e.Name != "" && id != e.ID {
		return Entry{}, fmt.Errorf("store: put %s %s: %.80q is the name of another: %w", e.Kind, e.ID, e.Name, ErrConflict)
	}
	e.Rev++
	e.TmUpdate = At(time.Now())
	e.TmCreate = e.TmUpdate
	if old != nil {
		e.TmCreate = old.TmCreate
		delete(m.entryNames, [2]string{e.Kind, old.Name})
	}
	s.put(e.At(), &e, false)
	if e.Name != "" {
		m.entryNames[name] = e.ID
	}
	return e.Clean()
}

// Entry returns an entry; see Directory.
func (m *MemoryStore) Entry(ctx context.Context, kind, id string) (Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get "+kind, id); err != nil {
		return Entry{}, err
	}
	if s := m.entries[kind]; s != nil && s.rows[id] != nil {
		return s.rows[id].Clean()
	}
	return Entry{}, notFound("get "+kind, id)
}

// ListEntries returns a page of entries; see Directory.
func (m *MemoryStore) ListEntries(ctx context.Context, f EntryFilter) ([]Entry, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list entries", f.Kind); err != nil {
		return nil, "", err
	}
	s := m.entries[f.Kind]
	if s == nil {
		return nil, "", nil
	}
	return pageOf(s.order, s.rows, size, at, f.Match, Entry.Clean)
}

// DeleteEntry removes an entry; see Directory.
func (m *MemoryStore) DeleteEntry(ctx context.Context, kind, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete "+kind, id); err != nil {
		return err
	}
	s := m.entries[kind]
	if s == nil || s.rows[id] == nil {
		return notFound("delete "+kind, id)
	}
	old := s.rows[id]
	s.drop(old.At())
	delete(m.entryNames, [2]string{kind, old.Name})
	return nil
}
