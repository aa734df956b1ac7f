package vosk_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/safehttp"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/vosk"
)

func transcriber(t testing.TB, cfg vosk.Config) *vosk.Transcriber {
	t.Helper()
	x, err := vosk.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSoundBecomesText(t *testing.T) {
	f := &fakeVosk{answer: func(samples int, final bool) string {
		switch {
		case final:
			return `{"text" : "bye"}`
		case samples <= 1600:
			return `{"partial" : "good"}` // twice: told once
		case samples == 2400:
			return `{
  "result" : [{
      "conf" : 0.500000,
      "end" : 0.250000,
      "start" : 0.030000,
      "word" : "good"
    }, {
      "conf" : 1.000000,
      "end" : 0.270000,
      "start" : 0.250000,
      "word" : "day"
    }],
  "text" : "good day"
}`
		case samples == 3200:
			return `{"partial" : ""}`
		}
		return `{"partial" : "good", "partial_result" : [{"conf" : 0.75, "start" : 0.4, "end" : 0.5, "word" : "good"}]}`
	}}
	pcm := ramp(4100) // the last chunk is a short one
	var got told
	err := transcriber(t, vosk.Config{URL: serve(t, f)}).
		Transcribe(t.Context(), &sound{rate: 8000, pcm: slices.Clone(pcm)}, media.TranscribeOptions{}, got.tell)
	if err != nil {
		t.Fatal(err)
	}
	want := []media.Transcript{
		{Text: "good"},
		{Text: "good day", Final: true, Start: 30 * time.Millisecond, End: 270 * time.Millisecond, Confidence: 0.75},
		{Text: "good", Start: 400 * time.Millisecond, End: 500 * time.Millisecond, Confidence: 0.75},
		{Text: "bye", Final: true},
	}
	if d := cmp.Diff(want, got.all); d != "" {
		t.Errorf("texts (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{`{"config" : {"sample_rate" : 8000, "words" : 1}}`, `{"eof" : 1}`}, f.texts); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]int{800, 800, 800, 800, 800, 100}, f.chunks); d != "" {
		t.Errorf("chunks (-want +got):\n%s", d)
	}
	if !slices.Equal(f.heard, pcm) {
		t.Error("the server heard something else")
	}
	if got := f.header.Get("Sec-WebSocket-Version"); got != "13" {
		t.Errorf("version %q", got)
	}
}

func TestRateAndChunkAreThoseOfTheStream(t *testing.T) {
	f := &fakeVosk{answer: quiet}
	x := transcriber(t, vosk.Config{URL: serve(t, f), Chunk: 60 * time.Millisecond})
	if err := x.Transcribe(t.Context(), &sound{rate: 16000, pcm: ramp(1920)}, media.TranscribeOptions{}, func(x media.Transcript) {
		t.Errorf("told %+v, nothing was said", x)
	}); err != nil {
		t.Fatal(err)
	}
	if f.texts[0] != `{"config" : {"sample_rate" : 16000, "words" : 1}}` || !slices.Equal(f.chunks, []int{960, 960}) {
		t.Errorf("%q, %v", f.texts[0], f.chunks)
	}
	if err := x.Transcribe(t.Context(), &sound{}, media.TranscribeOptions{}, nil); err == nil || err.Error() != "vosk: transcribe: a stream of 0 Hz" {
		t.Errorf("rate 0: %v", err)
	}
}

func TestNoSoundAtAll(t *testing.T) {
	f := &fakeVosk{answer: quiet}
	if err := transcriber(t, vosk.Config{URL: serve(t, f)}).Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{}, nil); err != nil {
		t.Error(err)
	}
	if len(f.chunks) != 0 || len(f.texts) != 2 {
		t.Errorf("%v, %q", f.chunks, f.texts)
	}
}

func TestServerIsChosenByLanguage(t *testing.T) {
	server := func() (*fakeVosk, string) {
		f := &fakeVosk{answer: quiet}
		return f, serve(t, f)
	}
	en, enURL := server()
	gb, gbURL := server()
	rest, restURL := server()
	x := transcriber(t, vosk.Config{URL: restURL, URLs: map[string]string{"en": enURL, "EN-gb": gbURL}})
	for language, want := range map[string]*fakeVosk{
		"en": en, "en-US": en, "EN-Latn-US": en, "en-GB": gb, "en-GB-scotland": gb, "de-DE": rest, "": rest, "eng": rest, "-": rest,
	} {
		before := len(want.texts)
		if err := x.Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{Language: language}, nil); err != nil {
			t.Fatal(err)
		}
		if len(want.texts) != before+2 {
			t.Errorf("%q went to another server", language)
		}
	}
	x = transcriber(t, vosk.Config{URLs: map[string]string{"en": enURL, "de": gbURL}})
	for language, want := range map[string]string{
		"fr-FR": `vosk: transcribe: "fr-FR": no server for the language, there are de, en`,
		"":      `vosk: transcribe: "": no server for the language, there are de, en`,
	} {
		err := x.Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{Language: language}, nil)
		if !errors.Is(err, vosk.ErrLanguage) || err.Error() != want {
			t.Errorf("%q: %v", language, err)
		}
	}
}

func TestBadConfig(t *testing.T) {
	for want, cfg := range map[string]vosk.Config{
		"no URL":                   {},
		"http://x is not a ws: or": {URL: "http://x"},
		"ws:///y has no host":      {URL: "ws:///y"},
		"cannot be read":           {URLs: map[string]string{"en": "ws://u:secret@x:p/"}},
		"//x/y is not a ws: or":    {URLs: map[string]string{"en": "//u:secret@x/y?token=secret"}},
	} {
		_, err := vosk.New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// script is a server that reads the config and does something of its own.
func script(t *testing.T, f func(ctx context.Context, c *websocket.Conn)) string {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		if _, _, err := c.Read(r.Context()); err != nil {
			t.Error(err)
			return
		}
		f(r.Context(), c)
	}))
}

func say(t *testing.T, ctx context.Context, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestServerThatFails(t *testing.T) {
	stay := func(ctx context.Context, c *websocket.Conn) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		server func(ctx context.Context, c *websocket.Conn)
		want   string
		is     error
	}{
		"closes with a reason": {func(_ context.Context, c *websocket.Conn) {
			_ = c.Close(websocket.StatusInternalError, "model is gone")
		}, "the server hung up", nil},
		"closes as if all was well": {func(_ context.Context, c *websocket.Conn) {
			_ = c.Close(websocket.StatusNormalClosure, "")
		}, "the server hung up", nil},
		"drops the connection": {func(_ context.Context, c *websocket.Conn) { _ = c.CloseNow() }, "the connection is broken", nil},
		"sends no JSON": {func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"partial" : "hel`)
			stay(ctx, c)
		}, `read message "{\"partial\" : \"hel": unexpected end of JSON input`, nil},
		"sends another JSON": {func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"text" : 5}`)
			stay(ctx, c)
		}, `read message "{\"text\" : 5}"`, nil},
		"sends too much": {func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"text" : "`+strings.Repeat("x", 2000)+`"}`)
			stay(ctx, c)
		}, "a message of more than 1000 bytes", websocket.ErrMessageTooBig},
		"gives no answers": {stay, "no answer within 200ms: timeout", nil},
		"reads nothing": {func(ctx context.Context, c *websocket.Conn) {
			<-ctx.Done()
		}, "within 200ms: timeout", nil},
	} {
		t.Run(name, func(t *testing.T) {
			gone, leave := context.WithCancel(t.Context())
			defer leave()
			url := script(t, func(_ context.Context, conn *websocket.Conn) { c.server(gone, conn) })
			x := transcriber(t, vosk.Config{URL: url, Timeout: 200 * time.Millisecond, MaxMessage: 1000})
			begin := time.Now()
			err := x.Transcribe(t.Context(), endless{}, media.TranscribeOptions{}, func(x media.Transcript) { t.Errorf("told %+v", x) })
			if err == nil || !strings.HasPrefix(err.Error(), "vosk: transcribe by "+url+": ") || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if took := time.Since(begin); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestCloseReasonIsTold(t *testing.T) {
	url := script(t, func(ctx context.Context, c *websocket.Conn) {
		_ = c.Close(websocket.StatusInternalError, "model is gone")
	})
	err := transcriber(t, vosk.Config{URL: url}).
		Transcribe(t.Context(), &sound{rate: 8000, end: errStall}, media.TranscribeOptions{}, nil)
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Reason != "model is gone" || closed.Code != websocket.StatusInternalError {
		t.Errorf("%v", err)
	}
}

func TestServerThatFindsNoEnd(t *testing.T) {
	url := script(t, func(ctx context.Context, c *websocket.Conn) {
		for {
			if typ, _, err := c.Read(ctx); err != nil {
				return
			} else if typ == websocket.MessageBinary {
				say(t, ctx, c, `{"partial" : "hello"}`)
			}
		}
	})
	var got told
	err := transcriber(t, vosk.Config{URL: url, Timeout: 100 * time.Millisecond}).
		Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(8000)}, media.TranscribeOptions{}, got.tell)
	if err == nil || !strings.Contains(err.Error(), "no last text within 100ms: timeout") || len(got.all) != 1 {
		t.Errorf("%v, %v", err, got.all)
	}
}

// The server in C++ leaves the connection open; others hang up without a last text.
func TestEndsOfOtherServers(t *testing.T) {
	for name, end := range map[string]func(context.Context, *websocket.Conn){
		"stays": func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"text" : "so long"}`)
			_, _, _ = c.Read(ctx)
		},
		"closes after it": func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"text" : "so long"}`)
			_ = c.Close(websocket.StatusNoStatusRcvd, "")
		},
		"counts otherwise": func(ctx context.Context, c *websocket.Conn) {
			say(t, ctx, c, `{"alternatives" : [{"confidence" : 200.5, "text" : " so long "}, {"confidence" : 100.5, "text" : "solo"}]}`)
			say(t, ctx, c, `{"spk" : []}`)
			_ = c.Close(websocket.StatusNormalClosure, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := script(t, func(ctx context.Context, c *websocket.Conn) {
				for {
					typ, _, err := c.Read(ctx)
					switch {
					case err != nil:
						t.Error(err)
						return
					case typ == websocket.MessageText:
						end(ctx, c)
						return
					case name != "counts otherwise":
						say(t, ctx, c, `{"partial" : ""}`)
					}
				}
			})
			var got told
			if err := transcriber(t, vosk.Config{URL: url}).
				Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(1600)}, media.TranscribeOptions{}, got.tell); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff([]media.Transcript{{Text: "so long", Final: true}}, got.all); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestContextEndsIt(t *testing.T) {
	f := &fakeVosk{answer: func(int, bool) string { return `{"partial" : "hello"}` }}
	hungUp := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	err := transcriber(t, vosk.Config{URL: serve(t, f)}).
		Transcribe(ctx, &sound{rate: 8000, pcm: ramp(800), end: errStall}, media.TranscribeOptions{}, func(media.Transcript) { cancel(hungUp) })
	if !errors.Is(err, hungUp) {
		t.Errorf("%v", err)
	}
	if err := transcriber(t, vosk.Config{URL: "ws://127.0.0.1:1"}).Transcribe(ctx, &sound{rate: 8000}, media.TranscribeOptions{}, nil); !errors.Is(err, hungUp) {
		t.Errorf("before dialling: %v", err)
	}
}

func TestSourceThatFails(t *testing.T) {
	f := &fakeVosk{answer: quiet}
	broken := errors.New("line is cut")
	err := transcriber(t, vosk.Config{URL: serve(t, f)}).
		Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(900), end: broken}, media.TranscribeOptions{}, nil)
	if !errors.Is(err, broken) || !strings.HasSuffix(err.Error(), "read sound: line is cut") {
		t.Errorf("%v", err)
	}
}

func TestServersThatCannotBeReached(t *testing.T) {
	var hits atomic.Int32
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	redirect := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http"+strings.TrimPrefix(other, "ws"), http.StatusFound)
	}))
	block := make(chan struct{})
	slow := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer close(block)
	plain := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }))
	for url, want := range map[string]string{
		redirect:           "the server answered 302 Found instead of a WebSocket",
		plain:              "the server answered 200 OK instead of a WebSocket",
		slow:               "no connection within 300ms: timeout",
		"ws://127.0.0.1:1": "connection refused",
	} {
		secret := strings.Replace(url, "ws://", "ws://me:secret@", 1) + "/a/b?token=secret"
		err := transcriber(t, vosk.Config{URL: secret, DialTimeout: 300 * time.Millisecond}).
			Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "vosk: connect to "+url+"/a/b: ") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error has the password: %v", err)
		}
	}
	if hits.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestCredentialsOfTheURLAreSent(t *testing.T) {
	f := &fakeVosk{answer: quiet}
	url := strings.Replace(serve(t, f), "ws://", "ws://me:secret@", 1)
	if err := transcriber(t, vosk.Config{URL: url}).Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{}, nil); err != nil {
		t.Error(err)
	}
	if got := f.header.Get("Authorization"); got != "Basic bWU6c2VjcmV0" {
		t.Errorf("Authorization: %q", got)
	}
}

func TestGuardedDialer(t *testing.T) {
	f := &fakeVosk{answer: quiet}
	url := serve(t, f)
	guarded := safehttp.New(safehttp.Config{})
	defer guarded.Close()
	err := transcriber(t, vosk.Config{URL: url, Dial: guarded.DialContext}).
		Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{}, nil)
	if !errors.Is(err, safehttp.ErrBlocked) {
		t.Errorf("loopback: %v", err)
	}
	open := safehttp.New(safehttp.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer open.Close()
	if err := transcriber(t, vosk.Config{URL: url, Dial: open.DialContext}).
		Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(800)}, media.TranscribeOptions{}, nil); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

func TestOverTLS(t *testing.T) {
	s := httptest.NewTLSServer(&fakeVosk{answer: quiet})
	defer s.Close()
	url := "wss" + strings.TrimPrefix(s.URL, "https")
	tls := s.Client().Transport.(*http.Transport).TLSClientConfig
	if err := transcriber(t, vosk.Config{URL: url, TLS: tls}).Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(800)}, media.TranscribeOptions{}, nil); err != nil {
		t.Error(err)
	}
	err := transcriber(t, vosk.Config{URL: url}).Transcribe(t.Context(), &sound{rate: 8000}, media.TranscribeOptions{}, nil)
	if !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("unknown certificate: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	x := transcriber(t, vosk.Config{URL: serve(t, &fakeVosk{answer: quiet})})
	ends := make(chan error)
	for range 20 {
		go func() {
			ends <- x.Transcribe(t.Context(), &sound{rate: 8000, pcm: ramp(8000)}, media.TranscribeOptions{}, nil)
		}()
	}
	for range 20 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}
