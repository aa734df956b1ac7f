package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

// pipes is a listener in memory: nothing is buffered, so that who does not read stalls who writes at once.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// web serves a house over connections in memory.
type web struct {
	*http.Client
	shutdown func() // returns when the server has ended
}

func (h *house) serve(t *testing.T) *web {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	s := httpapi.NewServer(l, h.api)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	w := &web{Client: &http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}}
	w.shutdown = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.shutdown)
	return w
}

// message is one of a stream.
type message struct {
	id, event string
	data      map[string]any
}

// sse is an open stream.
type sse struct {
	io.Closer
	r *bufio.Scanner
}

func (w *web) sse(t *testing.T, query string, headers ...string) *sse {
	t.Helper()
	r, _ := http.NewRequest("GET", "http://callbin/v1.0/events/stream"+query, nil)
	if !strings.Contains(query, "ticket=") {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, x := range headers {
		name, value, _ := strings.Cut(x, ": ")
		r.Header.Set(name, value)
	}
	resp, err := w.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	return &sse{resp.Body, bufio.NewScanner(resp.Body)}
}

// next is the next message; false at the end of the stream.
func (s *sse) next() (m message, ok bool) {
	for s.r.Scan() {
		name, value, _ := strings.Cut(s.r.Text(), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			_ = json.Unmarshal([]byte(value), &m.data) // what is missing is compared
		case "":
			if m.event != "" {
				return m, true
			}
		}
	}
	return m, false
}

func (w *web) socket(t *testing.T, path string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(context.Background(), "http://callbin"+path, &websocket.DialOptions{
		HTTPClient: w.Client, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func send(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func receive(c *websocket.Conn) (map[string]any, error) {
	_, b, err := c.Read(context.Background())
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(b, &m)
}

// answer is what a message is answered by.
func ask(t *testing.T, c *websocket.Conn, text string) map[string]any {
	t.Helper()
	send(t, c, text)
	m, err := receive(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const short = `[{"type":"answer"},{"type":"sleep","option":{"duration":100}}]`

func TestEventsAsTheyHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": short})
		w := h.serve(t)
		phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		all, few := w.sse(t, ""), w.sse(t, "?type=call_progressing,dtmf_*")
		socket := w.socket(t, "/v1.0/events/ws?type=call_hangup")
		c := phone.Dial(t, "100")
		c.Press("5")
		c.WaitEnd(t)
		var types, ids []string
		for len(types) == 0 || types[len(types)-1] != "call_hangup" {
			m, ok := all.next()
			if !ok || m.id != m.data["id"] || m.event != m.data["type"] {
				t.Fatalf("message %+v, %v", m, ok)
			}
			if types = append(types, m.event); len(ids) > 0 && m.id <= ids[len(ids)-1] {
				t.Errorf("%s comes after %s", m.id, ids[len(ids)-1])
			}
			ids = append(ids, m.id)
		}
		if types[0] != "call_created" || len(types) < 6 {
			t.Errorf("events: %v", types)
		}
		for _, want := range []string{"call_progressing", "dtmf_received"} {
			if m, ok := few.next(); !ok || m.event != want {
				t.Errorf("chosen: %+v, want %s", m, want)
			}
		}
		if m, err := receive(socket); err != nil || m["type"] != "call_hangup" || m["id"] != ids[len(ids)-1] {
			t.Errorf("socket: %v, %v", m, err)
		}
		// The list is the same, the latest first, by pages.
		var listed []string
		for next := ""; ; {
			page := h.ok(t, "GET", "/events?page_size=2&page_token="+next, "")
			for _, x := range page["result"].([]any) {
				listed = append([]string{x.(map[string]any)["id"].(string)}, listed...)
			}
			if next = page["next_page_token"].(string); next == "" {
				break
			}
		}
		if fmt.Sprint(listed) != fmt.Sprint(ids) {
			t.Errorf("listed %v, streamed %v", listed, ids)
		}
		all.Close()
		few.Close()
		h.stop()
		if m, err := receive(socket); err != nil || m["type"] != "end" || m["reason"] != "engine_ended" {
			t.Errorf("at the end of the engine: %v, %v", m, err)
		}
		if _, err := receive(socket); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("closed by %v", err)
		}
	})
}

// TestNothingIsMissedByWhoComesBack cuts a stream at random events, and goes on after the last one.
func TestNothingIsMissedByWhoComesBack(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			h := open(t, map[string]string{"100": short})
			w := h.serve(t)
			phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
			whole := w.sse(t, "")
			defer whole.Close()
			var callers sync.WaitGroup
			callers.Go(func() {
				for range 20 {
					phone.Dial(t, "100").WaitEnd(t)
				}
			})
			var want, got []string
			hangups := 0
			for hangups < 20 {
				m, _ := whole.next()
				want = append(want, m.id)
				if m.event == "call_hangup" {
					hangups++
				}
			}
			callers.Wait()
			// All is told by now, so that the others read it from what is kept: one begins after the first event.
			got = append(got, want[0])
			for len(got) < len(want) {
				n := 1 + rnd.IntN(30)
				last := got[len(got)-1]
				if rnd.IntN(2) == 0 {
					s := w.sse(t, "", "Last-Event-ID: "+last)
					for ; n > 0 && len(got) < len(want); n-- {
						m, _ := s.next()
						got = append(got, m.id)
					}
					s.Close()
					continue
				}
				c := w.socket(t, "/ws")
				if m := ask(t, c, `{"type":"subscribe","topics":["*"],"last_event_id":"`+last+`"}`); m["type"] != "subscribed" {
					t.Fatal(m)
				}
				for ; n > 0 && len(got) < len(want); n-- {
					m, err := receive(c)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, m["id"].(string))
				}
				_ = c.CloseNow()
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("seed %d: read\n%v, want\n%v", seed, got, want)
			}
		})
	}
}

func TestGapIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": short})
		w := h.serve(t)
		s := w.sse(t, "", "Last-Event-ID: of-another-engine")
		defer s.Close()
		if m, _ := s.next(); m.event != "events_lost" || m.id != "" {
			t.Errorf("SSE: %+v", m)
		}
		c := w.socket(t, "/v1.0/events/ws?last_event_id=x")
		if m, err := receive(c); err != nil || m["type"] != "events_lost" {
			t.Errorf("WebSocket: %v, %v", m, err)
		}
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		if m, _ := s.next(); m.event != "call_created" {
			t.Errorf("SSE goes on with %+v", m)
		}
		if m, err := receive(c); err != nil || m["type"] != "call_created" {
			t.Errorf("WebSocket goes on with %v, %v", m, err)
		}
	})
}

func TestTopicsAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":100000}}]`})
		w := h.serve(t)
		c := w.socket(t, "/ws")
		for _, bad := range [][2]string{
			{`{`, "not a message"}, {`{"type":"shout"}`, "there are subscribe and unsubscribe"}, {`{"type":"subscribe"}`, "topics: there are none"},
			{`{"type":"subscribe","topics":["call:"]}`, "topics[0]"}, {`{"type":"subscribe","topics":["*"],"more":1}`, "more"},
			{`{"type":"unsubscribe","topics":["*"]}`, "not subscribed"}, {`{"type":"subscribe","topics":["customer_id:1:queue:2"]}`, "one queue cannot be chosen"},
		} {
			if m := ask(t, c, bad[0]); m["type"] != "error" || !strings.Contains(fmt.Sprint(m["message"]), bad[1]) {
				t.Errorf("%s: %v", bad[0], m)
			}
		}
		phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
		one := phone.Dial(t, "100")
		id := ""
		for x := range h.Calls() {
			id = x.ID()
		}
		if m := ask(t, c, `{"type":"subscribe","topics":["call:`+id+`:dtmf_received"]}`); m["type"] != "subscribed" || fmt.Sprint(m["topics"]) != "[call:"+id+":dtmf_received]" {
			t.Fatal(m)
		}
		one.Press("1")
		two := phone.Dial(t, "100")
		two.Press("2")
		m, err := receive(c)
		if err != nil || m["type"] != "dtmf_received" || m["call_id"] != id {
			t.Fatalf("%v, %v", m, err)
		}
		// The key of the other call was not wanted, and is not told later.
		if m := ask(t, c, `{"type":"subscribe","topics":["customer_id:any:call"]}`); m["type"] != "subscribed" {
			t.Fatal(m)
		}
		two.Hangup(t)
		two.WaitEnd(t)
		for _, want := range []string{"call_quality", "call_hangup"} {
			if m, err := receive(c); err != nil || m["type"] != want {
				t.Errorf("%v, %v: want %s", m, err, want)
			}
		}
		if m := ask(t, c, `{"type":"unsubscribe","topics":["customer_id:any:call","call:`+id+`:dtmf_received"]}`); m["type"] != "unsubscribed" {
			t.Fatal(m)
		}
		one.Hangup(t)
		one.WaitEnd(t)
		w.shutdownAndSee(t, c)
	})
}

// shutdownAndSee ends the server: the socket is told, and nothing else.
func (w *web) shutdownAndSee(t *testing.T, c *websocket.Conn) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.shutdown()
	}()
	if m, err := receive(c); err != nil || m["type"] != "end" || m["reason"] != "shutdown" {
		t.Errorf("at the end of the server: %v, %v", m, err)
	}
	if _, err := receive(c); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed by %v", err)
	}
	<-done
}

func TestTicket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		w := h.serve(t)
		ticket := func() string { return h.ok(t, "POST", "/events/tickets", "")["ticket"].(string) }
		once := ticket()
		w.sse(t, "?ticket="+once).Close()
		try := func(what, path string, want int) {
			t.Helper()
			resp, err := w.Get("http://callbin/v1.0" + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", what, resp.StatusCode, want)
			}
		}
		try("a ticket twice", "/events/stream?ticket="+once, 401)
		try("none at all", "/events/stream", 401)
		try("a made-up one", "/events/stream?ticket=x", 401)
		try("where tickets are nothing", "/calls?ticket="+ticket(), 401)
		late := ticket()
		time.Sleep(31 * time.Second)
		try("a late one", "/events/stream?ticket="+late, 401)
	})
}

func TestTooManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(_ *call.Config, w *httpapi.Config) { w.MaxStreams = 2 })
		w := h.serve(t)
		a, b := w.sse(t, ""), w.sse(t, "")
		defer b.Close()
		if r := h.do(t, "GET", "/events/stream", ""); r.code != 503 || r.header.Get("Retry-After") == "" || !strings.Contains(r.text, "too_many_streams") {
			t.Errorf("%d %s", r.code, r.text)
		}
		a.Close()
		synctest.Wait()
		w.sse(t, "").Close()
	})
}

// TestIdleStreamLives longer than any time limit of the server, and shows that it does.
func TestIdleStreamLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": short})
		w := h.serve(t)
		s, c := w.sse(t, ""), w.socket(t, "/ws")
		defer s.Close()
		if m := ask(t, c, `{"type":"subscribe","topics":["*"]}`); m["type"] != "subscribed" {
			t.Fatal(m)
		}
		got := make(chan message, 1)
		go func() {
			m, _ := s.next()
			got <- m
		}()
		heard := make(chan map[string]any, 1)
		go func() {
			m, _ := receive(c)
			heard <- m
		}()
		time.Sleep(10 * time.Minute)
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		if m := <-got; m.event != "call_created" {
			t.Errorf("SSE after ten minutes: %+v", m)
		}
		if m := <-heard; m["type"] != "call_created" {
			t.Errorf("WebSocket after ten minutes: %v", m)
		}
	})
}

// head is what is looked at of each event.
type head struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	CallID string `json:"call_id"`
	Seq    int    `json:"seq"`
}

// nextHead is the next event of an SSE stream.
func (s *sse) nextHead() (h head, err error) {
	for s.r.Scan() {
		if data, ok := bytes.CutPrefix(s.r.Bytes(), []byte("data: ")); ok {
			return h, json.Unmarshal(data, &h)
		}
	}
	return h, io.ErrUnexpectedEOF
}

func receiveHead(c *websocket.Conn) (h head, err error) {
	_, b, err := c.Read(context.Background())
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(b, &h)
}

// TestStreamsStallNobody has 100 calls (500 with CALLBIN_LONG), 200 readers of their events, and 20 that open a stream and never read.
func TestStreamsStallNobody(t *testing.T) {
	calls := 100
	if os.Getenv("CALLBIN_LONG") != "" {
		calls = 500
	}
	run := func(t *testing.T, readers, stalled int) (ends []time.Duration, kept int) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":500}}]`})
			w := h.serve(t)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var all sync.WaitGroup
			sums := make([]string, readers)
			check := func(i int, next func() (head, error)) {
				last, n, hangups := "", 0, 0
				seqs := map[string]int{}
				for hangups < calls {
					e, err := next()
					if err != nil || e.ID <= last || e.Seq <= seqs[e.CallID] {
						t.Errorf("reader %d: %+v after %s (%d), %v", i, e, last, seqs[e.CallID], err)
						return
					}
					last, seqs[e.CallID] = e.ID, e.Seq
					if n++; e.Type == "call_hangup" {
						hangups++
					}
				}
				sums[i] = fmt.Sprint(n, " ", last)
			}
			for i := range readers {
				if i%2 == 0 {
					s := w.sse(t, "?type=call_*")
					all.Go(func() {
						defer s.Close()
						check(i, s.nextHead)
					})
					continue
				}
				c := w.socket(t, "/ws")
				if m := ask(t, c, `{"type":"subscribe","topics":["type:call_*"]}`); m["type"] != "subscribed" {
					t.Fatal(m)
				}
				all.Go(func() {
					check(i, func() (head, error) { return receiveHead(c) })
					_ = c.CloseNow()
				})
			}
			var stuck []*sse
			for range stalled {
				stuck = append(stuck, w.sse(t, ""))
			}
			phone := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
			begun := time.Now()
			var placed []*calltest.PhoneCall
			for range calls {
				placed = append(placed, phone.Start(t, "100"))
				time.Sleep(5 * time.Millisecond)
			}
			for _, c := range placed {
				c.WaitEnd(t)
				ends = append(ends, time.Since(begun))
			}
			all.Wait()
			for i, s := range sums {
				if s != sums[0] {
					t.Errorf("reader %d got %s, the first one %s", i, s, sums[0])
				}
			}
			time.Sleep(20 * time.Second) // those that read nothing are found out
			runtime.GC()
			runtime.ReadMemStats(&after)
			kept = int(after.HeapAlloc) - int(before.HeapAlloc) // most of it is what the phones keep
			for i, s := range stuck {
				n := 0
				for _, ok := s.next(); ok; _, ok = s.next() {
					n++
				}
				if n > 300 { // what stood in the one write that was cut
					t.Errorf("one that does not read, %d, got %d messages", i, n)
				}
				s.Close()
			}
		})
		return ends, kept
	}
	alone, least := run(t, 0, 0)
	together, most := run(t, 200, 20)
	t.Logf("220 streams keep %d KiB", (most-least)>>10)
	if most-least > 220*128<<10 {
		t.Errorf("220 streams keep %d KiB, more than 128 KiB each", (most-least)>>10)
	}
	for i := range alone {
		if together[i] != alone[i] {
			t.Fatalf("call %d ends after %v, without readers after %v", i, together[i], alone[i])
		}
	}
}
