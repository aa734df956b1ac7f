package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/callbin/callbin/store"
)

// Entry is one thing of a Directory.
type Entry[T any] struct {
	ID       string
	Rev      int64      // grows with each change; 0: it stands in the settings, which a Directory does not change
	TmCreate store.Time // unset of what stands in the settings
	TmUpdate store.Time
	Value    T
}

// at is its place in lists.
func (e *Entry[T]) at() store.Cursor { return store.Cursor{Time: e.TmCreate, ID: e.ID} }

// Entries are what a Directory has of one kind.
type Entries[T any] struct {
	dir    *Directory
	kind   string
	name   func(v *T) string           // by which it is found beside its id; "": none
	check  func(id string, v *T) error // and completes it
	encode func(v *T) ([]byte, error)  // as it is stored, secrets too
	decode func(id string, b []byte) (T, error)
	// taken tells why there cannot be a new one called id, nil for no reason. Nil: nothing can be in its way.
	taken func(id string) error
	// changed brings the engine to what has changed: old is nil of what is new, now of what is gone; change is what made now of old. Nil: nothing has to
	// be done.
	changed func(ctx context.Context, e *Engine, old, now *Entry[T], change func(*T)) error
	indexed func(v *T, there bool) // told of each that comes and goes, with mu held; nil: nobody

	mu     sync.RWMutex
	rows   map[string]*Entry[T] // guarded by mu, as the other two are; entries are never changed, but replaced
	byName map[string]*Entry[T]
	order  []*Entry[T] // oldest first
}

func newEntries[T any](d *Directory, kind string) *Entries[T] {
	return &Entries[T]{dir: d, kind: kind, rows: map[string]*Entry[T]{}, byName: map[string]*Entry[T]{}, name: func(*T) string { return "" }}
}

// invalid is an error about what somebody wants to have.
type invalid struct{ error }

func (invalid) Is(target error) bool { return target == store.ErrInvalid }
func (e invalid) Unwrap() error      { return e.error }

func (s *Entries[T]) fail(what, id string, err error) error {
	return fmt.Errorf("call: %s %s %.80q: %w", what, s.kind, id, err)
}

// Get returns one. What it holds is the caller's.
func (s *Entries[T]) Get(id string) (Entry[T], bool) { return s.copied(s.row(id)) }

// Named returns the one that has the name, as the extension of a Directory that is dialled so.
func (s *Entries[T]) Named(name string) (Entry[T], bool) {
	s.mu.RLock()
	e := s.byName[name]
	s.mu.RUnlock()
	return s.copied(e)
}

// List returns a page, newest first, those of the settings last, and the token of the next page, "" at the end. A size of 0 is store.MaxPage. The
// error matches store.ErrInvalid.
func (s *Entries[T]) List(size int, token string) (page []Entry[T], next string, err error) {
	size, at, err := store.Page(size, token)
	if err != nil {
		return nil, "", err
	}
	all := s.all()
	end := len(all)
	if !at.IsZero() {
		end, _ = slices.BinarySearchFunc(all, at, func(e *Entry[T], c store.Cursor) int { return e.at().Compare(c) })
	}
	for i := end - 1; i >= 0; i-- {
		if len(page) == size {
			return page, all[i+1].at().Token(), nil
		}
		e, _ := s.copied(all[i])
		page = append(page, e)
	}
	return page, "", nil
}

// Create makes one; an empty id is a new UUID. The error matches store.ErrInvalid, store.ErrConflict where there is one of that id or name, or is the store's.
func (s *Entries[T]) Create(ctx context.Context, id string, v T) (Entry[T], error) {
	s.dir.change.Lock()
	defer s.dir.change.Unlock()
	id = cmp.Or(id, newID())
	var none Entry[T]
	if err := store.CheckID(id); err != nil {
		return none, err
	}
	if err := s.check(id, &v); err != nil {
		return none, s.fail("create", id, invalid{err})
	}
	if s.row(id) != nil {
		return none, s.fail("create", id, fmt.Errorf("there is one of that id: %w", store.ErrConflict))
	}
	if s.taken != nil {
		if err := s.taken(id); err != nil {
			return none, s.fail("create", id, err)
		}
	}
	e, err := s.put(ctx, Entry[T]{ID: id, Value: v})
	if err != nil {
		return none, s.fail("create", id, err)
	}
	if err := s.tell(ctx, nil, e, nil); err != nil {
		s.index(e, nil)
		return none, errors.Join(s.fail("create", id, err), s.dir.db.DeleteEntry(ctx, s.kind, id))
	}
	got, _ := s.copied(e)
	return got, nil
}

// Update changes one, if rev is its revision or 0. change may be called more than once. The error matches store.ErrNotFound, store.ErrInvalid, store.ErrConflict or
// ErrReadOnly, or is the store's.
func (s *Entries[T]) Update(ctx context.Context, id string, rev int64, change func(*T)) (Entry[T], error) {
	s.dir.change.Lock()
	defer s.dir.change.Unlock()
	var none Entry[T]
	old, err := s.own(id)
	if err != nil {
		return none, s.fail("update", id, err)
	}
	if rev != 0 && rev != old.Rev {
		return none, s.fail("update", id, fmt.Errorf("revision %d, but it has %d: %w", rev, old.Rev, store.ErrConflict))
	}
	next, _ := s.copied(old)
	change(&next.Value)
	if err := s.check(id, &next.Value); err != nil {
		return none, s.fail("update", id, invalid{err})
	}
	e, err := s.put(ctx, next)
	if err != nil {
		return none, s.fail("update", id, err)
	}
	if err := s.tell(ctx, old, e, change); err != nil {
		return none, s.fail("update", id, err)
	}
	got, _ := s.copied(e)
	return got, nil
}

// Delete removes one. The error matches store.ErrNotFound or ErrReadOnly, or is the store's.
func (s *Entries[T]) Delete(ctx context.Context, id string) error {
	s.dir.change.Lock()
	defer s.dir.change.Unlock()
	old, err := s.own(id)
	if err != nil {
		return s.fail("delete", id, err)
	}
	if err := s.dir.db.DeleteEntry(ctx, s.kind, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return s.fail("delete", id, err)
	}
	s.index(old, nil)
	if err := s.tell(ctx, old, nil, nil); err != nil {
		return s.fail("delete", id, err)
	}
	return nil
}

// own is the one called id, if the directory may change it.
func (s *Entries[T]) own(id string) (*Entry[T], error) {
	switch e := s.row(id); {
	case e == nil:
		return nil, store.ErrNotFound
	case e.Rev == 0:
		return nil, ErrReadOnly
	default:
		return e, nil
	}
}

// put stores e, whose Rev is the one that was read, and has it found.
func (s *Entries[T]) put(ctx context.Context, e Entry[T]) (*Entry[T], error) {
	name := s.name(&e.Value)
	s.mu.RLock()
	other := s.byName[name]
	s.mu.RUnlock()
	if name != "" && other != nil && other.ID != e.ID {
		return nil, fmt.Errorf("there is a %s %.80q: %w", s.kind, name, store.ErrConflict)
	}
	body, err := s.encode(&e.Value)
	if err != nil {
		return nil, err
	}
	got, err := s.dir.db.PutEntry(ctx, store.Entry{Kind: s.kind, ID: e.ID, Name: name, Body: body, Rev: e.Rev})
	if err != nil {
		return nil, err
	}
	e.Rev, e.TmCreate, e.TmUpdate = got.Rev, got.TmCreate, got.TmUpdate
	s.index(s.row(e.ID), &e)
	return &e, nil
}

func (s *Entries[T]) tell(ctx context.Context, old, now *Entry[T], change func(*T)) error {
	if e := s.dir.engine.Load(); e != nil && s.changed != nil {
		return s.changed(ctx, e, old, now, change)
	}
	return nil
}

// index puts now in the place of old, each of which may be nil.
func (s *Entries[T]) index(old, now *Entry[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	compare := func(e *Entry[T], c store.Cursor) int { return e.at().Compare(c) }
	if old != nil {
		delete(s.rows, old.ID)
		if name := s.name(&old.Value); s.byName[name] == old {
			delete(s.byName, name)
		}
		if i, found := slices.BinarySearchFunc(s.order, old.at(), compare); found {
			s.order = slices.Delete(slices.Clone(s.order), i, i+1) // a reader may have it
		}
		if s.indexed != nil {
			s.indexed(&old.Value, false)
		}
	}
	if now != nil {
		s.rows[now.ID] = now
		if name := s.name(&now.Value); name != "" && s.byName[name] == nil {
			s.byName[name] = now
		}
		i, _ := slices.BinarySearchFunc(s.order, now.at(), compare)
		s.order = slices.Insert(slices.Clone(s.order), i, now)
		if s.indexed != nil {
			s.indexed(&now.Value, true)
		}
	}
}

func (s *Entries[T]) row(id string) *Entry[T] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows[id]
}

// named is Named for who does not change what it gets.
func (s *Entries[T]) named(name string) (v T, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.byName[name]; e != nil {
		return e.Value, true
	}
	return v, false
}

// all are those that there are now, the oldest first; nobody may change them.
func (s *Entries[T]) all() []*Entry[T] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.order
}

// copied is a deep copy of e, which may be nil.
func (s *Entries[T]) copied(e *Entry[T]) (Entry[T], bool) {
	if e == nil {
		return Entry[T]{}, false
	}
	c := *e
	if e.Rev != 0 { // those of the settings were not stored; what they hold is never changed
		if b, err := s.encode(&e.Value); err == nil {
			if v, err := s.decode(e.ID, b); err == nil {
				c.Value = v
			}
		}
	}
	return c, true
}

// fix adds what stands in the settings.
func (s *Entries[T]) fix(id string, v T) { s.index(nil, &Entry[T]{ID: id, Value: v}) }

// load reads what is stored. What cannot be read, or has a place that is taken by the settings, is logged, and kept where it is.
func (s *Entries[T]) load(ctx context.Context) error {
	f := store.EntryFilter{Kind: s.kind}
	var stored []*Entry[T]
	for {
		page, next, err := s.dir.db.ListEntries(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range page {
			v, err := s.decode(r.ID, r.Body)
			if err == nil && s.row(r.ID) != nil {
				err = errors.New("the settings have one of that id")
			}
			if err != nil {
				s.dir.log.Error("entry of the directory left out", "kind", s.kind, "id", r.ID, "err", err)
				continue
			}
			if name := s.name(&v); name != "" {
				if _, ok := s.named(name); ok {
					s.dir.log.Warn("entry of the directory stands behind that of the settings", "kind", s.kind, "id", r.ID, "name", name)
				}
			}
			stored = append(stored, &Entry[T]{ID: r.ID, Rev: r.Rev, TmCreate: r.TmCreate, TmUpdate: r.TmUpdate, Value: v})
		}
		if next == "" {
			break
		}
		f.PageToken = next
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range stored {
		s.rows[e.ID] = e
		if name := s.name(&e.Value); name != "" && s.byName[name] == nil {
			s.byName[name] = e
		}
		if s.indexed != nil {
			s.indexed(&e.Value, true)
		}
	}
	s.order = append(s.order, stored...)
	slices.SortFunc(s.order, func(a, b *Entry[T]) int { return a.at().Compare(b.at()) })
	return nil
}

// text tells whether s may stand in a directory as a name or detail.
func text(what, s string, most int) error {
	if len(s) > most || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s: %d bytes are more than %d, or it holds a NUL", what, len(s), most)
	}
	return nil
}
