package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

func pcmBytes(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = append(b, byte(v), byte(v>>8))
	}
	return b
}

func ramp(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(i*7 - 20000)
	}
	return pcm
}

// heard reads a source as a media thread does.
func heard(src media.Source) (pcm []int16, err error) {
	frame := make([]int16, media.FrameLen(src.Rate()))
	for {
		n, err := src.ReadFrame(frame)
		pcm = append(pcm, frame[:n]...)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return pcm, err
		}
		if n == 0 {
			time.Sleep(5 * time.Millisecond) // in a bubble
		}
	}
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) Do(r *http.Request) (*http.Response, error) { return f(r) }

func answer(typ string, body io.Reader) answers {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {typ}}, Body: io.NopCloser(body)}, nil
	}
}

func speaker(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://ai.example/v1"
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSpeakStreams has the server send the second half of a sentence after the first was played.
func TestSpeakStreams(t *testing.T) {
	want := ramp(24000)
	played := make(chan struct{})
	var asked speech
	var auth string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth = r.Header.Get("Authorization") + " " + r.URL.Path
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "audio/pcm")
		b := pcmBytes(want)
		_, _ = w.Write(b[:24001]) // half a sample at its end
		w.(http.Flusher).Flush()
		select {
		case <-played:
		case <-r.Context().Done():
		}
		_, _ = w.Write(b[24001:])
	}))
	defer s.Close()
	c := speaker(t, Config{BaseURL: s.URL + "/v1", Key: "sk-1"})
	src, err := c.Speak(t.Context(), media.Utterance{Text: "Good morning.", Voice: "nova", Rate: 1.25})
	if err != nil {
		t.Fatal(err)
	}
	if want := (speech{Model: "tts-1", Input: "Good morning.", Voice: "nova", Format: "pcm", Speed: 1.25}); asked != want || auth != "Bearer sk-1 /v1/audio/speech" {
		t.Errorf("asked %+v by %q, want %+v", asked, auth, want)
	}
	if src.Rate() != 24000 {
		t.Errorf("rate %d", src.Rate())
	}
	var got []int16
	frame := make([]int16, 480)
	for len(got) < 5*480 { // what Speak has promised to be there
		n, err := src.ReadFrame(frame)
		if err != nil || n == 0 {
			t.Fatalf("%d samples, %v, after %d", n, err, len(got))
		}
		got = append(got, frame[:n]...)
	}
	close(played)
	c.speaking.Wait() // all has come
	rest, err := heard(src)
	if got = append(got, rest...); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d samples, %v; want %d", len(got), err, len(want))
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestSpeakFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pcm := ramp(5000)
		file := wav.Encode(media.NewClip(16000, pcm))
		piped := bytes.Clone(file) // as a server writes that does not know the length yet
		copy(piped[4:], "\xff\xff\xff\xff")
		copy(piped[40:], "\xff\xff\xff\xff")
		for name, tc := range map[string]struct {
			cfg  Config
			typ  string
			body []byte
			rate int
			pcm  []int16
		}{
			"pcm":                      {Config{}, "audio/pcm", pcmBytes(pcm), 24000, pcm},
			"pcm of another rate":      {Config{SpeechRate: 22050}, "application/octet-stream", pcmBytes(pcm), 22050, pcm},
			"pcm with half a sample":   {Config{}, "audio/pcm", append(pcmBytes(pcm), 1), 24000, pcm},
			"wav":                      {Config{SpeechFormat: FormatWAV}, "audio/wav", file, 16000, pcm},
			"wav in place of pcm":      {Config{}, "audio/wav", file, 16000, pcm},
			"wav of unknown length":    {Config{SpeechFormat: FormatWAV}, "audio/wav", piped, 16000, pcm},
			"shorter than Speak waits": {Config{}, "audio/pcm", pcmBytes(pcm[:30]), 24000, pcm[:30]},
		} {
			for how, r := range map[string]io.Reader{"at once": bytes.NewReader(tc.body), "byte by byte": iotest.OneByteReader(bytes.NewReader(tc.body))} {
				tc.cfg.HTTP = answer(tc.typ, r)
				c := speaker(t, tc.cfg)
				src, err := c.Speak(t.Context(), media.Utterance{Text: "Hi."})
				if err != nil {
					t.Errorf("%s, %s: %v", name, how, err)
					continue
				}
				got, err := heard(src)
				if err != nil || src.Rate() != tc.rate || !slices.Equal(got, tc.pcm) {
					t.Errorf("%s, %s: %d samples at %d Hz, %v; want %d at %d", name, how, len(got), src.Rate(), err, len(tc.pcm), tc.rate)
				}
			}
		}
	})
}

func TestSpeakFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			http  answers
			words string
			is    error
		}{
			"json":   {answer("application/json", strings.NewReader(`{"ok":true}`)), "not sound", nil},
			"html":   {answer("text/html; charset=utf-8", strings.NewReader("<html>")), "not sound", nil},
			"mp3":    {answer("audio/mpeg", strings.NewReader("ID3aaaaaaaa")), "compressed", nil},
			"opus":   {answer("audio/ogg", strings.NewReader("OggSaaaaaaaa")), "compressed", nil},
			"empty":  {answer("audio/pcm", strings.NewReader("")), "no sound", nil},
			"a byte": {answer("audio/pcm", strings.NewReader("a")), "no sound", nil},
			"bad wav": {
				answer("audio/wav", strings.NewReader("RIFF\x10\x00\x00\x00WAVEfmt ")), "wav", nil,
			},
			"breaks": {answer("audio/pcm", io.MultiReader(strings.NewReader("abcdef"), iotest.ErrReader(io.ErrUnexpectedEOF))), "", io.ErrUnexpectedEOF},
			"refused": {func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 401, Body: io.NopCloser(strings.NewReader(`{"error":{"message":"bad key sk-secret"}}`))}, nil
			}, "401 Unauthorized: bad key ***", nil},
			"hangs": {func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}, "no answer within 5s", context.DeadlineExceeded},
		} {
			c := speaker(t, Config{HTTP: tc.http, Key: "sk-secret", Timeout: 5 * time.Second, Retries: -1})
			src, err := c.Speak(t.Context(), media.Utterance{Text: "Hi."})
			if err == nil {
				_, err = heard(src)
			}
			if err == nil || !strings.Contains(err.Error(), tc.words) || tc.is != nil && !errors.Is(err, tc.is) || strings.Contains(err.Error(), "sk-secret") || !strings.HasPrefix(err.Error(), "openai: speak: ") {
				t.Errorf("%s: %v; want %q", name, err, tc.words)
			}
			c.speaking.Wait()
		}
		c := speaker(t, Config{HTTP: answer("audio/pcm", strings.NewReader("aa"))})
		if _, err := c.Speak(t.Context(), media.Utterance{Text: "<speak>hi</speak>"}); !errors.Is(err, errors.ErrUnsupported) || c.CheckSpeak(media.Utterance{Text: "<speak/>"}) == nil {
			t.Errorf("SSML: %v", err)
		}
		if _, err := c.Speak(t.Context(), media.Utterance{Text: strings.Repeat("x", MaxSpeech+1)}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("long text: %v", err)
		}
		if err := c.CheckSpeak(media.Utterance{Text: "hi"}); err != nil {
			t.Error(err)
		}
	})
}

// TestSpeakEnds: a server that stops in the midst of its answer, a player that has heard enough, a caller that is gone.
func TestSpeakEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		endless := func(first int) answers { // sends first bytes, and nothing more until the request ends
			return func(r *http.Request) (*http.Response, error) {
				pr, pw := io.Pipe()
				go func() {
					_, _ = pw.Write(make([]byte, first))
					<-r.Context().Done()
					pw.CloseWithError(r.Context().Err())
				}()
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"audio/pcm"}}, Body: pr}, nil
			}
		}
		speak := func(ctx context.Context, first int) (*Client, media.Source) {
			c := speaker(t, Config{HTTP: endless(first), Timeout: 5 * time.Second})
			src, err := c.Speak(ctx, media.Utterance{Text: "Hi."})
			if err != nil {
				t.Fatal(err)
			}
			return c, src
		}
		c, src := speak(t.Context(), 24000)
		start := time.Now()
		got, err := heard(src)
		if len(got) != 12000 || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 6*time.Second {
			t.Errorf("a server that stops: %d samples, %v after %v", len(got), err, time.Since(start))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}

		c, src = speak(t.Context(), 24000)
		start = time.Now()
		src.(io.Closer).Close()
		if err := c.Close(); err != nil || time.Since(start) > 0 { // waits for the request's end
			t.Errorf("a player that has heard enough: %v after %v", err, time.Since(start))
		}

		c, _ = speak(t.Context(), 4_000_000) // more than the queue holds: the player is slow
		time.Sleep(time.Minute)              // which is not the server's fault
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		d, src := speak(ctx, 24000)
		cancel(gone)
		if _, err := heard(src); !errors.Is(err, gone) {
			t.Errorf("a context that ends: %v", err)
		}
		d.speaking.Wait()
		_ = c // its request ends with the test's context
	})
}

func FuzzSpeech(f *testing.F) {
	f.Add(pcmBytes(ramp(100)), "audio/pcm")
	f.Add(wav.Encode(media.NewClip(8000, ramp(100))), "audio/wav")
	f.Add([]byte("ID3"), "audio/mpeg")
	f.Add([]byte(`{"error":{}}`), "application/json")
	f.Fuzz(func(t *testing.T, b []byte, typ string) {
		read := func(r io.Reader) (pcm []int16, rate int, err error) {
			s, err := openSound(r, typ, 24000)
			if err != nil {
				return nil, 0, err
			}
			buf := make([]int16, 33)
			for {
				n, err := s.read(buf)
				pcm = append(pcm, buf[:n]...)
				if err != nil {
					return pcm, s.rate, err
				}
			}
		}
		pcm, rate, err := read(bytes.NewReader(b))
		again, rate2, err2 := read(iotest.OneByteReader(bytes.NewReader(b)))
		if !slices.Equal(pcm, again) || rate != rate2 || errors.Is(err, io.EOF) != errors.Is(err2, io.EOF) {
			t.Fatalf("%d samples at %d, %v; byte by byte %d at %d, %v", len(pcm), rate, err, len(again), rate2, err2)
		}
		if rate != 0 && rate < 4000 {
			t.Fatalf("rate %d", rate)
		}
	})
}
