package call

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

func names(ws []way) string {
	var s []string
	for _, w := range ws {
		s = append(s, w.trunk.Name)
	}
	return strings.Join(s, " ")
}

func tel(n string) address.Address { return address.Address{Type: address.TypeTel, Target: n} }

func TestRoutes(t *testing.T) {
	p := dialplan{out: &Outbound{Tel: []string{"+"}}, lines: map[string]*line{}}
	for _, n := range []string{"a", "b", "c", "d"} {
		p.trunks = append(p.trunks, Trunk{Name: n, Address: n + ".example"})
	}
	p.trunks[3].Prefixes = []string{"+49"}
	p.lines = newLines(p.trunks)
	way := func(number string) string {
		ws, refusal := p.ways(tel(number))
		if refusal != nil {
			return refusal.Code
		}
		return names(ws)
	}
	want := func(number, want string) {
		t.Helper()
		if got := way(number); got != want {
			t.Errorf("%s goes by %s, want %s", number, got, want)
		}
	}
	// Without a route: by the trunks' own prefixes, the longest first.
	want("+4930901820", "d a b c")
	want("+12125550100", "a b c")
	p.routes = []Route{
		{Target: "all", Trunks: []RouteTrunk{{Trunk: "a", Priority: 5}, {Trunk: "d", Priority: 1}, {Trunk: "b", Priority: 2}}},
		{Target: "+49", Trunks: []RouteTrunk{{Trunk: "c", Priority: 1}, {Trunk: "b", Priority: 0}}},
		{Target: "+4930", Trunks: []RouteTrunk{{Trunk: "d"}}},
	}
	want("+4930901820", "d b c a")
	want("+4940123456", "b c d a")
	want("+12125550100", "b a") // d takes +49 only
	p.routes = p.routes[1:]
	want("+12125550100", "a b c") // no route fits
	p.routes = []Route{{Target: "+1", Trunks: []RouteTrunk{{Trunk: "d"}}}}
	want("+12125550100", CodeNoTrunk)

	// Those that do not work are tried last, and keep their order.
	p.routes = []Route{{Target: "+", Trunks: []RouteTrunk{{Trunk: "a"}, {Trunk: "b", Priority: 1}, {Trunk: "c", Priority: 2}}}}
	p.lines["a"].state.Health = HealthUnhealthy
	want("+12125550100", "b c a")
	p.lines["b"].state.Registration = &sip.Registration{State: sip.RegRejected}
	want("+12125550100", "c a b")
	p.lines["b"].state.Registration = &sip.Registration{State: sip.RegFailed, Until: time.Now()}
	want("+12125550100", "b c a")
	p.out = &Outbound{Tel: []string{"+49"}}
	want("+12125550100", CodeOutboundDenied)
}

// TestWeights: how often each trunk is the first, and the second, over many calls of one seed.
func TestWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := dialplan{random: rng.Float64}
	all := []RouteTrunk{{Trunk: "a", Weight: 70}, {Trunk: "b", Weight: 20}, {Trunk: "c", Weight: 10}, {Trunk: "later", Priority: 1, Weight: 1000}}
	const n = 100_000
	first, second := map[string]int{}, map[string]int{}
	for range n {
		o := p.order(all)
		if o[3] != "later" {
			t.Fatalf("order %v", o)
		}
		first[o[0]]++
		second[o[1]]++
	}
	near := func(what string, got int, want float64) {
		t.Helper()
		if d := float64(got)/n - want; d > 0.006 || d < -0.006 {
			t.Errorf("%s: %.4f of the calls, want %.4f", what, float64(got)/n, want)
		}
	}
	near("a first", first["a"], 0.7)
	near("b first", first["b"], 0.2)
	near("c first", first["c"], 0.1)
	// Without the first, the rest share by their weights: b is second after a (0.7*20/30) or c (0.1*20/90).
	near("b second", second["b"], 0.7*20/30+0.1*20/90)
	near("c second", second["c"], 0.7*10/30+0.2*10/80)
}

// TestCalledByTrunk: the number that a registered trunk is called for stands in To.
func TestCalledByTrunk(t *testing.T) {
	l := &line{trunk: &Trunk{User: "acc7", Register: &Register{}}}
	for _, c := range []struct{ user, to, want string }{
		{"acc7", "+4930901820", "tel +4930901820"},
		{"ACC7", "+49-30-901820;x=y", "tel +4930901820"},
		{"acc7", "acc7", "extension acc7"},
		{"acc7", "sales", "extension acc7"},
		{"+4930901821", "+4930901820", "tel +4930901821"},
	} {
		a := l.called(&sip.Request{User: c.user, To: sip.NameAddr{User: c.to}})
		if got := string(a.Type) + " " + a.Target; got != c.want {
			t.Errorf("%s, To %s: %s, want %s", c.user, c.to, got, c.want)
		}
	}
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct {
		trunk        Trunk
		number, want string
	}{
		{Trunk{}, "+4930901820", "+4930901820"},
		{Trunk{Strip: 1}, "+4930901820", "4930901820"},
		{Trunk{Country: "49", NationalPrefix: "0"}, "+4930901820", "030901820"},
		{Trunk{Country: "49", NationalPrefix: "0"}, "+33123456789", "+33123456789"},
		{Trunk{Country: "49", NationalPrefix: "0", InternationalPrefix: "00"}, "+33123456789", "0033123456789"},
		{Trunk{Country: "1"}, "+12125550100", "2125550100"},
		{Trunk{InternationalPrefix: "011"}, "+4930901820", "0114930901820"},
		{Trunk{Strip: 1, TechPrefix: "1234#", TechPostfix: "*7"}, "+4930901820", "1234%234930901820*7"},
		{Trunk{Strip: 99}, "+4930901820", ""},
	} {
		c.trunk.Address = "p.example"
		if got := c.trunk.dialled(c.number); got != c.want {
			t.Errorf("%+v: %s becomes %s, want %s", c.trunk.TechPrefix, c.number, got, c.want)
		}
	}
}

// TestTrunkSettings reads all that can be said about trunks and routes, and tells each fault with its place.
func TestTrunkSettings(t *testing.T) {
	read := func(text string) (Settings, error) {
		path := filepath.Join(t.TempDir(), "s.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadSettings(path)
	}
	s, err := read(`{"trunks": [{"name": "a", "address": "a.example:5070", "transport": "udp", "user": "me", "password": "geheim", "prefixes": ["+49"],
		"channels": 30, "codecs": ["PCMA", "PCMU"], "country": "49", "national_prefix": "0", "international_prefix": "00", "strip": 0, "tech_prefix": "9",
		"tech_postfix": "", "tech_headers": {"X-Account": "7"}, "caller": "+4930901820", "rewrite_caller": true, "identity": "always",
		"setup_timeout": 4.5, "keepalive": 30, "unhealthy_after": 3, "healthy_after": 2, "sources": ["192.0.2.0/24", "2001:db8::1"],
		"register": {"registrars": ["r1.example", "r2.example:5062"], "domain": "example", "user": "49309", "expires": 300}}],
		"routes": [{"target": "+49", "trunks": [{"trunk": "a", "priority": 1, "weight": 2}]}, {"target": "all", "trunks": [{"trunk": "a"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Trunks[0]
	if a.SetupTimeout != Seconds(4500*time.Millisecond) || a.Register.aor(&a) != "sip:49309@example" || !slices.Equal(a.Register.registrars(&a), []string{"sip:r1.example;transport=udp", "sip:r2.example:5062;transport=udp"}) {
		t.Errorf("%#v %v", a, a.Register)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		if text := fmt.Sprintf(f, s) + fmt.Sprintf(f, a) + fmt.Sprintf(f, &a) + fmt.Sprintf(f, s.Trunks); strings.Contains(text, "geheim") || strings.Contains(text, "67656865696d") {
			t.Errorf("%s shows the password: %s", f, text)
		}
	}
	if b, err := json.Marshal(newLines(s.Trunks)["a"].now()); err != nil || strings.Contains(string(b), "geheim") {
		t.Errorf("%s, %v", b, err)
	}
	for bad, want := range map[string]string{
		`"trunks":[{"name":"a","address":"a","identity":"maybe"}]`:                                                                           "trunks[0]: identity \"maybe\"",
		`"trunks":[{"name":"a","address":"a","strip":-1}]`:                                                                                   "trunks[0]: strip is negative",
		`"trunks":[{"name":"a","address":"a","channels":-1}]`:                                                                                "trunks[0]: channels is negative",
		`"trunks":[{"name":"a","address":"a","tech_prefix":"1@evil"}]`:                                                                       "trunks[0]: tech_prefix",
		`"trunks":[{"name":"a","address":"a","country":"+49"}]`:                                                                              "trunks[0]: country",
		`"trunks":[{"name":"a","address":"a","tech_headers":{"P-Asserted-Identity":"x"}}]`:                                                   "trunks[0]: tech_headers: header P-Asserted-Identity",
		`"trunks":[{"name":"a","address":"a","tech_headers":{"VBOUT-X":"x"}}]`:                                                               "reserved",
		`"trunks":[{"name":"a","address":"a","tech_headers":{"X(y)":"x"}}]`:                                                                  "no token",
		`"trunks":[{"name":"a","address":"a","tech_headers":{"X":"x\r\nY: z"}}]`:                                                             "line break",
		`"trunks":[{"name":"a","address":"a","tech_headers":{"Via":"x"}}]`:                                                                   "written by the engine",
		`"trunks":[{"name":"a","address":"a","keepalive":0.5}]`:                                                                              "keepalive is shorter",
		`"trunks":[{"name":"a","address":"a","keepalive":-5}]`:                                                                               "seconds",
		`"trunks":[{"name":"a","address":"a","setup_timeout":"4s"}]`:                                                                         "no number of seconds",
		`"trunks":[{"name":"a","address":"a","sources":["a.example"]}]`:                                                                      "trunks[0]: sources[0]",
		`"trunks":[{"name":"a","address":"a","register":{}}]`:                                                                                "trunks[0].register: user is needed",
		`"trunks":[{"name":"a","address":"a","register":{"user":"u","expires":5}}]`:                                                          "expires is shorter",
		`"trunks":[{"name":"a","address":"a","register":{"user":"u","registrars":["sip:x"]}}]`:                                               "registrars[0]",
		`"trunks":[{"name":"a","address":"a","register":{"user":"u>x"}}]`:                                                                    "make no address",
		`"routes":[{"target":"49","trunks":[]}]`:                                                                                             "routes[0].target",
		`"routes":[{"target":"+49","trunks":[]}]`:                                                                                            "routes[0]: it names no trunk",
		`"routes":[{"target":"+49","trunks":[{"trunk":"x"}]}]`:                                                                               "routes[0].trunks[0]: there is no trunk \"x\"",
		`"trunks":[{"name":"a","address":"a"}],"routes":[{"target":"+","trunks":[{"trunk":"a","weight":-1}]}]`:                               "weight is negative",
		`"trunks":[{"name":"a","address":"a"}],"routes":[{"target":"+","trunks":[{"trunk":"a"},{"trunk":"a"}]}]`:                             "stands there twice",
		`"trunks":[{"name":"a","address":"a"}],"routes":[{"target":"+","trunks":[{"trunk":"a"}]},{"target":"all","trunks":[{"trunk":"a"}]}]`: "stands there twice",
	} {
		if _, err := read("{" + bad + "}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", bad, err, want)
		}
	}
}
