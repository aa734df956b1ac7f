package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

type noCalls struct{}

func (noCalls) Call(string) (*call.Call, bool) { return nil, false }
func (noCalls) Ready() bool                    { return true }
func (noCalls) Calls() iter.Seq[*call.Call]    { return func(func(*call.Call) bool) {} }

const token = "0123456789abcdef"

func get(t *testing.T, h http.Handler, path, token string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v in %q", path, err, w.Body)
	}
	return w.Code, body
}

func handler(t *testing.T) http.Handler {
	t.Helper()
	db := store.Memory()
	for i := range 5 {
		reason := "normal"
		if i == 3 {
			reason = "busy"
		}
		err := db.PutCall(t.Context(), store.Call{ID: fmt.Sprintf("c%d", i), Status: "hangup", HangupReason: reason, Metadata: map[string]string{"team": fmt.Sprint(i % 2)},
			TmCreate: store.At(time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC))})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.PutTrace(t.Context(), "c1", []byte(`{"seq":1}`)); err != nil {
		t.Fatal(err)
	}
	return httpapi.New(httpapi.Config{Engine: noCalls{}, Store: db, Traces: db, Tokens: []string{token}})
}

func TestOnlyHealthIsOpen(t *testing.T) {
	h := handler(t)
	if code, body := get(t, h, "/healthz", ""); code != 200 || body["status"] != "ok" {
		t.Errorf("/healthz: %d %v", code, body)
	}
	for _, path := range []string{"/v1.0/calls", "/v1.0/calls/c1", "/v1.0/calls/c1/trace", "/", "/nothing"} {
		for _, tok := range []string{"", "wrong", token + "x", token[:15]} {
			if code, body := get(t, h, path, tok); code != 401 || body["error"].(map[string]any)["status"] != "UNAUTHENTICATED" {
				t.Errorf("%s with token %q: %d %v", path, tok, code, body)
			}
		}
	}
	if code, _ := get(t, httpapi.New(httpapi.Config{Engine: noCalls{}}), "/v1.0/calls", ""); code != 401 {
		t.Errorf("without any token configured: %d", code)
	}
}

type drained struct{ noCalls }

func (drained) Ready() bool { return false }

func TestHealthTellsThatNoCallIsTaken(t *testing.T) {
	if code, body := get(t, httpapi.New(httpapi.Config{Engine: drained{}}), "/healthz", ""); code != 503 || body["status"] == "ok" {
		t.Errorf("%d %v", code, body)
	}
}

func TestCalls(t *testing.T) {
	h := handler(t)
	ids := func(path string) (ids []string, next string) {
		code, body := get(t, h, path, token)
		if code != 200 {
			t.Fatalf("%s: %d %v", path, code, body)
		}
		for _, c := range body["result"].([]any) {
			ids = append(ids, c.(map[string]any)["id"].(string))
		}
		return ids, body["next_page_token"].(string)
	}
	for path, want := range map[string][]string{
		"/v1.0/calls": {"c4", "c3", "c2", "c1", "c0"},
		"/v1.0/calls?status=hangup&hangup_reason=busy": {"c3"},
		"/v1.0/calls?metadata.team=1":                  {"c3", "c1"},
		"/v1.0/calls?since=2026-01-01T00:00:03Z":       {"c4", "c3"},
		"/v1.0/calls?until=2026-01-01T00:00:01Z":       {"c0"},
		"/v1.0/calls?status=ringing":                   nil,
	} {
		if got, _ := ids(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	var all []string
	for path := "/v1.0/calls?page_size=2"; ; {
		page, next := ids(path)
		all = append(all, page...)
		if next == "" {
			break
		}
		path = "/v1.0/calls?page_size=2&page_token=" + next
	}
	if want := []string{"c4", "c3", "c2", "c1", "c0"}; !slices.Equal(all, want) {
		t.Errorf("by pages: %v, want %v", all, want)
	}
	if code, body := get(t, h, "/v1.0/calls/c2", token); code != 200 || body["id"] != "c2" || body["tm_create"] != "2026-01-01T00:00:02.000000Z" {
		t.Errorf("one call: %d %v", code, body)
	}
	if code, body := get(t, h, "/v1.0/calls/c1/trace", token); code != 200 || body["seq"] != 1.0 {
		t.Errorf("a trace: %d %v", code, body)
	}
	for path, want := range map[string]int{
		"/v1.0/calls/none":            404,
		"/v1.0/calls/c2/trace":        404,
		"/v1.0/nothing":               404,
		"/v1.0/calls?page_size=0":     400,
		"/v1.0/calls?page_size=101":   400,
		"/v1.0/calls?page_token=junk": 400,
		"/v1.0/calls?since=yesterday": 400,
		"/v1.0/calls?stauts=hangup":   400,
	} {
		code, body := get(t, h, path, token)
		e, _ := body["error"].(map[string]any)
		if code != want || e["message"] == "" || e["request_id"] == "" {
			t.Errorf("%s: %d %v, want %d", path, code, body, want)
		}
	}
}

func TestTokenFileIsMadeOnceAndPrivate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "token")
	a, err := httpapi.TokenFile(file)
	if err != nil || len(a) != 64 {
		t.Fatalf("%q, %v", a, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want mode 0600", info.Mode(), err)
	}
	if b, err := httpapi.TokenFile(file); err != nil || b != a {
		t.Errorf("the second time: %q, %v", b, err)
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	s, err := httpapi.Listen("127.0.0.1:0", handler(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := httpapi.Listen(s.Addr().String(), nil); err == nil {
		t.Error("a taken port is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	res, err := http.Get("http://" + s.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func ExampleNew() {
	h := httpapi.New(httpapi.Config{Engine: noCalls{}, Tokens: []string{"0123456789abcdef"}})
	r := httptest.NewRequest("GET", "/v1.0/calls", nil)
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 {"result":[],"next_page_token":""}
}
