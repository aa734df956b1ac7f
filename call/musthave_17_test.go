package call_test

import (
	"context"
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
	"github.com/callbin/callbin/flow"
)

// TestMustHave17Addresses: E.164 keeps its +, extensions are free-form, and every type of a destination is reached.
func TestMustHave17Addresses(t *testing.T) {
	for name, tc := range map[string]struct {
		dest  string // an address, as JSON
		phone byte   // that rings; 0: a conference
		user  string // of the phone, "" its own; an extension registers
	}{
		"tel":        {`{"type":"tel","target":"+1 (606) 206-7563"}`, 1, ""},
		"sip":        {`{"type":"sip","target":"b2@10.0.1.2"}`, 2, ""},
		"extension":  {`{"type":"extension","target":"front.desk_2"}`, 3, "front.desk_2"},
		"agent":      {`{"type":"agent","target":"ann"}`, 3, "front.desk_2"},
		"conference": {`{"type":"conference","target":"team"}`, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"connect","option":{"destinations":[` + tc.dest + `]}}]`}, outbound, providers(1), func(c *call.Config) {
					c.Extensions = call.ListExtensions(call.Extension{Name: "front.desk_2", Password: "secret"})
					c.Agents = call.ListAgents(call.Agent{ID: "ann", Addresses: []address.Address{{Type: address.TypeExtension, Target: "front.desk_2"}}})
				})
				if _, err := h.CreateConference(call.ConferenceOptions{ID: "team"}); err != nil {
					t.Fatal(err)
				}
				var p *calltest.Phone
				if tc.user != "" {
					p = extensionPhone(t, h, tc.user, tc.phone, func(c *calltest.PhoneConfig) { c.Password = "secret" })
					register(t, p)
				} else if tc.phone > 0 {
					p = callee(t, h, tc.phone)
				}
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
				if p == nil {
					a.WaitAnswer(t)
					b := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
					a.Say(calltest.Tone(500, 2*time.Second))
					time.Sleep(2 * time.Second)
					if !calltest.Hears(b.Heard(), 500) {
						t.Error("the two are in no conference")
					}
					b.Hangup(t)
				} else {
					b := p.WaitCall(t)
					if name == "tel" && b.Invite().URI != "sip:+16062067563@10.0.1.1;transport=udp" {
						t.Errorf("the number is dialled as %s", b.Invite().URI)
					}
					b.Answer()
					a.WaitAnswer(t)
					b.Say(calltest.Tone(500, 2*time.Second))
					time.Sleep(2 * time.Second)
					if !calltest.Hears(a.Heard(), 500) {
						t.Error("the caller does not hear who was called")
					}
				}
				a.Hangup(t)
			})
		})
	}
}

// TestMustHave17Registrar: a phone registers with digest and its password only, and reaches a conference, an agent and an extension directly,
// without a flow; who does not know the password reaches none.
func TestMustHave17Registrar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions, func(c *call.Config) {
			c.Agents = call.ListAgents(call.Agent{ID: "ann", Addresses: []address.Address{{Type: address.TypeExtension, Target: "201"}}})
		})
		if _, err := h.CreateConference(call.ConferenceOptions{ID: "team"}); err != nil {
			t.Fatal(err)
		}
		wrong := extensionPhone(t, h, "200", 3, func(c *calltest.PhoneConfig) { c.Password = "wrong" })
		if status, _ := wrong.Register(t, time.Hour); status != 401 {
			t.Errorf("a wrong password registers with %d", status)
		}
		for i, alg := range []string{"MD5", "SHA-256"} {
			p := extensionPhone(t, h, "200", byte(4+i), func(c *calltest.PhoneConfig) { c.Algorithm = alg })
			register(t, p)
		}
		two := extensionPhone(t, h, "201", 7)
		register(t, two)
		phone := extensionPhone(t, h, "202", 8)
		for _, user := range []string{"201", "agent%3Aann", "extension%3A201"} {
			a := phone.Start(t, user)
			b := two.WaitCall(t)
			b.Answer()
			a.WaitAnswer(t)
			a.Hangup(t)
			b.WaitEnd(t)
		}
		c := phone.Start(t, "conference%3Ateam")
		c.WaitAnswer(t)
		c.Hangup(t)
		for _, user := range []string{"201", "conference%3Ateam"} {
			c := wrong.Start(t, user)
			c.WaitEnd(t)
			if got := c.Statuses(); slices.Contains(got, 200) {
				t.Errorf("a wrong password reaches %s: %v", user, got)
			}
		}
	})
}

// TestMustHave17Trunks: a trunk is known by its address where calls come in, and by digest where they go out.
func TestMustHave17Trunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came []string
		h := open(t, nil, providers(1, func(t *call.Trunk) { t.User, t.Password, t.Sources = "u", "secret", []string{"10.0.2.0/24"} }), func(c *call.Config) {
			c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
				came = append(came, fmt.Sprint(in.Trunk, " ", in.Destination))
				return nil, call.ErrNoFlow
			}
		})
		for _, from := range []string{"10.0.2.1", "10.0.3.1"} {
			calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr(from), User: "+12125550100"}).Start(t, "+16062067563").WaitEnd(t)
		}
		if want := []string{"t1 tel:+16062067563", " tel:+16062067563"}; !slices.Equal(came, want) {
			t.Errorf("calls came by %q, want %q", came, want)
		}
		p := callee(t, h, 1)
		var s stay
		if _, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820"), Flow: s.program()}); err != nil {
			t.Fatal(err)
		}
		first := p.WaitCall(t)
		first.Refuse(401, `WWW-Authenticate: Digest realm="provider", nonce="n1", algorithm=MD5, qop="auth"`)
		again := p.WaitCall(t)
		if got := again.Invite().Header("Authorization"); !strings.HasPrefix(got, `Digest username="u"`) || strings.Contains(got, "secret") {
			t.Errorf("the second INVITE answers the challenge by %q", got)
		}
		again.Answer()
		time.Sleep(time.Second)
		if len(s.ran()) != 1 {
			t.Error("the call does not come up")
		}
	})
}
