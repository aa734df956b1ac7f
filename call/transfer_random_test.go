package call_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestTransfersInRandomOrders lets five things happen to a talk at random moments that meet: REFER, blind and attended, transfers by the program, Complete and
// Cancel, phones that hang up, answer, refuse or stay silent, another phone that takes the call over. Each time every transfer that has started ends once, who talks
// is heard by one other at most, nothing is left of it when the phones have hung up, and each call has one end.
func TestTransfersInRandomOrders(t *testing.T) {
	for seed := range seeds(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(seed), 7))
				h := openTransfers(t)
				h.net.SetFaults(calltest.Faults{Delay: time.Duration(rnd.IntN(15)) * time.Millisecond})
				begin := bothWays["by the caller"]
				if rnd.IntN(2) == 0 {
					begin = bothWays["by the called one"]
				}
				p := begin(h, t)
				var mu sync.Mutex
				calls := []*calltest.PhoneCall{p.x, p.by} // guarded by mu
				also := func(c *calltest.PhoneCall) *calltest.PhoneCall {
					mu.Lock()
					defer mu.Unlock()
					calls = append(calls, c)
					return c
				}
				var s *calltest.PhoneCall
				if rnd.IntN(3) == 0 {
					var n *calltest.PhoneCall
					s, n = h.second(t, p, rnd.IntN(2) == 0)
					also(s)
					also(n)
				}
				var fresh atomic.Int32
				back := rnd.IntN(2) == 0
				var hung [2]atomic.Bool // not a sync.Once: who waits for one is not idle to a bubble
				hangUpOnce := func(i int, c *calltest.PhoneCall) {
					if hung[i].CompareAndSwap(false, true) {
						c.Hangup(t)
					}
				}
				ways := []func(){
					func() { p.by.Refer(t, "<sip:202@10.0.0.1>") },
					func() { p.x.Refer(t, "<sip:202@10.0.0.1>") },
					func() {
						if s != nil {
							p.by.Refer(t, replaces("202", s))
						}
					},
					func() { h.begin(t, p.by, call.TransferBlind, back) },
					func() { h.begin(t, p.by, call.TransferAttended, false) },
					func() { h.begin(t, p.x, call.TransferAttended, false) },
					func() { h.finish(t, "complete") },
					func() { h.finish(t, "cancel") },
					func() { hangUpOnce(0, p.by) },
					func() { hangUpOnce(1, p.x) },
					func() {
						also(extensionPhone(t, h.house, "200", byte(100+fresh.Add(1)), func(cfg *calltest.PhoneConfig) {
							cfg.Headers = []string{"Replaces: " + p.by.Name()}
						}).Start(t, "200"))
					},
				}
				answer := func(c *calltest.PhoneCall, n int) {
					switch n {
					case 0:
						c.Refuse(486)
					case 1:
						c.Ring()
					default:
						c.Answer()
					}
				}
				step := func() time.Duration { return time.Duration(rnd.IntN(6)) * 5 * time.Millisecond }
				go ways[rnd.IntN(6)]()
				for range 4 {
					time.Sleep(step())
					way := ways[rnd.IntN(len(ways))]
					go way()
					if rnd.IntN(2) == 0 && h.phones[2].Ringing() > 0 {
						go answer(also(h.phones[2].WaitCall(t)), rnd.IntN(5))
					}
				}
				time.Sleep(time.Second)
				for h.phones[2].Ringing() > 0 {
					answer(also(h.phones[2].WaitCall(t)), rnd.IntN(5))
				}
				time.Sleep(2 * time.Minute) // who rings is given up
				mu.Lock()
				all := slices.Clone(calls)
				mu.Unlock()
				for _, c := range all {
					if c.Ended() == "" {
						c.Hangup(t)
						time.Sleep(step())
					}
				}
				for _, p := range h.phones { // and whom they were connected to
					for p.Ringing() > 0 {
						p.WaitCall(t).Refuse(486)
					}
				}
				h.settle(t)
			})
		})
	}
}

// begin transfers the call of c, if it can be.
func (h *house) begin(t *testing.T, c *calltest.PhoneCall, typ string, back bool) {
	id, _, _ := strings.Cut(c.Name(), ";")
	o := to202(typ)
	o.Back = back
	for l := range h.Calls() {
		if l.Record().SIPCallID == id {
			_, _ = l.Transfer(t.Context(), o) // refused where there is no talk any more
		}
	}
}

// finish completes or cancels what transfers there are.
func (h *house) finish(t *testing.T, what string) {
	for l := range h.Calls() {
		tr, ok := l.Transferring()
		switch {
		case !ok:
		case what == "cancel":
			_ = tr.Cancel(t.Context()) // over, like as not
		default:
			_ = tr.Complete(t.Context())
		}
	}
}

// settle hangs up who is left, and looks at what was stored.
func (h *house) settle(t *testing.T) {
	t.Helper()
	time.Sleep(10 * time.Second)
	h.stop()
	started, ended := h.transfers(t)
	if started != len(ended) {
		t.Errorf("%d transfers have started, %d have ended", started, len(ended))
	}
	ends := map[string]int{}
	h.mu.Lock()
	for _, e := range h.events {
		if e.Type == "call_hangup" {
			ends[e.CallID]++
		}
	}
	h.mu.Unlock()
	page, _, err := h.store.ListCalls(t.Context(), store.CallFilter{})
	must(t, err)
	for _, r := range page {
		if ends[r.ID] != 1 || r.Status != store.StatusHangup {
			t.Errorf("%d ends of %+v", ends[r.ID], r)
		}
		if r.Code == call.CodeShutdown {
			t.Errorf("it was left until the engine stopped: %+v", r)
		}
	}
}
