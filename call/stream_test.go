package call_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zaf/g711"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/stream"
	"github.com/callbin/callbin/media/tone"
)

// streamed are the events about external media so far.
func (h *house) streamed() (list []call.ExternalMedia) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if m, ok := e.Data.(call.ExternalMedia); ok {
			list = append(list, m)
		}
	}
	return list
}

const twilioFlow = `[{"type":"answer"},{"id":"s","type":"external_media_start","option":{"protocol":"twilio","url":"ws://program.example.com/voice?key=hidden",
	"parameters":{"name":"Ann"},"wait":true}},{"id":"after","type":"play","option":{"stream_urls":["http://tone/700"]}}]`

// TestTwilioStream: what a program that is written for Twilio's Media Streams gets, message by message, and what is heard of it.
func TestTwilioStream(t *testing.T) {
	var recorded []byte
	synctest.Test(t, func(t *testing.T) {
		p := &twilioProgram{on: func(s *twilioStream, m twilioMessage) {
			switch {
			case m.Event == "start":
				s.say(tone.Sine(400, time.Second).Clip(8000).PCM())
				s.mark("said")
			case m.Event == "mark" && m.Mark.Name == "said":
				s.mark("nothing before it")
			case m.Event == "dtmf" && m.DTMF.Digit == "9":
				_ = s.conn.Close(1000, "")
			}
		}}
		_, useWires := serveWires(t, p)
		h := open(t, map[string]string{"100": twilioFlow}, useWires)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.Say(tone.Sine(1000, 10*time.Second).Clip(8000).PCM())
		time.Sleep(2 * time.Second)
		c.Press("5")
		time.Sleep(time.Second)
		c.Press("9")
		c.WaitEnd(t)
		r := h.records(t)[0]

		s := p.stream(t, 0)
		all := s.all("")
		if len(all) < 10 || all[0].Event != "connected" || all[0].Protocol != "Call" || all[0].Version != "1.0.0" || all[0].SequenceNumber != "" || all[1].Event != "start" {
			t.Fatalf("it begins with %+v", all[:min(2, len(all))])
		}
		st := all[1].Start
		if st.StreamSid == "" || st.StreamSid != all[1].StreamSid || st.CallSid != r.ID || st.AccountSid == "" || !slices.Equal(st.Tracks, []string{"inbound"}) ||
			st.CustomParameters["name"] != "Ann" || st.MediaFormat.Encoding != "audio/x-mulaw" || st.MediaFormat.SampleRate != 8000 || st.MediaFormat.Channels != 1 {
			t.Errorf("start: %+v", st)
		}
		chunk := 0
		for i, m := range all[1:] {
			if m.SequenceNumber != strconv.Itoa(i+1) || m.StreamSid != st.StreamSid {
				t.Fatalf("message %d is %+v", i+1, m)
			}
			if m.Event == "media" {
				if chunk++; m.Media.Chunk != strconv.Itoa(chunk) || m.Media.Track != "inbound" || m.Media.Timestamp != strconv.Itoa(20*(chunk-1)) || len(m.Media.Payload) != 216 {
					t.Fatalf("frame %d is %+v", chunk, m.Media)
				}
			}
		}
		if got := s.heard("inbound"); len(got) < 16000 || level(got[4000:12000], 1000) < 0.1 {
			t.Errorf("it heard %d samples, 1000 Hz at %v", len(got), level(got[4000:12000], 1000))
		}
		marks := s.all("mark")
		if len(marks) != 2 || marks[0].Mark.Name != "said" || marks[1].Mark.Name != "nothing before it" {
			t.Fatalf("marks: %+v", marks)
		}
		if d := marks[0].at.Sub(all[1].at); d < 980*time.Millisecond || d > 1060*time.Millisecond {
			t.Errorf("a second of sound was marked as played after %v", d)
		}
		if d := marks[1].at.Sub(marks[0].at); d > time.Millisecond {
			t.Errorf("a mark with nothing before it took %v", d)
		}
		if keys := s.all("dtmf"); len(keys) != 2 || keys[0].DTMF.Digit != "5" || keys[0].DTMF.Track != "inbound_track" {
			t.Errorf("keys: %+v", keys)
		}
		heard := c.Heard()
		if l, other := level(heard[800:7200], 400), level(heard[800:7200], 700); l < 0.1 || other > l/50 {
			t.Errorf("the phone heard 400 Hz at %v, 700 at %v: want the program", l, other)
		}
		if tail := heard[len(heard)-7000:]; level(tail, 700) < 0.1 {
			t.Errorf("the flow did not go on after the stream: 700 Hz at %v", level(tail, 700))
		}
		events := h.streamed()
		if len(events) != 2 || events[0].Status != call.ExternalMediaRunning || events[1].Status != call.ExternalMediaTerminated ||
			events[1].Reason != stream.ReasonClosed || events[1].Stats.FramesSent < 100 || events[1].Stats.FramesDropped > 2 || events[1].Stats.Marks != 2 {
			t.Errorf("events: %s", asText(events))
		}
		trace, err := h.store.Trace(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if b := asText(events); strings.Contains(b, "hidden") {
			t.Errorf("the query of the URL is told: %s", b)
		}
		recorded = trace
	})
	if _, err := calltest.ReplayTrace(t, recorded, calltest.ReplayConfig{}); err != nil {
		t.Errorf("replay: %v", err)
	}
}

func asText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// onsets are the moments at which sound begins in what came to the phone after silence, by the arrival of the packet that has it.
func onsets(c *calltest.PhoneCall) (at []time.Time) {
	packets, pcm := c.Packets(), c.Heard()
	if len(packets) == 0 {
		return nil
	}
	quiet, last := 5, packets[0].At
	for _, p := range packets {
		if p.At.Sub(last) > 100*time.Millisecond {
			quiet = 5
		}
		last = p.At
		i := int(int32(p.Timestamp - packets[0].Timestamp))
		if p.PayloadType != 0 || i < 0 || i+160 > len(pcm) {
			continue
		}
		loud := slices.ContainsFunc(pcm[i:i+160], func(v int16) bool { return v > 2000 || v < -2000 })
		if loud && quiet >= 5 {
			at = append(at, p.At)
		}
		if quiet++; loud {
			quiet = 0
		}
	}
	return at
}

// TestStreamEchoLatency: from the packet in which a phone says something to the one in which it hears its echo from the program, at any place of
// the phone's packets between the ticks of the engine. Time is virtual: what is measured is what the engine waits for.
func TestStreamEchoLatency(t *testing.T) {
	var took []time.Duration
	for _, phase := range []time.Duration{0, 3, 7, 11, 15, 19} {
		synctest.Test(t, func(t *testing.T) {
			_, useWires := serveWires(t, echoProgram())
			h := open(t, map[string]string{"100": twilioFlow}, useWires)
			time.Sleep(phase * time.Millisecond)
			took = append(took, echoTimes(t, h.net, calltest.PhoneConfig{}, "100", 40)...)
		})
	}
	p50, p99 := quantiles(took)
	t.Logf("echo by way of the program: p50 %v, p99 %v", p50, p99)
	if p99 >= 60*time.Millisecond {
		t.Errorf("p99 is %v, want less than 60 ms", p99)
	}
}

// BenchmarkStreamEcho is the same over real sockets of this machine, a burst each time. -benchtime=200x takes a minute.
func BenchmarkStreamEcho(b *testing.B) {
	server := httptest.NewServer(echoProgram())
	defer server.Close()
	f, err := flow.Parse([]byte(strings.Replace(twilioFlow, "ws://program.example.com", "ws"+strings.TrimPrefix(server.URL, "http"), 1)), flow.ParseOptions{Registry: action.Builtin(action.Deps{})})
	if err != nil {
		b.Fatal(err)
	}
	e, stop := calltest.Run(b, calltest.Loopback{}, call.Config{
		Route:   func(context.Context, *call.Incoming) (flow.Program, error) { return f, nil },
		Streams: call.StreamConfig{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	defer stop()
	took := echoTimes(b, calltest.Loopback{}, calltest.PhoneConfig{Addr: netip.MustParseAddr("127.0.0.1"), Server: e.Addrs()[0].Addr}, "100", b.N)
	p50, p99 := quantiles(took)
	b.ReportMetric(float64(p50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
}

// echoProgram sends back each frame that comes.
func echoProgram() *twilioProgram {
	return &twilioProgram{on: func(s *twilioStream, m twilioMessage) {
		if m.Event == "media" {
			s.send(`{"event":"media","streamSid":"` + s.sid + `","media":{"payload":"` + m.Media.Payload + `"}}`)
		}
	}}
}

func quantiles(took []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// echoTimes says bursts and returns how long after each one is heard again.
func echoTimes(t testing.TB, network calltest.Network, phone calltest.PhoneConfig, user string, bursts int) (took []time.Duration) {
	t.Helper()
	spy := &spyNetwork{Network: network}
	c := calltest.NewPhone(t, spy, phone).Dial(t, user)
	time.Sleep(time.Second)
	for range bursts {
		c.Say(tone.Sine(1000, 40*time.Millisecond).Clip(8000).PCM())
		time.Sleep(300 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
	c.Hangup(t)
	said, heard := spy.said(), onsets(c)
	if len(heard) != bursts || len(said) != bursts {
		t.Fatalf("%d of %d bursts were said and %d came back", len(said), bursts, len(heard))
	}
	for i := range said {
		took = append(took, heard[i].Sub(said[i]))
	}
	return took
}

// spyNetwork notes when its sockets send loud packets after quiet ones.
type spyNetwork struct {
	calltest.Network
	mu    sync.Mutex
	loud  bool        // guarded by mu
	times []time.Time // guarded by mu
}

type spyConn struct {
	calltest.Conn
	spy *spyNetwork
}

func (n *spyNetwork) Listen(addr netip.AddrPort) (calltest.Conn, error) {
	c, err := n.Network.Listen(addr)
	return spyConn{c, n}, err
}

func (n *spyNetwork) said() []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.times)
}

func (c spyConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if len(b) == 172 && b[0] == 0x80 && b[1]&0x7f == 0 {
		loud := slices.ContainsFunc(b[12:], func(v byte) bool { s := g711.DecodeUlawFrame(v); return s > 2000 || s < -2000 })
		c.spy.mu.Lock()
		if loud && !c.spy.loud {
			c.spy.times = append(c.spy.times, time.Now())
		}
		c.spy.loud = loud
		c.spy.mu.Unlock()
	}
	return c.Conn.WriteToUDPAddrPort(b, to)
}

// TestStreamClear: what is queued is not heard any more 40 ms after a clear, its marks come back, and what is said then is heard.
func TestStreamClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cleared time.Time
		p := &twilioProgram{}
		p.on = func(s *twilioStream, m twilioMessage) {
			switch {
			case m.Event == "start":
				s.say(tone.Sine(400, time.Minute).Clip(8000).PCM())
				s.mark("never reached")
			case m.Event == "dtmf":
				cleared = m.at
				s.clear()
			case m.Event == "mark" && m.Mark.Name == "never reached":
				s.mark("next")
			}
		}
		_, useWires := serveWires(t, p)
		h := open(t, map[string]string{"100": twilioFlow}, useWires)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2003 * time.Millisecond)
		c.Press("1")
		time.Sleep(time.Second)
		s := p.stream(t, 0)
		marks := s.all("mark")
		if len(marks) != 2 || marks[0].Mark.Name != "never reached" || marks[1].Mark.Name != "next" || marks[0].at.Sub(cleared) > time.Millisecond {
			t.Errorf("marks after the clear at %v: %+v", cleared, marks)
		}
		packets := c.Packets()
		last := packets[len(packets)-1].At
		if d := last.Sub(cleared); d > 40*time.Millisecond || d < 0 {
			t.Errorf("the last sound came %v after the clear", d)
		}
		t.Logf("silence %v after the clear", last.Sub(cleared))
		s.say(tone.Sine(700, 500*time.Millisecond).Clip(8000).PCM())
		time.Sleep(time.Second)
		c.Hangup(t)
		heard := c.Heard()
		if tail := heard[len(heard)-3600:]; level(tail, 700) < 0.1 || level(tail, 400) > 0.01 {
			t.Errorf("after the clear: 700 Hz at %v, 400 Hz at %v", level(tail, 700), level(tail, 400))
		}
		h.records(t)
		if e := h.streamed(); e[len(e)-1].Reason != stream.ReasonStopped || e[len(e)-1].Stats.Clears != 1 {
			t.Errorf("events: %s", asText(e))
		}
		if stop := s.all("stop"); len(stop) != 1 || stop[0].Stop.CallSid == "" {
			t.Errorf("the hang-up is told as %+v", stop)
		}
	})
}

// TestStreamReconnects: a program that is gone and comes back gets a stream that begins anew, and the call goes on.
func TestStreamReconnects(t *testing.T) {
	for name, away := range map[string]time.Duration{"soon": 0, "after a while": 12 * time.Second, "too late": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &twilioProgram{on: func(s *twilioStream, m twilioMessage) {
					if m.Event == "start" {
						s.say(tone.Sine(400, 300*time.Millisecond).Clip(8000).PCM())
					}
				}}
				w, useWires := serveWires(t, p)
				h := open(t, map[string]string{"100": twilioFlow}, useWires)
				c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(2 * time.Second)
				w.cut(away > 0)
				time.Sleep(away)
				w.mu.Lock()
				w.down = false
				w.mu.Unlock()
				time.Sleep(6 * time.Second)
				back := name != "too late"
				if back {
					c.Hangup(t)
				}
				c.WaitEnd(t)
				h.records(t)
				var states []string
				for _, e := range h.streamed() {
					states = append(states, e.Status+" "+e.Reason)
				}
				if !back {
					if want := []string{"running ", "reconnecting ", "terminated lost"}; !slices.Equal(states, want) {
						t.Errorf("events: %q, want %q", states, want)
					}
					return
				}
				if want := []string{"running ", "reconnecting ", "running ", "terminated stopped"}; !slices.Equal(states, want) {
					t.Errorf("events: %q, want %q", states, want)
				}
				a, b := p.stream(t, 0), p.stream(t, 1)
				if all := b.all(""); all[0].Event != "connected" || all[1].Event != "start" || all[1].SequenceNumber != "1" || all[2].Media == nil ||
					all[2].Media.Chunk != "1" || all[2].Media.Timestamp != "0" || a.sid == b.sid {
					t.Errorf("the second stream begins with %s", asText(all[:3]))
				}
				if n := len(onsets(c)); n != 2 {
					t.Errorf("the program was heard %d times, want at the start of both streams", n)
				}
			})
		})
	}
}

// TestStreamOfAProgramThatMisbehaves: what is no message of the protocol changes nothing.
func TestStreamOfAProgramThatMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := []string{`{`, `[]`, `null`, `"media"`, `7`, `{"event":"media"}`, `{"event":"media","media":7}`, `{"event":"media","media":{"payload":"%%%"}}`, `{"event":"mark"}`,
			`{"event":"mark","mark":{"name":""}}`, `{"event":"what"}`, `{"event":5}`, ``, strings.Repeat("[", 20000)}
		p := &twilioProgram{on: func(s *twilioStream, m twilioMessage) {
			if m.Event != "start" {
				return
			}
			for _, text := range bad {
				s.send(text)
			}
			_ = s.conn.Write(s.ctx, 2, []byte{1, 2, 3})
			s.say(tone.Sine(400, time.Second).Clip(8000).PCM())
		}}
		_, useWires := serveWires(t, p)
		h := open(t, map[string]string{"100": twilioFlow}, useWires)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(3 * time.Second)
		c.Hangup(t)
		h.records(t)
		if heard := c.Heard(); level(heard[800:7200], 400) < 0.1 {
			t.Error("what it said in between is not heard")
		}
		if e := h.streamed(); len(e) != 2 || e[1].Reason != stream.ReasonStopped || e[1].Stats.MessagesIgnored != uint64(len(bad)+1) {
			t.Errorf("events: %s", asText(e))
		}
	})
}

// TestStreamStalls: a program that takes nothing costs its own sound, not the call, and is lost after the write timeout.
func TestStreamStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		p := &twilioProgram{}
		p.on = func(_ *twilioStream, m twilioMessage) {
			if m.Event == "media" && m.Media.Chunk == "50" {
				<-release // a pipe keeps nothing for who does not read
			}
		}
		_, useWires := serveWires(t, p)
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"external_media_start","option":{"protocol":"twilio","url":"ws://x/","direction_listen":"in"}},
			{"type":"play","option":{"stream_urls":["http://tone/400","http://tone/400","http://tone/400","http://tone/400","http://tone/400","http://tone/400"]}}]`}, useWires)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.WaitEnd(t)
		heard := c.Heard()
		if d := len(heard); d < 47000 || level(heard[1000:46000], 400) < 0.1 {
			t.Errorf("the call's own sound is %d samples, 400 Hz at %v", d, level(heard, 400))
		}
		h.records(t)
		e := h.streamed()
		if len(e) < 3 || e[1].Status != call.ExternalMediaLost || !strings.Contains(e[1].Sentence, "takes nothing") || e[len(e)-1].Stats.FramesDropped < 100 {
			t.Errorf("events: %s", asText(e))
		}
	})
}

// TestStreamLimit: five at most.
func TestStreamLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &twilioProgram{}
		_, useWires := serveWires(t, p)
		step := `{"type":"external_media_start","option":{"protocol":"twilio","url":"ws://x/"}},`
		h := open(t, map[string]string{"100": `[{"type":"answer"},` + strings.Repeat(step, call.MaxStreams) +
			`{"id":"x","type":"external_media_start","option":{"protocol":"twilio","url":"ws://x/"},"on_error":"stop"},{"type":"hangup"},
			{"id":"stop","type":"external_media_stop"},{"id":"again","type":"external_media_stop","on_error":"end"},{"type":"hangup"},{"id":"end","type":"play","option":{"stream_urls":["http://tone/400"]}}]`}, useWires)
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		c.WaitEnd(t)
		if heard := c.Heard(); len(heard) < 7000 || level(heard[800:7000], 400) < 0.1 {
			t.Error("the sixth was not refused, or the second stop was not")
		}
		h.records(t)
		if e := h.streamed(); len(e) != 2*call.MaxStreams {
			t.Errorf("events: %s", asText(e))
		}
	})
}

// TestStreamIsRefused: addresses of this network, credentials that nobody has, protocols and rates that do not exist.
func TestStreamIsRefused(t *testing.T) {
	for option, want := range map[string]string{
		`{"protocol":"twilio","url":"ws://127.0.0.1:1/"}`:                      "not public",
		`{"protocol":"twilio","url":"ws://10.1.2.3/x"}`:                        "not public",
		`{"protocol":"twilio","url":"ws://x.example.com/","auth":"nobody"}`:    "no credentials",
		`{"protocol":"twilio","url":"ws://x.example.com/","sample_rate":9000}`: "sample rate",
	} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, map[string]string{"100": fmt.Sprintf(`[{"type":"answer"},{"id":"s","type":"external_media_start","option":%s}]`, option)})
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
			c.WaitEnd(t)
			r := h.records(t)[0]
			trace, err := h.store.Trace(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(trace), want) {
				t.Errorf("%s: the trace does not say %q:\n%s", option, want, trace)
			}
		})
	}
}

var _ media.Tap = (*stream.Session)(nil)
