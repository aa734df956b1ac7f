package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// directory are agents by id, with a call for each of their addresses.
type directory map[string]call.Agent

func (d directory) Agent(_ context.Context, id string) (call.Agent, bool, error) {
	if id == "broken" {
		return call.Agent{}, false, errors.New("the directory is out of order")
	}
	a, ok := d[id]
	a.ID, a.Groupcall = id, true
	return a, ok, nil
}

// phones are the addresses of callee n.
func phones(n ...int) []address.Address {
	var all []address.Address
	for _, n := range n {
		all = append(all, address.Address{Type: address.TypeSIP, Target: fmt.Sprintf("b%d@10.0.1.%d", n, n)})
	}
	return all
}

func agents(names ...string) []address.Address {
	var all []address.Address
	for _, name := range names {
		all = append(all, address.Address{Type: address.TypeAgent, Target: name})
	}
	return all
}

// stay is a program that waits for the end of its call, and counts who runs it.
type stay struct {
	mu  sync.Mutex
	ids []string // guarded by mu
}

func (s *stay) program() flow.Program {
	return flow.Func(func(ctx context.Context, l action.Leg) error {
		s.mu.Lock()
		s.ids = append(s.ids, l.ID())
		s.mu.Unlock()
		<-ctx.Done()
		return context.Cause(ctx)
	})
}

func (s *stay) ran() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

// groups are the events of groupcalls, by id.
func (h *house) groups() map[string][]call.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string][]call.Event{}
	for _, e := range h.events {
		if g, ok := e.Data.(store.Groupcall); ok {
			all[g.ID] = append(all[g.ID], e)
		}
	}
	return all
}

// answering, refusing and ringing are what a phone does with each call.
func answering(after time.Duration) func(*calltest.PhoneConfig) {
	return accepting(func(c *calltest.PhoneCall) { c.Ring(); time.Sleep(after); c.Answer() })
}

func refusing(status int) func(*calltest.PhoneConfig) {
	return accepting(func(c *calltest.PhoneCall) { c.Ring(); time.Sleep(200 * time.Millisecond); c.Refuse(status) })
}

func ringing() func(*calltest.PhoneConfig) {
	return accepting(func(c *calltest.PhoneCall) { c.Ring() })
}

func accepting(f func(*calltest.PhoneCall)) func(*calltest.PhoneConfig) {
	return func(p *calltest.PhoneConfig) { p.Accept = f }
}

func TestGroupcallRingAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		callee(t, h, 1, refusing(486))
		callee(t, h, 2, answering(time.Second))
		c3 := make(chan *calltest.PhoneCall, 1)
		callee(t, h, 3, accepting(func(c *calltest.PhoneCall) { c.Ring(); c3 <- c }))
		var s stay
		g, err := h.Groupcall(t.Context(), call.GroupcallOptions{
			Destinations: phones(1, 2, 3), Source: address.Address{Type: address.TypeTel, Target: "+16062067563"},
			Flow: s.program(), AnswerMethod: store.AnswerHangupOthers, Metadata: map[string]string{"tenant": "a"},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if r := g.Record(); r.CallCount != 2 || len(r.CallIDs) != 3 || r.Status != "progressing" || !r.TmProgressing.IsZero() {
			t.Errorf("while two ring: %+v", r)
		}
		time.Sleep(time.Second)
		r := g.Record()
		if r.CallCount != 1 || r.AnswerCallID != r.CallIDs[1] || r.TmProgressing.IsZero() {
			t.Errorf("after the answer: %+v", r)
		}
		if reason, cancelled := (<-c3).Cancelled(); !cancelled || !strings.Contains(reason, `SIP;cause=200;text="Call completed elsewhere"`) {
			t.Errorf("the loser: %v %q", cancelled, reason)
		}
		if ran := s.ran(); !slices.Equal(ran, []string{r.AnswerCallID}) {
			t.Errorf("the flow ran on %v", ran)
		}
		if found, ok := h.FindGroupcall(g.ID()); !ok || found != g {
			t.Error("it is not found by its id")
		}
		g.Hangup()
		<-g.Done()
		stored, err := h.store.Groupcall(t.Context(), g.ID())
		if err != nil || stored.Status != "hangup" || stored.CallCount != 0 || stored.Code != "answered" || stored.RingMethod != "ring_all" || stored.AnswerMethod != "hangup_others" ||
			stored.Metadata["tenant"] != "a" || stored.TmHangup.IsZero() || stored.JourneyID == "" {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if _, ok := h.FindGroupcall(g.ID()); ok {
			t.Error("it is found after its end")
		}
		for i, r := range h.records(t) {
			want := []string{call.CodeCalleeBusy, call.CodeHungUp, call.CodeAnsweredElsewhere}[slices.Index(stored.CallIDs, r.ID)]
			if r.GroupcallID != g.ID() || r.Code != want || r.Metadata["tenant"] != "a" || r.JourneyID != stored.JourneyID {
				t.Errorf("leg %d: %+v", i, r)
			}
		}
		var types []string
		for i, e := range h.groups()[g.ID()] {
			if types = append(types, e.Type); e.Seq != i+1 {
				t.Errorf("%s has number %d", e.Type, e.Seq)
			}
		}
		if !slices.Equal(types, []string{"groupcall_created", "groupcall_progressing", "groupcall_hangup"}) {
			t.Errorf("events %v", types)
		}
	})
}

func TestGroupcallLinear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		callee(t, h, 1, refusing(486))
		callee(t, h, 2, ringing())
		callee(t, h, 3, answering(time.Second))
		callee(t, h, 4, answering(time.Second))
		var s stay
		g, err := h.Groupcall(t.Context(), call.GroupcallOptions{
			Destinations: phones(1, 2, 3, 4), Flow: s.program(), RingMethod: store.RingLinear, AnswerMethod: store.AnswerHangupOthers, RingTimeout: 2 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range []time.Duration{100 * time.Millisecond, time.Second, 1600 * time.Millisecond, 2 * time.Second} {
			time.Sleep(at)
			r := g.Record()
			if want := []int{0, 1, 2, 2}[i]; r.DialIndex != want || r.CallCount != 1 || len(r.CallIDs) != want+1 {
				t.Errorf("look %d: %+v", i, r)
			}
		}
		if ran := s.ran(); !slices.Equal(ran, g.Record().CallIDs[2:]) {
			t.Errorf("the flow ran on %v", ran)
		}
		h.stop() // ends the one that is up
		<-g.Done()
		if r := g.Record(); r.Code != "answered" || len(r.CallIDs) != 3 || r.CallCount != 0 || len(h.groups()[g.ID()]) != 3 {
			t.Errorf("%+v", r)
		}
	})
}

func TestGroupcallThatNobodyAnswers(t *testing.T) {
	for _, method := range []string{store.RingAll, store.RingLinear} {
		for _, timeout := range []time.Duration{0, 2500 * time.Millisecond} {
			t.Run(fmt.Sprint(method, timeout), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := open(t, nil, outbound)
					callee(t, h, 1, refusing(486))
					callee(t, h, 2, ringing())
					callee(t, h, 3, ringing())
					start := time.Now()
					dests := append(phones(1, 2, 3), address.Address{Type: address.TypeSIP, Target: "x@192.0.2.1"}, agents("nobody", "broken")[0], agents("broken")[0])
					g, err := h.Groupcall(t.Context(), call.GroupcallOptions{Destinations: dests, RingMethod: method, RingTimeout: 2 * time.Second, Timeout: timeout})
					if err != nil {
						t.Fatal(err)
					}
					<-g.Done()
					took, legs := time.Since(start).Round(100*time.Millisecond), len(dests)
					want := 2 * time.Second
					code := "nobody_answered"
					if method == store.RingLinear {
						if want = 4200 * time.Millisecond; timeout > 0 {
							want, legs, code = timeout, 3, call.CodeDialTimeout
						}
					}
					r := g.Record()
					if took != want || r.Code != code || len(r.CallIDs) != legs || r.CallCount != 0 || !r.TmProgressing.IsZero() || r.Sentence == "" {
						t.Errorf("after %v, want %v: %+v", took, want, r)
					}
					if n := len(h.records(t)); n != legs {
						t.Errorf("%d records of %d legs", n, legs)
					}
				})
			})
		}
	}
}

// TestGroupcallWithinGroupcall rings an agent who stands for two extensions, of which one stands for two phones.
func TestGroupcallWithinGroupcall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := directory{
			"anna": {Addresses: append(agents("desk"), phones(3)...), RingMethod: call.RingLinear},
			"desk": {Addresses: phones(1, 2)},
			"ring": {Addresses: agents("ring")},
		}
		h := open(t, nil, outbound, func(c *call.Config) { c.Agents = book })
		callee(t, h, 1, refusing(486))
		callee(t, h, 2, refusing(480))
		callee(t, h, 3, answering(time.Second))
		callee(t, h, 4, ringing())
		var s stay
		g, err := h.Groupcall(t.Context(), call.GroupcallOptions{
			Destinations: append(agents("anna", "ring"), phones(4)...), Flow: s.program(), AnswerMethod: store.AnswerHangupOthers,
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		root := g.Record()
		if root.GroupcallCount != 1 || len(root.GroupcallIDs) != 2 || root.CallCount != 1 || len(root.CallIDs) != 1 {
			t.Fatalf("the root: %+v", root)
		}
		n := 0
		for sub := range h.Groupcalls() {
			if n++; sub != g && sub.Record().MasterGroupcallID == "" {
				t.Errorf("%+v", sub.Record())
			}
		}
		if n != 3 {
			t.Errorf("%d groupcalls are up", n)
		}
		time.Sleep(2 * time.Second)
		root = g.Record()
		if root.AnswerGroupcallID != root.GroupcallIDs[0] || root.AnswerCallID != "" || root.CallCount != 0 || root.GroupcallCount != 1 {
			t.Errorf("the root after the answer: %+v", root)
		}
		anna, ok := h.FindGroupcall(root.AnswerGroupcallID)
		if !ok {
			t.Fatal("the group that answered is gone")
		}
		r := anna.Record()
		if r.AnswerCallID != r.CallIDs[0] || r.GroupcallCount != 0 || r.CallCount != 1 || r.DialIndex != 1 || r.MasterGroupcallID != g.ID() || !slices.Equal(s.ran(), r.CallIDs) {
			t.Errorf("the one that answered: %+v, the flow ran on %v", r, s.ran())
		}
		g.Hangup()
		<-g.Done()
		<-anna.Done()
		h.stop()
		for id, events := range h.groups() {
			if last := events[len(events)-1].Data.(store.Groupcall); last.Status != "hangup" || last.CallCount+last.GroupcallCount != 0 {
				t.Errorf("%s: %+v", id, last)
			}
		}
	})
}

// TestGroupcallEndsWithItsMaster: linear does not go on when the master has gone.
func TestGroupcallEndsWithItsMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"echo"}]`}, outbound)
		callee(t, h, 1, ringing())
		callee(t, h, 2, ringing())
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		var master *call.Call
		for c := range h.Calls() {
			master = c
		}
		o := call.GroupcallOptions{Destinations: phones(1, 2), RingMethod: store.RingLinear, MasterCallID: master.ID()}
		g, err := h.Groupcall(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a.Hangup(t)
		<-g.Done()
		if r := g.Record(); r.Code != call.CodeMasterEnded || len(r.CallIDs) != 1 || r.MasterCallID != master.ID() || r.JourneyID != master.Record().JourneyID ||
			!slices.Equal(master.Record().ChainedCallIDs, r.CallIDs) {
			t.Errorf("%+v", r)
		}
		if _, err := h.Groupcall(t.Context(), o); !errors.Is(err, call.ErrMasterEnding) {
			t.Errorf("a groupcall of a call that is over: %v", err)
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: phones(1)[0], MasterCallID: master.ID()}); !errors.Is(err, call.ErrMasterEnding) {
			t.Errorf("a call of a call that is over: %v", err)
		}
	})
}

func TestBadGroupcall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound)
		for want, o := range map[string]call.GroupcallOptions{
			"0 destinations":            {},
			`ring method "both"`:        {Destinations: phones(1), RingMethod: "both"},
			`answer method "all"`:       {Destinations: phones(1), AnswerMethod: "all"},
			"a timeout is negative":     {Destinations: phones(1), RingTimeout: -1},
			`anonymous "maybe"`:         {Destinations: phones(1), Anonymous: "maybe"},
			"has ended, or is ending":   {Destinations: phones(1), MasterCallID: "x"},
			"65 destinations are not 1": {Destinations: slices.Repeat(phones(1), 65)},
		} {
			if _, err := h.Groupcall(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", want, err)
			}
		}
		h.stop()
		if _, err := h.Groupcall(t.Context(), call.GroupcallOptions{Destinations: phones(1)}); !errors.Is(err, call.ErrNoRoom) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestChainsOfChains hangs up a master: the calls chained to it end, and those chained to these, and not the other way round.
func TestChainsOfChains(t *testing.T) {
	for _, from := range []int{0, 1, 2} {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, outbound)
				var s stay
				var chain []*call.Call
				for n := range 3 {
					callee(t, h, byte(n+1), answering(100*time.Millisecond))
					o := call.DialOptions{Destination: phones(n + 1)[0], Flow: s.program()}
					if n > 0 {
						o.MasterCallID = chain[n-1].ID()
					}
					c, err := h.Dial(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					chain = append(chain, c)
				}
				if err := chain[from].Hangup(t.Context(), action.Ending{}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				for n, c := range chain {
					r := c.Record()
					if n < from != (r.Status == "progressing") || n > from && r.Code != call.CodeMasterEnded || n > 0 && (r.MasterCallID != chain[n-1].ID() || r.JourneyID != chain[0].Record().JourneyID) {
						t.Errorf("call %d of the chain: %+v", n, r)
					}
					if n < 2 && !slices.Equal(r.ChainedCallIDs, []string{chain[n+1].ID()}) {
						t.Errorf("chained to %d: %v", n, r.ChainedCallIDs)
					}
				}
			})
		})
	}
}

// TestCallActionDialsGroups: of the destinations of a call action, one that stands for several is a groupcall.
func TestCallActionDialsGroups(t *testing.T) {
	for _, chained := range []bool{false, true} {
		t.Run(fmt.Sprint(chained), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := fmt.Sprintf(`[{"type":"answer"},{"type":"call","option":{"destinations":[{"type":"agent","target":"anna"},{"type":"sip","target":"b3@10.0.1.3"},{"type":"agent","target":"broken"}],
					"chained":%v,"actions":[{"type":"echo"}]}},{"type":"echo"}]`, chained)
				h := open(t, map[string]string{"100": text}, outbound, func(c *call.Config) { c.Agents = directory{"anna": {Addresses: phones(1, 2)}} })
				callee(t, h, 1, answering(time.Second))
				callee(t, h, 2, ringing())
				callee(t, h, 3, answering(time.Second))
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(3 * time.Second)
				var g store.Groupcall
				for up := range h.Groupcalls() {
					g = up.Record()
				}
				if g.AnswerCallID == "" || g.CallCount != 1 || len(g.CallIDs) != 2 || g.AnswerMethod != store.AnswerHangupOthers || chained != (g.MasterCallID != "") {
					t.Errorf("%+v", g)
				}
				a.Hangup(t)
				time.Sleep(time.Second)
				if n := h.Stats().Calls; chained != (n == 0) {
					t.Errorf("%d calls are left after the caller's end", n)
				}
				in, out := byDirection(t, h)
				if want := map[bool]int{true: 3}[chained]; len(out) != 3 || len(in.ChainedCallIDs) != want {
					t.Errorf("%d calls, %v are chained", len(out), in.ChainedCallIDs)
				}
			})
		})
	}
}
