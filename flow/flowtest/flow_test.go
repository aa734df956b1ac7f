package flowtest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/flow/flowtest"
)

// TestIVR is the test of a menu that the README shows: 15 lines.
func TestIVR(t *testing.T) {
	ivr := flowtest.Open(t, "testdata/ivr.json", flowtest.Config{Cover: 75})
	ivr.Test(t, "sales answers", `
		peer +16062067563 answers 4s
		hears Press 1
		press 1
		dials +16062067563
		wait 30s
		leave`)
	ivr.Test(t, "sales is busy", "peer * busy 2s 486\nhears press 1\npress 1\nhears sales is busy")
	ivr.Test(t, "silence", "hears press 1\nhears press 1\nhears press 1")
	if r := ivr.Run(t, "hears press 1\npress 2"); len(r.Dialled()) != 0 {
		t.Errorf("key 2 dials %s", r.Dialled())
	}
}

// hourly is a caller who listens to a menu for an hour, and presses a key now and then.
func hourly() string {
	var b strings.Builder
	for at := 5 * time.Second; at < time.Hour; at += 50 * time.Second {
		fmt.Fprintf(&b, "at %s press %d\n", at, at/time.Second%10)
	}
	return b.String() + "at 1h hangup"
}

const endless = `[{"type":"answer"},
	{"id":"menu","type":"talk","option":{"text":"One for news, two for an echo.","digits_handle":"next"}},
	{"id":"keys","type":"digits_receive","option":{"length":1,"duration":4000}},
	{"type":"branch","option":{"target_ids":{"1":"news","2":"echo"},"default_target_id":"menu"}},
	{"id":"news","type":"play","option":{"stream_urls":["file:/news.wav"]},"next_id":"menu"},
	{"id":"echo","type":"echo","option":{"duration":5000},"next_id":"menu"}]`

// TestAnHour measures how long an hour of a call takes. The time is told, and not judged: it is the machine's.
func TestAnHour(t *testing.T) {
	f := flowtest.New(t, "hour.json", endless, flowtest.Config{})
	best := time.Hour
	var r *flowtest.Result
	for range 5 {
		start := time.Now()
		r = f.Run(t, hourly())
		best = min(best, time.Since(start))
	}
	if d := r.Duration().Truncate(time.Second); d != time.Hour {
		t.Errorf("the call took %s", d)
	}
	t.Logf("an hour with %d events in %s", len(r.Events), best)
}

// TestSameSeedSameBytes runs one script again and again, in which much happens at the same time.
func TestSameSeedSameBytes(t *testing.T) {
	runs := 1000
	if testing.Short() {
		runs = 50
	}
	f := flowtest.New(t, "busy.json", `[{"type":"answer"},
		{"type":"webhook_send","option":{"uri":"https://a.example.com/","data":"1"}},
		{"type":"webhook_send","option":{"uri":"https://b.example.com/","data":"2"}},
		{"type":"webhook_send","option":{"uri":"https://a.example.com/","data":"3"}},
		{"type":"talk","option":{"text":"under the others","async":true}},
		{"type":"recording_start","option":{"beep_start":true}},
		{"id":"d","type":"digits_receive","option":{"prompt":{"text":"keys"},"length":3,"duration":2000,"first_timeout":1000,"digit_timeout":1000}},
		{"id":"t","type":"talk","option":{"text":"in the background","async":true}},
		{"type":"connect","option":{"destinations":[{"type":"tel","target":"+16062067563"},{"type":"tel","target":"+16062067564"},{"type":"tel","target":"+16062067565"}],"timeout":2000}},
		{"type":"goto","option":{"target_id":"d","loop_count":2}},
		{"type":"recording_stop"},{"type":"transcribe_start","option":{"language":"en-US"}},
		{"type":"ai_talk","option":{"assistance_id":"taxi","greeting":"hello"}},
		{"type":"echo","option":{"duration":3000}}]`, flowtest.Config{})
	const script = `
		http https://a.example.com/ 1s 200
		http https://b.example.com/ error
		peer +16062067563 answers 1s
		peer +16062067564 answers 1s
		peer +16062067565 busy 1s 486
		assistant 100ms One.|Two. END
		at 1s press 1
		at 2s press 2
		at 2s press 3
		at 3s leave
		at 3s press 12#
		at 4s leave
		at 12s says hello
		at 13s says taxi
		at 14s hangup`
	first := f.Run(t, script).String()
	for i := range runs {
		if got := f.Run(t, script).String(); got != first {
			t.Fatalf("run %d:\n%s\nthe first one:\n%s", i+1, got, first)
		}
	}
}

func TestExpectationsInVain(t *testing.T) {
	f := flowtest.New(t, "f.json", `[{"type":"talk","option":{"text":"hello"}},{"type":"sleep","option":{"duration":5000}}]`, flowtest.Config{})
	for script, want := range map[string]string{
		"hears good bye":                   `"hears good bye": the call was over; before: "hello"`,
		"hears hello\nhears hello":         `"hears hello": the call was over`,
		"dials +16062067563":               "the call was over",
		"requests example.com":             "the call was over",
		"at 1s hangup\nhears hello":        "",
		"wait 1s\nhears hello":             "",
		"hears hello\nhangup\nhears hello": "the call was over",
	} {
		s, err := flowtest.ParseScript(script)
		if err != nil {
			t.Fatal(err)
		}
		r := f.RunScript(t, s)
		if got := fmt.Sprint(r.Failures); (want == "") != (len(r.Failures) == 0) || !strings.Contains(got, want) {
			t.Errorf("%q: got %s, want %q", script, got, want)
		}
	}
	long := flowtest.New(t, "f.json", `[{"type":"answer"},{"type":"echo","option":{"duration":3600000}}]`, flowtest.Config{MaxDuration: time.Minute})
	s := flowtest.Script{flowtest.Hears("anything"), flowtest.Hangup()}
	if r := long.RunScript(t, s); len(r.Failures) == 0 || !strings.Contains(fmt.Sprint(r.Failures), "has not ended after 1m0s") {
		t.Errorf("got %v", r.Failures)
	}
}

func TestScriptIsReadAndWritten(t *testing.T) {
	text := "caller +16062067563\ncalled 100\npeer * busy 2s 486\nhttp https://example.com/ 2s 200 {\"a\": 1}\nwait 1.5s\nat 2s press 12#\nhears hello\nsays yes, please\nhangup\n"
	s, err := flowtest.ParseScript("# a comment\n\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.String(); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	made := flowtest.Script{
		flowtest.Around("caller", "+16062067563"), flowtest.Around("called", "100"), flowtest.Around("peer", "*", "busy", "2s", "486"),
		flowtest.Around("http", "https://example.com/", "2s", "200", `{"a": 1}`), flowtest.Wait(1500 * time.Millisecond),
		flowtest.At(2*time.Second, flowtest.Press("12#")), flowtest.Hears("hello"), flowtest.Says("yes, please"), flowtest.Hangup(),
	}
	if !slices.Equal(made, s) {
		t.Errorf("got %v, want %v", made, s)
	}
}

// TestBadScripts tells what is wrong, with the line.
func TestBadScripts(t *testing.T) {
	for text, want := range map[string]string{
		"dance":                      `line 1: "dance": there is no line "dance"`,
		"wait\nwait soon":            `line 2: "wait soon": "soon" is no time`,
		"press 1x":                   `"1x" are no keys`,
		"at 2s wait 1s\nat 1s leave": `"at 1s leave" comes after a line for 2s`,
		"at 1s var a=b":              "holds for the whole call",
		"var a":                      `want "var NAME=VALUE"`,
		"peer +1 busy":               "want",
		"peer +1 busy 2s 200":        "no status of a refusal",
		"http teapot":                "want",
		"leg fly fails":              `no capability "fly"`,
		"leg play laughs":            `no fault "laughs"`,
		"caller +12":                 "",
		"hangup now":                 "nothing may follow",
		"queue q":                    "want",
		"prompt a.wav":               "want",
		"hears":                      "want",
		"transcriber sleeps":         "want",
	} {
		_, err := flowtest.ParseScript(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzScript(f *testing.F) {
	for _, s := range []string{"wait 1s\npress 1", "peer * busy 2s 486", "http https://a/ 2s 200 x", "at 1s says x", "prompt a 1s 16000 after 2s", "leg play takes 2s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := flowtest.ParseScript(text)
		if err != nil {
			return
		}
		again, err := flowtest.ParseScript(s.String())
		if err != nil || !slices.Equal(s, again) {
			t.Fatalf("%q became %q: %v", s, again, err)
		}
	})
}

// TestReadme compares TestIVR, and the menu, with what the README says.
func TestReadme(t *testing.T) {
	read := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	readme := read("../../README.md")
	_, test, _ := strings.Cut(read("flow_test.go"), "func TestIVR")
	test, _, _ = strings.Cut(test, "\n}\n")
	test = "func TestIVR" + strings.ReplaceAll(test, "testdata/ivr.json", "ivr.json") + "\n}\n"
	if !strings.Contains(readme, test) {
		t.Errorf("the README does not show\n%s", test)
	}
	if n := strings.Count(test, "\n"); n > 15 {
		t.Errorf("the test has %d lines", n)
	}
	for line := range strings.Lines(read("testdata/ivr.json")) {
		if text := strings.TrimSpace(line); strings.Contains(text, `"type"`) && !strings.Contains(strings.Join(strings.Fields(readme), " "), strings.Join(strings.Fields(text), " ")) {
			t.Errorf("the README's menu does not have %s", text)
		}
	}
}
