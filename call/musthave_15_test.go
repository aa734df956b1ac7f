package call_test

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// TestMustHave15Events places a call over SIP and RTP that is connected, recorded and in a room, and has all of its events sent to a web server that
// fails at first: each comes as {type, data}, signed, in order, with the public shape of its resource.
func TestMustHave15Events(t *testing.T) {
	type sent struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
		ID   string          `json:"id"`
		Seq  int             `json:"seq"`
		Call string          `json:"call_id"`
	}
	var mu sync.Mutex
	var got []sent
	tries := map[string]int{}
	ended := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
			!hmac.Equal([]byte(r.Header.Get("X-VoIPBIN-Signature")), []byte(call.SignWebhook("top secret", body))) {
			t.Errorf("bad request: %s %v %s", r.Method, r.Header, body)
		}
		var e sent
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if tries[e.ID]++; tries[e.ID] < 3 && (e.Type == "call_ringing" || e.Type == "recording_started") {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if got = append(got, e); e.Type == "conference_deleted" {
			close(ended)
		}
	}))
	defer srv.Close()

	network := calltest.Loopback{}
	db := store.Memory()
	deps := action.Deps{Beep: tone.Beep().Clip(8000).Source}
	bobAt := calltest.FreePort(t)
	bob := calltest.NewPhone(t, network, calltest.PhoneConfig{Addr: bobAt.Addr(), Port: bobAt.Port(), User: "bob", Accept: func(c *calltest.PhoneCall) {
		c.Ring()
		c.Answer()
		<-time.After(300 * time.Millisecond)
		c.Hangup(t)
	}})
	steps, err := flow.Parse([]byte(`[{"type":"answer"},{"type":"recording_start"},
		{"type":"connect","option":{"destinations":[{"type":"sip","target":"bob@`+bob.Addr().String()+`"}]}},{"type":"recording_stop"},
		{"type":"digits_receive","option":{"duration":5000,"length":1}},
		{"type":"conference_join","option":{"conference_id":"blue"}}]`), flow.ParseOptions{Registry: action.Builtin(deps)})
	if err != nil {
		t.Fatal(err)
	}
	e, stop := calltest.Run(t, network, call.Config{
		Deps: deps, Store: db, OpenRooms: true, Outbound: call.Outbound{SIP: []string{"127.0.0.0/8"}},
		Route: func(context.Context, *call.Incoming) (flow.Program, error) { return steps, nil },
	})
	w, err := call.NewWebhooks(call.WebhookConfig{URL: srv.URL + "/hook", Secret: "top secret", Backoff: 10 * time.Millisecond,
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := e.Subscribe(call.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	done := make(chan error)
	go func() { done <- w.Run(t.Context(), e) }()
	awaitSubscribers(t, e, 2)
	server := e.Addrs()[0].Addr
	a := calltest.NewPhone(t, network, calltest.PhoneConfig{Addr: server.Addr(), Server: server}).Dial(t, "100")
	until := func(typ string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for ev := range ready.All(ctx) {
			if ev.Type == typ {
				return
			}
		}
		t.Fatalf("no %s", typ)
	}
	until("recording_finished")
	a.Press("5")
	until("conferencecall_joined")
	a.Hangup(t)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the last event has not come")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}

	in := map[string][]string{} // types by call
	shapes := map[string]string{
		"call_": "direction", "activeflow_": "executed_actions", "recording_": "reference_type", "conferencecall_": "conference_id", "conference_": "type",
		"confbridge_": "direction", "dtmf_": "duration_ms", "call_quality": "packets_in",
	}
	last := map[string]string{}
	for _, ev := range got {
		key := ev.Call
		if strings.HasPrefix(ev.Type, "conference") {
			key = "room"
		}
		if ev.ID <= last[key] {
			t.Errorf("%s comes too late", ev.Type)
		}
		last[key] = ev.ID
		in[ev.Call] = append(in[ev.Call], ev.Type)
		var data map[string]any
		if err := json.Unmarshal(ev.Data, &data); err != nil || len(data) == 0 {
			t.Errorf("data of %s: %v", ev.Type, err)
		}
		best := ""
		for p := range shapes {
			if strings.HasPrefix(ev.Type, p) && len(p) > len(best) {
				best = p
			}
		}
		if _, ok := data[shapes[best]]; !ok {
			t.Errorf("data of %s has no %q: %s", ev.Type, shapes[best], ev.Data)
		}
	}
	recs, _, err := db.ListCalls(t.Context(), store.CallFilter{})
	if err != nil || len(recs) != 2 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	for _, r := range recs {
		want := []string{"call_created", "call_ringing", "activeflow_created", "call_progressing", "confbridge_joined", "confbridge_leaved", "activeflow_deleted", "call_quality", "call_hangup"}
		if r.Direction == store.DirectionIncoming {
			want = append(want, "call_updated", "activeflow_updated", "recording_started", "recording_finished", "dtmf_received", "conferencecall_joining", "conferencecall_joined", "conferencecall_leaved")
		}
		types := in[r.ID]
		for _, typ := range want {
			n := 0
			for _, s := range types {
				if s == typ {
					n++
				}
			}
			single := typ != "activeflow_updated" && typ != "call_updated" && !strings.HasPrefix(typ, "confbridge")
			if n == 0 || single && n != 1 {
				t.Errorf("%s call: %d %s in %v", r.Direction, n, typ, types)
			}
		}
		own := slices.DeleteFunc(slices.Clone(types), func(s string) bool { return strings.HasPrefix(s, "conference") })
		if own[0] != "call_created" || own[len(own)-1] != "call_hangup" {
			t.Errorf("events of the %s call: %v", r.Direction, own)
		}
	}
	if st := w.Stats(); st.Retried != 6 || int(st.Delivered) != len(got) || st.Failed+st.Refused+st.Dropped+st.Lost != 0 { // two calls ring, one is recorded
		t.Errorf("%+v", st)
	}
}

// awaitSubscribers waits until n have subscribed.
func awaitSubscribers(t *testing.T, e *call.Engine, n int) {
	t.Helper()
	for range 1000 {
		if e.Stats().Subscribers >= n {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatal("nobody subscribes")
}
