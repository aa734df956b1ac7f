package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/httpapi"
)

// TestSlowReaderIsToldWhy has readers who stop reading while more happens than is kept for one of them: they get what was kept, then the reason, and who
// comes back with the last id gets all the rest.
func TestSlowReaderIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		w := h.serve(t)
		s, c := w.sse(t, "?type=conference_created"), w.socket(t, "/v1.0/events/ws?type=conference_created")
		defer s.Close()
		synctest.Wait()
		var want []string
		for i := range call.DefaultEventHistory + 500 {
			if _, err := h.CreateConference(call.ConferenceOptions{ID: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint(i))
		}
		synctest.Wait() // no time goes by: nobody has been waited for in vain yet
		room := func(e map[string]any) string { return fmt.Sprint(e["conference_id"]) }

		var got []string
		var last string
		m, ok := s.next()
		for ; ok && m.event == "conference_created"; m, ok = s.next() {
			got, last = append(got, room(m.data)), m.id
		}
		if m.event != "end" || m.data["reason"] != "slow_reader" || m.data["message"] == "" || m.id != "" {
			t.Errorf("SSE ends with %+v", m)
		}
		if _, ok := s.next(); ok {
			t.Error("SSE goes on after its end")
		}
		if n := len(got); n < call.DefaultEventHistory || n >= len(want) || !slices.Equal(got, want[:n]) {
			t.Fatalf("SSE: %d events, not the first ones of %d", n, len(want))
		}
		again := w.sse(t, "?type=conference_created", "Last-Event-ID: "+last)
		defer again.Close()
		for len(got) < len(want) {
			m, _ := again.next()
			if m.event != "conference_created" {
				t.Fatalf("SSE again: %+v", m)
			}
			got = append(got, room(m.data))
		}
		if !slices.Equal(got, want) {
			t.Error("SSE: what was missed is not what comes again")
		}

		got = got[:0]
		e, err := receive(c)
		for ; err == nil && e["type"] == "conference_created"; e, err = receive(c) {
			got = append(got, room(e))
		}
		if err != nil || e["type"] != "end" || e["reason"] != "slow_reader" {
			t.Errorf("WebSocket ends with %v, %v", e, err)
		}
		if n := len(got); n < call.DefaultEventHistory || n >= len(want) || !slices.Equal(got, want[:n]) {
			t.Errorf("WebSocket: %d events, not the first ones of %d", n, len(want))
		}
		if _, err := receive(c); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
			t.Errorf("WebSocket closed by %v", err)
		}
	})
}

// TestPagesOfOthersOpenNoSocket: a browser tells whose page opens a WebSocket, and does not keep it from doing so.
func TestPagesOfOthersOpenNoSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(_ *call.Config, w *httpapi.Config) { w.Origins = []string{"*.friend.example"} })
		w := h.serve(t)
		for origin, want := range map[string]int{
			"": 101, "http://callbin": 101, "https://callbin": 101, "https://desk.friend.example": 101,
			"https://evil.example": 403, "https://friend.example.evil.example": 403, "https://callbin.evil.example": 403, "null": 403,
		} {
			header := http.Header{"Authorization": {"Bearer " + token}}
			if origin != "" {
				header.Set("Origin", origin)
			}
			c, r, err := websocket.Dial(context.Background(), "http://callbin/ws", &websocket.DialOptions{HTTPClient: w.Client, HTTPHeader: header})
			if r == nil || r.StatusCode != want {
				t.Errorf("page of %q: %+v, %v; want %d", origin, r, err, want)
			}
			if c != nil {
				_ = c.CloseNow()
			}
		}
	})
}

// TestScopeOfStreams: who may not read events gets no stream, and no ticket for one.
func TestScopeOfStreams(t *testing.T) {
	const other = "another token of 16"
	h := open(t, nil, func(_ *call.Config, w *httpapi.Config) {
		w.AccessTokens = []call.AccessToken{{Name: "calls", Token: other, Scopes: []string{"calls:*"}}}
	})
	for _, what := range [][2]string{{"GET", "/events"}, {"GET", "/events/stream"}, {"GET", "/events/ws"}, {"POST", "/events/tickets"}} {
		if r := h.do(t, what[0], what[1], "", "Authorization: Bearer "+other); r.code != 403 {
			t.Errorf("%s %s: %d %s", what[0], what[1], r.code, r.text)
		}
	}
}
