package call_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

func readSettings(t *testing.T, text string) (call.Settings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return call.ReadSettings(file)
}

func TestReadSettings(t *testing.T) {
	s, err := readSettings(t, `{"realm":"pbx","extensions":[{"name":"100","password":"x"}],
		"trunks":[{"name":"a","address":"192.0.2.1","transport":"tcp","user":"u","password":"p","prefixes":["+1"]}],
		"outbound":{"sip":["127.0.0.0/8"],"tel":["+49"]},"files":["prompts","/srv"],"urls":["10.0.0.0/8"],
		"tokens":["0123456789abcdef"],"stream_auth":{"bot":{"username":"bot","password":"geheim"}},"local_nets":["192.168.0.0/16"],
		"webhooks":[{"url":"http://10.1.2.3/hook?key=geheim","secret":"s3cret","types":["call_*"]}],"journey_header":"X-Journey","quality_interval":10}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Files) != 2 || !filepath.IsAbs(s.Files[0]) || filepath.Base(s.Files[0]) != "prompts" || s.Files[1] != "/srv" {
		t.Errorf("files %q: want the first below the file's folder", s.Files)
	}
	if hooks, err := s.NewWebhooks(); err != nil || len(hooks) != 1 { // urls lets it into 10.0.0.0/8
		t.Errorf("webhooks %v, %v", len(hooks), err)
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s.Webhooks); strings.Contains(text, "geheim") || strings.Contains(text, "s3cret") || !strings.Contains(text, "10.1.2.3") {
		t.Errorf("printed: %s", text)
	}
	if !s.Owned(address.Address{Type: address.TypeSIP, Target: "100@pbx"}) || s.Owned(address.Address{Type: address.TypeSIP, Target: "100@other"}) {
		t.Error("100@pbx is ours, 100@other is not")
	}
}

func TestReadSettingsRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key":        {`{"relm":"x"}`, `unknown field "relm"`},
		"wrong type":         {"{\n\"realm\": 5}", "line 2, column"},
		"syntax":             {"{\"realm\": \"x\",\n}", "line 2, column"},
		"webhook's url":      {`{"webhooks":[{"url":"ftp://x"}]}`, "webhooks[0]"},
		"two values":         {`{} {}`, "more than one"},
		"stream's password":  {`{"stream_auth":{"bot":{}}}`, "stream_auth.bot: neither username nor password"},
		"stream's user":      {`{"stream_auth":{"bot":{"username":"a:b","password":"x"}}}`, "stream_auth.bot.username"},
		"bad network":        {`{"urls":["10.0.0.0"]}`, "10.0.0.0"},
		"country":            {`{"outbound":{"countries":["de"]}}`, `outbound.countries[0]: "de" is no country`},
		"risk":               {`{"outbound":{"max_risk":"high"}}`, "outbound.max_risk"},
		"rule's source":      {`{"outbound":{"rules":[{"source":"2001"}]}}`, "outbound.rules[0].source"},
		"rule's country":     {`{"outbound":{"rules":[{"source":"program","countries":["XX"]}]}}`, "outbound.rules[0].countries[0]"},
		"deny":               {`{"outbound":{"deny":["+x"]}}`, "outbound.deny[0]"},
		"irsf file":          {`{"outbound":{"irsf_file":"none.txt"}}`, "outbound.irsf_file"},
		"emergency's trunk":  {`{"outbound":{"emergency":{"trunks":["x"]}}}`, `outbound.emergency.trunks[0]: there is no trunk "x"`},
		"emergency's number": {`{"outbound":{"emergency":{"numbers":["+112"]}}}`, "outbound.emergency.numbers[0]"},
		"shown number":       {`{"outbound":{"caller":"030"}}`, "outbound.caller"},
		"gateway":            {`{"outbound":{"gateways":["a b"]}}`, "outbound.gateways[0]"},
		"extension's name":   {`{"extensions":[{"name":"a b","password":"x"}]}`, "extensions[0]"},
		"no password":        {`{"extensions":[{"name":"a"}]}`, `"a" has no password`},
		"extension twice":    {`{"extensions":[{"name":"a","password":"x"},{"name":"a","password":"y"}]}`, "twice"},
		"mailbox twice":      {`{"mailboxes":[{"id":"200"},{"id":"200"}]}`, `mailboxes[1]: "200" stands there twice`},
		"mailbox's PIN":      {`{"mailboxes":[{"id":"200","pin":"12a4"}]}`, `the pin of "200" is not made of digits`},
		"short PIN":          {`{"mailboxes":[{"id":"200","pin":"123"}]}`, `shorter than 4 digits`},
		"mailbox's zone":     {`{"mailboxes":[{"id":"200","time_zone":"Mars/Phobos"}]}`, `time_zone of "200"`},
		"mailbox's mail":     {`{"mailboxes":[{"id":"200","email":["ann"]}]}`, `is no e-mail address`},
		"mailbox's webhook":  {`{"mailboxes":[{"id":"200","webhook":"file:/x"}]}`, `the webhook of "200"`},
		"mailbox's limits":   {`{"mailboxes":[{"id":"200","max_messages":-1}]}`, `cannot be negative`},
		"trunk's transport":  {`{"trunks":[{"name":"t","address":"h","transport":"tls"}]}`, "not supported yet"},
		"trunk's address":    {`{"trunks":[{"name":"t"}]}`, "address"},
		"prefix without +":   {`{"outbound":{"tel":["49"]}}`, "does not begin with +"},
		"prefix with letter": {`{"outbound":{"tel":["+4a"]}}`, "more than + and digits"},
		"short token":        {`{"tokens":["secret"]}`, "shorter than 16"},
		"negative time":      {`{"calls":{"ring_seconds":-1}}`, "calls.ring_seconds: -1"},
		"media action":       {`{"calls":{"media_timeout":{"action":"beep"}}}`, "calls.media_timeout.action"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readSettings(t, tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q in it", err, tc.want)
			}
		})
	}
	if _, err := call.ReadSettings("/does/not/exist"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestSettingsOfCalls(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"calls":{"max":500,"max_seconds":7200,"ring_seconds":20,"drain_seconds":5,"show_identities":true,
		"session_timer":{"interval_seconds":600,"min_seconds":120},"media_timeout":{"seconds":15,"action":"hangup"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	flags := call.AddFlags(set)
	if err := set.Parse([]string{"-config", file}); err != nil {
		t.Fatal(err)
	}
	c, _, err := flags.Config()
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxCalls != 500 || c.MaxCallDuration != 2*time.Hour || c.RingTimeout != 20*time.Second || c.DrainTimeout != 5*time.Second || !c.Watching.Identities ||
		c.SessionTimer != (sip.SessionTimer{Interval: 10 * time.Minute, Min: 2 * time.Minute}) ||
		c.MediaTimeout != (call.MediaTimeout{After: 15 * time.Second, Action: call.MediaHangup}) {
		t.Errorf("%+v", c)
	}
}

func TestParseListen(t *testing.T) {
	l, err := call.ParseListen("udp://127.0.0.1:5060, tcp://[::1]:5070?advertise=pbx.example.com:5060")
	if err != nil || len(l) != 2 || l[0].Network != "udp" || l[0].Addr != "127.0.0.1:5060" || l[1].Addr != "[::1]:5070" || l[1].Advertise != "pbx.example.com:5060" {
		t.Fatalf("%+v, %v", l, err)
	}
	for text, want := range map[string]string{
		"tls://127.0.0.1:5061":                       "not supported yet",
		"ws://127.0.0.1:80":                          "not supported yet",
		"wss://127.0.0.1:443":                        "not supported yet",
		"127.0.0.1:5060":                             "not of the form",
		"sctp://127.0.0.1:5060":                      "none of udp, tcp",
		"udp://127.0.0.1":                            "host and port",
		"udp://127.0.0.1:99999":                      "99999",
		"udp://pbx.example.com:5060":                 "not an IP address",
		"udp://127.0.0.1:5060?advertise=x":           "HOST:PORT",
		"udp://127.0.0.1:5060?public=1.2.3.4:5":      "unknown",
		"udp://127.0.0.1:5060/x":                     "more than a host",
		"":                                           "none of udp, tcp",
		"udp://127.0.0.1:1,tls://x,ws://127.0.0.1:2": "tls",
	} {
		if _, err := call.ParseListen(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
}

func TestParseMediaAndPorts(t *testing.T) {
	m, err := call.ParseMedia("0.0.0.0=203.0.113.7,::1")
	if err != nil || len(m) != 2 || m[0].Advertise.String() != "203.0.113.7" || m[1].Bind.String() != "::1" || m[1].Advertise.IsValid() {
		t.Fatalf("%+v, %v", m, err)
	}
	for text, want := range map[string]string{
		"0.0.0.0":            "needs an advertised one",
		"::":                 "needs an advertised one",
		"host":               "not an IP address",
		"127.0.0.1=x":        "not an IP address",
		"127.0.0.1=::1":      "different families",
		"127.0.0.1,10.0.0.1": "one family",
	} {
		if _, err := call.ParseMedia(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	if p, err := call.ParsePorts("10000-31999"); err != nil || p != [2]uint16{10000, 31999} {
		t.Errorf("%v, %v", p, err)
	}
	for _, text := range []string{"", "10000", "2-1", "a-b", "0-5", "1-70000", "5-5"} {
		if _, err := call.ParsePorts(text); err == nil {
			t.Errorf("%q is taken as a range", text)
		}
	}
}
