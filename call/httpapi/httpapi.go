package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// Engine is what is asked about calls that are up; *call.Engine is one.
type Engine interface {
	Call(id string) (*call.Call, bool)
	Calls() iter.Seq[*call.Call]
	Ready() bool
}

// Config of the handler.
type Config struct {
	Engine Engine
	Store  store.Calls  // nil: only calls that are up are known
	Traces store.Traces // nil: no trace is given out
	Tokens []string     // bearer tokens; none: every request but /healthz is refused
	Logger *slog.Logger // nil: slog.Default()
}

type api struct {
	cfg    Config
	tokens [][sha256.Size]byte
}

// New returns the handler; it is safe for concurrent use.
func New(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	a := &api{cfg: cfg}
	for _, t := range cfg.Tokens {
		a.tokens = append(a.tokens, sha256.Sum256([]byte(t)))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !cfg.Engine.Ready() {
			reply(w, http.StatusServiceUnavailable, map[string]string{"status": "no new calls"})
			return
		}
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /v1.0/calls", a.guard(a.calls))
	mux.HandleFunc("GET /v1.0/calls/{id}", a.guard(a.call))
	mux.HandleFunc("GET /v1.0/calls/{id}/trace", a.guard(a.trace))
	mux.HandleFunc("/", a.guard(func(w http.ResponseWriter, r *http.Request) error {
		return &failure{http.StatusNotFound, "NOT_FOUND", "no_such_path", "there is no " + r.Method + " " + r.URL.Path}
	}))
	return mux
}

// failure is an error with its place in VoIPBIN's table.
type failure struct {
	code                    int
	status, reason, message string
}

func (f *failure) Error() string { return f.message }

// guard lets through who has a token, and answers errors.
func (a *api) guard(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.allowed(r.Header.Get("Authorization")) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="callbin"`)
			a.fail(w, r, &failure{http.StatusUnauthorized, "UNAUTHENTICATED", "token", "a bearer token is needed"})
			return
		}
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	}
}

// allowed compares hashes, so that time tells nothing about a token, nor its length.
func (a *api) allowed(header string) bool {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return false
	}
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	ok := 0
	for _, t := range a.tokens {
		ok |= subtle.ConstantTimeCompare(got[:], t[:])
	}
	return ok == 1
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	id := uuid.NewString()
	var f *failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, store.ErrNotFound):
		f = &failure{http.StatusNotFound, "NOT_FOUND", "not_found", "there is no such call"}
	case errors.Is(err, store.ErrInvalid):
		f = &failure{http.StatusBadRequest, "INVALID_ARGUMENT", "invalid", err.Error()}
	default:
		a.cfg.Logger.Error("http request failed", "path", r.URL.Path, "request", id, "err", err)
		f = &failure{http.StatusInternalServerError, "INTERNAL", "internal", "an internal fault; the log has it under this request's id"}
	}
	reply(w, f.code, map[string]any{"error": map[string]string{
		"status": f.status, "reason": f.reason, "message": f.message, "request_id": id,
	}})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the peer is gone: nobody to tell
}

func (a *api) call(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if c, ok := a.cfg.Engine.Call(id); ok {
		reply(w, http.StatusOK, c.Record())
		return nil
	}
	if a.cfg.Store == nil {
		return store.ErrNotFound
	}
	rec, err := a.cfg.Store.Call(r.Context(), id)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, rec)
	return nil
}

// trace gives out what a call consumed, JSON lines: a file that calltest.Replay runs again. It holds what the
// caller pressed, and what servers answered.
func (a *api) trace(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	var lines []byte
	if c, ok := a.cfg.Engine.Call(id); ok {
		lines = c.Trace()
	} else if a.cfg.Traces == nil {
		return store.ErrNotFound
	} else {
		var err error
		if lines, err = a.cfg.Traces.Trace(r.Context(), id); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(lines) // the peer is gone: nobody to tell
	return nil
}

func (a *api) calls(w http.ResponseWriter, r *http.Request) error {
	f, err := filter(r)
	if err != nil {
		return err
	}
	page, next, err := a.list(r.Context(), f)
	if err != nil {
		return err
	}
	if page == nil {
		page = []store.Call{}
	}
	reply(w, http.StatusOK, struct {
		Result []store.Call `json:"result"`
		Next   string       `json:"next_page_token"`
	}{page, next})
	return nil
}

// list merges the calls that are up with those in the store, in the store's order.
func (a *api) list(ctx context.Context, f store.CallFilter) ([]store.Call, string, error) {
	size, at, err := store.Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	var page []store.Call
	more := false
	if a.cfg.Store != nil {
		var next string
		if page, next, err = a.cfg.Store.ListCalls(ctx, f); err != nil {
			return nil, "", err
		}
		more = next != ""
	}
	stored := map[string]bool{}
	for i := range page {
		stored[page[i].ID] = true
	}
	oldest := store.Cursor{}
	if more {
		oldest = page[len(page)-1].At()
	}
	for c := range a.cfg.Engine.Calls() {
		rec := c.Record()
		here := rec.At()
		if !stored[rec.ID] && f.Match(&rec) && (at.IsZero() || here.Compare(at) < 0) && (!more || here.Compare(oldest) > 0) {
			page = append(page, rec)
		}
	}
	slices.SortFunc(page, func(x, y store.Call) int { return y.At().Compare(x.At()) })
	if len(page) > size {
		page, more = page[:size], true
	}
	if !more {
		return page, "", nil
	}
	return page, page[len(page)-1].At().Token(), nil
}

func filter(r *http.Request) (store.CallFilter, error) {
	var f store.CallFilter
	texts := map[string]*string{
		"page_token": &f.PageToken, "status": &f.Status, "hangup_reason": &f.HangupReason, "direction": &f.Direction,
		"source": &f.Source, "destination": &f.Destination, "journey_id": &f.JourneyID,
	}
	times := map[string]*store.Time{"since": &f.Since, "until": &f.Until}
	for k, v := range r.URL.Query() {
		s := v[0]
		var err error
		if p, ok := texts[k]; ok {
			*p = s
		} else if p, ok := times[k]; ok {
			var t time.Time
			if t, err = time.Parse(time.RFC3339Nano, s); err != nil {
				err = errors.New("not a time of RFC 3339")
			}
			*p = store.At(t)
		} else if key, ok := strings.CutPrefix(k, "metadata."); ok {
			if f.Metadata == nil {
				f.Metadata = map[string]string{}
			}
			f.Metadata[key] = s
		} else if k == "page_size" {
			if f.PageSize, err = strconv.Atoi(s); err != nil || f.PageSize == 0 {
				err = errors.New("not a number from 1 to 100")
			}
		} else {
			err = errors.New("unknown parameter")
		}
		if err != nil {
			return f, &failure{http.StatusBadRequest, "INVALID_ARGUMENT", "parameter", fmt.Sprintf("%s: %v", k, err)}
		}
	}
	return f, nil
}

// NewToken makes a random bearer token of 256 bits.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
