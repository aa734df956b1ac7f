package vad_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/vad"
	"github.com/callbin/callbin/media/wav"
)

// stream gives sound in pieces of odd lengths.
type stream struct {
	rate, piece int
	pcm         []int16
	fail        error // in place of io.EOF
}

func (s *stream) Rate() int { return s.rate }

func (s *stream) Read(ctx context.Context, dst []int16) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if len(s.pcm) == 0 {
		if s.fail != nil {
			return 0, s.fail
		}
		return 0, io.EOF
	}
	n := copy(dst[:min(len(dst), s.piece)], s.pcm)
	s.pcm = s.pcm[n:]
	return n, nil
}

func all(l *vad.Listener) (list []vad.Heard, err error) {
	for {
		h, err := l.Next(context.Background())
		if err != nil {
			return list, err
		}
		list = append(list, h)
	}
}

func listener(t *testing.T, src media.Stream, cfg vad.ListenerConfig) *vad.Listener {
	t.Helper()
	l, err := vad.NewListener(src, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestListenerCutsUtterances says three sentences with pauses: each comes whole, and by itself.
func TestListenerCutsUtterances(t *testing.T) {
	said := voices(t)[:3]
	pcm := make([]int16, rate)
	for _, voice := range said {
		pcm = slices.Concat(pcm, voice, make([]int16, 3*rate/2))
	}
	for _, piece := range []int{1, 7, 160, 1000} {
		// 700 ms, so that pauses within a prompt are none.
		cfg := vad.ListenerConfig{Detector: vad.Config{Hangover: 700 * time.Millisecond}}
		list, err := all(listener(t, &stream{rate: rate, piece: piece, pcm: pcm}, cfg))
		if !errors.Is(err, io.EOF) || len(list) != 6 {
			t.Fatalf("pieces of %d: %d events, %v", piece, len(list), err)
		}
		for i, voice := range said {
			begin, end := list[2*i], list[2*i+1]
			if begin.Kind != vad.Started || begin.Sound != nil || end.Kind != vad.Ended || end.Sound == nil {
				t.Fatalf("utterance %d: %v, %v", i, begin.Event, end.Event)
			}
			if peak, _ := tone.Correlate(voice, end.Sound.PCM()); peak < 0.98 {
				t.Errorf("pieces of %d: utterance %d resembles what was said by %.2f", piece, i, peak)
			}
			if len(end.Sound.PCM()) > len(voice)+rate/2 {
				t.Errorf("utterance %d has %d samples, of %d said", i, len(end.Sound.PCM()), len(voice))
			}
		}
	}
}

func TestListenerCutsWhatIsTooLong(t *testing.T) {
	voice := voices(t)[1]
	pcm := slices.Concat(make([]int16, rate), voice, voice, voice, voice)
	cfg := vad.ListenerConfig{Longest: 2 * time.Second, Detector: vad.Config{Hangover: time.Second}}
	list, err := all(listener(t, &stream{rate: rate, piece: 160, pcm: pcm}, cfg))
	if !errors.Is(err, io.EOF) || len(list) < 6 || len(list)%2 != 0 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i := 1; i < len(list); i += 2 {
		if d := list[i].Sound.Duration(); list[i].Kind != vad.Ended || d > 2*time.Second+20*time.Millisecond {
			t.Errorf("event %d: %v of %v", i, list[i].Kind, d)
		}
	}
}

func TestListenerTellsWhyItEnds(t *testing.T) {
	broken := errors.New("broken")
	if _, err := all(listener(t, &stream{rate: rate, piece: 160, fail: broken}, vad.ListenerConfig{})); !errors.Is(err, broken) {
		t.Errorf("a stream that breaks: %v", err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := listener(t, &stream{rate: rate}, vad.ListenerConfig{}).Next(ctx); !errors.Is(err, gone) {
		t.Errorf("a context that ends: %v", err)
	}
	if _, err := vad.NewListener(&stream{rate: 11025}, vad.ListenerConfig{}); err == nil {
		t.Error("11025 Hz are taken")
	}
}

// recognizer knows voices by their sound.
type recognizer struct {
	voices [][]int16
	fail   error
}

func (r *recognizer) TranscribeRecording(_ context.Context, name string, file io.Reader, o media.TranscribeOptions) (string, error) {
	if r.fail != nil {
		return "", r.fail
	}
	if o.Language != "en-GB" || !strings.HasSuffix(name, ".wav") {
		return "", fmt.Errorf("language %q of %q", o.Language, name)
	}
	clip, err := wav.Decode(file, wav.Limits{})
	if err != nil {
		return "", err
	}
	for i, v := range r.voices {
		if peak, _ := tone.Correlate(v, clip.PCM()); peak > 0.9 {
			return fmt.Sprintf(" voice %d\n", i), nil
		}
	}
	return "", nil
}

func TestTranscriber(t *testing.T) {
	known := voices(t)[:4]
	pcm := make([]int16, rate)
	for _, i := range []int{2, 3, 0} { // 3 is not known
		pcm = slices.Concat(pcm, known[i], make([]int16, 3*rate/2))
	}
	tr := &vad.Transcriber{Recordings: &recognizer{voices: known[:3]}, Listener: vad.ListenerConfig{Detector: vad.Config{Hangover: 700 * time.Millisecond}}}
	var got []string
	last := time.Duration(0)
	err := tr.Transcribe(t.Context(), &stream{rate: rate, piece: 160, pcm: pcm}, media.TranscribeOptions{Language: "en-GB"}, func(s media.Transcript) {
		got = append(got, fmt.Sprint(s.Text, " ", s.Final))
		if s.Start < last || s.End <= s.Start {
			t.Errorf("%+v after %v", s, last)
		}
		if s.Final {
			last = s.End
		}
	})
	if want := []string{"… false", "voice 2 true", "… false", " true", "… false", "voice 0 true"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	down := errors.New("down")
	tr.Recordings = &recognizer{fail: down}
	if err := tr.Transcribe(t.Context(), &stream{rate: rate, piece: 160, pcm: pcm}, media.TranscribeOptions{}, func(media.Transcript) {}); !errors.Is(err, down) {
		t.Errorf("a server that fails: %v", err)
	}
}

func ExampleListener() {
	b, err := readPrompt()
	if err != nil {
		fmt.Println(err)
		return
	}
	voice, err := wav.Decode(bytes.NewReader(b), wav.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In place of an Ear on a call: a second of silence, a sentence, silence.
	pcm := slices.Concat(make([]int16, 8000), voice.PCM(), make([]int16, 8000))
	l, err := vad.NewListener(&stream{rate: voice.Rate(), piece: 160, pcm: pcm}, vad.ListenerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		h, err := l.Next(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(h.Kind, h.Sound != nil)
	}
	// Output:
	// started false
	// ended true
	// EOF
}
