package verify_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip/verify"
)

func velocity(t testing.TB, maxKeys int, limits ...verify.Limit) *verify.Velocity {
	t.Helper()
	v, err := verify.NewVelocity(verify.VelocityConfig{Limits: limits, MaxKeys: maxKeys})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// attempt is a call from +15550001 to +442071838750.
func attempt(change func(a *verify.Attempt)) verify.Attempt {
	a := verify.Attempt{Direction: verify.DirectionOutgoing, Source: "+15550001", Destination: "+442071838750", Network: netip.MustParseAddr("192.0.2.7"), Trunk: "t", Account: "acc"}
	if change != nil {
		change(&a)
	}
	return a
}

// begin asks for one call.
func begin(v *verify.Velocity, a verify.Attempt) (*verify.Ticket, bool) {
	p := new(verify.Ticket)
	_, ok := v.Begin(p, a)
	return p, ok
}

func TestLimitsHoldExactlyUnderAThousandAtOnce(t *testing.T) {
	for _, c := range []struct {
		limit verify.Limit
		want  int64
	}{
		{verify.Limit{Kind: verify.LimitPerSecond, Max: 30}, 30},
		{verify.Limit{Kind: verify.LimitPerSecond, Max: 30, Burst: 50, Per: []string{verify.PerSource}}, 50},
		{verify.Limit{Kind: verify.LimitCalls, Max: 17, Window: 60, Per: []string{verify.PerNetwork}}, 17},
		{verify.Limit{Kind: verify.LimitCalls, Max: 500, Window: 3600, Per: []string{verify.PerTrunk}}, 500},
		{verify.Limit{Kind: verify.LimitCalls, Max: 999, Window: 86400}, 999},
		{verify.Limit{Kind: verify.LimitConcurrent, Max: 5, Per: []string{verify.PerAccount}}, 5},
		{verify.Limit{Kind: verify.LimitDestinations, Max: 42, Window: 60, Per: []string{verify.PerCountry}}, 42},
		{verify.Limit{Kind: verify.LimitMinutes, Max: 77, Per: []string{verify.PerPrefix}, Prefixes: []string{"+44"}}, 77},
		{verify.Limit{Kind: verify.LimitSpend, Max: 1_000_000}, 40}, // of 25,000 each
		{verify.Limit{Kind: verify.LimitFirstCountry, Window: 3600}, 0},
		{verify.Limit{Kind: verify.LimitCalls, Max: 3, Window: 60, Action: verify.ActionFreeze, Freeze: 60}, 3},
		{verify.Limit{Kind: verify.LimitCalls, Max: 3, Window: 60, Action: verify.ActionChallenge}, 3},
		{verify.Limit{Kind: verify.LimitCalls, Max: 3, Window: 60, Action: verify.ActionFlag}, 1000},
		{verify.Limit{Kind: verify.LimitConcurrent, Max: 0}, 0},
	} {
		t.Run(fmt.Sprintf("%s %v %s", c.limit.Kind, c.limit.Per, c.limit.Action), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := velocity(t, 0, c.limit)
				var passed atomic.Int64
				var wg sync.WaitGroup
				for i := range 1000 {
					wg.Go(func() {
						time.Sleep(time.Second) // all at the same instant
						if _, ok := begin(v, attempt(func(a *verify.Attempt) { a.Spend = 25_000; a.Destination = fmt.Sprintf("+4420718%05d", i) })); ok {
							passed.Add(1)
						}
					})
				}
				wg.Wait()
				if passed.Load() != c.want {
					t.Errorf("%d passed, not %d", passed.Load(), c.want)
				}
			})
		})
	}
}

// passes asks for one call that is over at once.
func passes(v *verify.Velocity, a verify.Attempt) bool {
	p, ok := begin(v, a)
	p.End(verify.Ended{})
	return ok
}

func TestWindowsAtTheirEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		minute := velocity(t, 0, verify.Limit{Kind: verify.LimitCalls, Max: 2, Window: 60, Per: []string{verify.PerSource}})
		second := velocity(t, 0, verify.Limit{Kind: verify.LimitPerSecond, Max: 4, Burst: 1})
		goals := velocity(t, 0, verify.Limit{Kind: verify.LimitDestinations, Max: 1, Window: 10})
		want := func(what string, got, want bool) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %v", what, got)
			}
		}
		other := attempt(func(a *verify.Attempt) { a.Destination = "+4930901820" })
		want("first", passes(minute, attempt(nil)) && passes(second, attempt(nil)) && passes(goals, attempt(nil)), true)
		want("the destination again", passes(goals, attempt(nil)), true)
		want("another destination", passes(goals, other), false)
		time.Sleep(249 * time.Millisecond)
		want("1 ms before the bucket has one", passes(second, attempt(nil)), false)
		time.Sleep(time.Millisecond)
		want("when it has", passes(second, attempt(nil)), true)
		want("and no more", passes(second, attempt(nil)), false)
		time.Sleep(10*time.Second - 251*time.Millisecond)
		want("another destination, 1 ms before", passes(goals, other), false)
		time.Sleep(time.Millisecond)
		want("another destination", passes(goals, other), true)
		want("second", passes(minute, attempt(nil)), true)
		want("third", passes(minute, attempt(nil)), false)
		want("somebody else", passes(minute, attempt(func(a *verify.Attempt) { a.Source = "+15550002" })), true)
		time.Sleep(50*time.Second - time.Millisecond)
		want("1 ms before the first is a minute old", passes(minute, attempt(nil)), false)
		time.Sleep(time.Millisecond)
		want("when it is", passes(minute, attempt(nil)), true)
		want("and no more", passes(minute, attempt(nil)), false)
		time.Sleep(10*time.Second - time.Millisecond)
		want("1 ms before the second is", passes(minute, attempt(nil)), false)
		time.Sleep(time.Millisecond)
		want("when that is", passes(minute, attempt(nil)), true)
	})
}

// A slow reference that keeps every call: no window has more than Max, and what is refused would be one more.
func TestWindowsAgreeWithASlowReference(t *testing.T) {
	for _, most := range []int64{3, 2000} { // the second has rounded times
		synctest.Test(t, func(t *testing.T) {
			v := velocity(t, 0, verify.Limit{Kind: verify.LimitCalls, Max: most, Window: 100})
			var calls []time.Time
			for i := range 6000 {
				time.Sleep(time.Duration(i*i%97) * 10 * time.Second / time.Duration(most) / 8)
				now := time.Now()
				n := int64(0)
				for _, c := range calls {
					if now.Sub(c) < 100*time.Second {
						n++
					}
				}
				switch ok := passes(v, attempt(nil)); {
				case ok && n >= most:
					t.Fatalf("call %d passes as number %d", i, n+1)
				case !ok && n < most && most <= 1024:
					t.Fatalf("call %d is refused as number %d", i, n+1)
				case ok:
					calls = append(calls, now)
				}
			}
			if len(calls) < 100 {
				t.Errorf("%d calls", len(calls))
			}
		})
	}
}

func TestTicketsGiveBackWhatTheyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := velocity(t, 0, verify.Limit{Kind: verify.LimitConcurrent, Max: 1}, verify.Limit{Kind: verify.LimitMinutes, Max: 3}, verify.Limit{Kind: verify.LimitSpend, Max: 100})
		p, ok := begin(v, attempt(func(a *verify.Attempt) { a.Spend = 40 }))
		if !ok || !p.Metered() || passes(v, attempt(nil)) {
			t.Error("not one at a time")
		}
		if !p.Take(time.Minute, 40) || p.Take(time.Minute, 40) || !p.Take(time.Minute, 20) || p.Take(time.Minute, 0) {
			t.Error("more than 3 minutes, or 100")
		}
		p.End(verify.Ended{Answered: true, Talk: 90 * time.Second, Spent: 60})
		p.End(verify.Ended{Answered: true, Talk: 90 * time.Second, Spent: 60})
		if p.Metered() || p.Take(time.Minute, 60) != true {
			t.Error("a ticket that is over still counts")
		}
		time.Sleep(24*time.Hour - time.Millisecond)
		if q, ok := begin(v, attempt(func(a *verify.Attempt) { a.Spend = 40 })); !ok || q.Take(time.Minute, 1) || q.Take(time.Second, 1) {
			t.Error("90 seconds and 40 are not what is left")
		} else {
			q.End(verify.Ended{})
		}
		time.Sleep(2 * time.Minute) // times of minutes and money are rounded up by a 1024th of the window
		if q, ok := begin(v, attempt(nil)); !ok || !q.Take(2*time.Minute, 100) {
			t.Error("the day does not end")
		}
	})
}

func TestNightAndFreezeAndFirstCountry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight UTC
		night := velocity(t, 0, verify.Limit{Kind: verify.LimitConcurrent, Max: 5, Night: &verify.Night{From: "22:00", To: "06:00", Zone: "Asia/Tokyo", Percent: 50}})
		count := func() (n int) {
			var all []*verify.Ticket
			for range 10 {
				if p, ok := begin(night, attempt(nil)); ok {
					all = append(all, p)
				}
			}
			for _, p := range all {
				p.End(verify.Ended{})
			}
			return len(all)
		}
		if n := count(); n != 5 { // 09:00
			t.Errorf("%d by day", n)
		}
		time.Sleep(13*time.Hour - time.Millisecond)
		if n := count(); n != 5 {
			t.Errorf("%d 1 ms before the night", n)
		}
		time.Sleep(time.Millisecond)
		if n := count(); n != 2 {
			t.Errorf("%d at night", n)
		}
		time.Sleep(8*time.Hour - time.Millisecond)
		if n := count(); n != 2 {
			t.Errorf("%d 1 ms before the morning", n)
		}
		time.Sleep(time.Millisecond)
		if n := count(); n != 5 {
			t.Errorf("%d in the morning", n)
		}
		freeze := velocity(t, 0, verify.Limit{Kind: verify.LimitCalls, Max: 1, Window: 1, Action: verify.ActionFreeze, Freeze: 60})
		if !passes(freeze, attempt(nil)) || passes(freeze, attempt(nil)) {
			t.Error("not one")
		}
		time.Sleep(time.Minute - time.Millisecond)
		if passes(freeze, attempt(nil)) {
			t.Error("not frozen for a minute")
		}
		time.Sleep(time.Millisecond)
		if !passes(freeze, attempt(nil)) {
			t.Error("frozen for longer than a minute")
		}
		first := velocity(t, 0, verify.Limit{Kind: verify.LimitFirstCountry, Window: 60, Per: []string{verify.PerAccount}})
		german := attempt(func(a *verify.Attempt) { a.Destination = "+4930901820" })
		if passes(first, german) {
			t.Error("a new country is not paused")
		}
		time.Sleep(time.Minute)
		if !passes(first, german) || passes(first, attempt(nil)) {
			t.Error("the pause does not end, or is for all countries")
		}
		time.Sleep(91 * 24 * time.Hour)
		if passes(first, german) {
			t.Error("a country is known for ever")
		}
	})
}

func TestShortCallsAreFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := velocity(t, 0, verify.Limit{Kind: verify.LimitShortCalls, Per: []string{verify.PerSource}, Last: 10, Max: 50, Under: 6})
		for i := range 16 {
			p := new(verify.Ticket)
			checks, ok := v.Begin(p, attempt(nil))
			if flagged := len(checks) == 1 && checks[0].Code == "velocity_short_calls" && checks[0].Status == 0; !ok || flagged != (i >= 11) {
				t.Errorf("call %d: %v %v", i, ok, checks)
			}
			p.End(verify.Ended{Answered: true, Talk: map[bool]time.Duration{true: 6 * time.Second, false: 6*time.Second - 1}[i < 5]})
		}
		if checks, _ := v.Begin(new(verify.Ticket), attempt(func(a *verify.Attempt) { a.Source = "+15550002" })); len(checks) != 0 {
			t.Error("others are flagged, too")
		}
	})
}

func TestWangiriIsNotCalledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := velocity(t, 0,
			verify.Limit{Kind: verify.LimitOneRing, Direction: verify.DirectionIncoming, Per: []string{verify.PerNetwork}, Max: 2, Window: 600, Under: 5},
			verify.Limit{Kind: verify.LimitOneRing, Name: "high risk", Direction: verify.DirectionIncoming, From: []string{"+2376"}, Window: 600, Under: 8})
		ring := func(source string, d time.Duration, e verify.Ended) int {
			t.Helper()
			p := new(verify.Ticket)
			checks, ok := v.Begin(p, attempt(func(a *verify.Attempt) { a.Direction = verify.DirectionIncoming; a.Source = source }))
			time.Sleep(d)
			p.End(e)
			if !ok {
				t.Errorf("%s does not ring", source)
			}
			return len(checks)
		}
		may := func(number string, want bool) {
			t.Helper()
			_, ok := begin(v, attempt(func(a *verify.Attempt) { a.Destination = number }))
			if got := v.MayCallBack(number); got != want || ok != want {
				t.Errorf("%s may be called: %v, %v", number, got, ok)
			}
		}
		gone := verify.Ended{Abandoned: true}
		ring("+15550001", 4*time.Second, gone)
		ring("+15550002", 4*time.Second, gone)
		ring("+15550003", 5*time.Second, gone)         // too long
		ring("+15550004", time.Second, verify.Ended{}) // refused by us
		ring("+15550002", 1*time.Second, gone)         // the same one
		may("+15550001", true)
		if n := ring("+15550005", 4*time.Second, gone); n != 0 {
			t.Errorf("flagged too early: %d", n)
		}
		for n, want := range map[string]bool{"+15550001": false, "+15550002": false, "+15550005": false, "+15550003": true, "+15550004": true} {
			may(n, want)
		}
		if n := ring("+15550006", time.Hour, verify.Ended{}); n != 1 {
			t.Errorf("%d flags while the pattern goes on", n)
		}
		ring("+23761234567", 2*time.Second, verify.Ended{Answered: true, Talk: time.Second})
		may("+23761234567", false)
		time.Sleep(30*24*time.Hour - time.Hour)
		may("+23761234567", false)
		time.Sleep(time.Hour)
		may("+23761234567", true)
		may("+15550001", true)
	})
}

func TestAMillionSourcesKeepTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, most = 1000, 2
		v := velocity(t, keys, verify.Limit{Kind: verify.LimitCalls, Max: most, Window: 60, Per: []string{verify.PerSource}})
		passed := 0
		one := attempt(func(a *verify.Attempt) { a.Source = "+15550001" })
		own := 0
		for i := range 1_000_000 {
			if passes(v, attempt(func(a *verify.Attempt) { a.Source = fmt.Sprintf("+4%09d", i) })) {
				passed++
			}
			if i%1000 == 0 && passes(v, one) { // who comes again and again, among them
				own++
			}
		}
		if n := v.Keys(); n > keys+64 {
			t.Errorf("%d counters", n)
		}
		if passed > keys+64*most || passed < keys || own > most {
			t.Errorf("%d of a million passed, of one caller %d", passed, own)
		}
		time.Sleep(time.Minute)
		if !passes(v, attempt(func(a *verify.Attempt) { a.Source = "+4000000000" })) {
			t.Error("nothing is forgotten")
		}
		for i := range 2000 {
			passes(v, attempt(func(a *verify.Attempt) { a.Source = fmt.Sprintf("+5%09d", i) }))
			time.Sleep(time.Second)
		}
		if n := v.Keys(); n > keys+64 {
			t.Errorf("%d counters", n)
		}
	})
}

// A key that was counted by a shared counter is so until that is idle: room of its own must not make it new.
func TestSharedCountersNeverLetMorePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := velocity(t, 1, verify.Limit{Kind: verify.LimitConcurrent, Max: 2, Per: []string{verify.PerSource}})
		first, ok := begin(v, attempt(func(a *verify.Attempt) { a.Source = "first" }))
		if !ok {
			t.Fatal("refused")
		}
		var all []*verify.Ticket
		for range 2 {
			p, ok := begin(v, attempt(nil))
			if all = append(all, p); !ok {
				t.Fatal("refused")
			}
		}
		first.End(verify.Ended{}) // now there would be room
		if passes(v, attempt(nil)) {
			t.Error("three at a time")
		}
		for _, p := range all {
			p.End(verify.Ended{})
		}
		if !passes(v, attempt(nil)) {
			t.Error("none at a time")
		}
	})
}

func TestVelocityIsAChecker(t *testing.T) {
	v := velocity(t, 0, verify.Limit{Name: "one each", Kind: verify.LimitConcurrent, Direction: verify.DirectionIncoming, Per: []string{verify.PerNetwork, verify.PerAccount}, Max: 1, Code: "too_many"})
	var checker verify.Checker = v
	look := func(peer string, p *verify.Ticket) verify.Check {
		ctx := t.Context()
		if p != nil {
			ctx = verify.WithTicket(context.Background(), p)
		}
		var d verify.Verdict
		checker.Check(ctx, &verify.Caller{Peer: netip.MustParseAddrPort(peer), Source: address.Address{Type: address.TypeTel, Target: "+15550001"}}, &d)
		return d.Checks[len(d.Checks)-1]
	}
	p := &verify.Ticket{Account: "a"}
	if c := look("[2001:db8::1]:5060", p); c.Result != verify.CheckPass || c.Name != "velocity" {
		t.Errorf("%+v", c)
	}
	if c := look("[2001:db8::1]:5060", p); c.Result != verify.CheckPass { // the same call
		t.Errorf("%+v", c)
	}
	c := look("[2001:db8::2]:5060", &verify.Ticket{Account: "a"})
	if c.Result != verify.CheckFail || c.Status != 503 || c.Code != "too_many" || !strings.Contains(c.Evidence, `"one each" for 2001:db8::/64 a`) {
		t.Errorf("%+v", c)
	}
	if c := look("[2001:db8:0:1::2]:5060", &verify.Ticket{Account: "a"}); c.Result != verify.CheckPass {
		t.Errorf("%+v", c)
	}
	p.End(verify.Ended{})
	if c := look("[2001:db8::2]:5060", &verify.Ticket{Account: "a"}); c.Result != verify.CheckPass {
		t.Errorf("%+v", c)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	err := verify.CheckLimits("velocity", []verify.Limit{
		{Kind: "calls"}, {Kind: "cals"}, {Kind: "concurrent", Max: -1}, {Kind: "concurrent", Per: []string{"caller"}}, {Kind: "concurrent", Per: []string{"prefix"}},
		{Kind: "concurrent", Prefixes: []string{"44"}}, {Kind: "concurrent", Direction: "in"}, {Kind: "concurrent", Action: "freeze"}, {Kind: "concurrent", Action: "stop"},
		{Kind: "concurrent", Status: 200}, {Kind: "destinations", Max: 5000, Window: 1}, {Kind: "concurrent", Night: &verify.Night{From: "22"}},
		{Kind: "concurrent", Night: &verify.Night{From: "22:00", To: "06:00", Zone: "X/Y"}}, {Kind: "concurrent", Night: &verify.Night{From: "22:00", To: "06:00", Percent: 101}},
		{Kind: "per_second", Max: 1 << 40}, {Kind: "spend", Max: 1<<63 - 1}, {Kind: "calls", Window: 1 << 40}, {Kind: "short_calls", Max: 101},
	})
	for i, want := range []string{"window_seconds", "kind", "max", "per[0]", "prefixes", "prefixes[0]", "direction", "freeze_seconds", "action", "status", "max", "night.from", "night.zone", "night.percent", "max", "max", "window_seconds", "max"} {
		if want = fmt.Sprintf("velocity[%d].%s: ", i, want); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

func BenchmarkVelocity(b *testing.B) {
	v := velocity(b, 200_000,
		verify.Limit{Kind: verify.LimitPerSecond, Max: 1_000_000}, verify.Limit{Kind: verify.LimitCalls, Max: 1000, Window: 60, Per: []string{verify.PerSource}},
		verify.Limit{Kind: verify.LimitConcurrent, Max: 1 << 30}, verify.Limit{Kind: verify.LimitMinutes, Max: 1 << 30, Per: []string{verify.PerAccount}})
	sources := make([]verify.Attempt, 100_000)
	for i := range sources {
		sources[i] = attempt(func(a *verify.Attempt) { a.Source = fmt.Sprintf("+4%09d", i) })
		passes(v, sources[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p, _ := begin(v, sources[i%len(sources)])
		p.End(verify.Ended{Answered: true, Talk: time.Minute})
		i += 7919
	}
}
