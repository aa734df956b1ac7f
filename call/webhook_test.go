package call_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/safehttp"
)

// webServer answers requests without a network.
type webServer struct {
	answer func(n int, e call.Event) (status int, err error) // of the nth request

	mu   sync.Mutex
	got  []call.Event // guarded by mu; in the order in which requests came
	sent int          // guarded by mu
}

func (s *webServer) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var e call.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	if req.Header.Get("X-VoIPBIN-Signature") != call.SignWebhook("secret", body) {
		return nil, errors.New("no signature")
	}
	s.mu.Lock()
	s.sent++
	n := s.sent
	s.got = append(s.got, e)
	s.mu.Unlock()
	status, err := s.answer(n, e)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("thanks"))}, nil
}

func (s *webServer) types() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.got {
		all = append(all, e.Type)
	}
	return all
}

// hooks runs webhooks beside the engine until stop.
func hooks(t *testing.T, h *house, cfg call.WebhookConfig) (w *call.Webhooks, stop func()) {
	t.Helper()
	w, err := call.NewWebhooks(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(context.Background(), h.Engine) }()
	synctest.Wait()
	return w, func() {
		h.stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestWebhooksKeepOrder has two calls, of which the first one's events fail again and again: they come in order in the end, with growing pauses
// between the tries, and those of the second do not wait for them.
func TestWebhooksKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`})
		first, fails := "", 0
		var times []time.Duration
		start := time.Now()
		s := &webServer{}
		s.answer = func(_ int, e call.Event) (int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if first == "" {
				first = e.CallID
			}
			if e.CallID == first && e.Type == "call_ringing" && fails < 4 {
				times = append(times, time.Since(start))
				fails++
				return []int{500, 429, 408, 0}[fails-1], []error{nil, nil, nil, errors.New("connection refused")}[fails-1]
			}
			return 204, nil
		}
		w, stop := hooks(t, h, call.WebhookConfig{URL: "http://example.com/hook", Secret: "secret", Types: []string{"call_*"}, HTTP: s})
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		p.Dial(t, "100").WaitEnd(t)
		p.Dial(t, "100").WaitEnd(t)
		time.Sleep(time.Second)
		second := 0
		s.mu.Lock()
		for _, e := range s.got {
			if e.CallID != first {
				second++
			}
		}
		s.mu.Unlock()
		if second != 6 {
			t.Errorf("of the second call %d events have come, want 6: %v", second, s.types())
		}
		time.Sleep(time.Minute)
		stop()
		var of []string
		seq := 0
		for _, e := range s.got {
			if e.CallID == first {
				of = append(of, e.Type)
				if e.Seq < seq || e.ID == "" || e.JourneyID == "" || e.Time.IsZero() {
					t.Errorf("out of order: %+v", e)
				}
				seq = e.Seq
			}
		}
		if got := strings.Join(of, " "); got != "call_created call_ringing call_ringing call_ringing call_ringing call_ringing call_progressing call_terminating call_quality call_hangup" {
			t.Errorf("came: %s", got)
		}
		for i, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			if d := times[i+1] - times[i]; d != pause {
				t.Errorf("pause %d is %v, want %v", i, d, pause)
			}
		}
		if st := w.Stats(); st.Delivered != 12 || st.Retried != 4 || st.Waiting != 0 || st.Dropped+st.Failed+st.Refused+st.Lost != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestWebhooksGiveUp drops what is refused, what fails too often, and what does not fit into the queue; each is counted, and
// neither the address nor the secret stands in the log.
func TestWebhooksGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`})
		s := &webServer{answer: func(_ int, e call.Event) (int, error) {
			switch e.Type {
			case "call_created":
				return 400, nil
			case "call_ringing":
				return 302, nil
			case "call_progressing":
				return 503, nil
			}
			return 200, nil
		}}
		var log bytes.Buffer
		w, stop := hooks(t, h, call.WebhookConfig{URL: "http://example.com/hook?token=geheim", Secret: "secret", Types: []string{"call_*"}, HTTP: s,
			Tries: 3, Queue: 4, Workers: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		time.Sleep(10 * time.Second)
		// created and ringing are refused, progressing fails, terminating, quality and hangup wait behind it.
		if st := w.Stats(); st.Refused != 2 || st.Failed != 1 || st.Retried != 2 || st.Delivered != 3 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
		for range 3 {
			calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		}
		time.Sleep(10 * time.Second)
		stop()
		if st := w.Stats(); st.Dropped == 0 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
		if out := log.String(); strings.Contains(out, "geheim") || strings.Contains(out, "secret") || !strings.Contains(out, "queue is full") || !strings.Contains(out, "answered 503") {
			t.Errorf("log:\n%s", out)
		}
	})
}

func TestBadWebhooks(t *testing.T) {
	for _, c := range []call.WebhookConfig{{}, {URL: "ftp://example.com"}, {URL: "http://"}, {URL: "http://127.0.0.1/x"}, {URL: "http://[::1]/x"}, {URL: "http://10.0.0.1/"},
		{URL: "http://example.com", Tries: -1}, {URL: "http://example.com", Queue: -1}} {
		if _, err := call.NewWebhooks(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if _, err := call.NewWebhooks(call.WebhookConfig{URL: "http://127.0.0.1/x"}); !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("got %v", err)
	}
	if _, err := call.NewWebhooks(call.WebhookConfig{URL: "http://127.0.0.1/x", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}); err != nil {
		t.Error(err)
	}
}

// TestWebhooksStayOut names a host whose address is of this machine: no request is made, and none is tried again.
func TestWebhooksStayOut(t *testing.T) {
	asked := make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	defer srv.Close()
	w, err := call.NewWebhooks(call.WebhookConfig{URL: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e, stop := calltest.Run(t, calltest.NewNet(), call.Config{Route: noFlow})
	done := make(chan error)
	go func() { done <- w.Run(context.Background(), e) }()
	for w.Stats().Refused == 0 {
		if _, err := e.CreateConference(call.ConferenceOptions{}); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if st := w.Stats(); st.Retried != 0 || st.Delivered != 0 || len(asked) != 0 {
		t.Errorf("%+v, asked %d times", st, len(asked))
	}
}
