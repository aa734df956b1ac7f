package call_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
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
)

// bank is a house with a trunk to the telephone network at 10.0.1.9, which no attack must reach.
type bank struct {
	*transferHouse
	pstn   *calltest.Phone
	denied string // ${verify.outbound} and its code, as the last flow that ended has read them
}

// watched tells what a flow reads at its end.
type watched struct {
	flow.Program
	b *bank
}

func (w watched) Run(ctx context.Context, leg action.Leg) error {
	err := w.Program.Run(ctx, leg)
	if v := leg.Vars(); v.Get("verify.outbound") != "" && v.Get("verify.outbound.evidence") != "" {
		w.b.denied = v.Get("verify.outbound") + " " + v.Get("verify.outbound.code")
	}
	return err
}

const own = "+4930100200"

func openBank(t *testing.T, attack string) *bank {
	t.Helper()
	b := &bank{}
	b.transferHouse = openTransfers(t, func(c *call.Config) {
		c.Outbound = call.Outbound{SIP: []string{"10.0.1.0/24", "10.0.0.0/24"}, Countries: []string{"DE"}, IRSF: []string{"+4930999"}, Deny: []string{"+493066"}}
		c.Trunks = []call.Trunk{{Name: "pstn", Address: "10.0.1.9", Transport: "udp"}}
		c.Owned = func(a address.Address) bool { return a.Target == own }
		c.Agents = directory{"mule": {Addresses: []address.Address{number("+37112345678")}}, "nest": {Groupcall: true, Addresses: []address.Address{number("+37112345678")}}}
		c.MayCallBack = func(n string) error { return fmt.Errorf("%s rings once", n) }
		c.OpenRooms = true
		c.Queues = []call.QueueOptions{{ID: "support", WaitFlow: musical(t), Callback: call.CallbackOptions{Key: "1"}}}
		route := c.Route
		c.Route = func(ctx context.Context, in *call.Incoming) (flow.Program, error) {
			p, err := route(ctx, in)
			if attack != "" && in.Request.User == "700" {
				p, err = flow.Parse([]byte(attack), flow.ParseOptions{Registry: action.Builtin(c.Deps)})
			}
			if err != nil {
				return nil, err
			}
			return watched{p, b}, nil
		}
	})
	b.pstn = callee(t, b.house, 9, func(p *calltest.PhoneConfig) { p.Accept = func(c *calltest.PhoneCall) { c.Answer() } })
	return b
}

// dials is a flow that dials what a variable holds, as an attacker fills it.
func dials(step, typ, target, more string) string {
	v, _ := json.Marshal(target)
	return fmt.Sprintf(`[{"type":"variable_set","option":{"key":"n","value":%s}},{"type":%q,"option":{"destinations":[{"type":%q,"target":"${n}"}]%s}},{"type":"answer"}]`, v, step, typ, more)
}

// strange is a phone that nobody knows.
func strange(t *testing.T, b *bank, change ...func(*calltest.PhoneConfig)) *calltest.Phone {
	cfg := calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.7.7")}
	for _, f := range change {
		f(&cfg)
	}
	return calltest.NewPhone(t, b.net, cfg)
}

const far = "+37112345678" // of a country that nobody may dial

// TestTollFraud is the table of attempts to have calls paid by others: each is stopped before an INVITE reaches the trunk, with its reason in
// a stored record, and where a flow runs, in ${verify.*}.
func TestTollFraud(t *testing.T) {
	type attempt struct {
		name, attack string
		act          func(t *testing.T, b *bank) // nil: a stranger calls 700
		code         string                      // "": there is no call at all
		unseen       bool                        // no flow of ours runs that could read why
	}
	tel := func(name, target, code string) attempt {
		return attempt{name: name, attack: dials("connect", "tel", target, ""), code: code}
	}
	uri := func(name, target, code string) attempt {
		return attempt{name: name, attack: dials("connect", "sip", target, ""), code: code}
	}
	refer := func(name, to, code string) attempt {
		return attempt{name: name, code: code, unseen: true, act: func(t *testing.T, b *bank) {
			p := b.byCallee(t)
			if got := p.by.Refer(t, to); got < 400 {
				t.Errorf("REFER gets %d", got)
			}
			p.by.Hangup(t)
			p.x.WaitEnd(t)
		}}
	}
	all := []attempt{
		tel("foreign country", far, call.CodeOutboundCountry),
		tel("an island that shares a code", "+18765230123", call.CodeOutboundCountry),
		tel("premium within the country", "+499001234567", call.CodeOutboundRisk),
		tel("shared cost", "+491801234567", call.CodeOutboundRisk),
		tel("IRSF within the country", "+49309991234", call.CodeOutboundRisk),
		tel("denied prefix", "+493066123456", call.CodeOutboundDenyList),
		tel("satellite", "+870773111632", call.CodeOutboundCountry),
		tel("pause and more digits", "+4930901820,,5", call.CodeNotDialable),
		tel("pause by a letter", "+4930901820p5", call.CodeNotDialable),
		tel("a second number", "+4930901820&"+far, call.CodeNotDialable),
		tel("sub-address", "+4930901820;isub=5", call.CodeNotDialable),
		tel("extension parameter", "+4930901820;ext=5", call.CodeNotDialable),
		tel("digits after the answer", "+4930901820;postd=5", call.CodeNotDialable),
		tel("phone-context", "+4930901820;phone-context=+371", call.CodeNotDialable),
		tel("service code", "*31#"+far, call.CodeNotDialable),
		tel("00 for +", "0037112345678", call.CodeNotDialable),
		tel("a URI for a number", "tel:"+far, call.CodeNotDialable),
		tel("escaped", "%2B37112345678", call.CodeNotDialable),
		tel("digits of another script", "+493090182０", call.CodeNotDialable),
		tel("zero-width", "+4930\u200b901820", call.CodeNotDialable),
		tel("line break", "+4930901820\r\nRoute: <sip:x>", call.CodeNotDialable),
		tel("very long", "+49"+strings.Repeat("1", 900), call.CodeNotDialable),
		tel("call for help without a route", "112", call.CodeEmergencyNoRoute),
		uri("number at the trunk's host", far+"@10.0.1.9", call.CodeOutboundCountry),
		uri("premium at the trunk's host", "+499001234567@10.0.1.9:5060;transport=tcp", call.CodeOutboundRisk),
		uri("national number there", "0037112345678@10.0.1.9", call.CodeOutboundDenied),
		uri("escaped there", "%2B37112345678@10.0.1.9", call.CodeOutboundCountry),
		uri("in other words", far+"@[::ffff:10.0.1.9]", call.CodeOutboundCountry),
		uri("user=phone elsewhere", far+"@10.0.1.1;user=phone", call.CodeOutboundCountry),
		uri("Replaces in the URI", "b@10.0.1.9?Replaces=x", call.CodeOutboundDenied),
		uri("Route in the URI", "b@10.0.1.1?Route=%3Csip:10.0.1.9%3E", call.CodeOutboundDenied),
		uri("maddr", "b@10.0.1.1;maddr=10.0.1.9", call.CodeOutboundDenied),
		uri("escaped maddr", "b@10.0.1.1;m%61ddr=10.0.1.9", call.CodeOutboundDenied),
		uri("URI within a URI", "tel:"+far+"@10.0.1.9", call.CodeNotDialable),
		uri("sub-address in a URI", "+4930901820;isub=1@10.0.1.9", call.CodeOutboundDenied),
		uri("our own address", "700@10.0.0.1", call.CodeForwardingLoop),
		{name: "foreign caller id", attack: dials("connect", "tel", "+4930901820", `,"source":{"type":"tel","target":"+12125550100"}`), code: call.CodeCallerIDNotOwned},
		{name: "caller id as an address", attack: dials("connect", "tel", "+4930901820", `,"source":{"type":"sip","target":"+12125550100@10.0.1.9"}`), code: call.CodeCallerIDNotOwned},
		{name: "call action", attack: dials("call", "tel", far, `,"actions":[{"type":"answer"}]`), code: call.CodeOutboundCountry},
		{name: "agent's address", attack: dials("connect", "agent", "mule", ""), code: call.CodeOutboundCountry},
		{name: "group within", attack: dials("connect", "agent", "nest", ""), code: call.CodeOutboundCountry},
		{name: "typed digits", code: call.CodeNotDialable,
			attack: `[{"type":"answer"},{"type":"digits_receive","option":{"duration":5000,"length":13}},{"type":"connect","option":{"destinations":[{"type":"tel","target":"${voipbin.call.digits}"}]}}]`,
			act: func(t *testing.T, b *bank) {
				a := strange(t, b).Dial(t, "700")
				time.Sleep(time.Second)
				a.Press("0037112345678")
				a.WaitEnd(t)
			}},
		{name: "header into a destination", code: call.CodeOutboundCountry, attack: `[{"type":"connect","option":{"destinations":[{"type":"tel","target":"${voipbin.call.source.target}"}]}}]`,
			act: func(t *testing.T, b *bank) {
				strange(t, b, func(p *calltest.PhoneConfig) { p.FromUser = far }).Start(t, "700").WaitEnd(t)
			}},
		{name: "forwarded too often", code: call.CodeForwardingLoop, attack: dials("connect", "tel", "+4930901820", ""), act: func(t *testing.T, b *bank) {
			strange(t, b, func(p *calltest.PhoneConfig) {
				p.Headers = []string{"Diversion: <sip:a@x>;counter=9, <sip:b@x>"}
			}).Start(t, "700").WaitEnd(t)
		}},
		{name: "redirect", code: call.CodeOutboundCountry, attack: dials("connect", "sip", "b8@10.0.1.8", ""), act: func(t *testing.T, b *bank) {
			callee(t, b.house, 8, func(p *calltest.PhoneConfig) {
				p.Accept = func(c *calltest.PhoneCall) { c.Redirect(302, "sip:"+far+"@10.0.1.9") }
			})
			strange(t, b).Start(t, "700").WaitEnd(t)
		}},
		refer("REFER to a number", "<tel:"+far+">", call.CodeOutboundCountry),
		refer("REFER to a number at the trunk", "<sip:"+far+"@10.0.1.9>", call.CodeOutboundCountry),
		refer("REFER to an escaped number", "<sip:%2B37112345678@10.0.1.9>", call.CodeOutboundCountry),
		{name: "REFER of a stranger", code: call.CodeOutboundDenied, unseen: true, act: func(t *testing.T, b *bank) {
			p := b.byCallee(t)
			if got := p.x.Refer(t, "<tel:+4930901820>"); got != 403 {
				t.Errorf("REFER gets %d", got)
			}
			p.x.Hangup(t)
		}},
		{name: "extension dials abroad", code: call.CodeOutboundCountry, unseen: true, act: func(t *testing.T, b *bank) { b.phones[1].Start(t, far).WaitEnd(t) }},
		{name: "extension without its password", act: func(t *testing.T, b *bank) {
			strange(t, b, func(p *calltest.PhoneConfig) { p.FromUser, p.Host = "200", "10.0.0.1" }).Start(t, "+4930901820").WaitEnd(t)
		}},
		{name: "extension with a wrong password", act: func(t *testing.T, b *bank) {
			strange(t, b, func(p *calltest.PhoneConfig) {
				p.User, p.FromUser, p.Host, p.Password = "200", "200", "10.0.0.1", "guess"
			}).Start(t, "+4930901820").WaitEnd(t)
		}},
		{name: "queue callback", code: call.CodeOutboundCountry, attack: `[{"type":"queue_join","option":{"queue_id":"support"}}]`, act: func(t *testing.T, b *bank) {
			a := strange(t, b, func(p *calltest.PhoneConfig) { p.FromUser = far }).Dial(t, "700")
			time.Sleep(time.Second)
			a.Press("11")
			time.Sleep(time.Second)
			a.Hangup(t)
		}},
		{name: "queue callback to who rings once", code: call.CodeOutboundCallback, attack: `[{"type":"queue_join","option":{"queue_id":"support"}}]`, act: func(t *testing.T, b *bank) {
			a := strange(t, b, func(p *calltest.PhoneConfig) { p.FromUser = "+4930901820" }).Dial(t, "700")
			time.Sleep(time.Second)
			a.Press("1")
			time.Sleep(time.Second)
			a.Hangup(t)
		}},
		{name: "conference dials out", code: call.CodeOutboundCountry, unseen: true, act: func(t *testing.T, b *bank) {
			f, err := b.CreateConference(call.ConferenceOptions{ID: "room"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Invite(t.Context(), call.InviteOptions{Destinations: []address.Address{number(far)}}); err == nil {
				t.Error("no error")
			}
		}},
		{name: "own number from outside", code: call.CodeOwnNumberSpoofed, unseen: true, act: func(t *testing.T, b *bank) {
			strange(t, b, func(p *calltest.PhoneConfig) { p.FromUser = own }).Start(t, "+4930901820").WaitEnd(t)
		}},
		{name: "open relay", code: call.CodeNoFlow, unseen: true, act: func(t *testing.T, b *bank) { strange(t, b).Start(t, "+4930901820").WaitEnd(t) }},
		{name: "Dial", code: call.CodeOutboundCountry, unseen: true, act: func(t *testing.T, b *bank) {
			if _, err := b.Dial(t.Context(), call.DialOptions{Destination: number(far)}); err == nil {
				t.Error("no error")
			}
		}},
		{name: "groupcall", code: call.CodeOutboundCountry, unseen: true, act: func(t *testing.T, b *bank) {
			g, err := b.Groupcall(t.Context(), call.GroupcallOptions{Destinations: []address.Address{number(far), {Type: "agent", Target: "nest"}}})
			if err != nil {
				t.Fatal(err)
			}
			<-g.Done()
		}},
		{name: "transfer by the program", code: call.CodeOutboundCountry, unseen: true, act: func(t *testing.T, b *bank) {
			p := b.byCallee(t)
			for c := range b.Calls() {
				if c.Record().Direction == "outgoing" {
					tr, err := c.Transfer(t.Context(), call.TransferOptions{Type: call.TransferBlind, Back: true, Destinations: []address.Address{number(far)}})
					if err != nil {
						t.Fatal(err)
					}
					<-tr.Done()
				}
			}
			p.x.Hangup(t)
		}},
	}
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openBank(t, a.attack)
				if a.act == nil {
					c := strange(t, b).Start(t, "700")
					time.Sleep(5 * time.Second)
					if c.Ended() == "" {
						c.Hangup(t)
					}
				} else {
					a.act(t, b)
				}
				var codes []string
				for _, r := range b.records(t) {
					if codes = append(codes, r.Code); r.Code == a.code && r.Direction == "outgoing" && !strings.Contains(string(r.Verdict), `"code":"`+a.code+`"`) {
						t.Errorf("the record has no evidence: %s", r.Verdict)
					}
				}
				if a.code != "" && !slices.Contains(codes, a.code) {
					t.Errorf("the records end with %q, none with %s", codes, a.code)
				}
				if want := "fail " + a.code; a.code != "" && !a.unseen && b.denied != want {
					t.Errorf("the flow reads %q, want %q", b.denied, want)
				}
				if n := b.pstn.Calls(); n != 0 {
					t.Errorf("%d INVITEs have reached the trunk", n)
				}
			})
		})
	}
}

// TestWhatMayBeDialledIs is the other side of TestTollFraud: what the rules name goes out.
func TestWhatMayBeDialledIs(t *testing.T) {
	for name, a := range map[string]struct{ attack, want string }{
		"number":              {dials("connect", "tel", "+49 30 901820", ""), "sip:+4930901820@10.0.1.9"},
		"number as a URI":     {dials("connect", "sip", "+4930901820@10.0.1.9", ""), "sip:+4930901820@10.0.1.9"},
		"with our own number": {dials("connect", "tel", "+4930901820", `,"source":{"type":"tel","target":"`+own+`"}`), "sip:+4930901820@10.0.1.9"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openBank(t, a.attack)
				c := strange(t, b).Dial(t, "700")
				time.Sleep(time.Second)
				if n := b.pstn.Calls(); n != 1 || b.denied != "" {
					t.Errorf("%d calls, %q", n, b.denied)
				}
				c.Hangup(t)
				_, out := byDirection(t, b.house)
				if len(out) != 1 || !strings.Contains(string(out[0].Verdict), `"outbound","result":"pass"`) || out[0].Attempts[0].URI[:len(a.want)] != a.want {
					t.Errorf("%+v", out)
				}
			})
		})
	}
}
