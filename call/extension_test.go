package call_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// extensions are 200 to 204, whose passwords are "secret200" and so on.
func extensions(c *call.Config) {
	var list []call.Extension
	for n := 200; n < 205; n++ {
		list = append(list, call.Extension{Name: fmt.Sprint(n), Password: fmt.Sprintf("secret%d", n)})
	}
	c.Extensions = call.ListExtensions(list...)
	c.Registrar.KeepAlive = -1
}

// extensionPhone is a phone of extension x at 10.0.1.n, whose From is one of the engine's own host.
func extensionPhone(t *testing.T, h *house, x string, n byte, change ...func(*calltest.PhoneConfig)) *calltest.Phone {
	t.Helper()
	return callee(t, h, n, append([]func(*calltest.PhoneConfig){func(p *calltest.PhoneConfig) {
		p.User, p.Password, p.Host = x, "secret"+x, "10.0.0.1"
	}}, change...)...)
}

func register(t *testing.T, p *calltest.Phone) {
	t.Helper()
	if status, contacts := p.Register(t, time.Hour); status != 200 || len(contacts) == 0 {
		t.Fatalf("REGISTER gets %d with %q", status, contacts)
	}
}

const connect200 = `[{"type":"connect","option":{"destinations":[{"type":"extension","target":"200"}]}}` + beepAfter + `]`

// TestAllPhonesOfAnExtensionRing has the first that answers win, and the others told that the call was completed elsewhere.
func TestAllPhonesOfAnExtensionRing(t *testing.T) {
	for _, winner := range []int{0, 2} {
		t.Run(fmt.Sprint(winner), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connect200}, extensions)
				var phones []*calltest.Phone
				for n := range 3 {
					p := extensionPhone(t, h, "200", byte(n+1), func(c *calltest.PhoneConfig) { c.Algorithm = []string{"MD5", "SHA-256", ""}[n] })
					register(t, p)
					phones = append(phones, p)
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				var legs []*calltest.PhoneCall
				for _, p := range phones {
					c := p.WaitCall(t)
					if to := c.Invite().Header("To"); to != "<sip:200@10.0.0.1>" {
						t.Errorf("To is %s", to)
					}
					c.Ring()
					legs = append(legs, c)
				}
				time.Sleep(2 * time.Second)
				b := legs[winner]
				b.Answer()
				a.WaitAnswer(t)
				b.WaitAnswer(t)
				for i, l := range legs {
					if i == winner {
						continue
					}
					l.WaitEnd(t)
					if got, _ := l.Cancelled(); got != `SIP;cause=200;text="Call completed elsewhere"` {
						t.Errorf("phone %d is told %q", i, got)
					}
				}
				a.Say(calltest.Tone(500, time.Second))
				b.Say(calltest.Tone(800, time.Second))
				time.Sleep(1200 * time.Millisecond)
				if !calltest.Hears(a.Heard(), 800) || !calltest.Hears(b.Heard(), 500) {
					t.Error("the two do not hear each other")
				}
				a.Hangup(t)
				b.WaitEnd(t)
				_, out := byDirection(t, h)
				if len(out) != 1 {
					t.Fatalf("%d legs have a record, want 1", len(out))
				}
				r := out[0]
				if r.Peer != phones[winner].Addr().String() || r.SIPCode != 200 || len(r.Attempts) != 3 || r.Destination.Target != "200" || r.SIPCallID == "" {
					t.Errorf("the leg: %+v", r)
				}
			})
		})
	}
}

// TestExtensionWithoutAnAnswer has every way in which an extension cannot be reached.
func TestExtensionWithoutAnAnswer(t *testing.T) {
	refuse := func(status ...int) []func(*calltest.PhoneCall) {
		var fs []func(*calltest.PhoneCall)
		for _, s := range status {
			fs = append(fs, func(c *calltest.PhoneCall) { c.Refuse(s) })
		}
		return fs
	}
	for name, c := range map[string]struct {
		phones       []func(*calltest.PhoneCall)
		dest         string
		status       int
		reason, code string
	}{
		"not registered":       {nil, "200", 480, "failed", call.CodeNotRegistered},
		"unknown":              {nil, "999", 404, "failed", call.CodeCalleeUnknown},
		"busy":                 {refuse(486), "200", 486, "busy", call.CodeCalleeBusy},
		"busy and unavailable": {refuse(480, 486), "200", 486, "busy", call.CodeCalleeBusy},
		"one speaks for all":   {append(refuse(603), func(c *calltest.PhoneCall) { c.Ring() }), "200", 603, "noanswer", call.CodeCalleeDeclined},
		"nobody answers":       {[]func(*calltest.PhoneCall){func(c *calltest.PhoneCall) { c.Ring() }, func(c *calltest.PhoneCall) { c.Ring() }}, "200", 487, "dialout", call.CodeDialTimeout},
		"one is gone":          {append(refuse(486), nil), "200", 487, "dialout", call.CodeDialTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, extensions)
				for i, f := range c.phones {
					p := extensionPhone(t, h, "200", byte(i+1), func(p *calltest.PhoneConfig) { p.Accept, p.Silent = f, f == nil })
					register(t, p)
				}
				leg, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeExtension, Target: c.dest}, RingTimeout: 10 * time.Second})
				if leg == nil || len(c.phones) == 0 && err == nil {
					t.Fatalf("%v, %v", leg, err)
				}
				<-leg.Done()
				if r := leg.Record(); r.SIPCode != c.status || r.HangupReason != c.reason || r.Code != c.code || len(r.Attempts) != len(c.phones) || r.Sentence == "" {
					t.Errorf("%+v", r)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestWhoDials(t *testing.T) {
	for name, c := range map[string]struct {
		user, password, host string
		registered           bool
		dial                 string
		status               int    // of the refusal; 0: answered
		source               string // in the record of the caller; "": there is none
	}{
		"an extension dials another":         {"200", "secret200", "10.0.0.1", true, "201", 0, "extension:200"},
		"a phone need not be registered":     {"200", "secret200", "10.0.0.1", false, "201", 0, "extension:200"},
		"an extension dials a flow":          {"200", "secret200", "10.0.0.1", true, "100", 0, "extension:200"},
		"an extension that nobody is":        {"200", "secret200", "10.0.0.1", true, "202", 480, "extension:200"},
		"nothing":                            {"200", "secret200", "10.0.0.1", true, "777", 404, "extension:200"},
		"a number that may not be dialled":   {"200", "secret200", "10.0.0.1", true, "+442079460000", 403, "extension:200"},
		"a number that may be":               {"200", "secret200", "10.0.0.1", true, "+4930901820", 0, "extension:200"},
		"a wrong password":                   {"200", "wrong", "10.0.0.1", false, "201", 401, ""},
		"no such extension, but our host":    {"299", "wrong", "10.0.0.1", false, "100", 0, "sip:299@10.0.0.1"},
		"no password":                        {"200", "", "10.0.0.1", false, "100", 401, ""},
		"by the realm":                       {"200", "", "CALLBIN", false, "100", 401, ""},
		"a stranger's 200":                   {"200", "", "10.9.9.9", false, "100", 0, "sip:200@10.9.9.9"},
		"a stranger dials an extension":      {"eve", "", "10.9.9.9", false, "201", 404, "sip:eve@10.9.9.9"},
		"a stranger dials a number":          {"eve", "", "10.9.9.9", false, "+4930901820", 404, "sip:eve@10.9.9.9"},
		"a phone of ours with another From":  {"200", "secret200", "10.9.9.9", true, "201", 0, "extension:200"},
		"a phone of ours without a password": {"200", "-", "10.9.9.9", true, "100", 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":60000}}]`}, extensions, func(cfg *call.Config) {
					cfg.Outbound.Tel = []string{"+49"}
					cfg.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.9"}}
				})
				answers := func(p *calltest.PhoneConfig) { p.Accept = func(c *calltest.PhoneCall) { c.Answer() } }
				callee(t, h, 9, answers) // the provider
				register(t, extensionPhone(t, h, "201", 1, answers))
				cfg := calltest.PhoneConfig{User: c.user, Password: c.password, Host: c.host, Addr: netip.MustParseAddr("10.0.3.1"), Port: 5060}
				if c.registered {
					p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: c.user, Password: "secret" + c.user, Addr: cfg.Addr, Port: 5060})
					register(t, p)
					p.Close()
				}
				if c.password == "-" {
					cfg.Password = ""
				}
				got := calltest.NewPhone(t, h.net, cfg).Start(t, c.dial)
				if c.status != 0 {
					if why := got.WaitEnd(t); why != fmt.Sprint(c.status) {
						t.Errorf("the caller gets %s, want %d", why, c.status)
					}
				} else {
					got.WaitAnswer(t)
					time.Sleep(time.Second)
					got.Hangup(t)
				}
				h.stop()
				in, _ := byDirection(t, h)
				if s := in.Source.String(); s != c.source {
					t.Errorf("the record has the source %q, want %q: %+v", s, c.source, in)
				}
			})
		})
	}
}

func TestExtensionMustNotShowAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions)
		register(t, extensionPhone(t, h, "201", 1))
		p := extensionPhone(t, h, "200", 2, func(p *calltest.PhoneConfig) { p.FromUser = "201" })
		if why := p.Start(t, "201").WaitEnd(t); why != "403" {
			t.Errorf("200 that shows 201 gets %s", why)
		}
		if in, _ := byDirection(t, h); in.Code != call.CodeOwnNumberSpoofed || in.Source.Target != "200" {
			t.Errorf("%+v", in)
		}
	})
}

// TestRegistrationsAreSeen tells of phones that come and go.
func TestRegistrationsAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions)
		p := extensionPhone(t, h, "200", 1)
		register(t, p)
		register(t, extensionPhone(t, h, "201", 2))
		rs := h.Registrations("200")
		if len(rs) != 1 || rs[0].Extension != "200" || rs[0].Peer != "10.0.1.1:5060" || rs[0].Transport != "udp" || rs[0].NAT || len(h.Registrations("")) != 2 {
			t.Errorf("%+v", h.Registrations(""))
		}
		if status, contacts := p.Register(t, 0); status != 200 || len(contacts) != 0 {
			t.Errorf("the phone is taken back with %d and %q", status, contacts)
		}
		time.Sleep(time.Hour + time.Second)
		if rs := h.Registrations(""); len(rs) != 0 {
			t.Errorf("after an hour there are %+v", rs)
		}
		h.stop()
		var got []string
		for _, ev := range h.events {
			r := ev.Data.(call.Registration)
			got = append(got, strings.TrimSpace(ev.Type+" "+r.Extension+" "+r.Reason))
		}
		want := []string{"extension_registered 200", "extension_registered 201", "extension_unregistered 200 removed", "extension_unregistered 201 expired"}
		if !slices.Equal(got, want) {
			t.Errorf("events %q", got)
		}
	})
}

// TestRegistrationsOutliveARestart reads what another engine has written.
func TestRegistrationsOutliveARestart(t *testing.T) {
	file := t.TempDir() + "/registrations.json"
	keep := func(c *call.Config) { c.RegistrationFile = file }
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions, keep)
		register(t, extensionPhone(t, h, "200", 1))
		h.stop()
		h = open(t, nil, extensions, keep)
		bob := extensionPhone(t, h, "200", 1)
		leg, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeExtension, Target: "200"}})
		if err != nil {
			t.Fatal(err)
		}
		bob.WaitCall(t).Refuse(486)
		<-leg.Done()
		if r := leg.Record(); r.Code != call.CodeCalleeBusy {
			t.Errorf("%+v", r)
		}
	})
}

// TestAgent rings the addresses of a person, all at once or one after the other.
func TestAgent(t *testing.T) {
	for _, method := range []string{call.RingAll, call.RingLinear} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"connect","option":{"destinations":[{"type":"agent","target":"a1"}]}}]`}, extensions, func(c *call.Config) {
					c.Outbound.Tel = []string{"+49"}
					c.Trunks = []call.Trunk{{Name: "t", Address: "10.0.1.9", Caller: "+16062067560"}}
					c.Agents = call.ListAgents(call.Agent{ID: "a1", RingMethod: method, Addresses: []address.Address{
						{Type: address.TypeExtension, Target: "204"}, // has no phone
						{Type: address.TypeExtension, Target: "200"},
						{Type: address.TypeTel, Target: "+1 555 5550100"}, // may not be dialled
						{Type: address.TypeTel, Target: "+4930901820"},
					}})
				})
				desk, mobile := extensionPhone(t, h, "200", 1), callee(t, h, 9)
				register(t, desk)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+4930901821"}).Start(t, "100")
				d := desk.WaitCall(t)
				if from := d.Invite().Header("From"); !strings.Contains(from, "+4930901821@") {
					t.Errorf("the desk phone sees %s", from)
				}
				d.Ring()
				begun := time.Now()
				m := mobile.WaitCall(t)
				if from := m.Invite().Header("From"); !strings.Contains(from, "+16062067560@") {
					t.Errorf("the provider sees %s", from)
				}
				if waited := time.Since(begun); (method == call.RingLinear) != (waited > 19*time.Second && waited < 21*time.Second) {
					t.Errorf("the second address rings after %v", waited)
				}
				m.Answer()
				a.WaitAnswer(t)
				d.WaitEnd(t)
				time.Sleep(time.Second)
				a.Hangup(t)
				_, out := byDirection(t, h)
				if len(out) != 1 || out[0].Peer != "10.0.1.9:5060" || out[0].Status != store.StatusHangup || len(out[0].Attempts) != 2 {
					t.Errorf("%+v", out)
				}
			})
		})
	}
}

// TestCallerGivesUpWhilePhonesRing cancels all of them.
func TestCallerGivesUpWhilePhonesRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connect200}, extensions)
		one, two := extensionPhone(t, h, "200", 1), extensionPhone(t, h, "200", 2)
		register(t, one)
		register(t, two)
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b, c := one.WaitCall(t), two.WaitCall(t)
		b.Ring()
		c.Ring()
		time.Sleep(time.Second)
		a.Cancel()
		b.WaitEnd(t)
		c.WaitEnd(t)
		_, out := byDirection(t, h)
		if len(out) != 1 || out[0].Code != call.CodeMasterEnded || out[0].SIPCode != 487 {
			t.Errorf("%+v", out)
		}
	})
}

// TestOneOfAThousandExtensions has 1,000 extensions with a phone each, one of them with three: a call to it rings these and no other.
func TestOneOfAThousandExtensions(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions, func(c *call.Config) {
			var list []call.Extension
			for i := range n {
				list = append(list, call.Extension{Name: fmt.Sprint(1000 + i), Password: fmt.Sprintf("secret%d", 1000+i)})
			}
			c.Extensions = call.ListExtensions(list...)
		})
		phone := func(x string, a, b, c byte) *calltest.Phone {
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.AddrFrom4([4]byte{10, a, b, c}), Port: 5060, User: x, Password: "secret" + x})
			register(t, p)
			return p
		}
		var phones []*calltest.Phone
		for i := range n {
			phones = append(phones, phone(fmt.Sprint(1000+i), 1, byte(i/250), byte(i%250+1)))
		}
		right := []*calltest.Phone{phones[500], phone("1500", 2, 0, 1), phone("1500", 2, 0, 2)}
		if got := len(h.Registrations("")); got != n+2 {
			t.Errorf("%d phones are registered", got)
		}
		leg, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeExtension, Target: "1500"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range right {
			p.WaitCall(t).Refuse(486)
		}
		<-leg.Done()
		if r := leg.Record(); r.Code != call.CodeCalleeBusy || len(r.Attempts) != 3 {
			t.Errorf("%+v", r)
		}
		for i, p := range phones {
			if c := p.Ringing(); c != 0 {
				t.Errorf("phone %d rings", i)
			}
		}
	})
}

// TestTwoPhonesAnswerAtOnce has both pick up in the same moment, with and without regard to our CANCEL: one talks, the other is hung up.
func TestTwoPhonesAnswerAtOnce(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		t.Run(fmt.Sprint(ignore), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": connect200}, extensions)
				var legs []*calltest.PhoneCall
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{})
				var phones []*calltest.Phone
				for n := range 2 {
					p := extensionPhone(t, h, "200", byte(n+1), func(p *calltest.PhoneConfig) { p.IgnoreCancel = ignore })
					register(t, p)
					phones = append(phones, p)
				}
				c := a.Start(t, "100")
				for _, p := range phones {
					legs = append(legs, p.WaitCall(t))
				}
				legs[0].Ring()
				legs[1].Ring()
				time.Sleep(time.Second)
				legs[0].Answer()
				if !ignore {
					legs[1].Answer()
				}
				c.WaitAnswer(t)
				time.Sleep(time.Second)
				ended := 0
				for _, l := range legs {
					select {
					case <-l.Done():
						ended++
					default:
					}
				}
				if ended != 1 {
					t.Errorf("%d of 2 phones were hung up", ended)
				}
				c.Hangup(t)
				if _, out := byDirection(t, h); len(out) != 1 || out[0].SIPCode != 200 {
					t.Errorf("%+v", out)
				}
			})
		})
	}
}
