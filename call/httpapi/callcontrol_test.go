package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

const waiting = `[{"id":"a","type":"answer"},{"id":"wait","type":"sleep","option":{"duration":600000}}]`

// sounds opens URLs https://tones.example/HZ, and speaks any text as 900 Hz.
type sounds struct{}

func (sounds) OpenPrompt(_ context.Context, _, ref string) (media.Source, error) {
	var hz float64
	if _, err := fmt.Sscanf(ref, "https://tones.example/%f", &hz); err != nil {
		return nil, errors.New("there is no such tone")
	}
	return tone.Sine(hz, 2*time.Second).Clip(8000).Source(), nil
}

func (sounds) Speak(_ context.Context, u media.Utterance) (media.Source, error) {
	if u.Language == "xx" {
		return nil, errors.New("nobody speaks xx")
	}
	return tone.Sine(900, 2*time.Second).Clip(8000).Source(), nil
}

func withSounds(c *call.Config, _ *httpapi.Config) {
	c.Deps.Prompts, c.Deps.Speaker = sounds{}, sounds{}
	clip := tone.Sine(650, 2*time.Second).Clip(8000)
	c.MusicOnHold.Open = func(context.Context) (media.Source, error) { return clip.Loop(), nil }
}

// dialled has a phone call "100" and returns the id of the call.
func (h *house) dialled(t *testing.T) (*calltest.PhoneCall, string) {
	t.Helper()
	c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
	time.Sleep(time.Second)
	for up := range h.Calls() {
		return c, up.ID()
	}
	t.Fatal("no call is up")
	return nil, ""
}

// hears is what the phone hears for a second, after the edges of what was done before.
func hears(c *calltest.PhoneCall) []int16 {
	time.Sleep(200 * time.Millisecond)
	n := len(c.Heard())
	time.Sleep(time.Second)
	h := c.Heard()
	return h[min(n, len(h)):]
}

func only(t *testing.T, what string, pcm []int16, want ...float64) {
	t.Helper()
	for _, hz := range []float64{440, 550, 650, 900} {
		wanted := false
		for _, w := range want {
			wanted = wanted || w == hz
		}
		if calltest.Hears(pcm, hz) != wanted {
			t.Errorf("%s: hears %v: %v", what, hz, !wanted)
		}
	}
}

func TestCallIsHeldSilencedAndMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting}, withSounds)
		c, id := h.dialled(t)
		at := "/calls/" + id
		h.ok(t, "POST", at+"/hold", "")
		if got := h.ok(t, "GET", at, "")["hold_by"]; got != "local" || c.Direction() != "sendonly" {
			t.Errorf("hold_by %v, offered %s", got, c.Direction())
		}
		only(t, "on hold", hears(c), 650)
		h.ok(t, "DELETE", at+"/hold", "")
		only(t, "off hold", hears(c))
		if got := h.ok(t, "GET", at, "")["hold_by"]; got != nil || c.Direction() != "sendrecv" {
			t.Errorf("hold_by %v, offered %s", got, c.Direction())
		}
		h.ok(t, "POST", at+"/moh", "")
		only(t, "music", hears(c), 650)
		h.ok(t, "POST", at+"/silence", "")
		only(t, "silence", hears(c))
		h.ok(t, "DELETE", at+"/silence", "")
		only(t, "music again", hears(c), 650)
		h.ok(t, "DELETE", at+"/moh", "")
		for _, step := range [][3]string{
			{"POST", `{"direction":"in"}`, "in"}, {"POST", `{"direction":"out"}`, "both"}, {"DELETE", `{"direction":"in"}`, "out"}, {"DELETE", "", ""}, {"POST", "", "both"},
		} {
			h.ok(t, step[0], at+"/mute", step[1])
			if got, _ := h.ok(t, "GET", at, "")["mute_direction"].(string); got != step[2] {
				t.Errorf("after %s %s: %q, want %q", step[0], step[1], got, step[2])
			}
		}
		h.ok(t, "DELETE", at+"/mute?direction=in", "")
		if got := h.ok(t, "GET", at, "")["mute_direction"]; got != "out" {
			t.Errorf("after DELETE with the direction in the query: %v", got)
		}
		if r := h.do(t, "POST", at+"/mute", `{"direction":"up"}`); r.code != 400 {
			t.Errorf("a direction that there is not: %d %s", r.code, r.text)
		}
		h.ok(t, "POST", at+"/hangup", "")
		c.WaitEnd(t)
	})
}

// TestSoundGoesOnAfterTheRequest: what is said or played is not the request's any more.
func TestSoundGoesOnAfterTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting}, withSounds)
		c, id := h.dialled(t)
		at := "/calls/" + id
		h.ok(t, "POST", at+"/talk", `{"text":"hello","language":"en-US"}`)
		only(t, "speech", hears(c), 900)
		time.Sleep(2 * time.Second)
		h.ok(t, "POST", at+"/play", `{"stream_urls":["https://tones.example/440","https://tones.example/550"]}`)
		only(t, "the first file", hears(c), 440)
		time.Sleep(800 * time.Millisecond)
		only(t, "the second file", hears(c), 550)
		time.Sleep(2 * time.Second)
		h.ok(t, "POST", at+"/play", `{"stream_urls":["https://tones.example/440"]}`)
		if got := h.ok(t, "DELETE", at+"/play", ""); got["stopped"] != true {
			t.Errorf("%v", got)
		}
		only(t, "after the end", hears(c))
		if got := h.ok(t, "DELETE", at+"/play", ""); got["stopped"] != false {
			t.Errorf("nothing plays: %v", got)
		}
		for what, want := range map[string]int{
			`/talk {"text":""}`:                                             400,
			`/talk {"text":"x","gender":"odd"}`:                             400,
			`/talk {"text":"x","to":"others"}`:                              409, // it talks with nobody
			`/talk {"text":"x","language":"xx"}`:                            409,
			`/play {"stream_urls":[]}`:                                      400,
			`/play {"stream_urls":["nothing"]}`:                             409,
			`/play {"stream_urls":["https://tones.example/440"],"to":"me"}`: 400,
		} {
			path, body, _ := strings.Cut(what, " ")
			if r := h.do(t, "POST", at+path, body); r.code != want {
				t.Errorf("%s: %d %s, want %d", what, r.code, r.text, want)
			}
		}
		h.ok(t, "POST", at+"/play", `{"stream_urls":["https://tones.example/440"]}`) // its end is that of the call
		h.ok(t, "DELETE", at, "")
		c.WaitEnd(t)
		if r := h.do(t, "GET", at, ""); r.code != 404 {
			t.Errorf("a call that is deleted: %d %s", r.code, r.text)
		}
	})
}

func TestCallIsRecordedByRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": waiting}, withSounds)
		c, id := h.dialled(t)
		at := "/calls/" + id
		if r := h.do(t, "POST", at+"/recording_start", `{"on_end_flow_id":"nowhere"}`); r.code != 400 {
			t.Errorf("a flow that is not there: %d %s", r.code, r.text)
		}
		rec := h.ok(t, "POST", at+"/recording_start", `{"format":"wav","end_of_silence":0,"end_of_key":"none","duration":0,"on_end_flow_id":""}`)
		recID, _ := rec["recording_id"].(string)
		if recID == "" {
			t.Fatalf("%v", rec)
		}
		if r := h.do(t, "POST", at+"/recording_start", `{}`); r.code != 409 {
			t.Errorf("a second one: %d %s", r.code, r.text)
		}
		if r := h.do(t, "DELETE", "/recordings/"+recID, ""); r.code != 409 {
			t.Errorf("one that runs is deleted: %d %s", r.code, r.text)
		}
		c.Say(calltest.Tone(440, 2*time.Second))
		time.Sleep(2500 * time.Millisecond)
		if got := h.ok(t, "POST", at+"/recording_stop", ""); got["recording_id"] != nil {
			t.Errorf("%v", got)
		}
		if got := h.ok(t, "GET", "/recordings?reference_id="+id, "")["result"].([]any); len(got) != 1 {
			t.Fatalf("%v", got)
		}
		one := h.ok(t, "GET", "/recordings/"+recID, "")
		if one["status"] != "ended" || one["duration_ms"].(float64) < 2000 {
			t.Errorf("%v", one)
		}
		file := h.do(t, "GET", "/recordingfiles/"+recID, "")
		if file.code != 200 || file.header.Get("Content-Type") != "audio/wav" || !strings.HasPrefix(file.text, "RIFF") || len(file.text) < 2*2*8000*2 {
			t.Fatalf("%d %v, %d bytes", file.code, file.header, len(file.text))
		}
		part := h.do(t, "GET", "/recordingfiles/"+recID, "", "Range: bytes=8-11")
		if part.code != 206 || part.text != "WAVE" || part.header.Get("Content-Range") != fmt.Sprintf("bytes 8-11/%d", len(file.text)) {
			t.Errorf("%d %q %v", part.code, part.text, part.header)
		}
		if same := h.do(t, "GET", "/recordingfiles/"+recID, "", "If-None-Match: "+file.header.Get("ETag")); same.code != 304 {
			t.Errorf("the same: %d", same.code)
		}
		for what, want := range map[string]int{"Range: bytes=99999999-": 416} {
			if r := h.do(t, "GET", "/recordingfiles/"+recID, "", what); r.code != want {
				t.Errorf("%s: %d", what, r.code)
			}
		}
		if r := h.do(t, "GET", "/recordingfiles/"+recID+"?file=7", ""); r.code != 404 {
			t.Errorf("a file that there is not: %d", r.code)
		}
		h.ok(t, "DELETE", "/recordings/"+recID, "")
		for _, path := range []string{"/recordings/", "/recordingfiles/"} {
			if r := h.do(t, "GET", path+recID, ""); r.code != 404 {
				t.Errorf("%s of what is deleted: %d", path, r.code)
			}
		}
		h.ok(t, "POST", at+"/hangup", "{}")
		c.WaitEnd(t)
	})
}

func TestFlowOfACallIsSteeredByRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"id":"stand","type":"block"},{"id":"wait","type":"sleep","option":{"duration":600000}},{"id":"again","type":"block"}]`}, withSounds)
		c, id := h.dialled(t)
		at := "/calls/" + id
		if r := h.do(t, "POST", at+"/continue", `{"action_id":"wait"}`); r.code != 409 {
			t.Errorf("a step that it is not at: %d %s", r.code, r.text)
		}
		h.ok(t, "POST", at+"/continue", `{"action_id":"stand","execution":2}`)
		synctest.Wait()
		h.ok(t, "POST", at+"/skip", `{"action_id":"wait"}`)
		synctest.Wait()
		if got := h.ok(t, "POST", at+"/metadata", `{"metadata":{"team":"b"}}`)["metadata"]; fmt.Sprint(got) != "map[team:b]" {
			t.Errorf("%v", got)
		}
		h.ok(t, "POST", at+"/digits", `{"digits":"12a#","duration":120,"interval":80}`)
		synctest.Wait()
		if got := c.Pressed(); got != "12A#" {
			t.Errorf("pressed %q", got)
		}
		if r := h.do(t, "POST", at+"/digits", `{"digits":"12x"}`); r.code != 400 {
			t.Errorf("keys that there are not: %d %s", r.code, r.text)
		}
		if r := h.do(t, "POST", at+"/redirect", `{}`); r.code != 400 {
			t.Errorf("to no flow: %d %s", r.code, r.text)
		}
		h.ok(t, "POST", at+"/redirect", `{"actions":[{"type":"play","option":{"stream_urls":["https://tones.example/550"]}},{"type":"sleep","option":{"duration":600000}}]}`)
		only(t, "the other flow", hears(c), 550)
		if got := h.ok(t, "POST", at+"/park", `{"no_return":true}`)["orbit"]; got != "701" {
			t.Errorf("parked in %v", got)
		}
		synctest.Wait()
		if got := h.ok(t, "GET", at, "")["orbit"]; got != "701" {
			t.Errorf("the record's orbit: %v", got)
		}
		h.ok(t, "POST", at+"/stop", "")
		c.WaitEnd(t)
		time.Sleep(time.Second)
		for _, path := range []string{"/hangup", "/hold", "/talk", "/recording_stop", "/stop"} {
			body := ""
			if path == "/talk" {
				body = `{"text":"x"}`
			}
			r := h.do(t, "POST", at+path, body)
			if status, reason, _ := r.fault(); r.code != 409 || status != "FAILED_PRECONDITION" || reason != "call_ended" {
				t.Errorf("%s of a call that is over: %d %s", path, r.code, r.text)
			}
			if r := h.do(t, "POST", "/calls/nobody"+path, body); r.code != 404 {
				t.Errorf("%s of no call: %d %s", path, r.code, r.text)
			}
		}
	})
}

func TestTransferByRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"connect","option":{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}]}}]`}, withSounds)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		carol := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.MustParseAddr("10.0.0.4"), Port: 5060})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		b := bob.WaitCall(t)
		b.Answer()
		a.WaitAnswer(t)
		time.Sleep(time.Second)
		leg := h.ok(t, "GET", "/calls?direction=outgoing", "")["result"].([]any)[0].(map[string]any)["id"].(string)
		if r := h.do(t, "GET", "/calls/"+leg+"/transfer", ""); r.code != 404 {
			t.Errorf("no transfer yet: %d", r.code)
		}
		if r := h.do(t, "POST", "/transfers", fmt.Sprintf(`{"transfer_type":"odd","transferer_call_id":%q,"transferee_addresses":[]}`, leg)); r.code != 400 {
			t.Errorf("%d %s", r.code, r.text)
		} else if _, _, details := r.fault(); len(details) != 2 {
			t.Errorf("both faults are told: %s", r.text)
		}
		got := h.ok(t, "POST", "/transfers", fmt.Sprintf(`{"transfer_type":"attended","transferer_call_id":%q,"transferee_addresses":[{"type":"sip","target":"carol@10.0.0.4"}]}`, leg))
		if got["transferer_call_id"] != leg || got["status"] != "progressing" {
			t.Errorf("%v", got)
		}
		if r := h.do(t, "POST", "/calls/"+leg+"/transfer", `{"type":"blind","destinations":[{"type":"sip","target":"carol@10.0.0.4"}]}`); r.code != 409 {
			t.Errorf("a second one: %d %s", r.code, r.text)
		}
		if r := h.do(t, "POST", "/calls/"+leg+"/transfer/complete", ""); r.code != 409 {
			t.Errorf("before the answer: %d %s", r.code, r.text)
		}
		c := carol.WaitCall(t)
		c.Answer()
		time.Sleep(time.Second)
		h.ok(t, "POST", "/calls/"+leg+"/transfer/complete", "")
		b.WaitEnd(t)
		a.Say(calltest.Tone(440, 3*time.Second))
		only(t, "carol", hears(c), 440)
		a.Hangup(t)
		c.WaitEnd(t)
	})
}
