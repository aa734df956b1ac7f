package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/flow"
)

// BenchmarkCallsBesideStreams sets calls up over real sockets, alone and beside 200 readers of all events and 20 that do not read; the readers are in
// the same process, so that their work is in the time, too.
func BenchmarkCallsBesideStreams(b *testing.B) {
	for _, readers := range []int{0, 200} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
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
				r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+s.Addr().String()+"/v1.0/events/stream", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				resp, err := http.DefaultClient.Do(r)
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(resp, err)
				}
				defer resp.Body.Close()
				if i < readers {
					all.Go(func() { _, _ = io.Copy(io.Discard, resp.Body) })
				}
			}
			phone := calltest.NewPhone(b, calltest.Loopback{}, calltest.PhoneConfig{Addr: netip.MustParseAddr("127.0.0.1"), Server: e.Addrs()[0].Addr})
			var times []time.Duration
			b.ResetTimer()
			for range b.N {
				begun := time.Now()
				c := phone.Dial(b, "100")
				times = append(times, time.Since(begun))
				c.WaitEnd(b)
			}
			b.StopTimer()
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
		})
	}
}
