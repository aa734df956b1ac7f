package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

// phrases are real speech, prompts of examples/server; what they are called is what the fake writes down.
var phrases = map[string]string{
	"first question":  "a9976faafbb1deac1ece57c04d292add15bfa9d43e47c9a0ba8319114d99104b",
	"second question": "9d6e058edaf2e642e3e64aa2a3ec650c81e0d580f859c62a495d2692fa4e18fc",
	"third question":  "251571102b535384ef1e5b4cf3e0196c51476d9abbac89fd83e5ea1c3ee45d84",
}

func phrase(t testing.TB, name string) []int16 {
	t.Helper()
	b, err := os.ReadFile("../server/speech/" + phrases[name] + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return clip.PCM()
}

// world is a bot in the time of a bubble, with a server behind pipes that knows phrases by their sound and speaks in tones.
type world struct {
	fake  *endpoint
	call  *calltest.PhoneCall
	start time.Time // of the call's sound

	mu    sync.Mutex
	asked [][]message // guarded by mu
}

// pitch of each sentence that the fake speaks, in Hz, and how long it takes.
var pitches = map[string]struct {
	hz float64
	d  time.Duration
}{
	"Hello. How can I help you?":                     {500, time.Second},
	"Sorry, that did not work. Please say it again.": {600, time.Second},
	"Are you still there?":                           {700, time.Second},
	"Goodbye.":                                       {800, 500 * time.Millisecond},
	"Pardon?":                                        {900, 500 * time.Millisecond},
	"The first answer is one.":                       {1000, 2 * time.Second},
	"And this comes after it.":                       {1200, 2 * time.Second},
	"The second answer has many words that take a long time to say.": {1400, 5 * time.Second},
	"The third answer.": {1600, time.Second},
}

func newWorld(t *testing.T, change func(*endpoint)) *world {
	t.Helper()
	w := &world{}
	known := map[string][]int16{}
	for name := range phrases {
		known[name] = phrase(t, name)
	}
	w.fake = &endpoint{
		hear: func(sound *media.Clip, language string) (string, error) {
			if language != "en" {
				return "", fmt.Errorf("language %q", language)
			}
			for name, pcm := range known {
				if peak, _ := tone.Correlate(pcm, sound.PCM()); peak > 0.8 {
					return name, nil
				}
			}
			return "", nil
		},
		think: func(all []message, tell func(string)) error {
			w.mu.Lock()
			w.asked = append(w.asked, all)
			w.mu.Unlock()
			last := all[len(all)-1].Content
			answer := "The third answer."
			switch {
			case strings.HasSuffix(last, "first question"):
				answer = "The first answer is one. And this comes after it."
			case strings.HasSuffix(last, "second question"):
				answer = "The second answer has many words that take a long time to say."
			}
			for part := range strings.SplitAfterSeq(answer, " ") {
				tell(part)
				time.Sleep(30 * time.Millisecond) // as a model does
			}
			return nil
		},
		speak: func(text, _ string) (*media.Clip, error) {
			p, ok := pitches[text]
			if !ok {
				return nil, fmt.Errorf("nobody should say %q", text)
			}
			return tone.Sine(p.hz, p.d).Clip(speechRate), nil
		},
	}
	if change != nil {
		change(w.fake)
	}
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: w.fake}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{DialContext: l.dial}
	client, err := openai.New(openai.Config{
		BaseURL: "http://ai.example/v1", Key: "sk-test", Model: "m", HTTP: &http.Client{Transport: transport}, Timeout: 5 * time.Second, Retries: -1,
		Assistants: map[string]openai.Assistant{"": {Instructions: "Be brief."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	bot, err := NewBot(Bot{Assistant: client, Writer: client, Speaker: client, Language: "en-GB", Logger: nil})
	if err != nil {
		t.Fatal(err)
	}
	_ = bot.Prepare(t.Context()) // fails where the server is to
	_, stop := calltest.Run(t, netOf(t), call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return flow.Func(bot.Run), nil }})
	phone := calltest.NewPhone(t, netOf(t), calltest.PhoneConfig{})
	w.call = phone.Dial(t, "bot")
	w.start = time.Now()
	t.Cleanup(func() {
		stop()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		server.Close()
		<-served
	})
	return w
}

var nets sync.Map // of a test

func netOf(t *testing.T) *calltest.Net {
	n, _ := nets.LoadOrStore(t, calltest.NewNet())
	return n.(*calltest.Net)
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case p.conns <- b:
		return a, nil
	case <-p.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (w *world) hears(hz float64) bool { return calltest.Hears(w.call.Heard(), hz) }

// requests are what the model was asked, without the system message, a line each.
func (w *world) requests() (all []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, messages := range w.asked {
		var parts []string
		for _, m := range messages[1:] {
			parts = append(parts, m.Role+": "+m.Content)
		}
		all = append(all, strings.Join(parts, " | "))
	}
	return all
}

func TestConversationWithBargeIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		time.Sleep(1500 * time.Millisecond)
		w.call.Say(phrase(t, "first question"))
		time.Sleep(8 * time.Second)
		for _, hz := range []float64{500, 1000, 1200} {
			if !w.hears(hz) {
				t.Errorf("%v Hz is not heard", hz)
			}
		}
		w.call.Say(phrase(t, "second question"))
		for range 500 { // until the answer has begun
			if w.hears(1400) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(1500 * time.Millisecond)
		before := len(w.call.Heard())
		w.call.Say(phrase(t, "third question"))
		time.Sleep(time.Second)
		after := w.call.Heard()[before:]
		last := 0
		for i := 0; i+160 <= len(after); i += 160 {
			if tone.Goertzel(after[i:i+160], 8000, 1400) > 0.05 {
				last = i + 160
			}
		}
		t.Logf("the bot is silent %d ms after the caller begins to speak", last/8)
		if last > 8*300 {
			t.Errorf("the bot speaks on for %d ms", last/8)
		}
		time.Sleep(6 * time.Second)
		if !w.hears(1600) {
			t.Error("the third answer is not heard")
		}
		w.call.Hangup(t)
		got := w.requests()
		if len(got) != 3 {
			t.Fatalf("the model was asked %d times: %q", len(got), got)
		}
		if !strings.Contains(got[1], "assistant: The first answer is one. And this comes after it. | user: second question") {
			t.Errorf("second request: %s", got[1])
		}
		_, cut, _ := strings.Cut(got[2], "second question | assistant: ")
		cut, _, _ = strings.Cut(cut, " |")
		if !strings.HasPrefix(cut, "The second answer") || !strings.HasSuffix(cut, " …") || strings.Contains(cut, "long time") {
			t.Errorf("of what was interrupted the history has %q", cut)
		}
	})
}

func TestServerFails(t *testing.T) {
	for name, change := range map[string]func(e *endpoint){
		"write": func(e *endpoint) {
			hear, n := e.hear, new(atomic.Int32)
			e.hear = func(c *media.Clip, l string) (string, error) {
				if n.Add(1) == 1 {
					return "", errors.New("down")
				}
				return hear(c, l)
			}
		},
		"think": func(e *endpoint) {
			think, n := e.think, new(atomic.Int32)
			e.think = func(m []message, tell func(string)) error {
				if n.Add(1) == 1 {
					return errors.New("down")
				}
				return think(m, tell)
			}
		},
		"think hangs": func(e *endpoint) {
			think, n := e.think, new(atomic.Int32)
			e.think = func(m []message, tell func(string)) error {
				if n.Add(1) == 1 {
					time.Sleep(time.Minute)
				}
				return think(m, tell)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, change)
				time.Sleep(1500 * time.Millisecond)
				w.call.Say(phrase(t, "first question"))
				time.Sleep(10 * time.Second)
				if !w.hears(600) || w.hears(1000) {
					t.Fatal("no apology is heard")
				}
				w.call.Say(phrase(t, "first question"))
				time.Sleep(10 * time.Second)
				if !w.hears(1000) {
					t.Error("it does not go on")
				}
				w.call.Hangup(t)
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestSilenceAndKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		time.Sleep(11 * time.Second)
		if !w.hears(700) {
			t.Error("nobody asks whether the caller is there")
		}
		w.call.Press("12#")
		time.Sleep(3 * time.Second)
		if got := w.requests(); len(got) != 1 || !strings.HasSuffix(got[0], "user: [pressed 1 2]") {
			t.Errorf("the model was asked %q", got)
		}
		w.call.WaitEnd(t) // after silence
		if !w.hears(800) {
			t.Error("no goodbye")
		}
	})
}
