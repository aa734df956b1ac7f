package vosk_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/callbin/callbin/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeVosk does what websocket/asr_server.py of vosk-server does with each message, except
// that it hears nothing: answers are given by answer, by the number of samples up to then.
type fakeVosk struct {
	answer func(samples int, final bool) string

	mu     sync.Mutex
	heard  []int16  // guarded by mu
	chunks []int    // samples of each binary message; guarded by mu
	texts  []string // messages of text; guarded by mu
	header http.Header
}

func (f *fakeVosk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.header = r.Header.Clone()
	f.mu.Unlock()
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		typ, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		reply, last, err := f.process(typ, b)
		if err != nil {
			_ = c.Close(websocket.StatusInternalError, err.Error())
			return
		}
		if reply != "" {
			if err := c.Write(r.Context(), websocket.MessageText, []byte(reply)); err != nil {
				return
			}
		}
		if last {
			_ = c.Close(websocket.StatusNormalClosure, "")
			return
		}
	}
}

func (f *fakeVosk) process(typ websocket.MessageType, b []byte) (reply string, last bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if typ == websocket.MessageText {
		f.texts = append(f.texts, string(b))
		if strings.Contains(string(b), "config") {
			var m struct {
				Config struct {
					SampleRate float64 `json:"sample_rate"`
				} `json:"config"`
			}
			return "", false, json.Unmarshal(b, &m)
		}
		if string(b) == `{"eof" : 1}` { // the server, too, compares it as a string
			return f.answer(len(f.heard), true), true, nil
		}
		return "", false, fmt.Errorf("what a waveform is %q", b)
	}
	if len(b)%2 != 0 {
		return "", false, errors.New("half a sample")
	}
	f.chunks = append(f.chunks, len(b)/2)
	for i := 0; i < len(b); i += 2 {
		f.heard = append(f.heard, int16(binary.LittleEndian.Uint16(b[i:])))
	}
	return f.answer(len(f.heard), false), false, nil
}

// quiet hears only silence, and writes it as the server does.
func quiet(_ int, final bool) string {
	if final {
		return "{\n  \"text\" : \"\"\n}"
	}
	return "{\n  \"partial\" : \"\"\n}"
}

func serve(t testing.TB, h http.Handler) (wsURL string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

// sound is a Stream of samples that are there at once, at most 160 a read; then end.
type sound struct {
	rate int
	pcm  []int16
	end  error // instead of io.EOF; errStall waits for ctx
}

var errStall = errors.New("stall")

func (s *sound) Rate() int { return s.rate }

func (s *sound) Read(ctx context.Context, dst []int16) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if len(s.pcm) == 0 {
		switch {
		case errors.Is(s.end, errStall):
			<-ctx.Done()
			return 0, context.Cause(ctx)
		case s.end != nil:
			return 0, s.end
		}
		return 0, io.EOF
	}
	n := copy(dst[:min(len(dst), 160)], s.pcm)
	s.pcm = s.pcm[n:]
	return n, nil
}

// endless is a Stream that never ends and never waits.
type endless struct{}

func (endless) Rate() int { return 8000 }

func (endless) Read(ctx context.Context, dst []int16) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return len(dst), nil
}

func ramp(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(i*37 - 20000)
	}
	return pcm
}

// told collects texts.
type told struct{ all []media.Transcript }

func (t *told) tell(x media.Transcript) { t.all = append(t.all, x) }
