package call_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// guarded is a house that owns a number, and has extensions.
func guarded(c *call.Config) {
	extensions(c)
	c.Owned = func(a address.Address) bool { return a.Type == address.TypeTel && a.Target == "+16062067563" }
	c.Verification.Regions = []string{"US"}
}

// finding is a Checker that always finds the same.
type finding verify.Check

func (f finding) Check(_ context.Context, _ *verify.Caller, v *verify.Verdict) {
	v.Checks = append(v.Checks, verify.Check(f))
}

// stale is a PASSporT that is too old.
var stale = finding{Name: verify.CheckIdentity, Result: verify.CheckFail, Code: "stale_date", Status: 403, Reason: `STIR;cause=403;text="Stale Date"`, Evidence: "an hour old"}

// verdictOf is that of a record.
func verdictOf(t *testing.T, r store.Call) (v call.Verdict) {
	t.Helper()
	if err := json.Unmarshal(r.Verdict, &v); err != nil {
		t.Fatalf("verdict %s: %v", r.Verdict, err)
	}
	return v
}

// exchange sends text, an INVITE or another request, from 10.0.7.7 and returns the responses of the next seconds. {auth} is the answer to nothing.
func exchange(t *testing.T, h *house, text string) (responses []string) {
	t.Helper()
	conn, err := h.net.Listen(netip.MustParseAddrPort("10.0.7.7:5060"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.WriteTo([]byte(strings.ReplaceAll(text, "\n", "\r\n")), net.UDPAddrFromAddrPort(calltest.ServerAddr)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 65536)
	for end := time.Now().Add(2 * time.Second); ; {
		if err := conn.SetReadDeadline(end); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			return responses
		}
		responses = append(responses, string(b[:n]))
	}
}

func request(method, from string, headers ...string) string {
	return method + " sip:100@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.7.7:5060;branch=z9hG4bK" + method + "\nMax-Forwards: 70\nFrom: " + from + ";tag=1\nTo: <sip:100@10.0.0.1>\nCall-ID: " +
		method + "\nCSeq: 1 " + method + "\nContact: <sip:x@10.0.7.7>\n" + strings.Join(append(headers, ""), "\n") + "Content-Length: 0\n\n"
}

// TestSpoofIsKept: a call that shows our number is refused, and its record, its event and its trace tell why.
func TestSpoofIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, guarded)
		if why := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "(606)206-7563"}).Start(t, "100").WaitEnd(t); why != "403" {
			t.Errorf("the caller gets %s", why)
		}
		r := h.records(t)[0]
		v := verdictOf(t, r)
		if r.Code != call.CodeOwnNumberSpoofed || r.SIPCode != 403 || v.Result != call.VerdictReject || v.Code != r.Code || len(v.Checks) != 7 {
			t.Errorf("%+v\n%s", r, r.Verdict)
		}
		if types := h.eventTypes(); !slices.Equal(types, []string{"call_created", "call_flagged", "call_terminating", "call_hangup"}) {
			t.Errorf("events %q", types)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range h.events[1:] {
			if c, ok := e.Data.(store.Call); ok && !bytes.Contains(c.Verdict, []byte(call.CodeOwnNumberSpoofed)) {
				t.Errorf("%s does not tell: %s", e.Type, c.Verdict)
			}
		}
	})
}

// TestFlowReadsTheVerdict: what verification found out is in variables, in conditions, and in a replay.
func TestFlowReadsTheVerdict(t *testing.T) {
	const said = "${verify.verdict} ${verify.source_class} ${verify.own_number} ${verify.identity} ${verify.identity.evidence} ${verify.attest|none} ${verify.code|none}"
	text := `[{"type":"answer"},{"type":"variable_set","option":{"key":"said","value":"` + said + `"}},
		{"id":"ask","type":"condition_variable","option":{"variable":"verify.identity","condition":"==","value_string":"fail","value_type":"string","false_target_id":"end"}},
		{"type":"variable_set","option":{"key":"bad","value":"yes"}},{"id":"end","type":"stop"}]`
	var h *house
	synctest.Test(t, func(t *testing.T) {
		h = open(t, map[string]string{"100": text}, guarded, func(c *call.Config) {
			c.Verification.Identity, c.Verification.Policy = stale, verify.Policy{"stale_date": {Do: verify.DoContinue}}
		})
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+442079460018"}).Dial(t, "100").WaitEnd(t)
		h.records(t)
	})
	recs, _, err := h.store.ListCalls(t.Context(), store.CallFilter{})
	if err != nil || len(recs) != 1 {
		t.Fatal(len(recs), err)
	}
	trace, err := h.store.Trace(t.Context(), recs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := "pass e164 pass fail an hour old none none"; !bytes.Contains(trace, []byte(want)) || !bytes.Contains(trace, []byte(`"id":"action-4","type":"variable_set"`)) {
		t.Errorf("the trace does not have %q:\n%s", want, trace)
	}
	inputs, err := call.DecodeTrace(trace)
	if err != nil {
		t.Fatal(err)
	}
	if vars, err := call.StartVars(inputs); err != nil || vars["verify.verdict"] != "pass" || vars["verify.identity.evidence"] != "an hour old" || vars["verify.caller_format"] != "pass" {
		t.Errorf("%v, %v", vars, err)
	}
	if bytes.Contains(trace, []byte(`"what":"vars"`)) {
		t.Error("the variables of the verdict stand in the trace twice")
	}
	if _, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{}); err != nil {
		t.Error(err)
	}
}

// TestVerifyVariablesAreKnown: flow.Check knows the variables of all checks.
func TestVerifyVariablesAreKnown(t *testing.T) {
	names := []string{"verdict", "code", "sentence", "attest", "verstat", "origid", "source_class"}
	for _, check := range verify.CheckNames() {
		names = append(names, check, check+".evidence")
	}
	for _, name := range append(names, "atest") {
		f, err := flow.Parse([]byte(`[{"type":"answer"},{"type":"variable_set","option":{"key":"x","value":"${verify.`+name+`}"}}]`), flow.ParseOptions{Registry: action.Builtin(action.Deps{})})
		if err != nil {
			t.Fatal(err)
		}
		doubted := false
		for _, finding := range (&call.Config{}).Check(f) {
			doubted = doubted || strings.Contains(finding.Message, "verify."+name)
		}
		if doubted != (name == "atest") {
			t.Errorf("verify.%s is doubted: %t", name, doubted)
		}
	}
}

// TestReasonOfACheck: the Reason header of a check goes into the refusal, or, where the call goes on, into what comes before the answer (RFC 9410).
func TestReasonOfACheck(t *testing.T) {
	const reason = "\r\nReason: STIR;cause=403;text=\"Stale Date\"\r\n"
	for _, do := range []verify.Decision{verify.DoReject, verify.DoContinue} {
		t.Run(string(do), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"sleep","option":{"duration":60000}}]`}, func(c *call.Config) {
					c.Verification.Identity, c.Verification.Policy = stale, verify.Policy{"stale_date": {Do: do}}
				})
				got := exchange(t, h, request("INVITE", "<sip:+442079460018@10.0.7.7>"))
				want := map[verify.Decision]string{verify.DoReject: "SIP/2.0 403", verify.DoContinue: "SIP/2.0 180"}[do]
				if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) && strings.Contains(s, reason) }) {
					t.Errorf("%s without Reason in %q", want, got)
				}
				h.stop()
			})
		})
	}
}

// TestReasonThatIsNoHeader does not keep a call from being refused.
func TestReasonThatIsNoHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config) {
			c.Verification.Identity = finding{Name: "own", Result: verify.CheckFail, Code: "own", Status: 486, Reason: "STIR\r\nVia: x"}
		})
		if got := exchange(t, h, request("INVITE", "<sip:+442079460018@10.0.7.7>")); len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "SIP/2.0 486") || strings.Contains(got[len(got)-1], "Via: x") {
			t.Errorf("%q", got)
		}
		h.stop()
	})
}

// TestChallenge: who fails a check that asks for a password goes on when it gives that of an extension, and not otherwise.
func TestChallenge(t *testing.T) {
	for name, tt := range map[string]struct {
		user, from, password string
		end                  string // "BYE": answered
		records              []string
	}{
		"right":       {"200", "+16062067563", "secret200", "BYE", []string{"407 own_number_spoofed sip", "200 flow_ended extension"}},
		"wrong":       {"200", "+16062067563", "wrong", "407", []string{"407 own_number_spoofed sip"}},
		"nobody":      {"299", "+16062067563", "secret200", "407", []string{"407 own_number_spoofed sip"}},
		"no password": {"200", "+16062067563", "", "407", []string{"407 own_number_spoofed sip"}},
		"honest":      {"bob", "+442079460018", "", "BYE", []string{"200 flow_ended tel"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, guarded, func(c *call.Config) {
					c.Verification.Policy = verify.Policy{verify.CodeOwnNumberSpoofed: {Do: verify.DoChallenge}}
				})
				p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: tt.user, FromUser: tt.from, Password: tt.password, Host: "10.9.9.9"})
				if why := p.Start(t, "100").WaitEnd(t); !strings.HasPrefix(why, tt.end) {
					t.Errorf("the caller gets %s", why)
				}
				var got []string
				for _, r := range h.records(t) {
					typ := r.Source.Type
					if typ == address.TypeTel && r.SIPCode == 407 {
						typ = address.TypeSIP
					}
					got = append(got, fmt.Sprint(r.SIPCode, " ", r.Code, " ", typ))
				}
				if !slices.Equal(got, tt.records) {
					t.Errorf("records %q", got)
				}
			})
		})
	}
}

// TestChallengeNeedsAPassword: an engine without extensions does not start with it, and a Verify of the program's own that asks is a refusal.
func TestChallengeNeedsAPassword(t *testing.T) {
	route := func(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }
	cfg := call.Config{Route: route}
	cfg.Verification.Policy = verify.Policy{verify.CodeAnonymous: {Do: verify.DoChallenge}}
	cfg.Verification.TrustedTrunks = []string{"nowhere"}
	_, err := call.New(cfg)
	for _, want := range []string{"call: Config.Verification.policy: it challenges", `call: Config.Verification.trusted_trunks: there is no trunk "nowhere"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config) {
			c.Verify = func(context.Context, *call.Incoming) (call.Verdict, error) {
				return call.Verdict{Result: call.VerdictChallenge, Code: "who", Sentence: "who are you?"}, nil
			}
		})
		if why := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100").WaitEnd(t); why != "403" {
			t.Errorf("the caller gets %s", why)
		}
	})
}

// TestScannersGetNoAnswer: not to any request, and there is neither a call nor a record.
func TestScannersGetNoAnswer(t *testing.T) {
	for _, answer := range []bool{false, true} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, extensions, func(c *call.Config) { c.Verification.Scanners.Answer = answer })
				for _, method := range []string{"OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "FOO"} {
					if got := exchange(t, h, request(method, "<sip:100@10.0.7.7>", "User-Agent: friendly-scanner")); (len(got) > 0) != answer {
						t.Errorf("%s gets %q", method, got)
					}
				}
				if n := h.Stats().SIP.Dropped; (n == 6) == answer {
					t.Errorf("%d dropped", n)
				}
				recs := h.records(t)
				if len(recs) != map[bool]int{false: 0, true: 1}[answer] || answer && recs[0].Code != verify.CodeScanner {
					t.Errorf("records: %+v", recs)
				}
			})
		})
	}
}

// TestTrustedTrunkAsserts: P-Asserted-Identity from a trusted trunk is who is shown, in the record and in the flow; from another one it is nothing.
func TestTrustedTrunkAsserts(t *testing.T) {
	for trunk, want := range map[string]string{"10.0.7.7": "+442079460018", "10.0.9.9": "+12125551234"} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": `[{"type":"hangup"}]`}, func(c *call.Config) {
				c.Trunks = []call.Trunk{{Name: "carrier", Address: trunk}}
				c.Verification.TrustedTrunks = []string{"carrier"}
			})
			exchange(t, h, request("INVITE", "<sip:+12125551234@10.0.7.7>", "P-Asserted-Identity: <tel:+442079460018>"))
			if r := h.records(t)[0]; r.Source.Target != want || r.Source.Type != address.TypeTel {
				t.Errorf("a trunk at %s: %+v", trunk, r.Source)
			}
		})
	}
}

// TestOwnJourneyExcuses: a call that left us by a trunk to machines of ours, and comes back with its journey, may show our number.
func TestOwnJourneyExcuses(t *testing.T) {
	for header, want := range map[string]int{"X-Journey: 6f3c1a52-4d0e-4f5b-9a53-0c8e5d1b7a10": 603, "X-Journey: mine": 403, "X-Other: 6f3c1a52-4d0e-4f5b-9a53-0c8e5d1b7a10": 403} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": `[{"type":"hangup"}]`}, guarded, func(c *call.Config) {
				c.Trunks = []call.Trunk{{Name: "gate", Address: "10.0.7.7", Trusted: true}}
				c.JourneyHeader = "X-Journey"
			})
			exchange(t, h, request("INVITE", "<sip:+16062067563@10.0.7.7>", header))
			if r := h.records(t)[0]; r.SIPCode != want {
				t.Errorf("%s: %d %s", header, r.SIPCode, r.Verdict)
			}
		})
	}
}

// TestFlowsAreOwned: the numbers of a folder of flows, and the extensions, are guarded without more to be said.
func TestFlowsAreOwned(t *testing.T) {
	dir, err := flow.FromFS(fstest.MapFS{"+4930901820.json": {Data: []byte(`[{"type":"answer"}]`)}, "100.json": {Data: []byte(`[{"type":"answer"}]`)}}, flow.ParseOptions{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, extensions, func(c *call.Config) { c.UseFlows(dir, nil) })
		for from, want := range map[string]string{"+49-30-901820": "403", "030901820": "403", "004930901820": "403", "+442079460018": "BYE"} {
			if why := calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: from}).Start(t, "100").WaitEnd(t); !strings.HasPrefix(why, want) {
				t.Errorf("%s gets %s", from, why)
			}
		}
	})
}

// TestLockoutOverSIP: REGISTER and INVITE count together, and the right phone of another address goes on.
func TestLockoutOverSIP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, extensions, func(c *call.Config) { c.Auth.MaxGuesses = 1000 })
		wrong := func(p *calltest.PhoneConfig) { p.Password = "wrong" }
		guesser := extensionPhone(t, h, "200", 1, wrong)
		for range 5 {
			if status, _ := guesser.Register(t, time.Hour); status != 401 {
				t.Fatalf("REGISTER gets %d", status)
			}
			if why := guesser.Start(t, "100").WaitEnd(t); why != "401" {
				t.Fatalf("INVITE gets %s", why)
			}
		}
		if why := guesser.Start(t, "100").WaitEnd(t); why != "503" {
			t.Errorf("after ten wrong answers an INVITE gets %s", why)
		}
		if status, _ := guesser.Register(t, time.Hour); status != 503 {
			t.Errorf("and a REGISTER %d", status)
		}
		phone := extensionPhone(t, h, "200", 2)
		register(t, phone)
		if why := phone.Start(t, "100").WaitEnd(t); !strings.HasPrefix(why, "BYE") {
			t.Errorf("the phone itself gets %s", why)
		}
	})
}
