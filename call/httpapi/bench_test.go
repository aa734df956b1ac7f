//go:build unix

package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/flow"
)

// BenchmarkCallsBesideStreams sets calls up over real sockets, alone and beside 200 readers of all events (half of them SSE, half WebSockets) and 20 that do not
// read: 50 calls a second, and one after the other as fast as they go. Phones and readers are in the same process, so that their work is in times and CPU, too.
func BenchmarkCallsBesideStreams(b *testing.B) {
	for _, pace := range []time.Duration{20 * time.Millisecond, 0} {
		for _, readers := range []int{0, 200} {
			b.Run(fmt.Sprintf("every=%v/readers=%d", pace, readers), func(b *testing.B) { callsBesideStreams(b, pace, readers) })
		}
	}
}

func callsBesideStreams(b *testing.B, pace time.Duration, readers int) {
	menu, err := flow.Parse([]byte(`[{"type":"answer"}]`), flow.ParseOptions{Registry: action.Builtin(action.Deps{})})
	if err != nil {
		b.Fatal(err)
	}
	e, stop := calltest.Run(b, calltest.Loopback{}, call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return menu, nil }})
	defer stop()
	s, err := httpapi.Listen("127.0.0.1:0", httpapi.New(httpapi.Config{Engine: e, Tokens: []string{token}}))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { _ = s.Run(ctx) })
	defer all.Wait()
	defer cancel()
	for i := range readers + readers/10 {
		url, auth := "http://"+s.Addr().String()+"/v1.0/events/", http.Header{"Authorization": {"Bearer " + token}}
		var next func() error
		if i%2 == 0 {
			r, _ := http.NewRequestWithContext(ctx, "GET", url+"stream", nil)
			r.Header = auth
			resp, err := http.DefaultClient.Do(r)
			if err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
			defer resp.Body.Close()
			buf := make([]byte, 16<<10)
			next = func() error { _, err := resp.Body.Read(buf); return err }
		} else {
			c, _, err := websocket.Dial(ctx, url+"ws?type=*", &websocket.DialOptions{HTTPHeader: auth})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			next = func() error { _, _, err := c.Read(ctx); return err }
		}
		if i < readers {
			all.Go(func() {
				for next() == nil {
				}
			})
		}
	}
	phone := calltest.NewPhone(b, calltest.Loopback{}, calltest.PhoneConfig{Addr: netip.MustParseAddr("127.0.0.1"), Server: e.Addrs()[0].Addr})
	var times []time.Duration
	b.ResetTimer()
	cpu, from := cpuTime(b), time.Now()
	for i := range b.N {
		time.Sleep(time.Until(from.Add(time.Duration(i) * pace)))
		begun := time.Now()
		c := phone.Dial(b, "100")
		times = append(times, time.Since(begun))
		c.WaitEnd(b)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/call")
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
