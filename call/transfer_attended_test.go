package call_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
)

// second is another call of extension 200's phone, with 202: called by it, or by 202.
func (h *transferHouse) second(t *testing.T, p *pair, called bool) (own, other *calltest.PhoneCall) {
	t.Helper()
	from, to := h.phones[0], h.phones[2]
	user := "202"
	if called {
		from, to, user = to, from, "200"
	}
	a := from.Start(t, user)
	b := to.WaitCall(t)
	b.Answer()
	a.WaitAnswer(t)
	b.WaitAnswer(t)
	own, other = a, b
	if called {
		own, other = b, a
	}
	speaker(&p.calls, "s", own)
	speaker(&p.calls, "n", other)
	time.Sleep(100 * time.Millisecond)
	return own, other
}

func replaces(user string, c *calltest.PhoneCall) string {
	return fmt.Sprintf("<sip:%s@10.0.0.1?Replaces=%s>", user, url.QueryEscape(c.Name()))
}

// TestAttendedTransferByREFER (RFC 5359 2.5): the phone talks to one, then to another, and joins the two: nobody is called for that. Each of its
// calls may be one that it has placed or one that came.
func TestAttendedTransferByREFER(t *testing.T) {
	for name, begin := range bothWays {
		for _, called := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, second call came %v", name, called), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := openTransfers(t)
					p := begin(h, t)
					s, n := h.second(t, p, called)
					p.want(t, "x:t t:x s:n n:s")
					if got := p.by.Refer(t, replaces("202", s)); got != 202 {
						t.Fatalf("REFER gets %d", got)
					}
					if why := s.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
						t.Errorf("the second call ended by %s", why)
					}
					told(t, p.by, "200 OK, over")
					p.want(t, "x:n t: s: n:x")
					p.by.WaitEnd(t) // it is hung up
					x, other := p.x, n
					if called {
						x, other = n, p.x
					}
					x.Hangup(t)
					other.WaitEnd(t)
					recs := h.records(t)
					var codes []string
					for _, r := range recs {
						codes = append(codes, r.Code)
					}
					if len(recs) != 4 || strings.Count(strings.Join(codes, " "), call.CodeTransferred) != 2 {
						t.Errorf("the calls ended by %v", codes)
					}
					started, ended := h.transfers(t)
					if started != 1 || len(ended) != 1 || ended[0].Status != call.TransferCompleted || ended[0].Type != call.TransferAttended {
						t.Errorf("%d, %+v", started, ended)
					}
				})
			})
		}
	}
}

// TestAttendedTransferOfCallers: both have called the phone from outside; what it could not dial it can join all the same.
func TestAttendedTransferOfCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTransfers(t)
		p := h.byCallee(t)
		carol := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "carol"}).Start(t, "100")
		s := h.phones[0].WaitCall(t)
		s.Answer()
		carol.WaitAnswer(t)
		s.WaitAnswer(t)
		time.Sleep(100 * time.Millisecond)
		speaker(&p.calls, "s", s)
		speaker(&p.calls, "n", carol)
		if got := p.by.Refer(t, replaces("carol", s)); got != 202 {
			t.Fatalf("REFER gets %d", got)
		}
		p.want(t, "x:n t: s: n:x")
		carol.Hangup(t)
		p.x.WaitEnd(t)
		if !calltest.Hears(lately(p.x), 400) {
			t.Error("the flow of the other caller did not go on")
		}
		h.stop()
	})
}

// TestREFERMeetsAPanic: of the host's Verify; the call goes on.
func TestREFERMeetsAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var oh atomic.Bool
		h := openTransfers(t, func(c *call.Config) {
			c.Verify = func(context.Context, *call.Incoming) (call.Verdict, error) {
				if oh.Load() {
					panic("oh")
				}
				return call.Verdict{}, nil
			}
		})
		p := h.byCallee(t)
		oh.Store(true)
		if got := p.by.Refer(t, "<sip:202@10.0.0.1>"); got != 500 {
			t.Errorf("REFER gets %d", got)
		}
		p.want(t, "x:t t:x")
		p.x.Hangup(t)
		p.by.WaitEnd(t)
	})
}

// TestAttendedTransferIsRefused: what Replaces names must be a call of the same extension's, and a talk.
func TestAttendedTransferIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTransfers(t)
		p := h.byCallee(t)
		a := h.phones[2].Start(t, "201")
		b := h.phones[1].WaitCall(t)
		b.Ring()
		time.Sleep(time.Second)
		if got := p.by.Refer(t, replaces("202", a)); got != 202 && got != 403 {
			t.Errorf("a call of another extension, which rings: %d", got)
		}
		b.Answer()
		a.WaitAnswer(t)
		time.Sleep(time.Second)
		for what, c := range map[string]*calltest.PhoneCall{"a call of another extension": a, "a call to another extension": b} {
			if got := p.by.Refer(t, replaces("202", c)); got != 403 {
				t.Errorf("%s: %d", what, got)
			}
		}
		if got := p.by.Refer(t, replaces("202", p.by)); got != 202 {
			t.Errorf("the call itself: %d", got)
		}
		speaker(&p.calls, "a", a)
		speaker(&p.calls, "b", b)
		p.want(t, "x:t t:x a:b b:a")
		h.stop()
	})
}

// TestAttendedTransferElsewhere: the dialog that Replaces names is somebody else's, whom we call with it.
func TestAttendedTransferElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTransfers(t, outbound)
		carol := callee(t, h.house, 9)
		p := h.byCaller(t)
		if got := p.by.Refer(t, "<sip:b9@10.0.1.9?Replaces=12adf2f34456gs5%40192.0.2.10%3Bto-tag%3D023983774%3Bfrom-tag%3D8675309&Evil=1>"); got != 202 {
			t.Fatalf("REFER gets %d", got)
		}
		n := carol.WaitCall(t)
		if got := n.Invite().Header("Replaces"); got != "12adf2f34456gs5@192.0.2.10;to-tag=023983774;from-tag=8675309" || n.Invite().Header("Require") != "replaces" {
			t.Errorf("Replaces is %q", got)
		}
		if n.Invite().Header("Evil") != "" {
			t.Error("a header of the REFER's is in our INVITE")
		}
		n.Answer()
		n.WaitAnswer(t)
		p.by.Hangup(t)
		speaker(&p.calls, "n", n)
		p.want(t, "x:n t: n:x")
		n.Hangup(t)
		p.x.WaitEnd(t)
		h.codes(t)
	})
}

// TestReplacedByAnotherPhone (RFC 3891 3): another phone of the same extension takes a talk over, and nobody else does.
func TestReplacedByAnotherPhone(t *testing.T) {
	for name, begin := range bothWays {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t)
				p := begin(h, t)
				replace := func(x string, n byte, c *calltest.PhoneCall) *calltest.PhoneCall {
					return extensionPhone(t, h.house, x, n, func(cfg *calltest.PhoneConfig) {
						cfg.Headers = []string{"Replaces: " + c.Name(), "Require: replaces"}
						if x == "" {
							cfg.User, cfg.Password, cfg.Host = "eve", "", ""
						}
					}).Start(t, "200")
				}
				for n, x := range []string{"202", ""} {
					if why := replace(x, byte(20+n), p.by).WaitEnd(t); why != "403" {
						t.Errorf("extension %q is answered with %s", x, why)
					}
				}
				d := replace("200", 30, p.by)
				d.WaitAnswer(t)
				if why := p.by.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
					t.Errorf("the replaced call ended by %s", why)
				}
				speaker(&p.calls, "d", d)
				p.want(t, "x:d t: d:x")
				p.x.Hangup(t)
				d.WaitEnd(t)
				var codes []string
				for _, r := range h.records(t) {
					codes = append(codes, r.Code)
				}
				if !slices.Contains(codes, call.CodeReplaced) || len(codes) != 5 {
					t.Errorf("the calls ended by %v", codes)
				}
			})
		})
	}
}

// TestReplacedWithoutATalk: a call that talks to nobody has no place to be taken, and the one that came in place of another has.
func TestReplacedWithoutATalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTransfers(t, func(c *call.Config) {})
		p := h.byCaller(t)
		replace := func(n byte, c *calltest.PhoneCall) *calltest.PhoneCall {
			return extensionPhone(t, h.house, "200", n, func(cfg *calltest.PhoneConfig) { cfg.Headers = []string{"Replaces: " + c.Name()} }).Start(t, "200")
		}
		d := replace(20, p.by)
		d.WaitAnswer(t)
		time.Sleep(time.Second)
		if why := replace(21, p.by).WaitEnd(t); why != "603" {
			t.Errorf("a call that has ended: %s", why)
		}
		e := replace(22, d)
		e.WaitAnswer(t)
		d.WaitEnd(t)
		speaker(&p.calls, "e", e)
		p.want(t, "x:e t: e:x")
		e.Hangup(t)
		p.x.WaitEnd(t)
		h.stop()
	})
}

// leg is the call of the engine that one of a phone is.
func (h *house) leg(t *testing.T, c *calltest.PhoneCall) *call.Call {
	t.Helper()
	id, _, _ := strings.Cut(c.Name(), ";")
	for l := range h.Calls() {
		if l.Record().SIPCallID == id {
			return l
		}
	}
	t.Fatalf("no call %s is up", id)
	return nil
}

func to202(typ string) call.TransferOptions {
	return call.TransferOptions{Type: typ, Destinations: []address.Address{{Type: address.TypeExtension, Target: "202"}}}
}

// TestBlindTransferByProgram: VoIPBIN 3.14. The transferer is hung up at once, or kept; the other one hears it ring.
func TestBlindTransferByProgram(t *testing.T) {
	for name, begin := range bothWays {
		for _, back := range []bool{false, true} {
			for _, answers := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, back %v, answered %v", name, back, answers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := openTransfers(t)
						p := begin(h, t)
						o := to202(call.TransferBlind)
						o.Back = back
						tr, err := h.leg(t, p.by).Transfer(t.Context(), o)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := h.leg(t, p.x).Transfer(t.Context(), o); !errors.Is(err, call.ErrTransferring) {
							t.Errorf("a second transfer: %v", err)
						}
						n := h.phones[2].WaitCall(t)
						speaker(&p.calls, "n", n)
						if back {
							p.want(t, "x:r t: n:")
						} else {
							p.by.WaitEnd(t)
						}
						if err := tr.Complete(t.Context()); !errors.Is(err, call.ErrNobodyAnswered) {
							t.Errorf("Complete: %v", err)
						}
						switch {
						case answers:
							n.Answer()
							n.WaitAnswer(t)
							<-tr.Done()
							p.want(t, "x:n t: n:x")
							p.by.WaitEnd(t)
							n.Hangup(t)
						case back:
							n.Refuse(486)
							<-tr.Done()
							p.want(t, "x:t t:x n:")
							p.by.Hangup(t)
						default:
							n.Refuse(486)
							<-tr.Done()
						}
						p.x.WaitEnd(t)
						r := tr.Record()
						if answers != (r.Status == call.TransferCompleted) || r.GroupcallID == "" || r.TransfererCallID == "" || answers != (r.TransfereeCallID != "") || !answers && r.SIPCode != 486 {
							t.Errorf("%+v", r)
						}
						if goesOn := calltest.Hears(lately(p.x), 400); goesOn != (name == "by the called one") {
							t.Errorf("the flow of who was transferred goes on: %v", goesOn)
						}
						codes := h.codes(t)
						if slices.Contains(codes, call.CodeTransferred) != (answers || !back) {
							t.Errorf("the calls ended by %v", codes)
						}
						if got := h.eventTypes(); !slices.Contains(got, "groupcall_hangup") {
							t.Error("the groupcall has no end")
						}
						if err := tr.Cancel(t.Context()); !errors.Is(err, call.ErrTransferOver) {
							t.Errorf("Cancel: %v", err)
						}
					})
				})
			}
		}
	}
}

// TestAttendedTransferByProgram: VoIPBIN 3.14, with everything that can happen at any moment. The held one hears nothing of the consultation, and is not heard in it.
func TestAttendedTransferByProgram(t *testing.T) {
	const back, joined, apart = "x:t t:x n:", "x:n t: n:x", "x: t:n n:t"
	for what, c := range map[string]struct {
		answered bool
		do       func(t *testing.T, p *pair, n *calltest.PhoneCall, tr *call.Transfer)
		after    string // who hears whom then; "": the talk is over
		status   string
	}{
		"transferer hangs up": {true, func(t *testing.T, p *pair, _ *calltest.PhoneCall, _ *call.Transfer) { p.by.Hangup(t) }, joined, call.TransferCompleted},
		"complete": {true, func(t *testing.T, _ *pair, _ *calltest.PhoneCall, tr *call.Transfer) {
			must(t, tr.Complete(t.Context()))
		}, joined, call.TransferCompleted},
		"cancel":                                {true, func(t *testing.T, _ *pair, _ *calltest.PhoneCall, tr *call.Transfer) { must(t, tr.Cancel(t.Context())) }, back, call.TransferFailed},
		"target hangs up":                       {true, func(t *testing.T, _ *pair, n *calltest.PhoneCall, _ *call.Transfer) { n.Hangup(t) }, back, call.TransferFailed},
		"held one hangs up":                     {true, func(t *testing.T, p *pair, _ *calltest.PhoneCall, _ *call.Transfer) { p.x.Hangup(t) }, apart, call.TransferFailed},
		"target refuses":                        {false, func(t *testing.T, _ *pair, n *calltest.PhoneCall, _ *call.Transfer) { n.Refuse(603) }, back, call.TransferFailed},
		"cancel before the answer":              {false, func(t *testing.T, _ *pair, _ *calltest.PhoneCall, tr *call.Transfer) { must(t, tr.Cancel(t.Context())) }, back, call.TransferFailed},
		"transferer hangs up before the answer": {false, func(t *testing.T, p *pair, _ *calltest.PhoneCall, _ *call.Transfer) { p.by.Hangup(t) }, "", call.TransferFailed},
		"held one hangs up before the answer":   {false, func(t *testing.T, p *pair, _ *calltest.PhoneCall, _ *call.Transfer) { p.x.Hangup(t) }, "", call.TransferFailed},
	} {
		for name, begin := range bothWays {
			t.Run(what+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := openTransfers(t)
					p := begin(h, t)
					tr, err := h.leg(t, p.by).Transfer(t.Context(), to202(call.TransferAttended))
					must(t, err)
					if got, ok := h.leg(t, p.x).Transferring(); !ok || got != tr {
						t.Errorf("the held call is in %v", got)
					}
					n := h.phones[2].WaitCall(t)
					speaker(&p.calls, "n", n)
					p.want(t, "x:h t:r n:")
					if c.answered {
						n.Answer()
						n.WaitAnswer(t)
						p.want(t, "x:h t:n n:t")
					}
					c.do(t, p, n, tr)
					<-tr.Done()
					if c.after != "" {
						p.want(t, c.after)
					}
					if r := tr.Record(); r.Status != c.status {
						t.Errorf("%+v", r)
					}
					switch c.after {
					case joined:
						p.by.WaitEnd(t)
						n.Hangup(t)
						p.x.WaitEnd(t)
					case back:
						n.WaitEnd(t)
						p.by.Hangup(t)
						p.x.WaitEnd(t)
					case apart:
						n.Hangup(t)
						p.by.WaitEnd(t)
					default:
						for _, l := range []*calltest.PhoneCall{p.by, p.x, n} {
							l.WaitEnd(t)
						}
					}
					if codes := h.codes(t); slices.Contains(codes, call.CodeTransferred) != (c.status == call.TransferCompleted) {
						t.Errorf("the calls ended by %v", codes)
					}
					if started, ended := h.transfers(t); started != 1 || len(ended) != 1 {
						t.Errorf("%d started, %d ended", started, len(ended))
					}
				})
			})
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTransferOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openTransfers(t)
		p := h.byCallee(t)
		by := h.leg(t, p.by)
		for _, o := range []call.TransferOptions{
			{}, {Type: "half", Destinations: to202("").Destinations}, {Type: call.TransferBlind}, {Type: call.TransferAttended, Destinations: to202("").Destinations, Back: true},
			{Type: call.TransferBlind, Destinations: to202("").Destinations, RingTimeout: -1},
		} {
			if _, err := by.Transfer(t.Context(), o); err == nil {
				t.Errorf("%+v is taken", o)
			}
		}
		// What the policy does not let out fails like any attempt.
		tr, err := by.Transfer(t.Context(), call.TransferOptions{Type: call.TransferAttended, Destinations: []address.Address{{Type: address.TypeSIP, Target: "a@10.9.9.9"}}})
		must(t, err)
		<-tr.Done()
		if r := tr.Record(); r.Code != call.CodeOutboundDenied || r.SIPCode != 403 {
			t.Errorf("%+v", r)
		}
		p.want(t, "x:t t:x")
		p.by.Hangup(t)
		p.x.WaitEnd(t)
		if _, err := by.Transfer(t.Context(), to202(call.TransferBlind)); err == nil {
			t.Error("a call that is over is transferred")
		}
		h.stop()
	})
}
