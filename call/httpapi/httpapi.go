package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// DefaultMaxBody is how many bytes a body may have: the largest flow, and what stands around it.
const DefaultMaxBody = 2 << 20

// Engine is what is asked about calls that are up; *call.Engine is one. What it can do beyond that, such as Controller, is served too.
type Engine interface {
	Call(id string) (*call.Call, bool)
	Calls() iter.Seq[*call.Call]
	Ready() bool
}

// Config of the handler. What a field is missing for has no row in the table, and none in the document.
type Config struct {
	Engine     Engine
	Store      store.Calls      // nil: only calls that are up are known
	Traces     store.Traces     // nil: no trace is given out
	Flows      store.Flows      // nil: none can be stored; Config.UseStoredFlows of the engine has them run
	Recordings store.Recordings // nil: none is known
	Blobs      store.Blobs      // of the recordings; nil: their sound is not given out

	Tokens       []string           // bearer tokens that may do all; neither these nor AccessTokens: every request but the open ones is refused
	AccessTokens []call.AccessToken // bearer tokens with scopes
	MaxBody      int64              // bytes of a body; 0: DefaultMaxBody
	MaxStreams   int                // streams of events at a time; 0: DefaultMaxStreams
	Origins      []string           // hosts whose pages may open WebSockets, beside the own one, such as "*.example.com"
	Logger       *slog.Logger       // nil: slog.Default()
}

type api struct {
	cfg     Config
	table   []operation
	access  *access
	replays replays
	mux     *http.ServeMux
	flows   flowWrites
	streams *streams
	tickets tickets
}

// New returns the handler; it is safe for concurrent use.
func New(cfg Config) http.Handler { return newAPI(cfg) }

func newAPI(cfg Config) *api {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	a := &api{cfg: cfg, access: newAccess(cfg.Tokens, cfg.AccessTokens), mux: http.NewServeMux(), streams: newStreams(cmp.Or(max(cfg.MaxStreams, 0), DefaultMaxStreams))}
	a.table = a.rows()
	document, err := encodeDocument(a.table)
	if err != nil {
		panic(err) // a row that cannot be described is the programmer's fault
	}
	a.mux.HandleFunc("GET /healthz", a.health)
	a.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		ans := answer{code: http.StatusOK, body: document, etag: tagOf(document)}
		ans.write(w, r)
	})
	for i := range a.table {
		o := &a.table[i]
		a.mux.HandleFunc(o.method+" "+prefix+o.path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, o) })
		if o.path == "/events/ws" { // VoIPBIN's place for it
			a.mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, o) })
		}
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, nil) })
	return a
}

// rows are the whole table: each resource has its own part of it.
func (a *api) rows() []operation {
	return slices.Concat(a.callRows(), a.controlRows(), a.soundRows(), a.wayRows(), a.activeflowRows(), a.flowRows(), a.recordingRows(), a.eventRows(), a.streamRows(), a.journeyRows(),
		a.extensionRows(), a.numberRows(), a.agentRows(), a.queueRows(), a.queuecallRows(), a.groupcallRows(), a.conferenceRows(), a.conferencecallRows(), a.trunkRows(), a.outboundRows(),
		a.voicemailRows(), a.reportRows())
}

// ServeHTTP serves one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	code, status := http.StatusOK, "ok"
	if !a.cfg.Engine.Ready() {
		code, status = http.StatusServiceUnavailable, "no new calls"
	}
	ans := answer{code: code}
	ans.body, _ = encode(map[string]string{"status": status}) // it cannot fail
	ans.write(w, r)
}

// serve answers a request to a row; nil: there is none for it.
func (a *api) serve(w http.ResponseWriter, r *http.Request, o *operation) {
	id := requestID(r)
	w.Header().Set("X-Request-Id", id)
	var ans answer
	by, err := a.admit(r, o)
	switch {
	case err != nil:
	case o == nil:
		err = a.noRow(r)
	default:
		err = by.may(o.scope)
	}
	if err != nil {
		ans = failed(classify(err), id)
	} else {
		ans = a.answer(w, &request{ctx: r.Context(), op: o, http: r, id: id, by: by, max: a.cfg.MaxBody})
	}
	if by != nil && o != nil && o.method != http.MethodGet { // who has changed something
		a.cfg.Logger.Info("http request", "method", o.method, "path", r.URL.Path, "status", ans.code, "token", by.name, "request", id)
	}
	ans.write(w, r)
}

// admit finds who makes a request: by a token, or where that is allowed by a ticket.
func (a *api) admit(r *http.Request, o *operation) (*holder, error) {
	if o != nil && o.ticket && r.URL.Query().Has("ticket") {
		if by := a.tickets.redeem(r.URL.Query().Get("ticket"), time.Now()); by != nil {
			return by, nil
		}
		return nil, a.access.refuse(r)
	}
	return a.access.admit(r)
}

// answer does what r asks for, or has done it before.
func (a *api) answer(w http.ResponseWriter, r *request) answer {
	if err := r.load(w); err != nil {
		return failed(classify(err), r.id)
	}
	key := r.http.Header.Get("Idempotency-Key")
	if key == "" || r.op.method != http.MethodPost {
		return a.do(r)
	}
	k := replayKey{r.by, r.http.URL.Path + "?" + r.http.URL.RawQuery, key}
	ctx := r.ctx
	ans, again, err := a.replays.once(ctx, k, r.text, func() answer {
		var cancel context.CancelFunc // what is begun is brought to its end, so that it is known what became of it
		r.ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), keyedTime)
		defer cancel()
		return a.do(r)
	})
	if err != nil {
		return failed(a.known(err, r), r.id)
	}
	if again {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return ans
}

// do runs the handler of a row. Its panic is an error like any other.
func (a *api) do(r *request) (ans answer) {
	defer func() {
		if x := recover(); x != nil {
			ans = failed(a.known(fmt.Errorf("panic: %v\n%s", x, debug.Stack()), r), r.id)
		}
	}()
	v, err := r.op.do(r)
	if err == nil {
		ans, err = success(r.op, v, r.etag)
	}
	if err != nil {
		return failed(a.known(err, r), r.id)
	}
	return ans
}

// known is the failure that err is; one that is not in the table stands in the log only.
func (a *api) known(err error, r *request) *failure {
	if f := classify(err); f != nil {
		return f
	}
	a.cfg.Logger.Error("http request failed", "method", r.op.method, "path", r.op.path, "request", r.id, "token", r.by.name, "err", err)
	return &failure{code: http.StatusInternalServerError, status: "INTERNAL", reason: "internal", message: "an internal fault; the log has it under this request's id"}
}

// noRow is why a request has none: another method has, or nothing does.
func (a *api) noRow(r *http.Request) error {
	var allow []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if _, pattern := a.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "/" && pattern != "" {
			allow = append(allow, method)
		}
	}
	if allow != nil {
		return &failure{code: http.StatusMethodNotAllowed, status: "INVALID_ARGUMENT", reason: "method",
			message: fmt.Sprintf("%.20s is not for %.100s: %s is", r.Method, r.URL.Path, strings.Join(allow, ", ")), allow: strings.Join(allow, ", ")}
	}
	return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "no_such_path", message: fmt.Sprintf("there is no %.20s %.100s", r.Method, r.URL.Path)}
}

// requestID is the one that the client gives, where it can stand in a log, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool {
		return c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) {
		return uuid.NewString()
	}
	return id
}

// NewToken makes a random bearer token of 256 bits.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
