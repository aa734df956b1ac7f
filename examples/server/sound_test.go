package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

func writeTone(t testing.TB, file string, hz float64, seconds int) {
	t.Helper()
	w, err := wav.Create(file, wav.Format{Rate: 8000, Channels: 1, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(tone.Sine(hz, time.Duration(seconds)*time.Second).Clip(8000).PCM()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// spokenText is the pre-rendered sound of the one text of the built-in flows that begins with prefix.
func spokenText(t testing.TB, prefix string) []int16 {
	t.Helper()
	files, err := filepath.Glob("flows/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Actions []struct {
				Option struct{ Text, Language, Gender string }
			}
		}
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		for _, a := range f.Actions {
			if strings.HasPrefix(a.Option.Text, prefix) {
				u := media.Utterance{Text: a.Option.Text, Language: a.Option.Language, Gender: media.Gender(a.Option.Gender)}
				return readWAV(t, filepath.Join("speech", speech.FileName(u))).PCM()
			}
		}
	}
	t.Fatalf("no built-in flow says %q", prefix)
	return nil
}

func correlate(heard, want []int16) (peak float64, lag int) { return tone.Correlate(want, heard) }

// matches checks that want is in heard and returns where it begins.
func matches(t testing.TB, heard, want []int16, what string) (at int) {
	t.Helper()
	peak, lag := correlate(heard, want)
	if peak < 0.9 {
		t.Errorf("%s is not heard: correlation %.2f", what, peak)
	}
	return lag
}
