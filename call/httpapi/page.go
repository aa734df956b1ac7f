package httpapi

import (
	"slices"

	"github.com/callbin/callbin/store"
)

// list is a page of a list, VoIPBIN's envelope.
type list[T any] struct {
	Result []T    `json:"result"`
	Next   string `json:"next_page_token" doc:"page_token of the next page; empty: this is the last one"`
}

// pageParams are those of all lists: embed them.
type pageParams struct {
	PageSize  int    `json:"page_size,omitempty" opt:"min=1,max=100" doc:"default 100"`
	PageToken string `json:"page_token,omitempty" doc:"next_page_token of the page before"`
}

// timeParams choose by tm_create: embed them.
type timeParams struct {
	Since store.Time `json:"since,omitzero" doc:"tm_create is not before"`
	Until store.Time `json:"until,omitzero" doc:"tm_create is before"`
}

// idParams are those of rows with {id} in their path.
type idParams struct {
	ID string `json:"id"`
}

// listOf makes a page; an empty one is a list, and not null.
func listOf[T any](page []T, next string) list[T] {
	if page == nil {
		page = []T{}
	}
	return list[T]{page, next}
}

// placed is a record that has a place in lists.
type placed[T any] interface {
	*T
	At() store.Cursor
}

// merge puts those that are up, in any order, among a page of those that are stored, in the store's order: what is up and stored, too, comes once, as it is
// stored. Both have been chosen by the same filter.
func merge[T any, P placed[T]](stored []T, next string, up []T, size int, token string) ([]T, string, error) {
	size, at, err := store.Page(size, token)
	if err != nil {
		return nil, "", err
	}
	have := map[string]bool{}
	for i := range stored {
		have[P(&stored[i]).At().ID] = true
	}
	oldest, more := store.Cursor{}, next != ""
	if more {
		oldest = P(&stored[len(stored)-1]).At()
	}
	page := stored
	for i := range up {
		here := P(&up[i]).At()
		if !have[here.ID] && (at.IsZero() || here.Compare(at) < 0) && (!more || here.Compare(oldest) > 0) {
			page = append(page, up[i])
		}
	}
	slices.SortFunc(page, func(x, y T) int { return P(&y).At().Compare(P(&x).At()) })
	if len(page) > size {
		page, more = page[:size], true
	}
	if !more {
		return page, "", nil
	}
	return page, P(&page[len(page)-1]).At().Token(), nil
}
