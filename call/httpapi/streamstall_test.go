package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

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

// dropLog counts the streams that are dropped because their reader takes nothing.
type dropLog struct{ n atomic.Int32 }

func (d *dropLog) count() int                               { return int(d.n.Load()) }
func (d *dropLog) Enabled(context.Context, slog.Level) bool { return true }
func (d *dropLog) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *dropLog) WithGroup(string) slog.Handler            { return d }
func (d *dropLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "event stream dropped" {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" && strings.Contains(a.Value.String(), "the reader has taken nothing for 10s") {
			d.n.Add(1)
		}
		return true
	})
	return nil
}

// TestStreamsStallNobody has 100 calls (500 with CALLBIN_LONG), 200 readers of their events, and 20 that open a stream and never read; half of both are SSE, half
// WebSockets. All calls end at the moment at which they end without them, each reader gets every event once and in order, and those that do not read
// are dropped with the reason.
func TestStreamsStallNobody(t *testing.T) {
	calls := 100
	if os.Getenv("CALLBIN_LONG") != "" {
		calls = 500
	}
	run := func(t *testing.T, readers, stalled int) (ends []time.Duration, kept int) {
		synctest.Test(t, func(t *testing.T) {
			var dropped dropLog
			h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":500}}]`}, func(_ *call.Config, w *httpapi.Config) {
				w.Logger = slog.New(&dropped)
			})
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
			var stuck []func() bool // tells whether there is one more message
			for i := range stalled {
				if i%2 == 0 {
					s := w.sse(t, "")
					defer s.Close()
					stuck = append(stuck, func() bool { _, ok := s.next(); return ok })
					continue
				}
				c := w.socket(t, "/v1.0/events/ws?type=*")
				stuck = append(stuck, func() bool { _, err := receive(c); return err == nil })
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
			for i, more := range stuck {
				n := 0
				for more() {
					n++
				}
				if n > 300 { // what stood in the one write that was cut
					t.Errorf("one that does not read, %d, got %d messages", i, n)
				}
			}
			if n := dropped.count(); n != stalled {
				t.Errorf("%d streams were dropped because nothing is taken, want %d", n, stalled)
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
