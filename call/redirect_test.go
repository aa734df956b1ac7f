package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/tone"
)

// redirectFlow is a flow with an id, made of the built-in actions of open.
func redirectFlow(t *testing.T, name, id, actions string) *flow.Flow {
	t.Helper()
	deps := call.Noted(action.Deps{Prompts: tonePrompts{}, Beep: tone.Beep().Clip(8000).Source})
	f, err := flow.Parse([]byte(fmt.Sprintf(`{"id":%q,"actions":%s}`, id, actions)), flow.ParseOptions{Registry: action.Builtin(deps), Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const redirectID = "0190a6e0-0000-7000-8000-000000000001"

// TestRedirect lets another flow run in place of one that plays; the call stays up, the activeflow and the trace tell, and a replay does
// the same.
func TestRedirectOfAPlayingFlow(t *testing.T) {
	var trace []byte
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"id":"a","type":"answer"},{"id":"v","type":"variable_set","option":{"key":"color","value":"blue"}},
			{"id":"p","type":"play","option":{"stream_urls":["http://tone/400","http://tone/400"]},"on_error":"never"},{"id":"never","type":"hangup","option":{"reason":"busy"}}]`})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(500 * time.Millisecond)
		live := h.up(t)
		other := redirectFlow(t, "other", redirectID, `[{"id":"b","type":"play","option":{"stream_urls":["http://tone/700"]}},
			{"id":"w","type":"variable_set","option":{"key":"copy","value":"${color}"}},{"id":"z","type":"sleep","option":{"duration":1000}}]`)
		if err := live.Redirect(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		n := len(a.Heard())
		time.Sleep(1500 * time.Millisecond)
		if pcm := a.Heard()[n:]; !calltest.Hears(pcm, 700) || calltest.Hears(pcm[320:], 400) {
			t.Error("the other flow is not heard, or the first one still is")
		}
		state, err := live.Activeflow()
		if err != nil || state.FlowID != redirectID || state.Status != call.ActiveflowRunning || state.CurrentAction.ID != "z" || len(state.Redirects) != 1 {
			t.Fatalf("%+v, %v", state, err)
		}
		if r := state.Redirects[0]; r.FlowID != redirectID || r.Name != "other" || r.Execution != 3 {
			t.Errorf("%+v", r)
		}
		var did []string
		for i, x := range state.ExecutedActions {
			did = append(did, x.ID)
			if x.Execution != i+1 || (x.Error != "") != (x.ID == "p") || x.ID == "p" && x.Error != call.ErrRedirected.Error() {
				t.Errorf("%+v", x)
			}
		}
		if !slices.Equal(did, []string{"a", "v", "p", "b", "w"}) || state.CurrentAction.Execution != 6 {
			t.Errorf("executed %q, and now %d", did, state.CurrentAction.Execution)
		}
		if err := live.Skip("z", 6); err != nil {
			t.Errorf("skip by the stamp: %v", err)
		}
		a.WaitEnd(t)
		if live.Vars().Get("copy") != "blue" {
			t.Error("the variables were lost")
		}
		rec := h.records(t)[0]
		checkReplay(t, h, rec)
		if rec.FlowID != redirectID || rec.Code != call.CodeFlowEnded || rec.HangupReason != "normal" {
			t.Errorf("%+v", rec)
		}
		if got := links(t, live); !slices.Equal(got, []string{"redirect other"}) {
			t.Errorf("links %q", got)
		}
		if trace, err = h.store.Trace(t.Context(), rec.ID); err != nil {
			t.Fatal(err)
		}
	})
	got, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{Within: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Journal, "b play") || !strings.Contains(got.Journal, "! "+call.ErrRedirected.Error()) {
		t.Errorf("the replay:\n%s", got.Journal)
	}
}

// TestRedirectTakesTheCallOutOfItsTalk: the leg is hung up as by any end of the connect, and the caller goes on elsewhere.
func TestRedirectTakesTheCallOutOfItsTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", `,{"type":"hangup","option":{"reason":"busy"}}`, 1)}, outbound)
		k := newTalk(t, h)
		if err := k.aIn.Redirect(t.Context(), redirectFlow(t, "on", "", `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`)); err != nil {
			t.Fatal(err)
		}
		k.b.WaitEnd(t)
		k.a.WaitEnd(t)
		if !calltest.Hears(k.a.Heard(), 700) {
			t.Error("the other flow is not heard")
		}
	})
	// The leg itself: the caller's flow goes on as if it had hung up.
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", `,{"type":"play","option":{"stream_urls":["http://tone/400"]}}`, 1)}, outbound)
		k := newTalk(t, h)
		if err := k.bLeg.Redirect(t.Context(), redirectFlow(t, "on", "", `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(800 * time.Millisecond)
		if !calltest.Hears(k.b.Heard(), 700) || !calltest.Hears(k.a.Heard(), 400) {
			t.Error("the leg does not hear the other flow, or the caller's did not go on")
		}
		k.a.Hangup(t)
		k.b.WaitEnd(t)
	})
}

// TestRedirectsThatMeetSomething: another one, the end of the call, the time before there is a flow.
func TestRedirectsThatMeetSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var stuck flow.Func = func(ctx context.Context, l action.Leg) error {
			_ = l.(*call.Call).Answer(ctx)
			<-ctx.Done()
			<-release // it takes its time to end
			return context.Cause(ctx)
		}
		h := open(t, nil, func(c *call.Config) { c.Route = always(stuck) }, outbound)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		live := h.up(t)
		if err := live.Redirect(t.Context(), nil); err == nil {
			t.Error("redirected to nothing")
		}
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- live.Redirect(t.Context(), stuck) }()
		synctest.Wait()
		go func() { second <- live.Redirect(t.Context(), redirectFlow(t, "x", "", `[{"type":"block"}]`)) }()
		if err := <-first; err == nil {
			t.Error("the first of two redirects went well")
		}
		close(release)
		if err := <-second; err != nil {
			t.Error(err)
		}
		done := make(chan error, 1)
		release = make(chan struct{})
		if err := live.Redirect(t.Context(), stuck); err != nil {
			t.Error(err)
		}
		go func() { done <- live.Redirect(t.Context(), stuck) }()
		synctest.Wait()
		a.Hangup(t)
		if err := <-done; err == nil || !strings.Contains(err.Error(), "ended") {
			t.Errorf("a redirect that the end was faster than: %v", err)
		}
		close(release)

		// A call of ours that rings: what would run runs not.
		bob := callee(t, h, 1)
		dest := address.Address{Type: address.TypeSIP, Target: "b1@10.0.1.1"}
		out, err := h.Dial(t.Context(), call.DialOptions{Destination: dest, Flow: redirectFlow(t, "old", "", `[{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`)})
		if err != nil {
			t.Fatal(err)
		}
		b := bob.WaitCall(t)
		b.Ring()
		if err := out.Redirect(t.Context(), redirectFlow(t, "new", redirectID, `[{"type":"play","option":{"stream_urls":["http://tone/700"]}}]`)); err != nil {
			t.Fatal(err)
		}
		b.Answer()
		b.WaitEnd(t)
		<-out.Done()
		if calltest.Hears(b.Heard(), 400) || !calltest.Hears(b.Heard(), 700) || out.Record().FlowID != redirectID {
			t.Error("the first flow has run, or the other one has not")
		}
		if err := out.Redirect(t.Context(), stuck); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a call that is over: %v", err)
		}
	})
}
