package main_test

import (
	bin "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// phone is a caller that shares no code with the server's SIP and RTP.
func phone(t testing.TB, s *server) *calltest.Phone {
	t.Helper()
	lo := netip.MustParseAddr("127.0.0.1")
	return calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: lo, Server: netip.AddrPortFrom(lo, uint16(s.port))})
}

// recordingFile is the one recording of the server.
func recordingFile(t testing.TB, s *server) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.data, "recordings", "*.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("recordings %q, %v", files, err)
	}
	return files[0]
}

// checkChannels checks that the recording has the caller's 400 Hz on the left, our 700 Hz on the
// right, and is as long as it should be within 100 ms.
func checkChannels(t testing.TB, s *server, seconds float64) {
	t.Helper()
	b, err := os.ReadFile(recordingFile(t, s))
	if err != nil {
		t.Fatal(err)
	}
	var ch [2][]int16
	for i := 44; i+3 < len(b); i += 4 {
		ch[0] = append(ch[0], int16(bin.LittleEndian.Uint16(b[i:])))
		ch[1] = append(ch[1], int16(bin.LittleEndian.Uint16(b[i+2:])))
	}
	// Between its steps a flow waits for a machine that may have other things to do.
	if got := float64(len(ch[0])) / 8000; got < seconds-0.1 || got > seconds+1 {
		t.Errorf("the recording has %.3f s, want %.3f", got, seconds)
	}
	for i, hz := range []float64{400, 700} {
		pcm := ch[i][4000 : len(ch[i])-4000]
		own, other := tone.Goertzel(pcm, 8000, hz), tone.Goertzel(pcm, 8000, 1100-hz)
		if own < 0.05 || other > own/50 {
			t.Errorf("channel %d: %v Hz at %.3f, %v Hz at %.4f", i, hz, own, 1100-hz, other)
		}
	}
}

func TestRecordingSurvivesKill(t *testing.T) {
	sox := need(t, "sox")
	s := start(t, serverOptions{flows: map[string]string{"rec.json": `[{"type":"answer"},{"type":"recording_start"},{"type":"echo"}]`}})
	c := phone(t, s).Dial(t, "rec")
	c.Say(tone.Sine(400, 10*time.Second).Clip(8000).PCM())
	pauseFor(3 * time.Second)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	s.done <- nil // for the clean-up
	file := recordingFile(t, s)
	out, err := exec.Command(sox, file, "-n", "stat").CombinedOutput()
	if err != nil || strings.Contains(string(out), "WARN") {
		t.Fatalf("sox: %v\n%s", err, out)
	}
	var length float64
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(line, "Length (seconds):"); ok {
			if _, err := fmt.Sscan(v, &length); err != nil {
				t.Fatal(err)
			}
		}
	}
	if length < 2 || length > 3.2 {
		t.Errorf("%.2f s are left of 3 s\n%s", length, out)
	}
}

func TestEchoOverLoopback(t *testing.T) {
	s := start(t, serverOptions{})
	c := phone(t, s).Dial(t, "101")
	said := tone.Sine(500, 2*time.Second).Clip(8000).PCM()
	c.Say(said)
	pauseFor(3 * time.Second)
	c.Hangup(t)
	if l := tone.Goertzel(c.Heard()[8000:16000], 8000, 500); l < 0.1 {
		t.Errorf("500 Hz comes back at %.3f", l)
	}
}

// waitTone returns when the call hears hz.
func waitTone(t testing.TB, c *calltest.PhoneCall, hz float64) {
	t.Helper()
	for range 200 {
		pauseFor(100 * time.Millisecond)
		if heard := c.Heard(); len(heard) > 1600 && tone.Goertzel(heard[len(heard)-1600:], 8000, hz) > 0.05 {
			return
		}
	}
	t.Fatalf("%v Hz is not heard", hz)
}

func TestRecordAndPlayBack(t *testing.T) {
	s := start(t, serverOptions{env: []string{"PATH=/nonexistent"}})
	c := phone(t, s).Dial(t, "102")
	waitTone(t, c, 1000) // the beep
	pauseFor(500 * time.Millisecond)
	c.Say(tone.Sine(450, 2*time.Second).Clip(8000).PCM())
	pauseFor(2500 * time.Millisecond)
	c.Press("#")
	c.WaitEnd(t)
	heard := c.Heard()
	if peak, _ := correlate(heard, spokenText(t, "This is what you said.")); peak < 0.9 {
		t.Errorf("the announcement is not heard: %.2f", peak)
	}
	if l := tone.Goertzel(heard[len(heard)/2:], 8000, 450); l < 0.02 {
		t.Errorf("450 Hz is played back at %.4f", l)
	}
}

func TestEndsAtOnceWithAClearSentence(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		f := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, f, text)
		return f
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"taken port":      {[]string{"-sip", "udp://" + taken.LocalAddr().String()}, "address already in use"},
		"tls":             {[]string{"-sip", "tls://127.0.0.1:5061"}, "not supported yet"},
		"any address":     {[]string{"-sip", "udp://0.0.0.0:0"}, "Advertise"},
		"any media":       {[]string{"-media", "0.0.0.0"}, "needs an advertised one"},
		"bad ports":       {[]string{"-ports", "x"}, "not of the form"},
		"missing config":  {[]string{"-config", filepath.Join(dir, "none")}, "no such file"},
		"unknown key":     {[]string{"-config", file("c.json", `{"relm":"x"}`)}, `unknown field "relm"`},
		"missing flows":   {[]string{"-flows", filepath.Join(dir, "none")}, "no such file"},
		"bad flow":        {[]string{"-flows", filepath.Dir(file("flows/100.json", "[\n{\"type\":\"anwser\"}]"))}, `100.json:2:9: `},
		"not a database":  {[]string{"-data", filepath.Dir(file("data/callbin.db", strings.Repeat("x", 4096)))}, "database"},
		"taken HTTP port": {[]string{"-http", takenTCP(t)}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"-sip", "udp://127.0.0.1:0", "-http", "", "-data", filepath.Join(t.TempDir(), "data")}, tc.args...)
			out, err := exec.Command(binary(t), args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), tc.want) || strings.Contains(string(out), "goroutine") {
				t.Errorf("%v\n%s\nwant status 1 and %q", err, out, tc.want)
			}
		})
	}
}

func takenTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// TestAdvertisedAddressIsShownToStrangersOnly looks at the SDP and the Contact that a peer gets.
func TestAdvertisedAddressIsShownToStrangersOnly(t *testing.T) {
	for name, tc := range map[string]struct{ config, sdp, contact string }{
		"a stranger":         {`{}`, "c=IN IP4 203.0.113.9", "pbx.example.com:5099"},
		"a peer of our nets": {`{"local_nets":["127.0.0.0/8"]}`, "c=IN IP4 127.0.0.1", "127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, serverOptions{
				sip: "udp://127.0.0.1:%[1]d?advertise=pbx.example.com:5099", media: "127.0.0.1=203.0.113.9", config: tc.config,
				flows: map[string]string{"100.json": `[{"type":"answer"},{"type":"sleep","option":{"duration":60000}}]`},
			})
			c := phone(t, s).Dial(t, "100")
			if sdp := c.Answers()[0]; !strings.Contains(sdp, tc.sdp) {
				t.Errorf("SDP without %q:\n%s", tc.sdp, sdp)
			}
			if got := c.Contact(); !strings.Contains(got, tc.contact) {
				t.Errorf("Contact %q, want %q in it", got, tc.contact)
			}
			c.Hangup(t)
		})
	}
}

func TestTermDrainsAndTheSecondCuts(t *testing.T) {
	s := start(t, serverOptions{flows: map[string]string{"100.json": `[{"type":"answer"},{"type":"sleep","option":{"duration":60000}}]`}})
	c := phone(t, s).Dial(t, "100")
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	var refused *calltest.StatusError
	until(t, "new calls are refused", func() bool {
		c, err := phone(t, s).Invite(t.Context(), "100")
		if err == nil {
			c.Hangup(t)
		}
		return errors.As(err, &refused)
	})
	if refused.Status != 503 {
		t.Errorf("while it drains a new call gets %d, want 503", refused.Status)
	}
	select {
	case <-c.Done():
		t.Error("draining cut a call")
	case err := <-s.done:
		t.Fatalf("the server ended with a call up: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
		t.Errorf("the call ended by %q, want BYE", why)
	}
	err := <-s.done
	s.done <- err
	if err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func TestFlowsAreTakenUpWhileItRuns(t *testing.T) {
	s := start(t, serverOptions{flows: map[string]string{"100.json": `[{"type":"hangup","option":{"reason":"busy"}}]`}})
	status := func() int {
		var refused *calltest.StatusError
		if _, err := phone(t, s).Invite(t.Context(), "100"); errors.As(err, &refused) {
			return refused.Status
		}
		return 200
	}
	if got := status(); got != 486 {
		t.Fatalf("at first %d", got)
	}
	write(t, filepath.Join(s.dir, "100.json"), `[{"type":"hangup","option":{"reason":"noanswer"}}]`)
	until(t, "the new flow answers", func() bool { return status() == 480 })
	write(t, filepath.Join(s.dir, "100.json"), `[{"type":"hangup","option":{"reason":"lazy"}}]`)
	until(t, "the bad flow is reported", func() bool { return strings.Contains(s.log.String(), "lazy") })
	if got := status(); got != 480 {
		t.Errorf("with a bad file %d, want the last good flow's 480", got)
	}
}

func TestCallsAreListedForWhoHasTheToken(t *testing.T) {
	s := start(t, serverOptions{flows: map[string]string{"100.json": `[{"type":"hangup","option":{"reason":"busy"}}]`}})
	if c, err := phone(t, s).Invite(t.Context(), "100"); err == nil {
		t.Fatalf("answered: %v", c.Statuses())
	}
	token, err := os.ReadFile(filepath.Join(s.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	list := func(bearer string) (int, []map[string]any) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://127.0.0.1:%d/v1.0/calls?status=hangup&hangup_reason=busy", s.http), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var body struct{ Result []map[string]any }
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, body.Result
	}
	if code, _ := list("x"); code != 401 {
		t.Errorf("with a wrong token %d", code)
	}
	until(t, "the call is stored", func() bool {
		_, calls := list(strings.TrimSpace(string(token)))
		return len(calls) == 1 && calls[0]["sip_code"] == 486.0
	})
}

func TestTalkWithoutEngineIsToldAtLoad(t *testing.T) {
	s := start(t, serverOptions{env: []string{"PATH=/nonexistent"}, flows: map[string]string{
		"100.json": `[{"type":"talk","option":{"text":"This was never rendered.","language":"en-US"}},{"type":"beep"}]`}})
	if log := s.log.String(); !strings.Contains(log, "espeak-ng") || !strings.Contains(log, "WARN") {
		t.Errorf("no warning that espeak-ng is missing:\n%s", log)
	}
	c := phone(t, s).Dial(t, "100")
	c.WaitEnd(t)
	until(t, "the error of the step is told", func() bool { return strings.Count(s.log.String(), "espeak-ng") > 1 })
	if l := tone.Goertzel(c.Heard(), 8000, 1000); l < 0.05 {
		t.Errorf("the flow did not go on after the failed talk: beep at %.3f", l)
	}
}
