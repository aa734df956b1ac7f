package call_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
)

const sentJourney = "0192f1c4-7a3e-7abc-8def-0123456789ab"

// TestJourneyHeader calls from a trunk that is trusted, one that is not, and from a stranger, with good and bad ids: it is taken from
// the first alone, and only as one UUID.
func TestJourneyHeader(t *testing.T) {
	for name, c := range map[string]struct {
		from    string
		headers []string
		off     bool
		taken   bool
	}{
		"trusted":           {"10.0.2.1", []string{"X-Callbin-Journey: " + sentJourney}, false, true},
		"in upper case":     {"10.0.2.1", []string{"x-callbin-journey:  " + strings.ToUpper(sentJourney)}, false, true},
		"not trusted":       {"10.0.2.2", []string{"X-Callbin-Journey: " + sentJourney}, false, false},
		"a stranger":        {"10.0.0.9", []string{"X-Callbin-Journey: " + sentJourney}, false, false},
		"switched off":      {"10.0.2.1", []string{"X-Callbin-Journey: " + sentJourney}, true, false},
		"another header":    {"10.0.2.1", []string{"X-Journey: " + sentJourney}, false, false},
		"no UUID":           {"10.0.2.1", []string{"X-Callbin-Journey: ../../etc/passwd"}, false, false},
		"too long":          {"10.0.2.1", []string{"X-Callbin-Journey: " + sentJourney + strings.Repeat("0", 1000)}, false, false},
		"a digit too short": {"10.0.2.1", []string{"X-Callbin-Journey: " + sentJourney[:35]}, false, false},
		"no hyphens":        {"10.0.2.1", []string{"X-Callbin-Journey: " + strings.ReplaceAll(sentJourney, "-", "0")}, false, false},
		"letters":           {"10.0.2.1", []string{"X-Callbin-Journey: " + strings.ReplaceAll(sentJourney, "f", "g")}, false, false},
		"two":               {"10.0.2.1", []string{"X-Callbin-Journey: " + sentJourney, "X-Callbin-Journey: " + sentJourney}, false, false},
		"empty":             {"10.0.2.1", []string{"X-Callbin-Journey: "}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"}]`}, func(cfg *call.Config) {
					cfg.Trunks = []call.Trunk{
						{Name: "ours", Address: "10.0.2.1", Transport: "udp", Trusted: true},
						{Name: "theirs", Address: "10.0.2.2", Transport: "udp"},
					}
					if cfg.JourneyHeader = "X-Callbin-Journey"; c.off {
						cfg.JourneyHeader = ""
					}
				})
				calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr(c.from), Headers: c.headers}).Dial(t, "100").WaitEnd(t)
				r := h.records(t)[0]
				if (r.JourneyID == sentJourney) != c.taken || len(r.JourneyID) != 36 {
					t.Errorf("journey %q", r.JourneyID)
				}
			})
		})
	}
}

// TestJourneyHeaderIsSent places calls by two trunks and to a phone: the id goes to the one that is trusted alone.
func TestJourneyHeaderIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, outbound, func(cfg *call.Config) {
			cfg.JourneyHeader = "X-Callbin-Journey"
			cfg.Outbound.Tel = []string{"+"}
			cfg.Trunks = []call.Trunk{
				{Name: "ours", Address: "10.0.1.1", Transport: "udp", Trusted: true, Prefixes: []string{"+4930"}},
				{Name: "theirs", Address: "10.0.1.2", Transport: "udp", Prefixes: []string{"+4940"}},
			}
		})
		var phones []*calltest.Phone
		for n := range byte(3) {
			phones = append(phones, callee(t, h, n+1))
		}
		for i, to := range []address.Address{
			{Type: address.TypeTel, Target: "+4930901820"}, {Type: address.TypeTel, Target: "+4940901820"}, {Type: address.TypeSIP, Target: "b3@10.0.1.3"},
		} {
			c, err := h.Dial(t.Context(), call.DialOptions{Destination: to})
			if err != nil {
				t.Fatal(err)
			}
			p := phones[i].WaitCall(t)
			got := p.Invite().Header("X-Callbin-Journey")
			if want := c.Record().JourneyID; i == 0 && got != want || i > 0 && got != "" {
				t.Errorf("trunk %d got %q of journey %q", i, got, want)
			}
			p.Refuse(486)
			<-c.Done()
		}
		// An id that the program has chosen and that is no UUID stays here.
		c, err := h.Dial(t.Context(), call.DialOptions{Destination: address.Address{Type: address.TypeTel, Target: "+4930901820"}, JourneyID: "order 4711"})
		if err != nil {
			t.Fatal(err)
		}
		p := phones[0].WaitCall(t)
		if got := p.Invite().Header("X-Callbin-Journey"); got != "" {
			t.Errorf("sent %q", got)
		}
		p.Refuse(486)
		<-c.Done()
		time.Sleep(time.Second)
	})
}

func TestBadJourneyHeader(t *testing.T) {
	for _, name := range []string{"From", "X Journey", "X-Journey\r\nEvil: yes", "P-Asserted-Identity"} {
		if _, err := call.New(call.Config{Route: noFlow, JourneyHeader: name}); err == nil || !strings.Contains(err.Error(), "JourneyHeader") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
