package openai_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action/openai"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// form reads a multipart request: fields, and the name, type and bytes of its file.
func (s seen) form(t *testing.T) (fields map[string]string, name, typ string, file []byte) {
	t.Helper()
	mt, params, err := mime.ParseMediaType(s.header.Get("Content-Type"))
	if err != nil || mt != "multipart/form-data" {
		t.Fatalf("%q, %v", s.header.Get("Content-Type"), err)
	}
	fields = map[string]string{}
	for r := multipart.NewReader(bytes.NewReader(s.body), params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, name, typ, file
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		if p.FormName() == "file" {
			name, typ, file = p.FileName(), p.Header.Get("Content-Type"), b
		} else {
			fields[p.FormName()] = string(b)
		}
	}
}

func recording(t *testing.T) []byte {
	t.Helper()
	path := t.TempDir() + "/call.wav"
	w, err := wav.Create(path, wav.Format{Rate: 8000, Channels: 2})
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, 16000)
	for i := range pcm {
		pcm[i] = int16(i * 13)
	}
	if err := errors.Join(w.Write(pcm), w.Close()); err != nil {
		t.Fatal(err)
	}
	return readFile(t, path)
}

func TestRecordingBecomesText(t *testing.T) {
	file := recording(t)
	a := newAPI(t, status(200, `{"text":" Guten Tag.\n","usage":{"type":"duration","seconds":1}}`))
	c := client(t, openai.Config{BaseURL: a.url, Key: "sk-1"})
	for _, x := range []struct{ name, language, wantName, wantLanguage string }{
		{"call.wav", "de-DE", "call.wav", "de"},
		{"recordings/\"call\"\r\n.WAV", "", "\"call\"\r\n.WAV", ""},
		{"", "EN", "recording.wav", "en"},
		{"call", "yue-HK", "call.wav", "yue"},
	} {
		before := len(a.requests())
		text, err := c.TranscribeRecording(t.Context(), x.name, iotest.OneByteReader(bytes.NewReader(file)), media.TranscribeOptions{Language: x.language})
		if err != nil || text != "Guten Tag." {
			t.Fatalf("%q, %v", text, err)
		}
		r := a.requests()[before]
		if r.method != "POST" || r.path != "/v1/audio/transcriptions" || r.header.Get("Authorization") != "Bearer sk-1" {
			t.Errorf("%s %s, %v", r.method, r.path, r.header)
		}
		fields, name, typ, got := r.form(t)
		if fields["model"] != "whisper-1" || fields["response_format"] != "json" || fields["language"] != x.wantLanguage || (x.wantLanguage == "") != (len(fields) == 2) {
			t.Errorf("fields: %q", fields)
		}
		if strings.NewReplacer("%0D", "\r", "%0A", "\n").Replace(name) != x.wantName || typ != "audio/wav" {
			t.Errorf("file %q of %q, want %q", name, typ, x.wantName)
		}
		if !bytes.Equal(got, file) {
			t.Errorf("%d bytes came, not the %d of the file", len(got), len(file))
		}
	}
}

func TestRecordingIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		c := client(t, openai.Config{BaseURL: "http://x", TranscribeModel: "tiny", HTTP: doer(func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			sizes = append(sizes, len(b))
			if len(sizes) == 1 || err != nil {
				return nil, errors.New("connection reset")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"text":""}`))}, nil
		})})
		text, err := c.TranscribeRecording(t.Context(), "x.wav", strings.NewReader(strings.Repeat("x", 100_000)), media.TranscribeOptions{})
		if text != "" || err != nil || len(sizes) != 2 || sizes[0] != sizes[1] || sizes[0] < 100_000 {
			t.Errorf("%q, %v, sizes %v", text, err, sizes)
		}
	})
}

func TestRecordingsThatFail(t *testing.T) {
	broken := errors.New("disk is gone")
	for want, x := range map[string]struct {
		answer http.HandlerFunc
		wav    io.Reader
		is     error
	}{
		"read the recording: disk is gone":          {status(200, `{}`), iotest.ErrReader(broken), broken},
		"the recording has more than":               {status(200, `{}`), zeros{}, openai.ErrTooLarge},
		"read the answer: it has no text":           {status(200, `{}`), strings.NewReader("x"), nil},
		"read the answer: invalid":                  {status(200, `Guten Tag`), strings.NewReader("x"), nil},
		"415 Unsupported Media Type: cannot decode": {status(415, `{"error":{"message":"cannot decode"}}`), strings.NewReader("x"), nil},
		"the answer has more than 1048576 bytes":    {status(200, strings.Repeat(" ", openai.MaxAnswer+1)), strings.NewReader("x"), openai.ErrTooLarge},
	} {
		a := newAPI(t, x.answer)
		_, err := client(t, openai.Config{BaseURL: a.url}).TranscribeRecording(t.Context(), "x.wav", x.wav, media.TranscribeOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), `openai: transcribe "x.wav": `+want) || x.is != nil && !errors.Is(err, x.is) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestTranscriptionEndsWithItsContext(t *testing.T) {
	never := make(chan struct{})
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"text`)
		w.(http.Flusher).Flush()
		<-never
	})
	defer close(never)
	_, err := client(t, openai.Config{BaseURL: a.url, Timeout: 50 * time.Millisecond}).
		TranscribeRecording(t.Context(), "x.wav", strings.NewReader("x"), media.TranscribeOptions{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "no answer within 50ms: context deadline exceeded") {
		t.Errorf("%v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
