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
	"github.com/callbin/callbin/store"
)

// speakers have a tone each.
type speakers []struct {
	name string
	hz   float64
	call *calltest.PhoneCall
}

func speaker(all *speakers, name string, c *calltest.PhoneCall) {
	hz := 900 + 170*float64(len(*all))
	*all = append(*all, struct {
		name string
		hz   float64
		call *calltest.PhoneCall
	}{name, hz, c})
}

// talk has all of them speak for a second, and tells who hears whom: "a:b b:a c:", and r where it rings in somebody's ear, h where it is held.
func (s speakers) talk() string {
	time.Sleep(200 * time.Millisecond) // what was said before has arrived
	from := make([]int, len(s))
	for i, p := range s {
		from[i] = len(p.call.Heard())
		p.call.Say(calltest.Tone(p.hz, 5500*time.Millisecond))
	}
	time.Sleep(6 * time.Second) // a ring, or the sound of hold, lies in each five of them
	var out []string
	for i, p := range s {
		heard := p.call.Heard()
		heard = heard[min(from[i], len(heard)):]
		text := p.name + ":"
		for _, o := range s {
			if calltest.Hears(heard, o.hz) {
				text += o.name
			}
		}
		if calltest.Hears(heard, 440) && calltest.Hears(heard, 480) {
			text += "r"
		}
		if calltest.Hears(heard, 523) && calltest.Hears(heard, 659) {
			text += "h"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// transferHouse has phones of the extensions 200, 201 and 202, and a flow 100 that connects to 200.
type transferHouse struct {
	*house
	phones []*calltest.Phone // of 200, 201, 202
}

// heldTone is music on hold of two soft notes every five seconds.
func heldTone(c *call.Config) {
	c.MusicOnHold.Open = func(context.Context) (media.Source, error) {
		return tone.Pattern{Endless: true, Level: -24, Segments: []tone.Segment{
			{Hz: []float64{523}, Duration: 150 * time.Millisecond}, {Hz: []float64{659}, Duration: 250 * time.Millisecond}, {Duration: 4600 * time.Millisecond},
		}}.Source(8000), nil
	}
}

func openTransfers(t *testing.T, change ...func(*call.Config)) *transferHouse {
	t.Helper()
	h := &transferHouse{house: open(t, map[string]string{"100": connect200}, append([]func(*call.Config){extensions, heldTone}, change...)...)}
	for n := range 3 {
		p := extensionPhone(t, h.house, fmt.Sprint(200+n), byte(n+1))
		register(t, p)
		h.phones = append(h.phones, p)
	}
	return h
}

// pair is two that talk: x is who will be transferred, by is who does it.
type pair struct {
	x, by *calltest.PhoneCall
	calls speakers
}

// callee is a caller from outside who talks to extension 200, which transfers.
func (h *transferHouse) byCallee(t *testing.T) *pair {
	t.Helper()
	a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
	b := h.phones[0].WaitCall(t)
	b.Answer()
	a.WaitAnswer(t)
	b.WaitAnswer(t)
	return (&pair{x: a, by: b}).speak()
}

// byCaller is extension 200, which transfers, talking to 201, whom it has called.
func (h *transferHouse) byCaller(t *testing.T) *pair {
	t.Helper()
	a := h.phones[0].Start(t, "201")
	b := h.phones[1].WaitCall(t)
	b.Answer()
	a.WaitAnswer(t)
	b.WaitAnswer(t)
	return (&pair{x: b, by: a}).speak()
}

func (p *pair) speak() *pair {
	time.Sleep(100 * time.Millisecond) // the ACK is under way still
	speaker(&p.calls, "x", p.x)
	speaker(&p.calls, "t", p.by)
	return p
}

func (p *pair) want(t *testing.T, want string) {
	t.Helper()
	if got := p.calls.talk(); got != want {
		t.Errorf("they hear %q, want %q", got, want)
	}
}

var bothWays = map[string]func(*transferHouse, *testing.T) *pair{
	"by the called one": (*transferHouse).byCallee, "by the caller": (*transferHouse).byCaller,
}

func told(t *testing.T, c *calltest.PhoneCall, want ...string) {
	t.Helper()
	time.Sleep(50 * time.Millisecond)
	if got := c.Told(); !slices.Equal(got, want) {
		t.Errorf("the REFER is told of by %q, want %q", got, want)
	}
}

// transfers are the records of the transfers that have ended, by their events.
func (h *house) transfers(t *testing.T) (started int, ended []call.TransferRecord) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		switch e.Type {
		case "transfer_started":
			started++
		case "transfer_completed", "transfer_failed":
			r := e.Data.(call.TransferRecord)
			if e.Type != "transfer_"+r.Status || r.TmEnd.IsZero() || r.ID == "" || r.JourneyID == "" || r.ConfbridgeID == "" {
				t.Errorf("%s: %+v", e.Type, r)
			}
			ended = append(ended, r)
		}
	}
	return started, ended
}

// codes are the codes with which the calls have ended, the oldest first; each call has one terminal event, and all belong to one journey.
func (h *house) codes(t *testing.T) (codes []string) {
	t.Helper()
	journey := ""
	ends := map[string]int{}
	recs := h.records(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Type == "call_hangup" {
			ends[e.CallID]++
		}
	}
	for _, r := range recs {
		codes = append(codes, r.Code)
		if journey == "" {
			journey = r.JourneyID
		}
		if r.JourneyID != journey || ends[r.ID] != 1 || r.Status != store.StatusHangup {
			t.Errorf("call %+v has %d ends, journey %s", r, ends[r.ID], journey)
		}
	}
	return codes
}

// TestBlindTransferByREFER (RFC 5359 2.4): the phone that has given its password refers whom it talks to, whether it has called or was called.
func TestBlindTransferByREFER(t *testing.T) {
	for name, begin := range bothWays {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t)
				p := begin(h, t)
				p.want(t, "x:t t:x")
				if got := p.by.Refer(t, "<sip:202@10.0.0.1>", "Referred-By: <sip:200@10.0.0.1>"); got != 202 {
					t.Fatalf("REFER gets %d", got)
				}
				n := h.phones[2].WaitCall(t)
				speaker(&p.calls, "n", n)
				told(t, p.by, "100 Trying")
				if got := n.Invite().Header("Referred-By"); got != "<sip:200@10.0.0.1>" {
					t.Errorf("Referred-By is %q", got)
				}
				n.Ring()
				p.want(t, "x:r t: n:")
				n.Answer()
				n.WaitAnswer(t)
				p.want(t, "x:n t: n:x")
				told(t, p.by, "100 Trying", "180 Ringing", "200 OK, over")
				p.by.Hangup(t)
				p.want(t, "x:n t: n:x")
				n.Hangup(t)
				p.x.WaitEnd(t)
				if goesOn := calltest.Hears(lately(p.x), 400); goesOn != (name == "by the called one") {
					t.Errorf("the flow of who was transferred goes on: %v", goesOn)
				}
				if got := h.codes(t); !slices.Contains(got, call.CodeTransferred) || len(got) != 3 || !slices.Contains(got, call.CodeCalleeHungUp) {
					t.Errorf("the calls ended by %v", got)
				}
				started, ended := h.transfers(t)
				if started != 1 || len(ended) != 1 || ended[0].Status != call.TransferCompleted || ended[0].Type != call.TransferBlind || ended[0].TransfereeCallID == "" {
					t.Errorf("%d, %+v", started, ended)
				}
			})
		})
	}
}

// TestWhoWasTransferredHangsUp: the new leg ends with it; and who has sent the REFER is hung up after a while when it stays.
func TestWhoWasTransferredHangsUp(t *testing.T) {
	for name, begin := range bothWays {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t)
				p := begin(h, t)
				p.by.Refer(t, "<sip:202@10.0.0.1>")
				n := h.phones[2].WaitCall(t)
				n.Answer()
				n.WaitAnswer(t)
				at := time.Now()
				p.by.WaitEnd(t)
				if d := time.Since(at); d < 9*time.Second || d > 11*time.Second {
					t.Errorf("who has transferred is hung up after %v", d)
				}
				speaker(&p.calls, "n", n)
				p.calls = slices.DeleteFunc(p.calls, func(s struct {
					name string
					hz   float64
					call *calltest.PhoneCall
				}) bool {
					return s.name == "t"
				})
				p.want(t, "x:n n:x")
				p.x.Hangup(t)
				if why := n.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
					t.Errorf("the new leg ended by %s", why)
				}
				if got := h.codes(t); !slices.Contains(got, call.CodeTransferred) || !slices.Contains(got, call.CodeConnectEnded) && !slices.Contains(got, call.CodeMasterEnded) {
					t.Errorf("the calls ended by %v", got)
				}
			})
		})
	}
}

// TestBlindTransferFails: who was referred to does not answer, and the two talk again, as if nothing had happened.
func TestBlindTransferFails(t *testing.T) {
	for name, begin := range bothWays {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t)
				p := begin(h, t)
				for range 2 { // as often as it likes
					p.by.Refer(t, "<sip:202@10.0.0.1>")
					n := h.phones[2].WaitCall(t)
					n.Ring()
					time.Sleep(time.Second)
					n.Refuse(486)
					p.want(t, "x:t t:x")
				}
				told(t, p.by, "100 Trying", "180 Ringing", "486 Busy Here, over", "100 Trying", "180 Ringing", "486 Busy Here, over")
				ends := p.x
				if name == "by the caller" { // its end is that of the leg, again
					ends = p.by
				}
				ends.Hangup(t)
				for _, c := range []*calltest.PhoneCall{p.x, p.by} {
					c.WaitEnd(t)
				}
				if got := h.codes(t); slices.Contains(got, call.CodeTransferred) || !slices.Contains(got, call.CodeMasterEnded) {
					t.Errorf("the calls ended by %v", got)
				}
				started, ended := h.transfers(t)
				if started != 2 || len(ended) != 2 || ended[1].Status != call.TransferFailed || ended[1].SIPCode != 486 || ended[1].Code != call.CodeCalleeBusy {
					t.Errorf("%d, %+v", started, ended)
				}
			})
		})
	}
}

// TestByeAfterREFER: the phone hangs up as soon as it has its 202, before anybody has answered. It is told all the same.
func TestByeAfterREFER(t *testing.T) {
	for name, begin := range bothWays {
		for _, answers := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, answered %v", name, answers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := openTransfers(t)
					p := begin(h, t)
					p.by.Refer(t, "<sip:202@10.0.0.1>")
					p.by.Hangup(t)
					n := h.phones[2].WaitCall(t)
					time.Sleep(time.Second)
					if !answers {
						n.Refuse(603)
						p.x.WaitEnd(t)
						told(t, p.by, "100 Trying", "603 Decline, over")
						h.codes(t)
						return
					}
					n.Answer()
					n.WaitAnswer(t)
					speaker(&p.calls, "n", n)
					p.want(t, "x:n t: n:x")
					told(t, p.by, "100 Trying", "200 OK, over")
					n.Hangup(t)
					p.x.WaitEnd(t)
					h.codes(t)
				})
			})
		}
	}
}

// TestREFERIsRefused: strangers may not dial anything by REFER, extensions only what they may dial otherwise; the call goes on.
func TestREFERIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		begin  func(*transferHouse, *testing.T) *pair
		stray  bool // the other one of the two refers
		to     string
		status int
	}{
		"a stranger":               {(*transferHouse).byCallee, true, "<sip:202@10.0.0.1>", 403},
		"outside of the policy":    {(*transferHouse).byCallee, false, "<sip:carol@10.0.7.7>", 403},
		"a number without a trunk": {(*transferHouse).byCaller, false, "<tel:+15551234567>", 403},
		"nobody":                   {(*transferHouse).byCaller, false, "<sip:999@10.0.0.1>", 404},
		"a flow":                   {(*transferHouse).byCaller, false, "<sip:100@10.0.0.1>", 501},
		"maddr":                    {(*transferHouse).byCaller, false, "<sip:carol@10.0.1.9;maddr=10.0.7.7>", 403},
		"a name that is nobody's":  {(*transferHouse).byCaller, false, "<sip:200@10.0.0.1?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>", 202},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t, outbound)
				p := c.begin(h, t)
				by := p.by
				if c.stray {
					by = p.x
				}
				if got := by.Refer(t, c.to); got != c.status {
					t.Errorf("REFER gets %d, want %d", got, c.status)
				}
				p.want(t, "x:t t:x")
				if c.status == 202 {
					told(t, by, "481 Call/Transaction Does Not Exist, over")
				}
				p.by.Hangup(t)
				p.x.WaitEnd(t)
				started, _ := h.transfers(t)
				all := h.records(t)
				var denied []string // what the policy refuses has a record
				for _, r := range all[2:] {
					denied = append(denied, r.Code)
				}
				if started != 0 || len(denied) > 1 || len(denied) == 1 && len(all[2].Attempts) != 0 {
					t.Errorf("%d transfers, %v", started, denied)
				}
			})
		})
	}
}
