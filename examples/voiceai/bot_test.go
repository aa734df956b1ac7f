package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

// sayings are what the caller can say, real synthetic speech, by the words that stand for it.
func sayings(t *testing.T) map[string][]int16 {
	t.Helper()
	all := map[string][]int16{}
	for text, name := range map[string]string{"what is the weather": "127978c7", "and tomorrow": "572e3f58", "stop": "a3e19dd3"} {
		files, err := filepath.Glob("../server/speech/" + name + "*.wav")
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		clip, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		all[text] = clip.PCM()
	}
	return all
}

// server is one of OpenAI's kind: it knows sayings when it hears them, answers what it was told to, and speaks each sentence as a tone of its own.
type server struct {
	sayings map[string][]int16
	answers map[string][]string // the parts of an answer, by the last message of the user
	tones   map[string]tone.Pattern

	mu    sync.Mutex
	chats [][]message // guarded by mu
	fail  func(w http.ResponseWriter, r *http.Request) (done bool)
}

func (s *server) endpoint() *endpoint {
	return &endpoint{
		hear: func(sound *media.Clip, _ string) (string, error) {
			clip, err := media.ReadAll(context.Background(), media.Resample(sound.Source(), 8000), time.Minute)
			if err != nil {
				return "", err
			}
			for text, pcm := range s.sayings {
				if peak, _ := tone.Correlate(pcm, clip.PCM()); peak > 0.8 {
					return text, nil
				}
			}
			return "", nil // noise
		},
		think: func(messages []message, tell func(string)) error {
			s.mu.Lock()
			s.chats = append(s.chats, slices.Clone(messages))
			s.mu.Unlock()
			for _, part := range s.answers[messages[len(messages)-1].Content] {
				tell(part)
			}
			return nil
		},
		speak: func(text, _ string) (*media.Clip, error) {
			p, ok := s.tones[text]
			if !ok {
				return nil, fmt.Errorf("%q was not expected", text)
			}
			return p.Clip(24000), nil
		},
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail == nil || !fail(w, r) {
		s.endpoint().ServeHTTP(w, r)
	}
}

// hang never answers.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then it is found out that the client has gone
	<-r.Context().Done()
}

// failing has requests answered by f from now on; nil: by the server.
func (s *server) failing(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// last is the conversation as the assistant was told it last.
func (s *server) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.chats) == 0 {
		return ""
	}
	var b strings.Builder
	for _, m := range s.chats[len(s.chats)-1] {
		fmt.Fprintf(&b, "%s: %s\n", m.Role, m.Content)
	}
	return b.String()
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

const (
	greeting, there, bye, sorry, pardon = 440, 500, 550, 620, 700
	sunny, warm, rain                   = 800, 900, 1000
)

// talk has the bot called by a phone, with a server that test may change, and runs test when the greeting is over.
func talk(t *testing.T, test func(t *testing.T, s *server, c *calltest.PhoneCall)) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{
			sayings: sayings(t),
			answers: map[string][]string{"what is the weather": {"It is", " sunny. ", "It is", " warm."}, "and tomorrow": {"It will rain all day long."}, "[pressed 4 2]": {"It is warm."}},
			tones: map[string]tone.Pattern{
				"Hello. How can I help you?": tone.Sine(greeting, time.Second), "Are you still there?": tone.Sine(there, time.Second), "Goodbye.": tone.Sine(bye, time.Second),
				"Sorry, that did not work. Please say it again.": tone.Sine(sorry, time.Second), "Pardon?": tone.Sine(pardon, time.Second),
				"It is sunny.": tone.Sine(sunny, time.Second), "It is warm.": tone.Sine(warm, time.Second), "It will rain all day long.": tone.Sine(rain, 10*time.Second),
			},
		}
		l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		web := &http.Server{Handler: s}
		go func() { _ = web.Serve(l) }() // until it is closed
		defer web.Close()
		transport := &http.Transport{DialContext: l.dial, DisableKeepAlives: true}
		client, err := openai.New(openai.Config{
			BaseURL: "http://server/v1", Model: "some", Timeout: 5 * time.Second, Retries: -1, HTTP: &http.Client{Transport: transport},
			Assistants: map[string]openai.Assistant{"": {Instructions: "Be brief."}},
		})
		if err != nil {
			t.Fatal(err)
		}
		bot, err := NewBot(Bot{Assistant: client, Writer: client, Speaker: client, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := bot.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		net := calltest.NewNet()
		_, stop := calltest.Run(t, net, call.Config{Route: func(context.Context, *call.Incoming) (flow.Program, error) { return flow.Func(bot.Run), nil }})
		defer stop()
		c := calltest.NewPhone(t, net, calltest.PhoneConfig{}).Dial(t, "bot")
		time.Sleep(1500 * time.Millisecond)
		only(t, "at first", c.Heard(), greeting)
		test(t, s, c)
		c.Hangup(t)
		c.WaitEnd(t)
	})
}

// only tells which of the tones pcm must hold; all others it must not.
func only(t *testing.T, what string, pcm []int16, want ...float64) {
	t.Helper()
	for _, hz := range []float64{greeting, there, bye, sorry, pardon, sunny, warm, rain} {
		if is := calltest.Hears(pcm, hz); is != slices.Contains(want, hz) {
			t.Errorf("%s: %v Hz is heard: %v", what, hz, is)
		}
	}
}

// heardWithin is what c hears in the time that comes.
func heardWithin(c *calltest.PhoneCall, d time.Duration) []int16 {
	n := len(c.Heard())
	time.Sleep(d)
	h := c.Heard()
	return h[min(n, len(h)):]
}

// TestTwoTurns: a question is answered sentence by sentence, and the next one with all that was said before.
func TestTwoTurns(t *testing.T) {
	talk(t, func(t *testing.T, s *server, c *calltest.PhoneCall) {
		c.Say(s.sayings["what is the weather"])
		pcm := heardWithin(c, 6*time.Second)
		only(t, "the first answer", pcm, sunny, warm)
		first, second := tone.Goertzel(pcm[:len(pcm)/2], 8000, sunny), tone.Goertzel(pcm[:len(pcm)/2], 8000, warm)
		if first < second {
			t.Error("the second sentence comes first")
		}
		c.Say(s.sayings["and tomorrow"])
		only(t, "the second answer", heardWithin(c, 5*time.Second), rain)
		want := "\nassistant: Hello. How can I help you?\nuser: what is the weather\nassistant: It is sunny. It is warm.\nuser: and tomorrow\n"
		if got := s.last(); !strings.HasPrefix(got, "system: Be brief.\n") || !strings.HasSuffix(got, want) {
			t.Errorf("the assistant was told\n%s, want\n%s", got, want)
		}
	})
}

// TestBargeIn: who speaks into an answer is not talked over, and the assistant knows what was heard of it.
func TestBargeIn(t *testing.T) {
	talk(t, func(t *testing.T, s *server, c *calltest.PhoneCall) {
		c.Say(s.sayings["and tomorrow"])
		only(t, "the answer", heardWithin(c, 4*time.Second), rain)
		from := len(c.Heard())
		c.Say(s.sayings["what is the weather"])
		time.Sleep(5 * time.Second)
		pcm := c.Heard()[from:]
		quiet := 0 // since when the answer is not heard any more, in ms
		for i := 0; i+160 <= len(pcm) && i < 8000; i += 160 {
			if tone.Goertzel(pcm[i:i+160], 8000, rain) > 0.02 {
				quiet = (i + 160) / 8
			}
		}
		t.Logf("the bot is silent %d ms after the caller begins to speak", quiet)
		if quiet == 0 || quiet > 250 {
			t.Errorf("the bot is silent after %d ms", quiet)
		}
		only(t, "after it", pcm[4000:], sunny, warm)
		if got := s.last(); !strings.Contains(got, "assistant: It will rain") || !strings.HasSuffix(got, " …\nuser: what is the weather\n") {
			t.Errorf("the assistant was told\n%s, want what was heard of the answer", got)
		}
	})
}

// TestServerFails in each of its works, each way; the bot says so, and goes on.
func TestServerFails(t *testing.T) {
	for name, f := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"transcription refused": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/audio/transcriptions" {
				return false
			}
			refuse(w, http.StatusInternalServerError, errors.New("out of order"))
			return true
		},
		"chat refused": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/chat/completions" {
				return false
			}
			refuse(w, http.StatusTooManyRequests, errors.New("out of order"))
			return true
		},
		"chat is garbage": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/chat/completions" {
				return false
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {{{\n\ndata: [DONE]\n\n")
			return true
		},
		"chat hangs": func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/chat/completions" {
				return false
			}
			hang(r)
			return true
		},
		"speech refused": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/audio/speech" {
				return false
			}
			refuse(w, http.StatusBadGateway, errors.New("out of order"))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			talk(t, func(t *testing.T, s *server, c *calltest.PhoneCall) {
				s.failing(f)
				c.Say(s.sayings["what is the weather"])
				only(t, "after the failure", heardWithin(c, 11*time.Second), sorry)
				s.failing(nil)
				c.Say(s.sayings["what is the weather"])
				only(t, "once it works again", heardWithin(c, 6*time.Second), sunny, warm)
			})
		})
	}
}

func TestKeysAreSaid(t *testing.T) {
	talk(t, func(t *testing.T, s *server, c *calltest.PhoneCall) {
		c.Press("42")
		only(t, "after the keys", heardWithin(c, 5*time.Second), warm)
		if got := s.last(); !strings.HasSuffix(got, "user: [pressed 4 2]\n") {
			t.Errorf("the assistant was told\n%s", got)
		}
	})
}

// TestNobodyIsThere: the bot asks twice, and hangs up.
func TestNobodyIsThere(t *testing.T) {
	talk(t, func(t *testing.T, _ *server, c *calltest.PhoneCall) {
		only(t, "after 8 s", heardWithin(c, 9*time.Second), there)
		only(t, "after 17 s", heardWithin(c, 9*time.Second), there)
		only(t, "at last", heardWithin(c, 9*time.Second), bye)
		if c.Ended() == "" {
			t.Error("the call goes on")
		}
	})
}

// TestHangupEndsAllWork while the assistant thinks: calltest finds what is left.
func TestHangupEndsAllWork(t *testing.T) {
	talk(t, func(t *testing.T, s *server, c *calltest.PhoneCall) {
		s.failing(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/chat/completions" {
				hang(r)
				return true
			}
			return false
		})
		c.Say(s.sayings["what is the weather"])
		time.Sleep(3 * time.Second)
	})
}

func TestWordsWithin(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"It will rain all day", 0, ""}, {"It will rain all day", 3, "It"}, {"It will rain all day", 9, "It will"}, {"It will rain all day", 100, "It will rain all"}, {"明天下雨", 7, "明天"}, {"", 5, ""},
	} {
		if got := wordsWithin(c.text, c.n); got != c.want {
			t.Errorf("%q within %d: %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

var _ action.Assistant = (*openai.Client)(nil)
