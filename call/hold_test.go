package call_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// holdTone makes a tone the music on hold.
func holdTone(hz float64) func(*call.Config) {
	clip := tone.Sine(hz, 2*time.Second).Clip(8000)
	return func(c *call.Config) {
		c.MusicOnHold.Open = func(context.Context) (media.Source, error) { return clip.Loop(), nil }
	}
}

const holdHz = 650

// waiting is a flow whose call stays up, and says nothing.
const waiting = `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`

// talk is two phones that talk with each other through h: an incoming call and the leg of a connect.
type talk struct {
	a, b         *calltest.PhoneCall
	aIn, bLeg    *call.Call
	aSays, bSays float64
}

// newTalk has phone a connected with phone b, in the house whose flow "100" does so; both say their tone for minutes.
func newTalk(t *testing.T, h *house, change ...func(*calltest.PhoneConfig)) *talk {
	t.Helper()
	bob := callee(t, h, 1, change...)
	k := &talk{aSays: 500, bSays: 800}
	k.a = calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
	k.b = bob.WaitCall(t)
	k.b.Answer()
	k.a.WaitAnswer(t)
	for c := range h.Calls() {
		if c.Record().Direction == "incoming" {
			k.aIn = c
		} else {
			k.bLeg = c
		}
	}
	k.a.Say(calltest.Tone(k.aSays, 4*time.Minute))
	k.b.Say(calltest.Tone(k.bSays, 4*time.Minute))
	time.Sleep(time.Second)
	return k
}

// next is what both hear in the next second, after the edges of what was done before.
func (k *talk) next() (a, b []int16) {
	time.Sleep(200 * time.Millisecond)
	n, m := len(k.a.Heard()), len(k.b.Heard())
	time.Sleep(time.Second)
	a, b = k.a.Heard(), k.b.Heard()
	return a[min(n, len(a)):], b[min(m, len(b)):]
}

// onlyHears fails where pcm is not made of want alone, of the tones that there are in the test.
func onlyHears(t *testing.T, who string, pcm []int16, want ...float64) {
	t.Helper()
	for _, hz := range []float64{500, 800, holdHz, 400, 700, 1000, 1200} {
		if got := calltest.Hears(pcm, hz); got != slices.Contains(want, hz) {
			t.Errorf("%s hears %v: %v, of %d samples", who, hz, got, len(pcm))
		}
	}
}

// links are the links of a kind in a call's trace, as "what detail".
func links(t *testing.T, c *call.Call) (list []string) {
	t.Helper()
	trace, err := call.DecodeTrace(c.Trace())
	if err != nil {
		t.Fatal(err)
	}
	for i := range trace {
		if l := trace[i].Link; l != nil {
			list = append(list, strings.TrimSpace(l.What+" "+l.Detail))
		}
	}
	return list
}

// passing tells whether the talk's packets pass untouched: they have the sender's distances then, and no mix encodes.
func passing(t *testing.T, c *call.Call) bool {
	t.Helper()
	s, ok := c.Bridge()
	return ok && s.Passing
}

// TestHoldOfAPeer: on hold the peer is told sendonly and hears music; it is not heard, and hears nobody; the talk goes on as it was
// after it (RFC 3264 8.4, RFC 5359 2.1, 2.3).
func TestHoldOfAPeer(t *testing.T) {
	for _, answer := range []string{"sendrecv", "recvonly", "inactive"} {
		t.Run(answer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
				k := newTalk(t, h)
				a, b := k.next()
				onlyHears(t, "a before", a, 800)
				onlyHears(t, "b before", b, 500)
				if !passing(t, k.bLeg) {
					t.Error("the talk does not pass untouched")
				}
				k.b.Want(answer)
				if err := k.bLeg.Hold(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				if d := k.b.Direction(); d != "sendonly" || k.bLeg.Record().HoldBy != "local" {
					t.Errorf("offered %s, hold_by %q", d, k.bLeg.Record().HoldBy)
				}
				a, b = k.next()
				onlyHears(t, "a", a)
				if answer == "inactive" {
					onlyHears(t, "b, that wants no music,", b)
				} else {
					onlyHears(t, "b on hold", b, holdHz)
				}
				if err := k.bLeg.Hold(t.Context(), true); err != nil {
					t.Errorf("hold again: %v", err)
				}
				k.b.Want("sendrecv")
				if err := k.bLeg.Hold(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				a, b = k.next()
				onlyHears(t, "a after", a, 800)
				onlyHears(t, "b after", b, 500)
				if !passing(t, k.bLeg) || k.bLeg.Record().HoldBy != "" {
					t.Errorf("after it: passing %v, hold_by %q", passing(t, k.bLeg), k.bLeg.Record().HoldBy)
				}
				if got := links(t, k.bLeg); !slices.Equal(got, []string{"hold sendonly", "unhold"}) {
					t.Errorf("links %q", got)
				}
				if n := len(slices.DeleteFunc(k.b.Asked(), func(m string) bool { return m != "INVITE" })); n != 2 {
					t.Errorf("%d re-INVITEs, want 2: holding twice is holding", n)
				}
				versions(t, k.b.Answers())
				k.a.Hangup(t)
				for _, rec := range h.records(t) {
					checkReplay(t, h, rec)
				}
				types := h.eventTypes()
				if n := len(slices.DeleteFunc(types, func(s string) bool { return s != "call_held" && s != "call_unheld" })); n != 2 {
					t.Errorf("%d events of hold", n)
				}
			})
		})
	}
}

// versions fails where the o= lines of one end do not go up by one where the SDP changes (RFC 3264 8).
func versions(t *testing.T, all []string) {
	t.Helper()
	last, rest := 0, ""
	for i, s := range all {
		lines := strings.Split(strings.ReplaceAll(s, "\r", ""), "\n")
		var id, version int
		if _, err := fmt.Sscanf(lines[1], "o=- %d %d", &id, &version); err != nil {
			t.Fatalf("%q: %v", lines[1], err)
		}
		now := strings.Join(lines[2:], "\n")
		if want := last + 1; i > 0 && (now != rest && version != want || now == rest && version != last) {
			t.Errorf("description %d has version %d after %d", i, version, last)
		}
		last, rest = version, now
	}
}

// TestRefusedHold: a peer that does not agree is held as far as we can alone, in the session that there is.
func TestRefusedHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		k.b.RefuseOffers(488)
		if err := k.bLeg.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		a, b := k.next()
		onlyHears(t, "a", a)
		onlyHears(t, "b", b, holdHz)
		k.b.RefuseOffers(0)
		if err := k.bLeg.Hold(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		a, b = k.next()
		onlyHears(t, "a after", a, 800)
		onlyHears(t, "b after", b, 500)
		if got := links(t, k.bLeg); !slices.Equal(got, []string{"hold refused", "unhold"}) {
			t.Errorf("links %q", got)
		}
		// The other way round: what was agreed stays agreed.
		if err := k.bLeg.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		k.b.RefuseOffers(488)
		if err := k.bLeg.Hold(t.Context(), false); err == nil || !strings.Contains(err.Error(), "488") || k.bLeg.Record().HoldBy != "local" {
			t.Errorf("%v, hold_by %q", err, k.bLeg.Record().HoldBy)
		}
		k.b.RefuseOffers(0)
		if err := k.bLeg.Hold(t.Context(), false); err != nil {
			t.Error(err)
		}
		versions(t, k.b.Answers())
		a, _ = k.next()
		onlyHears(t, "a in the end", a, 800)
		k.a.Hangup(t)
	})
}

// TestHoldByAPeer: in each of the three ways that phones do it, the other one of the talk hears music, and neither is heard.
func TestHoldByAPeer(t *testing.T) {
	for _, way := range []string{"sendonly", "inactive", calltest.OldHold} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz),
					func(c *call.Config) {
						c.MediaTimeout = call.MediaTimeout{After: 5 * time.Second, Action: call.MediaHangup}
					})
				k := newTalk(t, h)
				if _, status := k.b.Reinvite(t, way); status != 200 {
					t.Fatalf("answered %d", status)
				}
				a, b := k.next()
				onlyHears(t, "a", a, holdHz)
				onlyHears(t, "b", b)
				if r := k.bLeg.Record(); r.HoldBy != "remote" || k.aIn.Record().HoldBy != "" {
					t.Errorf("hold_by %q of b, %q of a", r.HoldBy, k.aIn.Record().HoldBy)
				}
				time.Sleep(20 * time.Second) // longer than a peer may be silent that is not on hold
				if _, status := k.b.Reinvite(t, "sendrecv"); status != 200 {
					t.Fatalf("answered %d", status)
				}
				a, b = k.next()
				onlyHears(t, "a after", a, 800)
				onlyHears(t, "b after", b, 500)
				if !passing(t, k.bLeg) {
					t.Error("the talk does not pass untouched any more")
				}
				if got := links(t, k.bLeg); !slices.Equal(got, []string{"held", "unheld"}) {
					t.Errorf("links of b %q", got)
				}
				if got := links(t, k.aIn); !slices.Equal(got, []string{"moh on", "moh off"}) {
					t.Errorf("links of a %q", got)
				}
				// It hangs up while it holds: the music is over with the talk.
				k.b.Reinvite(t, way)
				time.Sleep(time.Second)
				k.b.Hangup(t)
				k.a.WaitEnd(t)
			})
		})
	}
}

// TestBothHold: one takes the call off hold, the other one still holds it (RFC 6337 5.3).
func TestBothHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1)}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		if err := k.bLeg.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if got, status := k.b.Reinvite(t, "sendonly"); got != "inactive" || status != 200 {
			t.Errorf("its hold of a held call is answered %d %s", status, got)
		}
		synctest.Wait()
		if by := k.bLeg.Record().HoldBy; by != "both" {
			t.Errorf("hold_by %q", by)
		}
		a, b := k.next()
		onlyHears(t, "a", a, holdHz)
		onlyHears(t, "b", b)
		if err := k.bLeg.Hold(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if by := k.bLeg.Record().HoldBy; by != "remote" {
			t.Errorf("hold_by %q after ours is over", by)
		}
		a, b = k.next()
		onlyHears(t, "a, still on hold,", a, holdHz)
		onlyHears(t, "b, that holds,", b)
		if err := k.bLeg.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if got, _ := k.b.Reinvite(t, "sendrecv"); got != "sendonly" {
			t.Errorf("its resume of a held call is answered %s", got)
		}
		a, b = k.next()
		onlyHears(t, "a, the other one of whom is held,", a)
		onlyHears(t, "b, that is held,", b, holdHz)
		k.a.Hangup(t)
	})
}

// TestHoldInARoom: who is on hold, of either side, is neither heard nor hears the room, and the room goes on.
func TestHoldInARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"blue": roomFlow}, func(c *call.Config) { c.OpenRooms = true }, holdTone(holdHz))
		hz := []float64{500, 800, 1000}
		var phones []*calltest.PhoneCall
		var calls []*call.Call
		seen := map[string]bool{}
		for _, f := range hz {
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "blue")
			c.Say(calltest.Tone(f, time.Minute))
			phones = append(phones, c)
			for live := range h.Calls() {
				if !seen[live.ID()] {
					seen[live.ID()] = true
					calls = append(calls, live)
				}
			}
		}
		check := func(what string, want [3][]float64) {
			t.Helper()
			time.Sleep(200 * time.Millisecond)
			var from [3]int
			for i, p := range phones {
				from[i] = len(p.Heard())
			}
			time.Sleep(time.Second)
			for i, p := range phones {
				pcm := p.Heard()
				onlyHears(t, fmt.Sprintf("%s: phone %d", what, i), pcm[min(from[i], len(pcm)):], want[i]...)
			}
		}
		check("before", [3][]float64{{800, 1000}, {500, 1000}, {500, 800}})
		if err := calls[0].Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		check("one is held", [3][]float64{{holdHz}, {1000}, {800}})
		phones[1].Reinvite(t, "sendonly")
		check("another one holds", [3][]float64{{holdHz}, {}, {}})
		if err := calls[0].Hold(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		phones[1].Reinvite(t, "sendrecv")
		check("after", [3][]float64{{800, 1000}, {500, 1000}, {500, 800}})
		phones[0].Hangup(t)
	})
}

// TestHoldMeetsOtherThings: two at once, an offer of the peer, and the end of the call.
func TestHoldMeetsOtherThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting}, holdTone(holdHz))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := h.up(t)
		a.RefuseOffers(491)
		done := make(chan error, 3)
		go func() { done <- live.Hold(t.Context(), true) }()
		synctest.Wait()
		for _, on := range []bool{false, true} {
			go func() { done <- live.Hold(t.Context(), on) }()
			synctest.Wait()
		}
		if _, status := a.Reinvite(t, "sendrecv"); status != 200 && status != 491 {
			t.Errorf("an offer meanwhile is answered %d", status)
		}
		a.RefuseOffers(0)
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if by := live.Record().HoldBy; by != "local" {
			t.Errorf("hold_by %q", by)
		}
		a.RefuseOffers(491)
		go func() { done <- live.Hold(t.Context(), false) }()
		synctest.Wait()
		a.Hangup(t)
		if err := <-done; err == nil || !strings.Contains(err.Error(), "ended") {
			t.Errorf("a hold that the end was faster than: %v", err)
		}
		if err := live.Hold(t.Context(), true); err == nil {
			t.Error("a call that is over was held")
		}
	})
}

// TestHoldNeedsAnAnswer: before, there is nothing to be held.
func TestHoldNeedsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"sleep","option":{"duration":5000}}]`})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		time.Sleep(time.Second)
		if err := h.up(t).Hold(t.Context(), true); err == nil {
			t.Error("an unanswered call was held")
		}
		a.WaitEnd(t)
	})
}

// TestConsultationHold: b holds the call, talks with somebody else meanwhile, and comes back (RFC 5359 2.2): nothing of the one is heard in the
// other.
func TestConsultationHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1), "300": connectTo("", "", 3)}, outbound, holdTone(holdHz))
		k := newTalk(t, h)
		third := callee(t, h, 3)
		if _, status := k.b.Reinvite(t, "sendonly"); status != 200 {
			t.Fatalf("answered %d", status)
		}
		second := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "bob"}).Start(t, "300") // b's other line
		c := third.WaitCall(t)
		c.Answer()
		second.WaitAnswer(t)
		c.Say(calltest.Tone(1200, time.Minute))
		second.Say(calltest.Tone(1000, time.Minute))
		a, b := k.next()
		n, m := len(second.Heard()), len(c.Heard())
		time.Sleep(time.Second)
		onlyHears(t, "a on hold", a, holdHz)
		onlyHears(t, "b's held line", b)
		onlyHears(t, "b's other line", second.Heard()[n:], 1200)
		onlyHears(t, "the third", c.Heard()[m:], 1000)
		second.Hangup(t)
		c.WaitEnd(t)
		if _, status := k.b.Reinvite(t, "sendrecv"); status != 200 {
			t.Fatalf("answered %d", status)
		}
		a, b = k.next()
		onlyHears(t, "a after", a, 800)
		onlyHears(t, "b after", b, 500)
		k.a.Hangup(t)
	})
}

// TestHeldCallGoesOnInAnotherEngine: it is still on hold there, with music, and is taken off hold there.
func TestHeldCallGoesOnInAnotherEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, map[string]string{"100": waiting}, holdTone(holdHz))
		c := calltest.NewPhone(t, a.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		live := a.up(t)
		if err := live.Hold(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := live.Mute(t.Context(), media.In, true); err != nil {
			t.Fatal(err)
		}
		snap := live.Snapshot()
		a.net.SetFaults(calltest.Faults{Loss: 1})
		a.stop()
		a.net.SetFaults(calltest.Faults{})
		f := redirectFlow(t, "on", "", waiting)
		cfg := call.Config{Route: always(f)}
		holdTone(400)(&cfg)
		engine, stop := calltest.Run(t, a.net, cfg)
		b, err := engine.Restore(snap, f)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		n := len(c.Heard())
		time.Sleep(time.Second)
		onlyHears(t, "on hold in the second engine", c.Heard()[n:], 400)
		if err := b.Hold(t.Context(), false); err != nil || c.Direction() != "sendrecv" {
			t.Errorf("%v, offered %s", err, c.Direction())
		}
		if r := b.Record(); r.HoldBy != "" || r.MuteDirection != "in" {
			t.Errorf("hold_by %q, mute_direction %q", r.HoldBy, r.MuteDirection)
		}
		versions(t, c.Answers())
		c.Hangup(t)
		stop()
	})
}
