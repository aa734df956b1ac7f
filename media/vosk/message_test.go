package vosk

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/callbin/callbin/media"
)

func TestMessages(t *testing.T) {
	for in, want := range map[string]media.Transcript{
		`{}`:                              {},
		`{"spk" : [1, 2]}`:                {},
		`{"partial" : null}`:              {},
		`{"partial" : " a b "}`:           {Text: "a b"},
		`{"text" : ""}`:                   {Final: true},
		`{"text" : "\ud800x"}`:            {Text: "\ufffdx", Final: true},
		`{"text" : "x", "partial" : "y"}`: {Text: "x", Final: true},
		`{"text" : "x", "result" : []}`:   {Text: "x", Final: true},
		`{"alternatives" : []}`:           {},
		`{"alternatives":[{"text":"x"}]}`: {Text: "x", Final: true},
		`{"text":"x","result":[{"conf":7,"start":-1,"end":1e300}]}`: {Text: "x", Final: true, Confidence: 1},
		`{"text":"x","result":[{"conf":1,"start":2,"end":1}]}`:      {Text: "x", Final: true, Confidence: 1, Start: 2 * time.Second, End: 2 * time.Second},
	} {
		if got, err := decode([]byte(in)); got != want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, bad := range []string{``, `{`, `[]`, `{"text":1}`, `{"result":{}}`, `{"text":"x"} y`, "\xff"} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"partial" : "one two"}`,
		`{"partial" : "one", "partial_result" : [{"conf" : 1.0, "start" : 0.1, "end" : 0.2, "word" : "one"}]}`,
		`{"result" : [{"conf" : 0.5, "start" : 0.1, "end" : 0.2, "word" : "one"}], "text" : "one"}`,
		`{"alternatives" : [{"confidence" : 200.1, "text" : "one", "result" : [{"start" : 1e400}]}]}`,
		`{"text" : "\u0000\ud83d"}`, "{", "null",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decode(b)
		if err != nil {
			if got != (media.Transcript{}) {
				t.Errorf("%+v with %v", got, err)
			}
			return
		}
		if !(got.Confidence >= 0 && got.Confidence <= 1) || got.Start < 0 || got.End < got.Start || got.End > 1e6*time.Second {
			t.Errorf("%+v", got)
		}
		if !utf8.ValidString(got.Text) {
			t.Errorf("%q is no UTF-8", got.Text)
		}
	})
}
