package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// Kinds of entries that the engine keeps. A driver takes any.
const (
	EntryExtension  = "extension"
	EntryAgent      = "agent"
	EntryNumber     = "number"
	EntryQueue      = "queue"
	EntryConference = "conference"
)

// Entry is a piece of configuration that can change while the engine runs. Body is the engine's; a driver does not look into it.
type Entry struct {
	Kind     string          `json:"kind"`
	ID       string          `json:"id"`             // no two of one kind have the same
	Name     string          `json:"name,omitempty"` // nor the same of these; "": it has none
	Body     json.RawMessage `json:"body,omitempty"`
	Rev      int64           `json:"rev,omitempty"`      // counts the puts, from 1; 0: not stored yet
	TmCreate Time            `json:"tm_create,omitzero"` // of the first put; set by the driver
	TmUpdate Time            `json:"tm_update,omitzero"` // of the last put; set by the driver
}

// Directory keeps entries. A Store that implements it, too, lets an engine have what is made while it runs after a restart.
type Directory interface {
	// PutEntry stores e and returns it as stored, with its new revision and times. e.Rev is the revision that was read, 0 for a new
	// entry. ErrConflict where another one is stored (or none, and e.Rev is not 0), and where another entry of the kind has
	// its name; ErrInvalid, ErrClosed.
	PutEntry(ctx context.Context, e Entry) (Entry, error)
	// Entry returns one entry. ErrNotFound, ErrClosed.
	Entry(ctx context.Context, kind, id string) (Entry, error)
	// ListEntries returns one page and the token of the next, "" at the end. ErrInvalid, ErrClosed.
	ListEntries(ctx context.Context, f EntryFilter) (page []Entry, next string, err error)
	// DeleteEntry removes an entry. ErrNotFound, ErrClosed.
	DeleteEntry(ctx context.Context, kind, id string) error
}

// EntryFilter chooses entries of a kind, which is needed; an empty name chooses all.
type EntryFilter struct {
	Kind      string
	Name      string // exactly
	PageSize  int    // 1 to 100; 0: 100
	PageToken string
}

// Match tells whether e is chosen; page size and token aside.
func (f *EntryFilter) Match(e *Entry) bool {
	return e.Kind == f.Kind && (f.Name == "" || f.Name == e.Name)
}

// At is the entry's place in lists.
func (e *Entry) At() Cursor { return Cursor{e.TmCreate, e.ID} }

// Clean returns a deep copy of e in the form in which drivers store it, or an error matching ErrInvalid: kind, id or name is bad,
// Rev negative, the body no JSON.
func (e Entry) Clean() (Entry, error) {
	if err := CheckID(e.ID); err != nil {
		return Entry{}, err
	}
	if err := CheckID(e.Kind); err != nil {
		return Entry{}, fmt.Errorf("store: entry %s: kind: %w", e.ID, err)
	}
	if e.Name != "" {
		if err := CheckID(e.Name); err != nil {
			return Entry{}, fmt.Errorf("store: entry %s: name: %w", e.ID, err)
		}
	}
	if e.Rev < 0 {
		return Entry{}, fmt.Errorf("store: entry %s: revision %d: %w", e.ID, e.Rev, ErrInvalid)
	}
	if len(e.Body) > 0 && !json.Valid(e.Body) {
		return Entry{}, fmt.Errorf("store: entry %s: body is not JSON: %w", e.ID, ErrInvalid)
	}
	e.TmCreate, e.TmUpdate = At(e.TmCreate.Time), At(e.TmUpdate.Time)
	e.Body = compact(e.Body)
	return e, nil
}
