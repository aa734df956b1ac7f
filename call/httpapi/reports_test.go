package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

// TestCallsAreCounted, those of several pages of the store and one that is up, as JSON and CSV.
func TestCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting})
		begun := time.Now().UTC()
		for i := range 250 { // one in five is not answered
			at := begun.Add(time.Duration(i) * time.Second)
			c := store.Call{ID: fmt.Sprint("c", i), Status: store.StatusHangup, Direction: store.DirectionOutgoing, HangupReason: store.ReasonBusy, Code: "busy", Trunk: "provider",
				TmCreate: store.At(at), TmHangup: store.At(at.Add(time.Minute))}
			if i%5 != 0 {
				c.HangupReason, c.Code, c.TmProgressing, c.Cost, c.Currency = store.ReasonNormal, "caller_hung_up", store.At(at.Add(30*time.Second)), 250_000, "EUR"
			}
			if err := h.store.PutCall(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		c, _ := h.dialled(t)
		total := func(query string) map[string]any {
			return h.ok(t, "GET", "/reports/calls"+query, "")["total"].(map[string]any)
		}
		want := map[string]any{"calls": 251.0, "ended": 250.0, "answered": 200.0, "asr": 0.8, "talk_ms": 6_000_000.0, "acd_ms": 30_000.0, "cost": map[string]any{"EUR": 50_000_000.0}}
		if d := cmp.Diff(want, total("")); d != "" {
			t.Error(d)
		}
		if got := total("?since=" + begun.Add(100*time.Second).Format(time.RFC3339) + "&until=" + begun.Add(105*time.Second).Format(time.RFC3339)); got["calls"] != 5.0 || got["answered"] != 4.0 {
			t.Errorf("five seconds: %v", got)
		}
		if r := h.do(t, "GET", "/reports/calls?since=yesterday", ""); r.code != 400 {
			t.Errorf("%d %s", r.code, r.text)
		}
		table := h.do(t, "GET", "/reports/calls.csv", "")
		if table.code != 200 || !strings.HasPrefix(table.header.Get("Content-Type"), "text/csv") {
			t.Errorf("%d %s", table.code, table.header.Get("Content-Type"))
		}
		wantTable := `group,value,calls,ended,answered,asr,talk_ms,acd_ms,cost
total,,251,250,200,0.8000,6000000,30000,50.000000 EUR
status,hangup,250,250,200,0.8000,6000000,30000,50.000000 EUR
status,progressing,1,0,0,0.0000,0,0,
direction,outgoing,250,250,200,0.8000,6000000,30000,50.000000 EUR
direction,incoming,1,0,0,0.0000,0,0,
hangup_reason,normal,200,200,200,1.0000,6000000,30000,50.000000 EUR
hangup_reason,busy,50,50,0,0.0000,0,0,
hangup_reason,,1,0,0,0.0000,0,0,
code,caller_hung_up,200,200,200,1.0000,6000000,30000,50.000000 EUR
code,busy,50,50,0,0.0000,0,0,
code,,1,0,0,0.0000,0,0,
trunk,provider,250,250,200,0.8000,6000000,30000,50.000000 EUR
trunk,,1,0,0,0.0000,0,0,
`
		if d := cmp.Diff(wantTable, table.text); d != "" {
			t.Error(d)
		}
		c.Hangup(t)
	})
}

// TestTrunksAreTold without what they log in with.
func TestTrunksAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config, _ *httpapi.Config) {
			c.Trunks = []call.Trunk{{Name: "provider", Address: "10.0.0.9", User: "us", Password: "secret", Channels: 2}, {Name: "spare", Address: "10.0.0.8"}}
		})
		if got := h.listed(t, "/trunks"); len(got) != 2 || got[0]["name"] != "provider" || got[1]["address"] != "10.0.0.8" {
			t.Errorf("%v", got)
		}
		got := h.ok(t, "GET", "/trunks/provider", "")
		if got["channels"] != 2.0 || got["calls"] != 0.0 || got["health_status"] == nil || got["password"] != nil || got["user"] != nil {
			t.Errorf("%v", got)
		}
		if r := h.do(t, "GET", "/trunks/none", ""); r.code != 404 {
			t.Errorf("%d %s", r.code, r.text)
		}
	})
}

// TestOutboundConfigIsTold as it holds, without the file and the numbers of the fraud list.
func TestOutboundConfigIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config, _ *httpapi.Config) {
			c.Outbound = call.Outbound{
				Countries: []string{"DE"}, Tel: []string{"+1"}, IRSF: []string{"+37190", "+8821"}, IRSFFile: "/etc/secret/irsf.txt", Caller: "+4930100200",
				Rules: []call.OutboundRule{{Source: "extension:200", Countries: []string{"US"}, MaxRisk: call.RiskSpecial}},
			}
		})
		r := h.do(t, "GET", "/outbound_config", "")
		for want, held := range map[string]bool{
			`"destination_whitelist":["DE"]`: true, `"tel":["+1"]`: true, `"sip":[]`: true, `"irsf_count":2`: true, `"max_risk":"low"`: true, `"max_diversions":5`: true,
			`{"source":"extension:200","sip":[],"tel":[],"countries":["US"],"max_risk":"special","risky":[],"verified":[]}`: true, `"caller":"+4930100200"`: true,
			"irsf.txt": false, "37190": false, `"emergency"`: false,
		} {
			if strings.Contains(r.text, want) != held {
				t.Errorf("%d %s: has %s: %v, want %v", r.code, r.text, want, !held, held)
			}
		}
		if r := h.do(t, "PUT", "/outbound_config", `{}`); r.code != 405 || r.header.Get("Allow") != "GET" {
			t.Errorf("PUT: %d %s", r.code, r.text)
		}
	})
}

// TestVoicemailsAreHeardMarkedAndDeleted: a caller leaves a message, whose sound is read, also in part.
func TestVoicemailsAreHeardMarkedAndDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, withSounds, func(c *call.Config, _ *httpapi.Config) {
			c.Registrar.KeepAlive = -1
			c.Extensions = call.ListExtensions(call.Extension{Name: "200", Password: "long enough"})
		})
		flow := h.made(t, "/flows", `{"actions":[{"type":"answer"},{"type":"voicemail","option":{"mailbox_id":"200"}}]}`)
		p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		h.ok(t, "POST", "/calls", `{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"flow_id":"`+flow+`"}`)
		c := p.WaitCall(t)
		c.Answer()
		time.Sleep(10 * time.Second)
		c.Say(calltest.Tone(440, 5*time.Second))
		time.Sleep(6 * time.Second)
		c.Hangup(t)
		time.Sleep(5 * time.Second)
		all := h.listed(t, "/voicemails?mailbox_id=200&status=new")
		if len(all) != 1 {
			t.Fatalf("%v", all)
		}
		id := all[0]["id"].(string)
		sound := h.do(t, "GET", "/voicemailfiles/"+id, "")
		if sound.code != 200 || sound.header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(sound.text, "RIFF") || len(sound.text) < 5*16000 {
			t.Errorf("sound: %d, %d bytes", sound.code, len(sound.text))
		}
		if part := h.do(t, "GET", "/voicemailfiles/"+id, "", "Range: bytes=8-11"); part.code != 206 || part.text != "WAVE" {
			t.Errorf("a part of it: %d %q", part.code, part.text)
		}
		if got := h.ok(t, "PUT", "/voicemails/"+id, `{"status":"saved"}`); got["status"] != "saved" {
			t.Errorf("marked: %v", got)
		}
		if n := len(h.listed(t, "/voicemails?status=new")); n != 0 {
			t.Errorf("%d are new", n)
		}
		h.faulty(t, "PUT", "/voicemails/"+id, `{"status":"burnt"}`, "/status", 1)
		recording := all[0]["recording_id"].(string)
		h.ok(t, "DELETE", "/voicemails/"+id, "")
		for _, path := range []string{"/voicemails/" + id, "/voicemailfiles/" + id, "/recordings/" + recording, "/voicemails/none"} {
			if r := h.do(t, "GET", path, ""); r.code != 404 {
				t.Errorf("%s: %d %s", path, r.code, r.text)
			}
		}
		if r := h.do(t, "PUT", "/voicemails/none", `{"status":"new"}`); r.code != 404 {
			t.Errorf("%d %s", r.code, r.text)
		}
	})
}
