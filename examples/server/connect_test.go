package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

const loopbackOnly = `{"outbound": {"sip": ["127.0.0.0/8"]}}`

func connectFlow(port int, option, after string) string {
	return fmt.Sprintf(`[{"type":"connect","option":{"destinations":[{"type":"sip","target":"alice@127.0.0.1:%d"}]%s}}%s]`, port, option, after)
}

// pair has two baresips connected: the caller says 400 Hz, the called one 700 Hz.
func pair(t *testing.T, callerAccount, calleeAccount, after string) (caller, callee *softphone, s *server) {
	t.Helper()
	need(t, "baresip")
	dir := t.TempDir()
	writeTone(t, filepath.Join(dir, "400.wav"), 400, 30)
	writeTone(t, filepath.Join(dir, "700.wav"), 700, 30)
	callee = baresip(t, filepath.Join(dir, "700.wav"), "answermode=auto", calleeAccount)
	caller = baresip(t, filepath.Join(dir, "400.wav"), callerAccount)
	s = start(t, serverOptions{config: loopbackOnly, flows: map[string]string{"200.json": connectFlow(callee.port, "", after)}})
	caller.command(t, "dial", fmt.Sprintf("sip:200@127.0.0.1:%d", s.port))
	caller.wait(t, "CALL_ESTABLISHED")
	callee.wait(t, "CALL_ESTABLISHED")
	return caller, callee, s
}

// hears checks that the last second but one of what a phone heard has hz, and not other.
func hears(t *testing.T, who string, pcm []int16, hz, other float64) {
	t.Helper()
	if len(pcm) < 3*8000 {
		t.Fatalf("%s heard %d samples only", who, len(pcm))
	}
	pcm = pcm[len(pcm)-2*8000 : len(pcm)-8000]
	if a, b := tone.Goertzel(pcm, 8000, hz), tone.Goertzel(pcm, 8000, other); a < 0.1 || b > a/20 {
		t.Errorf("%s hears %v Hz at %.3f, %v Hz at %.3f", who, hz, a, other, b)
	}
}

// TestBaresipsHearEachOther is connect with real phones, of one codec and of two; the end of either side is
// the end of the other, and keys cross.
func TestBaresipsHearEachOther(t *testing.T) {
	for _, c := range []struct{ name, caller, callee, hangs string }{
		{"PCMU, the caller hangs up", "audio_codecs=PCMU", "audio_codecs=PCMU", "caller"},
		{"PCMA against PCMU, the called one hangs up", "audio_codecs=PCMA", "audio_codecs=PCMU", "callee"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller, callee, s := pair(t, c.caller, c.callee, "")
			pauseFor(2 * time.Second)
			caller.command(t, "sndcode", "5")
			callee.wait(t, "CALL_DTMF_START")
			callee.command(t, "sndcode", "7")
			caller.wait(t, "CALL_DTMF_START")
			pauseFor(2 * time.Second)
			if c.hangs == "caller" {
				caller.command(t, "hangup", "")
			} else {
				callee.command(t, "hangup", "")
			}
			caller.wait(t, "CALL_CLOSED")
			callee.wait(t, "CALL_CLOSED")
			hears(t, "the caller", caller.heard(t), 700, 400)
			hears(t, "the called one", callee.heard(t), 400, 700)
			calls := listCalls(t, s, "?status=hangup", 2)
			in, out := calls[1], calls[0]
			if in.Direction != "incoming" {
				in, out = out, in
			}
			if out.MasterCallID != in.ID || len(in.ChainedCallIDs) != 1 || in.ChainedCallIDs[0] != out.ID || in.JourneyID != out.JourneyID {
				t.Errorf("the two calls do not know each other:\n%+v\n%+v", in, out)
			}
			by := map[string]string{"caller": "caller_hung_up flow_ended master_ended", "callee": "flow_ended callee_hung_up"}[c.hangs]
			if !strings.Contains(by, in.Code) || !strings.Contains(by, out.Code) || out.TalkMS < 3500 {
				t.Errorf("ended by %s and %s after %d ms", in.Code, out.Code, out.TalkMS)
			}
		})
	}
}

// listCalls asks the server for calls until there are n.
func listCalls(t *testing.T, s *server, query string, n int) []store.Call {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Result []store.Call }
	until(t, fmt.Sprintf("%d calls for %s", n, query), func() bool {
		req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/v1.0/calls%s", s.http, query), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page.Result = nil
		if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		return len(page.Result) == n
	})
	return page.Result
}

// TestFlowGoesOnAfterAFailedConnect has a baresip call through to a busy phone, then to one that says nothing at
// all: each time its flow goes on, in time, with a tone. Both attempts stand in the list of calls.
func TestFlowGoesOnAfterAFailedConnect(t *testing.T) {
	need(t, "baresip")
	at := calltest.FreePort(t)
	busy := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: at.Addr(), Port: at.Port(),
		Accept: func(c *calltest.PhoneCall) { c.Refuse(486) }})
	silent, err := calltest.Loopback{}.Listen(calltest.FreePort(t))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	after := `,{"type":"answer"},{"type":"play","option":{"stream_urls":["file:900.wav"]}}`
	_, silentPort, _ := strings.Cut(silent.LocalAddr().String(), ":")
	s := start(t, serverOptions{config: loopbackOnly, flows: map[string]string{
		"busy.json":   connectFlow(int(busy.Addr().Port()), "", after),
		"silent.json": strings.Replace(connectFlow(1, `,"timeout":2000`, after), "127.0.0.1:1", "127.0.0.1:"+silentPort, 1),
	}})
	writeTone(t, filepath.Join(s.dir, "900.wav"), 900, 4)
	quiet := filepath.Join(t.TempDir(), "quiet.wav")
	writeTone(t, quiet, 0, 60)
	for dest, limit := range map[string]time.Duration{"busy": time.Second, "silent": 3 * time.Second} {
		t.Run(dest, func(t *testing.T) {
			p := baresip(t, quiet)
			begun := time.Now()
			p.command(t, "dial", fmt.Sprintf("sip:%s@127.0.0.1:%d", dest, s.port))
			p.wait(t, "CALL_ESTABLISHED")
			if took := time.Since(begun); took > limit {
				t.Errorf("the flow went on after %v", took)
			}
			p.wait(t, "CALL_CLOSED")
			hears(t, "the caller", p.heard(t), 900, 400)
		})
	}
	b := listCalls(t, s, "?status=hangup&hangup_reason=busy", 1)[0]
	if b.SIPCode != 486 || b.Cause != 17 || b.Code != "callee_busy" || b.Direction != "outgoing" || b.TmHangup.IsZero() ||
		!strings.HasPrefix(b.Destination.Target, "alice@127.0.0.1") || len(b.Attempts) != 1 || b.Attempts[0].SIPCode != 486 {
		t.Errorf("the busy attempt: %+v", b)
	}
	d := listCalls(t, s, "?status=hangup&hangup_reason=dialout", 1)[0]
	if d.SIPCode != 487 || d.Code != "dial_timeout" {
		t.Errorf("the silent attempt: %+v", d)
	}
}

// TestBaresipsMeetInARoom has two baresips, of different codecs, and a phone in the built-in room 103: each hears the two
// others, and not itself.
func TestBaresipsMeetInARoom(t *testing.T) {
	need(t, "baresip")
	s := start(t, serverOptions{})
	dir := t.TempDir()
	hz := []float64{400, 700, 550}
	var phones []*softphone
	for i, codec := range []string{"PCMU", "PCMA"} {
		file := filepath.Join(dir, codec+".wav")
		writeTone(t, file, hz[i], 30)
		p := baresip(t, file, "audio_codecs="+codec)
		p.command(t, "dial", fmt.Sprintf("sip:103@127.0.0.1:%d", s.port))
		p.wait(t, "CALL_ESTABLISHED")
		phones = append(phones, p)
	}
	c := phone(t, s).Dial(t, "103")
	c.Say(tone.Sine(hz[2], 30*time.Second).Clip(8000).PCM())
	pauseFor(4 * time.Second)
	c.Hangup(t)
	for _, p := range phones {
		p.command(t, "hangup", "")
		p.wait(t, "CALL_CLOSED")
	}
	for i, heard := range [][]int16{phones[0].heard(t), phones[1].heard(t), c.Heard()} {
		if len(heard) < 3*8000 {
			t.Fatalf("phone %d heard %d samples only", i, len(heard))
		}
		// While all three were there: the two seconds before the last one.
		heard = heard[len(heard)-3*8000 : len(heard)-8000]
		for j := range hz {
			if got := calltest.Hears(heard, hz[j]); got != (i != j) {
				t.Errorf("phone %d hears %v Hz: %v", i, hz[j], got)
			}
		}
	}
}
