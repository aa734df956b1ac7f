package call_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// TestHuntsInRandomOrders rings up to five phones, in groups within groups, all at once and one after the other, by a connect
// and by a groupcall: in 500 random orders of ringing, answers, refusals, silence, 200s that cross the CANCEL, callers
// and masters that hang up at any moment, groups that are hung up. Each time one leg at most is joined, or runs the
// flow, all counters are those of what is up at every look, nothing is left ringing, and each groupcall and each leg
// ends exactly once.
func TestHuntsInRandomOrders(t *testing.T) {
	orders := 500
	if testing.Short() {
		orders = 50
	}
	for seed := range orders {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &huntTest{rnd: rand.New(rand.NewPCG(uint64(seed), 42)), asks: rand.New(rand.NewPCG(uint64(seed), 43))}
				h.run(t)
			})
		})
	}
}

type huntTest struct {
	*house
	rnd *rand.Rand

	mu    sync.Mutex
	rings []*calltest.PhoneCall // guarded by mu
	flows []string              // guarded by mu; legs on which the flow of a groupcall ran

	asks           *rand.Rand // guarded by mu
	early, screens bool
}

// ask is a screening that takes its time, and accepts, refuses or fails.
func (h *huntTest) ask(ctx context.Context, l action.Leg) error {
	h.mu.Lock()
	takes, what := time.Duration(h.asks.IntN(10))*20*time.Millisecond, h.asks.IntN(6)
	h.mu.Unlock()
	time.Sleep(takes)
	switch what {
	case 0:
		return l.(action.Hanger).Hangup(ctx, action.Ending{})
	case 1:
		return errors.New("oh")
	case 2:
		panic("oh")
	}
	return nil
}

func (h *huntTest) some(most int) time.Duration {
	return time.Duration(h.rnd.IntN(most)) * 20 * time.Millisecond // coarse steps make them meet
}

// destinations makes a tree over the phones: a directory, and what is dialled.
func (h *huntTest) destinations(n int) (directory, []address.Address) {
	book := directory{}
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	h.rnd.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	methods := []string{"", call.RingAll, call.RingLinear}
	var dests []address.Address
	for len(all) > 0 {
		k := 1 + h.rnd.IntN(min(3, len(all)))
		part := phones(all[:k]...)
		all = all[k:]
		for depth := range h.rnd.IntN(3) {
			name := fmt.Sprintf("a%d-%d", len(book), depth)
			book[name] = call.Agent{Addresses: part, RingMethod: methods[h.rnd.IntN(3)]}
			part = agents(name)
		}
		dests = append(dests, part...)
	}
	if h.rnd.IntN(6) == 0 {
		dests = append(dests, agents("broken")...)
	}
	return book, dests
}

func (h *huntTest) run(t *testing.T) {
	n := 2 + h.rnd.IntN(4)
	book, dests := h.destinations(n)
	linear := h.rnd.IntN(2) == 0
	method := store.RingAll
	if linear {
		method = store.RingLinear
	}
	var list []string
	for _, d := range dests {
		list = append(list, fmt.Sprintf(`{"type":%q,"target":%q}`, d.Type, d.Target))
	}
	option := []string{"", `,"early_media":true`, `,"timeout":700`, `,"screen_flow_id":"ask"`, `,"screen_flow_id":"ask","early_media":true`}[h.rnd.IntN(5)]
	h.early, h.screens = strings.Contains(option, "early"), strings.Contains(option, "screen")
	connect := fmt.Sprintf(`[{"type":"connect","option":{"destinations":[%s],"ring_method":%q,"ring_timeout":400%s}},{"type":"sleep","option":{"duration":1000}}]`,
		strings.Join(list, ","), method, option)
	byGroup := h.rnd.IntN(2) == 0
	if byGroup {
		connect, h.early, h.screens = `[{"type":"answer"},{"type":"echo"}]`, false, false
	}
	h.house = open(t, map[string]string{"100": connect}, outbound, func(c *call.Config) {
		c.Agents = book
		c.FlowByID = func(context.Context, string) (flow.Program, error) { return flow.Func(h.ask), nil }
	})
	h.net.SetFaults(calltest.Faults{Delay: time.Duration(h.rnd.IntN(30)) * time.Millisecond})
	for i := range n {
		h.phone(t, byte(i+1))
	}
	a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
	var group *call.Groupcall
	if byGroup {
		group = h.groupcall(t, a, dests, method)
	}
	leaves := h.rnd.IntN(4)
	for look := range 40 {
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		h.count(t)
		if leaves == 0 && h.rnd.IntN(15) == 0 {
			leaves = -1
			if len(a.Answers()) > 0 {
				a.Hangup(t)
			} else {
				a.Cancel()
			}
		}
		if group != nil && leaves == 1 && h.rnd.IntN(15) == 0 {
			leaves = -1
			group.Hangup()
		}
		if look == 39 {
			h.joined(t, a, group)
		}
	}
	select {
	case <-a.Done():
	default:
		if len(a.Answers()) > 0 {
			a.Hangup(t)
		} else {
			a.Cancel()
		}
	}
	time.Sleep(40 * time.Second)
	if group != nil {
		group.Hangup()
		<-group.Done()
		time.Sleep(time.Second) // for its BYE
	}
	h.nothingLeft(t)
}

// phone is one that does something by chance.
func (h *huntTest) phone(t *testing.T, n byte) {
	ring, act, what, deaf := h.some(4), h.some(8), h.rnd.IntN(8), h.rnd.IntN(2) == 0
	callee(t, h.house, n, func(p *calltest.PhoneConfig) {
		p.IgnoreCancel = deaf
		p.Accept = func(c *calltest.PhoneCall) {
			h.mu.Lock()
			h.rings = append(h.rings, c)
			h.mu.Unlock()
			time.Sleep(ring)
			c.Ring()
			time.Sleep(act)
			switch what {
			case 0:
				c.Refuse(486)
			case 1:
				c.Refuse(480)
			case 2: // rings for ever
			default:
				c.Answer()
			}
		}
	})
}

func (h *huntTest) groupcall(t *testing.T, a *calltest.PhoneCall, dests []address.Address, method string) *call.Groupcall {
	a.WaitAnswer(t)
	o := call.GroupcallOptions{
		Destinations: dests, RingMethod: method, AnswerMethod: store.AnswerHangupOthers, RingTimeout: 400 * time.Millisecond,
		Flow: flow.Func(func(ctx context.Context, l action.Leg) error {
			h.mu.Lock()
			h.flows = append(h.flows, l.ID())
			h.mu.Unlock()
			<-ctx.Done()
			return context.Cause(ctx)
		}),
	}
	if h.rnd.IntN(3) == 0 {
		o.Timeout = h.some(50) + time.Millisecond
	}
	if h.rnd.IntN(2) == 0 {
		for c := range h.Calls() {
			o.MasterCallID = c.ID()
		}
	}
	g, err := h.Groupcall(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// count compares the counters of all groupcalls with what is up.
func (h *huntTest) count(t *testing.T) {
	for g := range h.Groupcalls() {
		r := g.Record()
		calls, groups := 0, 0
		for _, id := range r.CallIDs {
			if c, ok := h.Call(id); ok && c.State().Phase != call.PhaseEnded {
				calls++
			}
		}
		for _, id := range r.GroupcallIDs {
			if _, ok := h.FindGroupcall(id); ok {
				groups++
			}
		}
		if r.CallCount != calls || r.GroupcallCount != groups {
			t.Errorf("groupcall %s counts %d and %d, up are %d and %d", r.ID, r.CallCount, r.GroupcallCount, calls, groups)
		}
		if r.RingMethod == store.RingLinear && r.TmProgressing.IsZero() && calls+groups > 1 {
			t.Errorf("linear groupcall %s rings %d at once", r.ID, calls+groups)
		}
	}
}

// joined looks who is up when all is settled: one leg, which the caller of a connect hears.
func (h *huntTest) joined(t *testing.T, a *calltest.PhoneCall, group *call.Groupcall) {
	var up []*call.Call
	for c := range h.Calls() {
		if r := c.Record(); r.Direction == store.DirectionOutgoing && r.Status != store.StatusTerminating && r.Status != store.StatusCanceling && c.State().Phase != call.PhaseEnded && (group != nil || r.ConfbridgeID != "" && !h.early) {
			up = append(up, c)
		}
	}
	h.mu.Lock()
	ran := len(h.flows)
	h.mu.Unlock()
	if len(up) > 1 || ran > 1 || group != nil && len(up) == 1 && ran != 1 {
		t.Errorf("%d legs are up, and the flow ran on %d", len(up), ran)
	}
	if len(up) == 0 || group != nil {
		return
	}
	heard := len(a.Heard())
	h.mu.Lock()
	for _, c := range h.rings {
		c.Say(calltest.Tone(700, 500*time.Millisecond))
	}
	h.mu.Unlock()
	time.Sleep(500 * time.Millisecond)
	if !calltest.Hears(a.Heard()[heard:], 700) {
		t.Error("the caller does not hear who answered")
	}
}

func (h *huntTest) nothingLeft(t *testing.T) {
	h.mu.Lock()
	for i, c := range h.rings {
		select {
		case <-c.Done():
		default:
			t.Errorf("phone %d of %d is left in its call", i, len(h.rings))
		}
	}
	h.mu.Unlock()
	ended := map[string]int{}
	won := 0 // legs that were answered and not hung up as losers
	for _, r := range h.records(t) {
		ended[r.ID] = 0
		if r.Status != store.StatusHangup || r.HangupReason == "" || r.Code == "" || r.ConfbridgeID != "" {
			t.Errorf("left behind: %+v", r)
		}
		if r.Direction == store.DirectionOutgoing && !r.TmProgressing.IsZero() && r.Code != call.CodeAnsweredElsewhere && r.Code != call.CodeConnectEnded {
			won++
		}
	}
	if won > 1 && !h.screens {
		t.Errorf("%d legs were answered and not cancelled", won)
	}
	for id, events := range h.groups() {
		last := events[len(events)-1].Data.(store.Groupcall)
		answers := 0
		for i, e := range events {
			g := e.Data.(store.Groupcall)
			if (e.Type == "groupcall_hangup") != (i == len(events)-1) || (e.Type == "groupcall_created") != (i == 0) {
				t.Errorf("event %d of %d of %s is %s", i, len(events), id, e.Type)
			}
			if e.Type == "groupcall_progressing" {
				answers++
			}
			if g.CallCount < 0 || g.GroupcallCount < 0 || g.CallCount > len(g.CallIDs) || g.GroupcallCount > len(g.GroupcallIDs) {
				t.Errorf("counters %+v", g)
			}
		}
		if answers > 1 || last.Status != store.GroupcallHangup || last.CallCount != 0 || last.GroupcallCount != 0 || last.Code == "" ||
			(answers == 1) != (last.AnswerCallID != "" || last.AnswerGroupcallID != "") || last.AnswerCallID != "" && last.AnswerGroupcallID != "" {
			t.Errorf("the end of %s: %+v", id, last)
		}
		stored, err := h.store.Groupcall(t.Context(), id)
		if err != nil || stored.Status != store.GroupcallHangup || stored.Code != last.Code {
			t.Errorf("stored %+v, %v", stored, err)
		}
	}
	joined := map[string]bool{}
	h.house.mu.Lock()
	defer h.house.mu.Unlock()
	for _, e := range h.events {
		if c, ok := e.Data.(store.Call); ok {
			if e.Type == "confbridge_joined" && c.Direction == store.DirectionOutgoing && !h.early {
				joined[c.ID] = true
			}
			if ended[c.ID] > 0 {
				t.Errorf("%s after call_hangup", e.Type)
			}
			if e.Type == "call_hangup" {
				ended[c.ID]++
			}
		}
	}
	if len(joined) > 1 {
		t.Errorf("%d legs were in the bridge", len(joined))
	}
	for id, n := range ended {
		if n != 1 {
			t.Errorf("call %s has %d call_hangup", id, n)
		}
	}
}
