package call_test

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// trunkEvents are the trunk_updated events so far, as "name health registration".
func (h *house) trunkEvents() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if s, ok := e.Data.(call.TrunkState); ok && e.Type == "trunk_updated" {
			text := s.Name + " " + s.Health
			if s.Registration != nil {
				text += " " + s.Registration.State
			}
			all = append(all, text)
		}
	}
	return all
}

// TestHealth switches a provider off and on: after two OPTIONS without an answer its trunk is tried last, after two answers
// first again; a trunk that comes and goes faster than that does not change its place.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(2, func(t *call.Trunk) {
			if t.Name == "t1" {
				t.Keepalive, t.HealthyAfter = call.Seconds(30*time.Second), 2
			}
		}))
		second := callee(t, h, 2)
		first := callee(t, h, 1)
		goesBy := func(p *calltest.Phone) {
			t.Helper()
			before := p.Calls()
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
			if err != nil {
				t.Fatal(err)
			}
			p.WaitCall(t).Refuse(486)
			<-c.Done()
			if p.Calls() != before+1 {
				t.Error("it went elsewhere")
			}
		}
		health := func(want string) {
			t.Helper()
			if got := h.Trunks()[0]; got.Health != want || got.CheckedAt.IsZero() {
				t.Errorf("%+v, want %s", got, want)
			}
		}
		time.Sleep(time.Second)
		health(call.HealthHealthy)
		goesBy(first)
		for range 3 { // it flaps: one OPTIONS in two is lost
			first.Close()
			time.Sleep(30 * time.Second)
			first = callee(t, h, 1)
			time.Sleep(30 * time.Second)
		}
		health(call.HealthHealthy)
		first.Close()
		time.Sleep(65 * time.Second)
		health(call.HealthUnhealthy)
		if s := h.Trunks()[0]; s.Status != 408 {
			t.Errorf("%+v", s)
		}
		goesBy(second) // without waiting for the first
		first = callee(t, h, 1)
		time.Sleep(30 * time.Second)
		health(call.HealthUnhealthy) // one answer is not enough
		time.Sleep(30 * time.Second)
		health(call.HealthHealthy)
		goesBy(first)
		if s := h.Trunks()[1]; s.Health != call.HealthUnknown || !s.CheckedAt.IsZero() {
			t.Errorf("%+v", s)
		}
		if got := h.trunkEvents(); !slices.Equal(got, []string{"t1 healthy", "t1 unhealthy", "t1 healthy"}) {
			t.Errorf("events %q", got)
		}
		first.Close() // unhealthy trunks are tried last, not never
		time.Sleep(65 * time.Second)
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4930901820")})
		if err != nil {
			t.Fatal(err)
		}
		first = callee(t, h, 1)
		second.WaitCall(t).Refuse(503)
		first.WaitCall(t).Refuse(486)
		<-c.Done()
	})
}

// registrar is a provider that takes registrations, of "me" with any password, for as long as it is open.
type registrar struct {
	mu   sync.Mutex
	got  []string // guarded by mu; "REGISTER expires authorized"
	text string   // guarded by mu; all that came
}

func (r *registrar) serve(t *testing.T, h *house, addr string) {
	conn, err := h.net.Listen(netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			m := string(b[:n])
			field := func(name string) string {
				f := regexp.MustCompile(`(?m)^` + name + `: *(.*)\r$`).FindStringSubmatch(m)
				if f == nil {
					return ""
				}
				return f[1]
			}
			status, more := "200 OK", "Contact: "+field("Contact")+";expires=120\r\n"
			if auth := field("Authorization"); !strings.Contains(auth, `username="me"`) {
				status, more = "401 Unauthorized", "WWW-Authenticate: Digest realm=\"p\", nonce=\"x\"\r\n"
			}
			r.mu.Lock()
			r.text += m
			r.got = append(r.got, strings.Fields(m)[0]+" "+field("Expires")+" "+status[:3])
			r.mu.Unlock()
			res := "SIP/2.0 " + status + "\r\n"
			for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
				res += name + ": " + field(name) + "\r\n"
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(res+more+"Content-Length: 0\r\n\r\n"), from)
		}
	})
	t.Cleanup(func() {
		conn.Close()
		done.Wait()
	})
}

func (r *registrar) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// TestTrunkRegisters is a trunk with two registrars, of which the first is not there: it is registered with the second, kept
// so, and unregistered when the engine stops. Calls of the second are known as the trunk's.
func TestTrunkRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"me": `[{"type":"hangup","option":{"reason":"busy"}}]`}, func(c *call.Config) {
			c.Trunks = []call.Trunk{{Name: "p", Address: "10.0.1.1", User: "me", Password: "geheim",
				Register: &call.Register{Registrars: []string{"10.0.1.1", "10.0.1.2:5062"}, Domain: "provider.example"}}}
			c.Outbound.Tel = []string{"+"}
		})
		r := &registrar{}
		r.serve(t, h, "10.0.1.2:5062")
		time.Sleep(6 * time.Second)
		s := h.Trunks()[0]
		if s.Registration == nil || s.Registration.State != "registered" || s.Registration.Peer.String() != "10.0.1.2:5062" || s.Registration.Until.IsZero() {
			t.Fatalf("%+v", s.Registration)
		}
		time.Sleep(2 * time.Minute)
		in := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.1.2")}).Start(t, "me")
		in.WaitEnd(t)
		stranger := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.1.3")}).Start(t, "me")
		stranger.WaitEnd(t)
		records := h.records(t)
		if records[0].Trunk != "p" || records[1].Trunk != "" {
			t.Errorf("trunks %q and %q", records[0].Trunk, records[1].Trunk)
		}
		want := []string{"REGISTER 600 401", "REGISTER 600 200", "REGISTER 600 200", "REGISTER 0 200"}
		if got := r.requests(); !slices.Equal(got, want) {
			t.Errorf("requests %q, want %q", got, want)
		}
		if got := h.trunkEvents(); !slices.Equal(got, []string{"p unknown registered", "p unknown unregistered"}) {
			t.Errorf("events %q", got)
		}
		if strings.Contains(r.text, "geheim") || !strings.Contains(r.text, "To: <sip:me@provider.example>") || !strings.Contains(r.text, "Contact: <sip:me@10.0.0.1:5060>") {
			t.Errorf("sent:\n%s", r.text)
		}
	})
}

// TestWhatTrunksWrite looks at the INVITEs of one call at two trunks that want everything written differently.
func TestWhatTrunksWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(2), func(c *call.Config) {
			a, b := &c.Trunks[0], &c.Trunks[1]
			a.Country, a.NationalPrefix, a.TechPrefix, a.Caller, a.RewriteCaller = "49", "0", "99#", "+4930901820", true
			a.TechHeaders, a.Codecs = map[string]string{"X-Account": "7"}, []string{"pcma"}
			b.Strip, b.Identity, b.Caller = 1, "always", "+12125550100"
		})
		first, second := callee(t, h, 1), callee(t, h, 2)
		dial := func(o call.DialOptions) (p, q *calltest.PhoneCall) {
			t.Helper()
			o.Destination = number("+4940123456")
			c, err := h.Dial(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			p = first.WaitCall(t)
			p.Refuse(503)
			q = second.WaitCall(t)
			q.Refuse(486)
			<-c.Done()
			return p, q
		}
		type sent struct{ uri, from, privacy, identity, account, more, codecs string }
		of := func(c *calltest.PhoneCall) sent {
			r := c.Invite()
			from, _, _ := strings.Cut(r.Header("From"), ";tag=")
			codecs := regexp.MustCompile(`m=audio \d+ RTP/AVP ([^\r]*)`).FindStringSubmatch(r.SDP)[1]
			return sent{r.URI, from, r.Header("Privacy"), r.Header("P-Asserted-Identity"), r.Header("X-Account"), r.Header("X-More"), codecs}
		}
		check := func(c *calltest.PhoneCall, want sent) {
			t.Helper()
			got := of(c)
			got.codecs = strings.TrimSuffix(got.codecs, " 101")
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		}
		const uri1, uri2 = "sip:99%23040123456@10.0.1.1;transport=udp", "sip:4940123456@10.0.1.2;transport=udp"
		p, q := dial(call.DialOptions{})
		check(p, sent{uri1, "<sip:030901820@10.0.1.1>", "", "", "7", "", "8"})
		check(q, sent{uri2, "<sip:+12125550100@10.0.1.2>", "", "<tel:+12125550100>", "", "", "0 8"})
		p, q = dial(call.DialOptions{Source: number("+33123456789"), Anonymous: "yes", Codecs: []string{"PCMA", "PCMU"}, Headers: []sip.Header{{Name: "X-More", Value: "1"}}})
		check(p, sent{uri1, `"Anonymous" <sip:anonymous@anonymous.invalid>`, "id", "<tel:+33123456789>", "7", "1", "8"})
		check(q, sent{uri2, `"Anonymous" <sip:anonymous@anonymous.invalid>`, "id", "<tel:+33123456789>", "", "1", "8 0"})
		p, _ = dial(call.DialOptions{Source: number("+33123456789"), Anonymous: "no"})
		check(p, sent{uri1, "<sip:+33123456789@10.0.1.1>", "", "", "7", "", "8"})

		// A trunk without a codec that is wanted is passed over.
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4940123456"), Codecs: []string{"PCMU"}})
		if err != nil {
			t.Fatal(err)
		}
		second.WaitCall(t).Refuse(486)
		<-c.Done()
		if a := c.Record().Attempts; len(a) != 2 || a[0].SIPCode != 488 || !strings.Contains(a[0].Reason, "trunk t1 takes pcma") {
			t.Errorf("attempts %+v", a)
		}
	})
}

// TestAnonymousAuto: a call for a caller who hides is anonymous, too, whether the flow places it or the program.
func TestAnonymousAuto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parents := make(chan *call.Call, 4)
		h := open(t, nil, providers(1), func(c *call.Config) {
			c.Trunks[0].Caller = "+12125550100"
			c.Route = func(context.Context, *call.Incoming) (flow.Program, error) {
				return flow.Func(func(ctx context.Context, leg action.Leg) error {
					parents <- leg.(*call.Call)
					<-ctx.Done()
					return nil
				}), nil
			}
		})
		first := callee(t, h, 1)
		for i, headers := range [][]string{nil, {"Privacy: id"}} {
			a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(3 + i)}), Headers: headers}).Start(t, "100")
			parent := <-parents
			for _, anonymous := range []string{"auto", "", "no", "yes"} {
				c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4940123456"), Anonymous: anonymous, Parent: parent})
				if err != nil {
					t.Fatal(err)
				}
				p := first.WaitCall(t)
				hidden := strings.Contains(p.Invite().Header("From"), "anonymous.invalid")
				if want := anonymous == "yes" || anonymous != "no" && headers != nil; hidden != want {
					t.Errorf("caller with %q, anonymous %q: hidden is %v", headers, anonymous, hidden)
				}
				p.Refuse(486)
				<-c.Done()
				if c.Record().JourneyID != parent.Record().JourneyID {
					t.Error("it is of another journey")
				}
			}
			a.Cancel()
			a.WaitEnd(t)
		}
	})
}

// TestMaxDuration ends one call before the others.
func TestMaxDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(1), func(c *call.Config) { c.MaxCallDuration = time.Minute })
		first := callee(t, h, 1)
		for _, want := range []time.Duration{20 * time.Second, 0, time.Hour} {
			begun := time.Now()
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: number("+4940123456"), MaxDuration: want, Flow: flow.Func(func(ctx context.Context, _ action.Leg) error {
				<-ctx.Done()
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			first.WaitCall(t).Answer()
			<-c.Done()
			if want == 0 || want > time.Minute {
				want = time.Minute
			}
			if r, took := c.Record(), time.Since(begun).Round(time.Second); r.HangupReason != store.ReasonTimeout || r.Code != call.CodeMaxDuration || took != want {
				t.Errorf("after %v of %v: %+v", took, want, r)
			}
		}
	})
}

// TestDialChecksItsOptions: what is wrong with them is said, and nothing is placed.
func TestDialChecksItsOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, providers(1))
		for want, o := range map[string]call.DialOptions{
			"anonymous \"maybe\"":     {Anonymous: "maybe"},
			"cannot be negative":      {MaxDuration: -1},
			"no codec \"G729\"":       {Codecs: []string{"PCMU", "G729"}},
			"header Privacy":          {Headers: []sip.Header{{Name: "Privacy", Value: "none"}}},
			"header Contact":          {Headers: []sip.Header{{Name: "Contact", Value: "<sip:x>"}}},
			"holds a line break":      {Headers: []sip.Header{{Name: "X-A", Value: "1\r\nX-B: 2"}}},
			"is not UTF-8":            {IdempotencyKey: "a\xff"},
			"idempotency key has 257": {IdempotencyKey: strings.Repeat("k", 257)},
		} {
			o.Destination = number("+4940123456")
			if c, err := h.Dial(t.Context(), o); c != nil || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
		if n := len(h.records(t)); n != 0 {
			t.Errorf("%d calls were placed", n)
		}
		_, err := call.New(call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return nil, nil },
			Trunks: []call.Trunk{{Name: "a", Address: "a", Codecs: []string{"G729"}}}})
		if err == nil || !strings.Contains(err.Error(), "Trunks[0].Codecs[0]") {
			t.Errorf("%v", err)
		}
	})
}

// TestTrunkSources: calls are known by where they come from.
func TestTrunkSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		h := open(t, nil, func(c *call.Config) {
			c.Trunks = []call.Trunk{
				{Name: "net", Address: "a.example", Sources: []string{"10.0.2.0/24", "10.0.3.7"}},
				{Name: "one", Address: "10.0.4.4:5070"},
				{Name: "elsewhere", Address: "10.0.5.5", Sources: []string{"10.0.6.6"}},
			}
			c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
				seen = append(seen, in.Trunk)
				return nil, call.ErrNoFlow
			}
		})
		for i, from := range []string{"10.0.2.99", "10.0.3.7", "10.0.3.8", "10.0.4.4", "10.0.5.5", "10.0.6.6"} {
			p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr(from), User: fmt.Sprint("u", i)})
			p.Start(t, "100").WaitEnd(t)
		}
		want := []string{"net", "net", "", "one", "", "elsewhere"}
		var stored []string
		for _, r := range h.records(t) {
			stored = append(stored, r.Trunk)
		}
		if !slices.Equal(seen, want) || !slices.Equal(stored, want) {
			t.Errorf("seen %q, stored %q, want %q", seen, stored, want)
		}
	})
}
