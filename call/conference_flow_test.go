package call_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// flowsByID are flows that others name; set is a variable_set with a value.
func flowsByID(t *testing.T, texts map[string]string) func(*call.Config) {
	return func(cfg *call.Config) {
		table := map[string]*flow.Flow{}
		for id, text := range texts {
			f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(cfg.Deps), Name: id})
			if err != nil {
				t.Fatal(err)
			}
			table[id] = f
		}
		cfg.FlowByID = func(_ context.Context, id string) (flow.Program, error) {
			if f, ok := table[id]; ok {
				return f, nil
			}
			return nil, errors.New("there is no such flow")
		}
	}
}

// steps are the types of the actions that a call's flow began, in order, with what was played.
func (h *hall) steps(id string) (all []string) {
	h.t.Helper()
	b, err := h.store.Trace(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	trace, err := call.DecodeTrace(b)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, in := range trace {
		if in.Kind != call.KindStarted {
			continue
		}
		step := fmt.Sprintf("%d %s", in.Step.Depth, in.Step.Type)
		if _, hz, ok := strings.Cut(in.Step.Option, "http://tone/"); ok {
			step += " " + hz[:3]
		}
		all = append(all, step)
	}
	return all
}

// TestPreAndPostFlow: the first runs, as a pushed stack, before the caller is asked for the PIN, the second after it has left; then the
// caller's own flow goes on.
func TestPreAndPostFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		followed := make(chan string, 4)
		h := openHall(t, call.ConferenceOptions{}, flowsByID(t, map[string]string{
			"pre":  `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`,
			"post": `[{"type":"variable_set","option":{"key":"after","value":"${voipbin.conferencecall.status}"}},{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`,
		}), func(cfg *call.Config) {
			find := cfg.FlowByID
			cfg.FlowByID = func(ctx context.Context, id string) (flow.Program, error) {
				p, err := find(ctx, id)
				if id != "post" {
					return p, err
				}
				return flow.Func(func(ctx context.Context, leg action.Leg) error {
					followed <- leg.Vars().Get("voipbin.conference.id") + " " + leg.Vars().Get("voipbin.conferencecall.status")
					return p.Run(ctx, leg)
				}), err
			}
		})
		if err := h.f.Update(func(o *call.ConferenceOptions) { o.PIN, o.PreFlowID, o.PostFlowID = "4711", "pre", "post" }); err != nil {
			t.Fatal(err)
		}
		if r := h.f.Record(); r.PreFlowID != "pre" || r.PostFlowID != "post" || !r.PIN {
			t.Errorf("%+v", r)
		}
		a := h.dial("")
		time.Sleep(time.Second)
		if !calltest.Hears(a.Heard(), 700) || calltest.Hears(a.Heard(), 330) {
			t.Error("the pre-flow does not run first")
		}
		a.Press("4711")
		time.Sleep(time.Second)
		stays := h.f.Calls()
		if len(stays) != 1 || stays[0].Status != store.ConferencecallJoined {
			t.Fatalf("%+v", stays)
		}
		heard := len(a.Heard())
		if err := h.f.Kick(stays[0].ID); err != nil {
			t.Error(err)
		}
		a.WaitEnd(t)
		if got := a.Heard()[heard:]; !calltest.Hears(got, 700) || !calltest.Hears(got, 400) {
			t.Error("the post-flow does not run, or the flow does not go on after it")
		}
		if got := <-followed; got != "team ok" {
			t.Errorf("the post-flow knows %q", got)
		}
		// Who hangs up in the room leaves a post-flow of its own behind.
		b := h.dial("")
		time.Sleep(time.Second)
		b.Press("4711")
		time.Sleep(time.Second)
		b.Hangup(t)
		if got := <-followed; got != "team hung_up" {
			t.Errorf("the post-flow of who hung up knows %q", got)
		}
		// Who is not let in leaves none.
		c := h.dial("")
		time.Sleep(time.Second)
		c.Press("4712")
		c.WaitEnd(t)
		h.stop()
		select {
		case got := <-followed:
			t.Errorf("a post-flow of who was never in: %q", got)
		default:
		}
	})
}

// TestPreFlowReplays: pushed flows, the PIN's hidden keys and the result of the stay are in the trace, so that the call can be run again.
func TestPreFlowReplays(t *testing.T) {
	var trace []byte
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{}, flowsByID(t, map[string]string{
			"pre":  `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`,
			"post": `[{"type":"variable_set","option":{"key":"after","value":"${voipbin.conferencecall.status}"}},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`,
		}))
		if err := h.f.Update(func(o *call.ConferenceOptions) { o.PIN, o.PreFlowID, o.PostFlowID = "4711", "pre", "post" }); err != nil {
			t.Fatal(err)
		}
		a := h.dial("")
		time.Sleep(time.Second)
		a.Press("4711")
		time.Sleep(2 * time.Second)
		h.f.Terminate()
		a.WaitEnd(t)
		rec := h.records(t)[0]
		trace = checkReplay(t, h.house, rec)
		if got, want := strings.Join(h.steps(rec.ID), "|"), "0 answer|0 conference_join|1 fetch_flow|2 play 700|1 conference_join|2 variable_set|2 play 400|0 variable_set|0 play 400"; got != want {
			t.Errorf("steps %s, want %s", got, want)
		}
	})
	if _, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{}); err != nil {
		t.Error(err)
	}
}

// TestMissingPreFlow: a flow that cannot be found is no reason to end the call, nor to let it in.
func TestMissingPreFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{PreFlowID: "gone"}, flowsByID(t, nil), func(cfg *call.Config) {})
		a := h.dial("")
		a.WaitEnd(t)
		if n := len(h.f.Calls()); n != 0 {
			t.Errorf("%d are in", n)
		}
		if got := h.f.Record().AllCalls; got != 0 {
			t.Errorf("%d were in", got)
		}
	})
}

// TestConfbridgeJoinKeepsToTheRules: the room's bridge is no back door.
func TestConfbridgeJoinKeepsToTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hall{house: open(t, map[string]string{"100": `[{"id":"b","type":"confbridge_join","option":{"confbridge_id":"team"}},
			{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`}), t: t}
		var err error
		if h.f, err = h.CreateConference(call.ConferenceOptions{ID: "team", PIN: "4711"}); err != nil {
			t.Fatal(err)
		}
		a := h.dial("4712")
		time.Sleep(3 * time.Second)
		a.Press("4712")
		time.Sleep(3 * time.Second)
		a.Press("4712")
		a.WaitEnd(t)
		if !calltest.Hears(a.Heard(), 400) {
			t.Error("its flow does not go on")
		}
		b := h.dial("4711")
		time.Sleep(time.Second)
		if s := h.f.Calls(); len(s) != 1 || s[0].Status != store.ConferencecallJoined {
			t.Errorf("%+v", s)
		}
		b.Hangup(t)
	})
}

func TestConferenceForTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{Type: store.TypeConnect})
		h.enter(410, "")
		h.enter(530, "")
		h.hears("two", everybody)
		h.members[0].Press("5")
		time.Sleep(time.Second)
		if got := h.members[1].Pressed(); got != "5" {
			t.Errorf("keys of a conference for two: %q", got)
		}
		b, ok := h.Confbridge("team")
		if !ok || b.Type() != store.TypeConnect || len(b.Calls()) != 2 {
			t.Fatal("its bridge is not found")
		}
		b.SetNoAutoLeave(true)
		h.members[0].Hangup(t)
		time.Sleep(time.Second)
		if h.members[1].Ended() != "" {
			t.Error("it ends in spite of no_auto_leave")
		}
		b.SetNoAutoLeave(false)
		<-h.f.Done()
		h.members[1].WaitEnd(t)
		h.stop()
		if got := h.cameTo(h.members[1].id); got != "ok participant one_left" {
			t.Errorf("the flow of who was left knows %q", got)
		}
	})
}

// TestNoAutoLeaveOfAConnect keeps the caller in the bridge of a connect when the callee has gone: a transfer needs that.
func TestNoAutoLeaveOfAConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound)
		bob := callee(t, h, 1)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		time.Sleep(time.Second)
		var bridge *call.Confbridge
		for c := range h.Calls() {
			bridge, _ = c.Confbridge()
		}
		if bridge == nil || len(bridge.Calls()) != 2 {
			t.Fatalf("bridge %+v", bridge)
		}
		if _, ok := bridge.Conference(); ok {
			t.Error("a connect is no conference")
		}
		bridge.SetNoAutoLeave(true)
		b.Hangup(t)
		time.Sleep(time.Second)
		if n := len(bridge.Calls()); n != 1 || a.Ended() != "" {
			t.Errorf("%d are left, the caller ended by %q", n, a.Ended())
		}
		if err := bridge.Kick("nobody"); !errors.Is(err, call.ErrNotInConference) {
			t.Error(err)
		}
		bridge.Terminate()
		a.WaitEnd(t)
	})
}

func TestConferenceMenu(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{ModeratorPIN: "8150", Menu: call.DefaultMenu(), Digits: call.DigitsRelay})
		boss := h.enter(410, "8150")
		a := h.enter(530, "#")
		h.enter(710, "#")
		press := func(who *attendant, keys string) {
			who.Press(keys)
			time.Sleep(time.Second)
		}
		h.forget()
		press(a, "*6")
		if !calltest.Hears(a.since(), 330) || calltest.Hears(boss.since(), 330) {
			t.Error("who mutes itself does not hear that, or others do")
		}
		h.hears("muted itself", func(who, whom int) bool { return who != whom && whom != 1 })
		press(a, "1*6") // a key that is none of the menu goes before it; who is muted is not heard with keys either
		h.hears("unmuted itself", everybody)
		press(a, "*8")
		h.hears("deafened itself", func(who, whom int) bool { return who != whom && who != 1 })
		press(a, "*8")
		press(a, "*5") // not for everybody
		if h.f.Record().Locked {
			t.Error("a participant locks the conference")
		}
		press(boss, "*5")
		if !h.f.Record().Locked {
			t.Error("a moderator does not lock the conference")
		}
		press(boss, "*4")
		h.hears("all muted", func(who, whom int) bool { return who != whom && whom == 0 })
		press(boss, "*4")
		h.hears("all unmuted", everybody)
		press(boss, "*2")
		if h.f.Record().RecordingID == "" {
			t.Error("it is not recorded")
		}
		press(boss, "*2")
		if r := h.f.Record(); r.RecordingID != "" || len(r.RecordingIDs) != 1 {
			t.Errorf("%+v", r)
		}
		if got := boss.Pressed(); got != "" {
			t.Errorf("keys of the menu reach others: %q", got)
		}
		press(boss, "7*")
		time.Sleep(4 * time.Second)
		press(boss, "3") // the * before is too long ago
		for i, want := range []string{"", "7*3", "7*3"} {
			if got := h.members[i].Pressed(); got != want {
				t.Errorf("keys that reach member %d: %q, want %q", i, got, want)
			}
		}
		press(a, "**")
		a.WaitEnd(t)
		press(boss, "*9")
		<-h.f.Done()
		h.stop()
		if got := h.cameTo(a.id); got != "ok participant menu" {
			t.Errorf("who left by the menu came to %q", got)
		}
	})
}

// TestDigitsAreDropped, where nothing else is said.
func TestDigitsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, relay := range []bool{false, true} {
			h := openHall(t, call.ConferenceOptions{Digits: map[bool]string{true: call.DigitsRelay}[relay]})
			h.enter(410, "")
			h.enter(530, "")
			h.enter(710, "", func(c *calltest.PhoneConfig) { c.NoEvents = true })
			h.forget()
			h.members[0].Press("5")
			time.Sleep(time.Second)
			if got := h.members[1].Pressed(); got != map[bool]string{true: "5"}[relay] {
				t.Errorf("relay %v: the second gets %q", relay, got)
			}
			if got := calltest.Hears(h.members[2].since(), 1336) && calltest.Hears(h.members[2].since(), 770); got != relay {
				t.Errorf("relay %v: the third, who takes no events, hears the tones of 5: %v", relay, got)
			}
			if h.members[0].Pressed() != "" {
				t.Error("it gets its own key")
			}
			h.f.Terminate()
			h.stop()
		}
	})
}

// TestRoomOptions are those of rooms of the moment: a room lives while somebody is in it, or at its door.
func TestRoomOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hall{house: open(t, map[string]string{"100": joinTeam}, flowsByID(t, map[string]string{"pre": `[{"type":"sleep","option":{"duration":100}}]`}),
			func(c *call.Config) {
				c.OpenRooms = true
				c.RoomOptions = call.ConferenceOptions{PIN: "4711", PINAttempts: 1, PreFlowID: "pre", EntryTone: true}
			}), t: t}
		phone := func() *calltest.PhoneCall {
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
			time.Sleep(2 * time.Second)
			return p
		}
		rooms := func() (n int) {
			for f := range h.Conferences() {
				h.f = f
				n++
			}
			return n
		}
		a, b := phone(), phone()
		if n := rooms(); n != 1 {
			t.Fatalf("%d rooms for two at the door", n)
		}
		first := h.f
		a.Press("4712")
		a.WaitEnd(t)
		b.Press("4711")
		time.Sleep(time.Second)
		if n := rooms(); n != 1 || h.f != first || len(h.f.Calls()) != 1 {
			t.Errorf("%d rooms, the same: %v", n, h.f == first)
		}
		b.Hangup(t)
		time.Sleep(time.Second)
		if n := rooms(); n != 0 {
			t.Errorf("%d rooms are left", n)
		}
		h.stop()
		if r := first.Record(); r.Code != "empty" || r.AllCalls != 1 {
			t.Errorf("%+v", r)
		}
	})
	if _, err := call.New(call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, nil }, RoomOptions: call.ConferenceOptions{PIN: "1"}}); err == nil || !strings.Contains(err.Error(), "Config.RoomOptions") {
		t.Errorf("bad RoomOptions: %v", err)
	}
}
