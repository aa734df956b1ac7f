package httpapi

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// Configured has what can be configured while it runs; *call.Engine does, where it has a Config.Directory.
type Configured interface{ Directory() *call.Directory }

// directory is that of the engine; nil: it has none.
func (a *api) directory() *call.Directory {
	if e, ok := a.cfg.Engine.(Configured); ok {
		return e.Directory()
	}
	return nil
}

// kept is what all answers about an entry of the directory have: embed it.
type kept struct {
	ReadOnly bool       `json:"read_only,omitempty" doc:"it stands in the settings, where alone it can be changed"`
	Rev      int64      `json:"rev,omitempty" doc:"counts the changes, from 1; what If-Match takes, in quotes"`
	TmCreate store.Time `json:"tm_create,omitzero"`
	TmUpdate store.Time `json:"tm_update,omitzero"`
}

func keptOf[T any](e call.Entry[T]) kept { return kept{e.Rev == 0, e.Rev, e.TmCreate, e.TmUpdate} }

// entry returns the entry of an id, having looked at If-Match.
func entry[T any](r *request, s *call.Entries[T], what, id string) (call.Entry[T], error) {
	e, ok := s.Get(id)
	if !ok {
		return e, notFound(what, id)
	}
	return e, r.version(tagOfRev(e.Rev))
}

// entries returns a page of entries as answers.
func entries[T, A any](s *call.Entries[T], p pageParams, as func(call.Entry[T]) A) (list[A], error) {
	page, next, err := s.List(p.PageSize, p.PageToken)
	if err != nil {
		return list[A]{}, err
	}
	out := make([]A, len(page))
	for i := range page {
		out[i] = as(page[i])
	}
	return listOf(out, next), nil
}

// created is the entry that was made, or a failure.
func created[T any](r *request, e call.Entry[T], err error) (call.Entry[T], error) {
	if errors.Is(err, store.ErrConflict) {
		return e, &failure{code: http.StatusConflict, status: "ALREADY_EXISTS", reason: "exists", message: plain(err)}
	}
	return updated(r, e, err)
}

// updated is the entry as it has become, or a failure.
func updated[T any](r *request, e call.Entry[T], err error) (call.Entry[T], error) {
	if err == nil {
		r.etag = `"` + tagOfRev(e.Rev) + `"`
	}
	return e, r.placed(err)
}

// deleted deletes an entry, having looked at If-Match, and returns what it was.
func deleted[T any](r *request, s *call.Entries[T], what, id string) (call.Entry[T], error) {
	e, err := entry(r, s, what, id)
	if err != nil {
		return e, err
	}
	return e, s.Delete(r.ctx, id)
}

// placed gives what the directory says about values their places in the body.
func (r *request) placed(err error) error {
	if err == nil || !errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrNotFound) {
		return err
	}
	return r.places(err)
}

// places is placed for an error that is about values of the body.
func (r *request) places(err error) error {
	var list []Detail
	for _, e := range leaves(err) {
		field, message, ok := strings.Cut(strings.TrimPrefix(e.Error(), "agents[0]: "), ": ")
		switch name, _, _ := strings.Cut(e.Error(), " is "); { // those of conferences have no keys
		case name == "PIN":
			field, message, ok = "pin", "it is not 4 to 16 digits", true
		case name == "ModeratorPIN":
			field, message, ok = "moderator_pin", "it is not 4 to 16 digits", true
		}
		if !ok || !keyOf.MatchString(field) {
			list = append(list, r.detail("", "%s", plain(e)))
			continue
		}
		list = append(list, r.detail("/"+strings.NewReplacer("[", "/", "]", "").Replace(field), "%s", message))
	}
	return invalidBody(list)
}

// keyOf is what stands before what is wrong with a key: "addresses[1]".
var keyOf = regexp.MustCompile(`^[a-z_0-9]+(\[\d+\])?$`)

// leaves are the errors that were joined to be err.
func leaves(err error) []error {
	for e := err; e != nil; {
		if many, ok := e.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, x := range many.Unwrap() {
				all = append(all, leaves(x)...)
			}
			return all
		}
		one, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = one.Unwrap()
	}
	return []error{err}
}

// set puts a value that is there in the place of another.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// setMS is set for a number of milliseconds.
func setMS[D ~int64](to *D, from *int64) {
	if from != nil {
		*to = D(ms(*from))
	}
}

// noID is VoIPBIN's id of nothing.
const noID = "00000000-0000-0000-0000-000000000000"

// someID is id, "" for what stands for none.
func someID(id string) string {
	if id == noID {
		return ""
	}
	return id
}

// flowID checks the id of a flow that stands in the body, and is what it stands for. Nil stays nil.
func (a *api) flowID(r *request, field string, id *string) (*string, error) {
	if id == nil {
		return nil, nil
	}
	some := someID(*id)
	e, ok := a.cfg.Engine.(Flows)
	if some == "" || !ok {
		return &some, nil
	}
	if _, err := e.FlowByID(r.ctx, some); errors.Is(err, call.ErrNoFlow) {
		return nil, r.invalid(field, "there is no flow %.80q", some)
	} else if err != nil {
		return nil, err
	}
	return &some, nil
}

func tagOfRev(rev int64) string { return strconv.FormatInt(rev, 10) }
