package call_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// loop is a machine of an answered call, without engine.
type loop struct {
	m   call.Machine
	seq int
}

func answered(t *testing.T, policy call.MediaTimeout) *loop {
	t.Helper()
	l := &loop{}
	l.step(call.Input{Kind: call.KindIncoming, Incoming: &call.IncomingInput{ID: "c", Offer: "v=0", MediaTimeout: policy}})
	l.step(call.Input{Kind: call.KindRouted, Flow: &call.FlowInput{}})
	l.step(call.Input{Kind: call.KindCommand, Command: &call.Command{Ref: 1, Name: "answer"}})
	l.step(call.Input{Kind: call.KindNegotiated, Negotiated: &call.NegotiatedInput{For: "answer", Body: "v=0"}})
	l.step(call.Input{Kind: call.KindSIP, SIP: &sip.Event{Kind: sip.EventAck}})
	if s := l.m.Snapshot(); s.Phase != call.PhaseConfirmed {
		t.Fatalf("phase %s", s.Phase)
	}
	return l
}

// step returns what the machine did: the names of its effects, with the text of events and the purpose of negotiations.
func (l *loop) step(in call.Input) string {
	l.seq++
	in.Seq, in.At = l.seq, store.At(time.Now())
	var did []string
	for _, e := range l.m.Step(&in) {
		s := string(e.Do)
		switch e.Do {
		case call.DoEmit:
			s = e.Text
		case call.DoNegotiate:
			s += ":" + e.For
		case call.DoTimer:
			s += ":" + e.Text
		}
		did = append(did, s)
	}
	return strings.Join(did, " ")
}

func (l *loop) sip(ev sip.Event) string { return l.step(call.Input{Kind: call.KindSIP, SIP: &ev}) }

func (l *loop) media(kind string) string {
	return l.step(call.Input{Kind: call.KindMedia, Media: &rtp.Event{Kind: kind}})
}

// TestOffersByAnyMethod: what the peer offers by re-INVITE, UPDATE or PRACK goes the same way.
func TestOffersByAnyMethod(t *testing.T) {
	for _, method := range []string{"INVITE", "UPDATE", "PRACK"} {
		l := answered(t, call.MediaTimeout{})
		if got := l.sip(sip.Event{Kind: sip.EventOffer, Method: method, Offer: 1, Body: []byte("v=0")}); got != "negotiate:offer" {
			t.Errorf("%s: %s", method, got)
		}
		if got := l.step(call.Input{Kind: call.KindNegotiated, Negotiated: &call.NegotiatedInput{For: "offer", Offer: 1, Body: "v=0"}}); got != "answer_offer" {
			t.Errorf("%s: %s", method, got)
		}
	}
}

// TestRefreshesAndTheLoop: a refresh changes nothing but the sound, if the peer has; a lost session is the end, whose BYE the dialog sends.
func TestRefreshesAndTheLoop(t *testing.T) {
	l := answered(t, call.MediaTimeout{})
	for _, c := range []struct {
		ev   sip.Event
		want string
	}{
		{sip.Event{Kind: sip.EventRefresh, Method: "UPDATE", Session: 1800}, ""},
		{sip.Event{Kind: sip.EventAnswer, Status: 200, Body: []byte("v=0")}, ""}, // of somebody's Dialog.Offer
		{sip.Event{Kind: sip.EventAnswer, Status: 200, Body: []byte("v=0"), Local: true}, "negotiate:refresh"},
	} {
		if got := l.sip(c.ev); got != c.want {
			t.Errorf("%+v: %q, want %q", c.ev, got, c.want)
		}
	}
	if got := l.step(call.Input{Kind: call.KindNegotiated, Negotiated: &call.NegotiatedInput{For: "refresh", Error: "no codec", Code: call.CodeNoCommonCodec}}); got != "" {
		t.Errorf("a refresh that does not fit: %q", got)
	}
	for status, sentence := range map[int]string{0: "has not refreshed", 408: "does not answer", 481: "does not know the call any more: 481"} {
		l := answered(t, call.MediaTimeout{})
		if got := l.sip(sip.Event{Kind: sip.EventLost, Status: status}); strings.Contains(got, "bye") || !strings.Contains(got, "call_terminating") {
			t.Errorf("%d: %s", status, got)
		}
		l.sip(sip.Event{Kind: sip.EventByeDone, Status: 408})
		if r := l.m.Snapshot().Record; r.Code != call.CodeSessionLost || r.Status != store.StatusHangup || !strings.Contains(r.Sentence, sentence) {
			t.Errorf("%d: record %+v", status, r)
		}
	}
}

// TestSilenceAndTheLoop: one event for each silence, and one for its end.
func TestSilenceAndTheLoop(t *testing.T) {
	l := answered(t, call.MediaTimeout{After: time.Second, Action: call.MediaWarn})
	for _, c := range []struct{ kind, want string }{
		{rtp.EventMediaResume, ""},
		{rtp.EventMediaTimeout, "call_media_timeout"},
		{rtp.EventMediaResume, "call_media_resumed"},
		{rtp.EventMediaTimeout, "call_media_timeout"},
	} {
		if got := l.media(c.kind); got != c.want {
			t.Errorf("%s: %q, want %q", c.kind, got, c.want)
		}
	}
	// A trace from before there was a policy: nothing, as then.
	if got := answered(t, call.MediaTimeout{}).media(rtp.EventMediaTimeout); got != "" {
		t.Errorf("without a policy: %q", got)
	}
	// Silent while it rang: the time begins anew with the answer.
	l = &loop{}
	l.step(call.Input{Kind: call.KindIncoming, Incoming: &call.IncomingInput{ID: "c", Offer: "v=0", MediaTimeout: call.MediaTimeout{After: time.Second, Action: call.MediaHangup}}})
	l.step(call.Input{Kind: call.KindRouted, Flow: &call.FlowInput{}})
	l.step(call.Input{Kind: call.KindCommand, Command: &call.Command{Ref: 1, Name: "early"}})
	l.step(call.Input{Kind: call.KindNegotiated, Negotiated: &call.NegotiatedInput{For: "early", Body: "v=0"}})
	if got := l.media(rtp.EventMediaTimeout); got != "" {
		t.Errorf("while it rings: %q", got)
	}
	if got := l.step(call.Input{Kind: call.KindCommand, Command: &call.Command{Ref: 2, Name: "answer"}}); !strings.Contains(got, "timer:media") {
		t.Errorf("at the answer: %q", got)
	}
	if got := l.step(call.Input{Kind: call.KindTimer, Timer: "media"}); !strings.Contains(got, "call_media_timeout") || !strings.Contains(got, "bye") {
		t.Errorf("after that: %q", got)
	}
}

func TestMediaTimeoutConfig(t *testing.T) {
	route := func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }
	for _, c := range []struct {
		cfg  call.Config
		want string
	}{
		{call.Config{Route: route, MediaTimeout: call.MediaTimeout{Action: "shout"}}, `Config.MediaTimeout.Action is "shout"`},
		{call.Config{Route: route, MediaTimeout: call.MediaTimeout{After: -1}}, "Config.MediaTimeout.After cannot be negative"},
		{call.Config{Route: route, Listen: []sip.Listen{{Network: "udp", Addr: "127.0.0.1:0"}}, SessionTimer: sip.SessionTimer{Min: time.Second}}, "Session: Min is 1s"},
	} {
		if _, err := call.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestLimitsGoOnInAnotherEngine: the longest call and the session timer count on where a call is taken up.
func TestLimitsGoOnInAnotherEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := func(cfg *call.Config) { cfg.MaxCallDuration = 20 * time.Minute }
		a := open(t, map[string]string{"100": longTalk}, limit)
		c := calltest.NewPhone(t, a.net, withHeaders("Supported: timer", "Session-Expires: 600;refresher=uas")).Dial(t, "100")
		time.Sleep(570 * time.Second) // between two refreshes
		var snap call.Snapshot
		for live := range a.Calls() {
			b, err := json.Marshal(live.Snapshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &snap); err != nil {
				t.Fatal(err)
			}
		}
		a.net.SetFaults(calltest.Faults{Loss: 1})
		a.stop()
		a.net.SetFaults(calltest.Faults{})
		wait := flow.Func(func(ctx context.Context, _ action.Leg) error { <-ctx.Done(); return context.Cause(ctx) })
		cfg := call.Config{Store: a.store, Route: func(context.Context, *call.Incoming) (flow.Program, error) { return wait, nil }}
		limit(&cfg)
		engine, stop := calltest.Run(t, a.net, cfg)
		if _, err := engine.Restore(snap, wait); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		if c.Ended() != "" || len(c.Asked()) != 3 {
			t.Errorf("ended by %q, asked by %v", c.Ended(), c.Asked())
		}
		time.Sleep(time.Minute)
		c.WaitEnd(t)
		stop()
		if rec, err := a.store.Call(t.Context(), snap.State.Record.ID); err != nil || rec.Code != call.CodeMaxDuration || rec.HangupReason != store.ReasonTimeout || rec.TalkMS > 1201_000 {
			t.Errorf("record %+v, %v", rec, err)
		}
	})
}
