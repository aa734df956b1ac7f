package call_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

func number(n string) address.Address { return address.Address{Type: address.TypeTel, Target: n} }

// providers lets numbers out by the trunks t1 to tn, at 10.0.1.1 to n, in that order.
func providers(n int, change ...func(t *call.Trunk)) func(*call.Config) {
	return func(c *call.Config) {
		c.Outbound.Tel = []string{"+"}
		r := call.Route{Target: "all"}
		for i := range n {
			t := call.Trunk{Name: fmt.Sprint("t", i+1), Address: fmt.Sprint("10.0.1.", i+1), Transport: "udp"}
			for _, f := range change {
				f(&t)
			}
			c.Trunks = append(c.Trunks, t)
			r.Trunks = append(r.Trunks, call.RouteTrunk{Trunk: t.Name, Priority: i})
		}
		c.Routes = []call.Route{r}
	}
}

func silent(c *calltest.PhoneConfig) { c.Silent = true }

// TestFailover: of three trunks the first is silent, the second has no room, the third takes the call. It is one call,
// with one record, in which each attempt stands, and its trace replays.
func TestFailover(t *testing.T) {
	var trace []byte
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(3))
		first := callee(t, h, 1, silent)
		second, third := callee(t, h, 2), callee(t, h, 3)
		defer first.Close()
		runs := 0
		begun := time.Now()
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), Flow: flow.Func(func(_ context.Context, leg action.Leg) error {
			runs++
			return nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		second.WaitCall(t).Refuse(503, `Reason: Q.850;cause=34;text="no circuit"`)
		if d := time.Since(begun); d != 4*time.Second {
			t.Errorf("the silent trunk was left after %v", d)
		}
		p := third.WaitCall(t)
		time.Sleep(500 * time.Millisecond)
		p.Ring()
		time.Sleep(2 * time.Second)
		if tr := h.Trunks(); tr[0].Calls != 0 || tr[1].Calls != 0 || tr[2].Calls != 1 {
			t.Errorf("channels: %+v", tr)
		}
		p.Answer()
		p.WaitEnd(t)
		<-c.Done()
		if tr := h.Trunks(); tr[2].Calls != 0 {
			t.Errorf("channels after the end: %+v", tr)
		}
		all := h.records(t)
		if len(all) != 1 || runs != 1 {
			t.Fatalf("%d records, the flow ran %d times", len(all), runs)
		}
		r := all[0]
		if r.ID != c.ID() || r.Trunk != "t3" || r.SIPCode != 200 || r.Code != call.CodeFlowEnded || r.Peer != "10.0.1.3:5060" || len(r.Attempts) != 3 {
			t.Fatalf("record %+v", r)
		}
		type short struct {
			trunk, peer, reason, header string
			status, cause               int
			retryable                   bool
			start, rang, end            time.Duration
		}
		var got []short
		for _, a := range r.Attempts {
			s := short{a.Trunk, a.Peer, a.Reason, a.ReasonHeader, a.SIPCode, a.Cause, a.Retryable, a.Tm.Sub(begun).Round(time.Millisecond), 0, a.TmEnd.Sub(begun).Round(time.Millisecond)}
			if !a.TmRinging.IsZero() {
				s.rang = a.TmRinging.Sub(begun).Round(time.Millisecond)
			}
			if d := a.TmEnd.Sub(a.Tm.Time).Milliseconds(); d != a.MS {
				t.Errorf("%+v: ms is %d", a, d)
			}
			got = append(got, s)
		}
		want := []short{
			{"t1", "10.0.1.1:5060", "no answer", "", 408, 18, true, 0, 0, 4 * time.Second},
			{"t2", "10.0.1.2:5060", "Service Unavailable", `Q.850;cause=34;text="no circuit"`, 503, 34, true, 4 * time.Second, 0, 4 * time.Second},
			{"t3", "10.0.1.3:5060", "OK", "", 200, 0, false, 4 * time.Second, 4500 * time.Millisecond, 6500 * time.Millisecond},
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(short{})); d != "" {
			t.Errorf("attempts (-want +got):\n%s", d)
		}
		events := []string{"call_created", "call_updated", "call_updated", "call_ringing", "call_progressing", "call_terminating", "call_hangup"}
		if got := h.eventTypes(); !slices.Equal(got, events) {
			t.Errorf("events %v", got)
		}
		for i, name := range []string{"t1", "t2", "t3"} {
			h.mu.Lock()
			rec := h.events[i].Data.(store.Call)
			h.mu.Unlock()
			if rec.Trunk != name || len(rec.Attempts) != i {
				t.Errorf("event %d tells of trunk %s after %d attempts", i, rec.Trunk, len(rec.Attempts))
			}
		}
		trace = checkReplay(t, h, r)
	})
	checkFlowReplay(t, trace)
}

// TestNoFailover: what the called party said is not asked again elsewhere.
func TestNoFailover(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		reason string
	}{
		{486, "", "busy"}, {600, "", "busy"}, {603, "", "noanswer"}, {403, "", "noanswer"}, {480, "", "noanswer"}, {604, "", "failed"}, {487, "", "normal"},
		{503, "Reason: SIP;cause=486, Q.850;cause=17", "busy"},
	} {
		t.Run(fmt.Sprint(c.status, c.header), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, providers(2))
				first, second := callee(t, h, 1), callee(t, h, 2)
				leg, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
				if err != nil {
					t.Fatal(err)
				}
				var headers []string
				if c.header != "" {
					headers = []string{c.header}
				}
				first.WaitCall(t).Refuse(c.status, headers...)
				<-leg.Done()
				if r := leg.Record(); r.SIPCode != c.status || r.HangupReason != c.reason || len(r.Attempts) != 1 || r.Trunk != "t1" {
					t.Errorf("record %+v", r)
				}
				noCall(t, second)
			})
		})
	}
}

// noCall fails if somebody has called p.
func noCall(t *testing.T, p *calltest.Phone) {
	t.Helper()
	if n := p.Calls(); n != 0 {
		t.Errorf("%d calls came to %s", n, p.Addr())
	}
}

// TestFailoverAfterRinging: a phone that rang may still be refused by its provider; the call rings on, elsewhere, and what the first
// one had of early media is not mixed up with the second. With the flow begun at ringing it is not tried again.
func TestFailoverAfterRinging(t *testing.T) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprint("early execution ", early), func(t *testing.T) {
			var trace []byte
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, providers(2))
				first, second := callee(t, h, 1), callee(t, h, 2)
				c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), EarlyExecution: early, Flow: flow.Func(func(ctx context.Context, leg action.Leg) error {
					p, err := action.Need[action.Player](leg)
					if err != nil {
						return err
					}
					src, _ := tonePrompts{}.OpenPrompt(ctx, "", "http://tone/400")
					return p.Play(ctx, src)
				})})
				if err != nil {
					t.Fatal(err)
				}
				p := first.WaitCall(t)
				p.Progress()
				time.Sleep(300 * time.Millisecond)
				p.Refuse(500)
				if early {
					<-c.Done()
					noCall(t, second)
					if r := c.Record(); r.SIPCode != 500 || len(r.Attempts) != 1 || !r.Attempts[0].Retryable {
						t.Errorf("record %+v", r)
					}
				} else {
					q := second.WaitCall(t)
					if s := c.Record().Status; s != store.StatusRinging {
						t.Errorf("status %s", s)
					}
					q.Answer()
					q.WaitEnd(t)
					<-c.Done()
					if !calltest.Hears(q.Heard(), 400) {
						t.Error("the second one hears nothing")
					}
					if r := c.Record(); r.SIPCode != 200 || len(r.Attempts) != 2 || r.Attempts[0].TmRinging.IsZero() {
						t.Errorf("record %+v", r)
					}
				}
				trace = checkReplay(t, h, h.records(t)[0])
			})
			checkFlowReplay(t, trace)
		})
	}
}

// TestConnectFailsOver: a caller waits while one trunk after another is tried, and hears the early media of the first one only if that
// is the one that stays.
func TestConnectFailsOver(t *testing.T) {
	connect := func(options string) string {
		return `[{"type":"connect","option":{"destinations":[{"type":"tel","target":"+4930901820"}]` + options + `}}]`
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connect(""), "101": connect(`,"early_media":true`)}, providers(2))
		first, second := callee(t, h, 1), callee(t, h, 2)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		p := first.WaitCall(t)
		p.Progress()
		time.Sleep(time.Second)
		p.Refuse(502)
		q := second.WaitCall(t)
		q.Answer()
		a.WaitAnswer(t)
		q.Say(calltest.Tone(800, time.Second))
		time.Sleep(1200 * time.Millisecond)
		if !calltest.Hears(a.Heard(), 800) {
			t.Error("the caller does not hear the second provider")
		}
		a.Hangup(t)
		q.WaitEnd(t)

		a = calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.0.3")}).Start(t, "101")
		p = first.WaitCall(t)
		p.Progress()
		p.Say(calltest.Tone(600, time.Second))
		time.Sleep(1200 * time.Millisecond)
		p.Refuse(502)
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 600) {
			t.Error("the caller does not hear the early media")
		}
		if n := second.Calls(); n != 1 {
			t.Errorf("%d calls came to the second provider", n)
		}
		h.stop()
	})
}

// TestSetupTimeout: a provider that says 100 and no more is left after its set-up timeout, and told so; the last one is not.
func TestSetupTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(2, func(t *call.Trunk) { t.SetupTimeout = call.Seconds(6 * time.Second) }))
		first, second := callee(t, h, 1), callee(t, h, 2)
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), RingTimeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		p := first.WaitCall(t)
		second.WaitCall(t)
		if d := time.Since(begun).Round(time.Millisecond); d != 6*time.Second {
			t.Errorf("left after %v", d)
		}
		p.WaitEnd(t)
		if _, cancelled := p.Cancelled(); !cancelled {
			t.Error("the first provider was not told")
		}
		<-c.Done()
		if d := time.Since(begun).Round(time.Second); d != 20*time.Second {
			t.Errorf("given up after %v", d)
		}
		if r := c.Record(); r.HangupReason != store.ReasonDialout || len(r.Attempts) != 2 || r.Attempts[0].MS != 6000 {
			t.Errorf("record %+v", r)
		}
	})
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  strings.Builder // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestAllTrunksFail: the last one says how the call ended.
func TestAllTrunksFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		h := open(t, nil, providers(3), func(c *call.Config) {
			c.Trunks[1].Address = "[2001:db8::1]" // there is no IPv6
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		first, third := callee(t, h, 1), callee(t, h, 3)
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
		if err != nil {
			t.Fatal(err)
		}
		first.WaitCall(t).Refuse(404)
		third.WaitCall(t).Refuse(484)
		<-c.Done()
		r := c.Record()
		if r.SIPCode != 484 || r.Cause != 28 || r.Code != call.CodeCalleeUnknown || r.HangupReason != "failed" || len(r.Attempts) != 3 {
			t.Errorf("record %+v", r)
		}
		if a := r.Attempts[1]; a.Trunk != "t2" || a.SIPCode != 488 || a.Peer != "" || !strings.Contains(a.Reason, "no address of the family") {
			t.Errorf("attempt %+v", a)
		}
		h.stop()
		if n := strings.Count(log.String(), `msg="attempt failed"`); n != 3 {
			t.Errorf("%d attempts are logged:\n%s", n, log.String())
		}
	})
}

// TestCancelWhileFailingOver: a call that is given up is not tried elsewhere.
func TestCancelWhileFailingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(2))
		first, second := callee(t, h, 1, silent), callee(t, h, 2)
		defer first.Close()
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := c.Hangup(t.Context(), action.Ending{}); err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		noCall(t, second)
		if r := c.Record(); r.HangupReason != store.ReasonCancel || r.Trunk != "t1" {
			t.Errorf("record %+v", r)
		}
	})
}

// TestChannels: a trunk that is full is passed over, and refuses calls that come in; both directions count.
func TestChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":5000}}]`}, providers(2, func(t *call.Trunk) {
			if t.Channels = 1; t.Name == "t2" {
				t.Channels = 2
			}
		}))
		first, second := callee(t, h, 1), callee(t, h, 2)
		dial := func() *call.Call {
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), Flow: flow.Func(func(ctx context.Context, _ action.Leg) error {
				<-ctx.Done()
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a := dial()
		first.WaitCall(t).Answer()
		b := dial()
		second.WaitCall(t).Answer()
		in := second.Start(t, "100") // the second channel of t2
		in.WaitAnswer(t)
		c := dial()
		<-c.Done()
		if r := c.Record(); r.SIPCode != 503 || len(r.Attempts) != 2 || r.Attempts[0].Reason != "all 1 channels of trunk t1 are taken" || r.Attempts[1].Trunk != "t2" {
			t.Errorf("record %+v", r)
		}
		refused := second.Start(t, "100")
		if why := refused.WaitEnd(t); why != "503" {
			t.Errorf("a call above the limit ended by %s", why)
		}
		if tr := h.Trunks(); tr[0].Calls != 1 || tr[1].Calls != 2 {
			t.Errorf("%+v", tr)
		}
		in.WaitEnd(t)
		synctest.Wait() // until the engine has noticed
		d := dial()     // a channel is free again
		second.WaitCall(t).Answer()
		h.stop()
		for _, c := range []*call.Call{a, b, d} {
			<-c.Done()
		}
		if tr := h.Trunks(); tr[0].Calls != 0 || tr[1].Calls != 0 {
			t.Errorf("after the end: %+v", tr)
		}
		trunks := map[string]int{}
		for _, r := range h.records(t) {
			if r.Direction == store.DirectionIncoming {
				trunks[r.Trunk+" "+r.Code]++
			}
		}
		if trunks["t2 "+call.CodeTrunkFull] != 1 || trunks["t2 "+call.CodeFlowEnded] != 1 {
			t.Errorf("incoming calls: %v", trunks)
		}
	})
}
