package store

import (
	"context"
	"fmt"
)

// Keys remembers idempotency keys; a Store that implements it, too, makes a call that is placed with one be placed once,
// by however many engines, over restarts.
type Keys interface {
	// PutKey stores k unless one of that name is stored that has not expired at k.TmCreate, and returns
	// the one that is stored then. Of several at the same time one wins. ErrInvalid, ErrClosed.
	PutKey(ctx context.Context, k Key) (Key, error)
	// DeleteKey removes the key called name, if there is one. ErrClosed.
	DeleteKey(ctx context.Context, name string) error
}

// Key is an idempotency key.
type Key struct {
	Name     string `json:"name"`
	Sum      string `json:"sum"`     // of what was asked for
	CallID   string `json:"call_id"` // that it was given to
	TmCreate Time   `json:"tm_create"`
	TmExpire Time   `json:"tm_expire"`
}

// Clean returns k in the form in which drivers store it, or an error matching ErrInvalid: the name or the call's id is
// bad, or a time unset.
func (k Key) Clean() (Key, error) {
	if k.Name == "" || len(k.Name) > MaxKeyName || text(k.Name) != k.Name { // replacing bytes would make two names one
		return Key{}, fmt.Errorf("store: key: a name has 1 to %d bytes of UTF-8: %w", MaxKeyName, ErrInvalid)
	}
	texts(&k.Sum)
	if err := CheckID(k.CallID); err != nil {
		return Key{}, err
	}
	if k.TmCreate.IsZero() || k.TmExpire.IsZero() {
		return Key{}, fmt.Errorf("store: key: tm_create or tm_expire is unset: %w", ErrInvalid)
	}
	k.TmCreate, k.TmExpire = At(k.TmCreate.Time), At(k.TmExpire.Time)
	return k, nil
}

// MaxKeyName is how long the name of a Key may be.
const MaxKeyName = 256
