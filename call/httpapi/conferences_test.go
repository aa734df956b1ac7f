package httpapi_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

// TestConferenceIsControlled: a conference with and without a directory: its members are muted, deafened, given roles and kicked; it is locked, recorded, heard as
// music, and ended.
func TestConferenceIsControlled(t *testing.T) {
	for name, with := range map[string]func(*testing.T) func(*call.Config, *httpapi.Config){
		"kept":     func(t *testing.T) func(*call.Config, *httpapi.Config) { return inDirectory(t, store.Memory()) },
		"not kept": func(*testing.T) func(*call.Config, *httpapi.Config) { return func(*call.Config, *httpapi.Config) {} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"conference_join","option":{"conference_id":"team"}},{"type":"sleep","option":{"duration":7000}}]`}, withSounds, with(t))
				h.made(t, "/conferences", `{"id":"team","name":"Team","max_members":3}`)
				if r := h.do(t, "POST", "/conferences", `{"id":"team"}`); r.code != 409 {
					t.Errorf("made twice: %d %s", r.code, r.text)
				}
				h.faulty(t, "PUT", "/conferences/team", "{\"name\":\"x\",\n\"pin\":\"1\"}", "/pin", 2)
				join := func(n byte) *calltest.PhoneCall {
					c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.AddrFrom4([4]byte{10, 0, 2, n})}).Dial(t, "100")
					time.Sleep(time.Second)
					return c
				}
				ann, ben := join(1), join(2)
				members := h.listed(t, "/conferencecalls?conference_id=team")
				if len(members) != 2 || members[0]["status"] != "joined" {
					t.Fatalf("%v", members)
				}
				bens := "/conferencecalls/" + members[0]["id"].(string)
				anns := "/conferencecalls/" + members[1]["id"].(string)
				// says has both speak, and tells who is heard by whom.
				says := func(what string, benHearsAnn, annHearsBen bool) {
					t.Helper()
					ann.Say(calltest.Tone(440, 1500*time.Millisecond))
					ben.Say(calltest.Tone(550, 1500*time.Millisecond))
					a, b := len(ann.Heard()), len(ben.Heard())
					time.Sleep(1800 * time.Millisecond)
					if got := calltest.Hears(ben.Heard()[b:], 440); got != benHearsAnn {
						t.Errorf("%s: Ben hears Ann: %v", what, got)
					}
					if got := calltest.Hears(ann.Heard()[a:], 550); got != annHearsBen {
						t.Errorf("%s: Ann hears Ben: %v", what, got)
					}
				}
				says("at first", true, true)
				if got := h.ok(t, "POST", anns+"/mute", ""); got["muted"] != true {
					t.Errorf("muted: %v", got)
				}
				says("Ann is muted", false, true)
				h.ok(t, "DELETE", anns+"/mute", "")
				if got := h.ok(t, "POST", anns+"/deaf", ""); got["deaf"] != true {
					t.Errorf("deaf: %v", got)
				}
				says("Ann is deaf", true, false)
				h.ok(t, "DELETE", anns+"/deaf", "")
				if got := h.ok(t, "PUT", bens+"/role", `{"role":"listener"}`); got["role"] != "listener" {
					t.Errorf("role: %v", got)
				}
				says("Ben is a listener", true, false)
				if r := h.do(t, "DELETE", bens+"/mute", ""); r.code != 409 {
					t.Errorf("a listener unmuted: %d %s", r.code, r.text)
				}
				h.faulty(t, "PUT", bens+"/role", `{"role":"king"}`, "/role", 1)
				h.ok(t, "PUT", bens+"/role", `{"role":"moderator"}`)
				h.ok(t, "POST", "/conferences/team/mute", "")
				says("all but moderators are muted", false, true)
				h.ok(t, "DELETE", "/conferences/team/mute", "")
				if got := h.ok(t, "POST", "/conferences/team/moh", ""); got["on_hold"] != true {
					t.Errorf("on hold: %v", got)
				}
				says("on hold", false, false)
				h.ok(t, "DELETE", "/conferences/team/moh", "")

				if got := h.ok(t, "POST", "/conferences/team/lock", ""); got["locked"] != true {
					t.Errorf("locked: %v", got)
				}
				carl := join(3)
				if n := len(h.ok(t, "GET", "/conferences/team", "")["conferencecall_ids"].([]any)); n != 2 {
					t.Errorf("%d are in a room that is locked", n)
				}
				carl.WaitEnd(t)
				h.ok(t, "DELETE", "/conferences/team/lock", "")
				if got := h.ok(t, "PUT", "/conferences/team", `{"detail":"weekly"}`); got["detail"] != "weekly" || got["name"] != "Team" || got["max_members"] != 3.0 {
					t.Errorf("changed: %v", got)
				}

				rec, _ := h.ok(t, "POST", "/conferences/team/recording_start", `{"duration":600}`)["recording_id"].(string)
				if r := h.do(t, "POST", "/conferences/team/recording_start", ``); rec == "" || r.code != 409 {
					t.Errorf("recording %q, and another one: %d %s", rec, r.code, r.text)
				}
				says("recorded", true, true)
				h.ok(t, "POST", "/conferences/team/recording_stop", "")
				if r := h.do(t, "POST", "/conferences/team/recording_stop", ""); r.code != 409 {
					t.Errorf("stopped twice: %d %s", r.code, r.text)
				}
				if got := h.ok(t, "GET", "/recordings/"+rec, ""); got["status"] != "ended" || got["reference_id"] != "team" {
					t.Errorf("recording: %v", got)
				}

				h.ok(t, "DELETE", bens, "")
				kicked := time.Now()
				ben.WaitEnd(t)
				if took := time.Since(kicked); took < 7*time.Second || took > 8*time.Second {
					t.Errorf("the flow of who is kicked went on for %v", took)
				}
				if got := h.ok(t, "GET", bens, ""); got["status"] != "leaved" || got["code"] != "kicked" {
					t.Errorf("kicked: %v", got)
				}
				if r := h.do(t, "POST", bens+"/mute", ""); r.code != 409 {
					t.Errorf("mute who is out: %d %s", r.code, r.text)
				}
				h.ok(t, "DELETE", "/conferences/team", "")
				ann.WaitEnd(t)
				if got := h.ok(t, "GET", "/conferences/team", ""); got["status"] != "terminated" || got["code"] != "terminated" {
					t.Errorf("over: %v", got)
				}
				if got := h.listed(t, "/conferences?status=terminated&name=Team"); len(got) != 1 {
					t.Errorf("listed: %v", got)
				}
				for _, r := range [][2]string{{"PUT", `{"name":"x"}`}, {"POST", ""}} {
					path := map[string]string{"PUT": "/conferences/team", "POST": "/conferences/team/lock"}[r[0]]
					if got := h.do(t, r[0], path, r[1]); got.code != 409 {
						t.Errorf("%s of what is over: %d %s", r[0], got.code, got.text)
					}
				}
				h.ok(t, "DELETE", "/conferences/team", "")
				h.ok(t, "DELETE", bens, "")
				for _, path := range []string{"/conferences/team", bens} {
					if r := h.do(t, "GET", path, ""); r.code != 404 {
						t.Errorf("%s is deleted: %d %s", path, r.code, r.text)
					}
				}
			})
		})
	}
}
