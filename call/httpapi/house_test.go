package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// house is an engine on a network in memory, with the interface before it.
type house struct {
	*call.Engine
	net   *calltest.Net
	store *store.MemoryStore
	api   http.Handler
	stop  func()
}

// open makes a house whose flows are those of the table, by destination.
func open(t testing.TB, flows map[string]string, change ...func(*call.Config, *httpapi.Config)) *house {
	t.Helper()
	h := &house{net: calltest.NewNet(), store: store.Memory()}
	cfg := call.Config{Store: h.store, Deps: call.Noted(action.Deps{Beep: tone.Beep().Clip(8000).Source}),
		Outbound: call.Outbound{SIP: []string{"10.0.0.0/8"}}}
	table := map[string]*flow.Flow{}
	for name, text := range flows {
		f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		table[name] = f
	}
	cfg.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
		if f, ok := table[in.Request.User]; ok {
			return f, nil
		}
		return nil, call.ErrNoFlow
	}
	web := httpapi.Config{Store: h.store, Traces: h.store, Flows: h.store, Recordings: h.store, Blobs: h.store, Tokens: []string{token}}
	for _, c := range change {
		c(&cfg, &web)
	}
	cfg.UseStoredFlows(h.store)
	h.Engine, h.stop = calltest.Run(t, h.net, cfg)
	web.Engine = h.Engine
	h.api = httpapi.New(web)
	return h
}

// reply is an answer.
type reply struct {
	code   int
	header http.Header
	text   string
	body   map[string]any // of an object
}

// do makes a request; headers are "Name: value".
func (h *house) do(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	r := httptest.NewRequest(method, "/v1.0"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for _, x := range headers {
		name, value, _ := strings.Cut(x, ": ")
		r.Header.Set(name, value)
	}
	return serve(h.api, r)
}

func serve(h http.Handler, r *http.Request) reply {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	out := reply{code: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out.body) // not all are objects
	return out
}

// ok fails where the answer is no success, and returns it.
func (h *house) ok(t *testing.T, method, path, body string, headers ...string) map[string]any {
	t.Helper()
	r := h.do(t, method, path, body, headers...)
	if r.code/100 != 2 {
		t.Fatalf("%s %s %s: %d %s", method, path, body, r.code, r.text)
	}
	return r.body
}

// fault is the status, reason, and the details of an error.
func (r reply) fault() (status, reason string, details []httpapi.Detail) {
	var e struct {
		Error struct {
			Status, Reason string
			Details        []httpapi.Detail
		}
	}
	_ = json.Unmarshal([]byte(r.text), &e) // what is missing is compared
	return e.Error.Status, e.Error.Reason, e.Error.Details
}
