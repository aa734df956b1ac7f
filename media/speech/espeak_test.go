package speech_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// espeak returns an engine, or skips the test where the program is missing.
func espeak(t *testing.T, cfg speech.Config) *speech.Espeak {
	t.Helper()
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatal("espeak-ng is not installed: ", err)
		}
		t.Skip("espeak-ng is not installed: ", err)
	}
	return speech.NewEspeak(cfg)
}

func speak(t *testing.T, s media.Speaker, u media.Utterance) *media.Clip {
	t.Helper()
	src, err := s.Speak(t.Context(), u)
	if err != nil {
		t.Fatalf("Speak(%.60q, %s %s): %v", u.Text, u.Language, u.Gender, err)
	}
	clip, err := media.ReadAll(t.Context(), src, 0)
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

func rms(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(pcm), 1)))
}

func TestEveryLanguageInThreeGenders(t *testing.T) {
	e := espeak(t, speech.Config{MaxProcesses: 2, Timeout: time.Minute})
	all := speech.Languages()
	if len(all) < 50 {
		t.Fatalf("%d languages, want at least 50", len(all))
	}
	type voice struct{ tag, text string }
	var voices []voice
	for _, l := range all {
		if samples[l.Tag] == "" {
			t.Errorf("%s has no sample", l.Tag)
		}
		voices = append(voices, voice{l.Tag, samples[l.Tag]})
		for _, a := range l.Accents {
			voices = append(voices, voice{a.Tag, samples[l.Tag]})
		}
	}
	var mu sync.Mutex
	byText := map[string]map[int64]string{} // text, then a sum over the sound: who said it so
	work := make(chan voice)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for v := range work {
				sums := map[int64]media.Gender{}
				for _, g := range []media.Gender{media.Male, media.Female, media.Neutral} {
					src, err := e.Speak(t.Context(), media.Utterance{Text: v.text, Language: v.tag, Gender: g})
					if err != nil {
						t.Errorf("%s %s: %v", v.tag, g, err)
						continue
					}
					clip, err := media.ReadAll(t.Context(), src, 0)
					if err != nil {
						t.Errorf("%s %s: %v", v.tag, g, err)
						continue
					}
					if clip.Duration() < 300*time.Millisecond || rms(clip.PCM()) < 500 {
						t.Errorf("%s %s: %s of sound with RMS %.0f: silence", v.tag, g, clip.Duration(), rms(clip.PCM()))
					}
					sum := int64(len(clip.PCM()))
					for i, s := range clip.PCM() {
						sum += int64(s) * int64(i%7919)
					}
					if other, ok := sums[sum]; ok {
						t.Errorf("%s: %s and %s sound the same", v.tag, g, other)
					}
					sums[sum] = g
					if g == media.Male {
						mu.Lock()
						if byText[v.text] == nil {
							byText[v.text] = map[int64]string{}
						}
						byText[v.text][sum] += " " + v.tag
						mu.Unlock()
					}
				}
			}
		})
	}
	for _, v := range voices {
		work <- v
	}
	close(work)
	wg.Wait()
	for _, tag := range []string{"en", "es", "fr", "pt", "vi"} { // accents differ from each other
		for _, who := range byText[samples[tag]] {
			// The language's own voice is one of its accents.
			if len(strings.Fields(who)) > 2 {
				t.Errorf("these accents sound the same:%s", who)
			}
		}
	}
}

// The engine goes over to English where it does not know a letter; its phonemes tell.
func TestSamplesAreSpokenInTheirLanguage(t *testing.T) {
	espeak(t, speech.Config{})
	for tag, text := range samples {
		voice := map[string]string{"en": "en-us", "zh": "cmn-latn-pinyin"}[tag]
		if voice == "" {
			voice = tag
		}
		cmd := exec.Command("espeak-ng", "-b", "1", "-q", "--ipa", "--stdin", "-v", voice)
		cmd.Stdin = strings.NewReader(text + "\n")
		out, err := cmd.Output()
		if err != nil || strings.Contains(string(out), "(") {
			t.Errorf("%s: %q is %q, %v", tag, text, out, err)
		}
	}
}

func TestOddTextIsSpoken(t *testing.T) {
	e := espeak(t, speech.Config{})
	normal := speak(t, e, media.Utterance{Text: "hello"}).Duration()
	for _, text := range []string{
		"-v de hello", "--help", `$(touch /tmp/x); "hello" | rm -rf ~ & ` + "`id`", "hello\x00world", "hello\x01\x02\x1b[31m", "\xff\xfehello", "hello\nworld\r\n",
		"[[h@'loU]] hello", "<b>hello</b>", "Tom & Jerry < 5", "Ω is a letter", "hello 🎧", "1234567890", "%s%n%x hello", "hello \u202eolleh",
	} {
		clip := speak(t, e, media.Utterance{Text: text})
		if rms(clip.PCM()) < 500 || clip.Duration() < normal/2 && !strings.Contains(text, "--") {
			t.Errorf("%q: %s with RMS %.0f", text, clip.Duration(), rms(clip.PCM()))
		}
	}
	if text := strings.Repeat("word ", speech.MaxText/5-1); speak(t, e, media.Utterance{Text: text}).Duration() < 3*time.Minute {
		t.Error("the longest text was cut")
	}
}

func TestTextIsNotAnArgumentOrCommand(t *testing.T) {
	e := espeak(t, speech.Config{})
	mark := filepath.Join(t.TempDir(), "mark")
	for _, text := range []string{
		"$(touch " + mark + ")", "-w " + mark, "-w" + mark, "; touch " + mark, "`touch " + mark + "`", "| touch " + mark,
		"hello\x01I" + mark + "\x01 ", "--phonout=" + mark,
	} {
		speak(t, e, media.Utterance{Text: text})
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("%q made a file", text)
		}
	}
}

func TestRefusedUtterances(t *testing.T) {
	e := espeak(t, speech.Config{})
	for _, c := range []struct {
		u      media.Utterance
		target error
		want   string
	}{
		{media.Utterance{Text: "お電話ありがとうございます", Language: "ja"}, speech.ErrScript, "no kanji"},
		{media.Utterance{Text: "漢", Language: "ja"}, speech.ErrScript, "Han letters"},
		{media.Utterance{Text: "電話", Language: "ko-KR"}, speech.ErrScript, "no hanja"},
		{media.Utterance{Text: "您好", Language: "en"}, speech.ErrScript, "Han letters at \"您好\" in English"},
		{media.Utterance{Text: "The word привет", Language: "en-GB"}, speech.ErrScript, "Cyrillic letters at \"привет\""},
		{media.Utterance{Text: "שלום", Language: "de"}, speech.ErrScript, "Hebrew"},
		{media.Utterance{Text: "Қоңырау", Language: "el"}, speech.ErrScript, "Cyrillic"},
		{media.Utterance{Text: "سوپاس", Language: "ku"}, speech.ErrScript, "Latin letters only"},
		{media.Utterance{Text: "您好，欢迎致电", Language: "zh-CN"}, speech.ErrScript, "no hanzi"},
		{media.Utterance{Text: "𪚥", Language: "yue"}, speech.ErrScript, "unknown to the voice"}, // a character of 64 strokes
		{media.Utterance{Text: `<speak>hi <lang xml:lang="ja">電話</lang></speak>`}, speech.ErrScript, "kanji"},
		{media.Utterance{Text: "hello", Language: "tlh"}, nil, `unknown language "tlh"`},
		{media.Utterance{Text: "hello", Language: "jp"}, nil, "ja (Japanese)"},
		{media.Utterance{Text: "hello", Language: "german"}, nil, "de (German)"},
		{media.Utterance{Text: "hello", Language: "en-../../etc"}, nil, "unknown language"},
		{media.Utterance{Text: `<speak xml:lang="en-/etc/passwd">a</speak>`}, speech.ErrText, "unknown language"},
		{media.Utterance{Text: "hello", Language: "../../etc"}, nil, "unknown language"},
		{media.Utterance{Text: "hello", Gender: "robot"}, nil, `unknown gender "robot"`},
		{media.Utterance{Text: "hello", Rate: 9}, nil, "rate 9 is not"},
		{media.Utterance{Text: "hello", Rate: math.NaN()}, nil, "rate NaN"},
		{media.Utterance{Text: "hello", Voice: "../../../etc/passwd"}, nil, "unknown voice"},
		{media.Utterance{Text: "hello", Voice: "en-US-Neural2-F"}, nil, "unknown voice"},
		{media.Utterance{Text: "hello", Voice: "-w"}, nil, "unknown voice"},
		{media.Utterance{Text: "hello", Voice: "de+nonsense"}, nil, "unknown voice"},
		{media.Utterance{Text: ""}, speech.ErrText, "nothing to speak"},
		{media.Utterance{Text: " \x00\n"}, speech.ErrText, "nothing to speak"},
		{media.Utterance{Text: strings.Repeat("é", speech.MaxText+1)}, speech.ErrText, "5001 characters"},
		{media.Utterance{Text: `<speak>a<audio src="/etc/passwd"/></speak>`}, speech.ErrText, `element "audio"`},
		{media.Utterance{Text: `<speak>a<voice name="../x">b</voice></speak>`}, speech.ErrText, "name"},
		{media.Utterance{Text: `<speak xml:base="file:///etc/">a</speak>`}, speech.ErrText, `attribute "base"`},
		{media.Utterance{Text: `<speak>a<b></speak>`}, speech.ErrText, `element "b"`},
		{media.Utterance{Text: `<speak>Tom & Jerry</speak>`}, speech.ErrText, "SSML at byte"},
		{media.Utterance{Text: `<speak>open`}, speech.ErrText, "SSML at byte"},
		{media.Utterance{Text: `<speak>a</speak>b`}, speech.ErrText, "outside"},
		{media.Utterance{Text: `<speak>a</speak><speak>b</speak>`}, speech.ErrText, "second outer"},
		{media.Utterance{Text: `<speak><speak>a</speak></speak>`}, speech.ErrText, "outer element"},
		{media.Utterance{Text: `<speak><!DOCTYPE x>a</speak>`}, speech.ErrText, "declarations"},
		{media.Utterance{Text: `<speak>` + strings.Repeat("<p>", 40) + "a" + strings.Repeat("</p>", 40) + `</speak>`}, speech.ErrText, "deep"},
		{media.Utterance{Text: `<speak>a<break>b</break></speak>`}, speech.ErrText, "text inside of break"},
		{media.Utterance{Text: `<speak>a<mark name="x"><p>b</p></mark></speak>`}, speech.ErrText, "p inside of mark"},
		{media.Utterance{Text: `<speak></speak>`}, speech.ErrText, "nothing"},
	} {
		_, err := e.Speak(t.Context(), c.u)
		if err == nil || c.target != nil && !errors.Is(err, c.target) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Speak(%.40q, %q, voice %q) = %v; want %v with %q", c.u.Text, c.u.Language, c.u.Voice, err, c.target, c.want)
		}
		// What only the engine itself knows, and the empty text, a check lets pass.
		if passes := strings.Contains(c.want, "unknown to the voice") || c.u.Text == ""; (e.CheckSpeak(c.u) == nil) != passes {
			t.Errorf("CheckSpeak(%.40q, %q) = %v; Speak: %v", c.u.Text, c.u.Language, e.CheckSpeak(c.u), err)
		}
	}
}

func TestScriptsThatAreSpoken(t *testing.T) {
	e := espeak(t, speech.Config{})
	for _, u := range []media.Utterance{
		{Text: "ビールとコーヒー", Language: "ja"},
		{Text: "nǐ hǎo", Language: "zh-CN"},
		{Text: "ni3 hao3", Language: "cmn"},
		{Text: "多謝你打電話嚟", Language: "zh-HK"},
		{Text: "Звонок из Berlin, пожалуйста", Language: "ru_RU"},
		{Text: "G'day", Language: "en-AU"},
		{Text: "hola", Language: "es-MX"},
		{Text: "hei", Language: "no"},
		{Text: "The angle α", Language: "en"},
		{Text: "hello", Voice: "de+whisper"},
		{Text: `<speak xml:lang="zh">nín hǎo <lang xml:lang="de">Hallo <lang xml:lang="cmn">nín hǎo</lang></lang></speak>`, Language: "zh"},
		{Text: "Спасибо", Voice: "ru+f2"},
		{Text: "Спасибо", Voice: "ru", Language: "en-US"},
		{Text: "hello", Voice: "en-US-Neural2-F", Provider: "gcp", Gender: media.Female},
		{Text: `<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en">hi <break time="200ms"/><prosody rate="slow">x &amp; y</prosody>` +
			`<sub alias="one">1</sub><say-as interpret-as="characters">abc</say-as><lang xml:lang="de">Hallo</lang></speak>`},
	} {
		if clip := speak(t, e, u); rms(clip.PCM()) < 500 {
			t.Errorf("%q: silence", u.Text)
		}
	}
}

func TestSSMLAndRateChangeTheLength(t *testing.T) {
	e := espeak(t, speech.Config{})
	length := func(u media.Utterance) time.Duration { return speak(t, e, u).Duration() }
	text := "one two three four five six seven"
	plain := length(media.Utterance{Text: text})
	if slow := length(media.Utterance{Text: text, Rate: 0.5}); slow < plain*3/2 {
		t.Errorf("rate 0.5: %s, normal %s", slow, plain)
	}
	if fast := length(media.Utterance{Text: text, Rate: 2}); fast > plain*3/4 {
		t.Errorf("rate 2: %s, normal %s", fast, plain)
	}
	if paused := length(media.Utterance{Text: "<speak>one two three <break time=\"2s\"/> four five six seven</speak>"}); paused < plain+1500*time.Millisecond {
		t.Errorf("break of 2 s: %s, without %s", paused, plain)
	}
}

func TestSSMLKeepsGenderAndChangesLanguage(t *testing.T) {
	e := espeak(t, speech.Config{})
	same := func(a, b media.Utterance) bool {
		return slices.Equal(speak(t, e, a).PCM(), speak(t, e, b).PCM())
	}
	german := func(text string) media.Utterance {
		return media.Utterance{Text: text, Language: "de-DE", Gender: media.Female}
	}
	plain := german("<speak>Guten Tag</speak>")
	for _, text := range []string{`<speak xml:lang="de">Guten Tag</speak>`, `<speak version="1.1" xml:lang="de-AT">Guten Tag</speak>`, `<speak><lang xml:lang="de">Guten Tag</lang></speak>`} {
		if !same(plain, german(text)) {
			t.Errorf("%s sounds different without a reason", text)
		}
	}
	for _, text := range []string{`<speak xml:lang="en">Guten Tag</speak>`, `<speak><lang xml:lang="en-US">Guten Tag</lang></speak>`, `<speak><p xml:lang="fr">Guten Tag</p></speak>`} {
		if same(plain, german(text)) {
			t.Errorf("%s does not change the language", text)
		}
	}
	if same(plain, german(`<speak><prosody rate="slow">Guten Tag</prosody></speak>`)) {
		t.Error("prosody changes nothing")
	}
}

func TestSoundIsLimited(t *testing.T) {
	e := espeak(t, speech.Config{MaxDuration: time.Second})
	_, err := e.Speak(t.Context(), media.Utterance{Text: strings.Repeat("word ", 500)})
	if err == nil || !strings.Contains(err.Error(), "more than 1s of sound") {
		t.Errorf("%v, want an error with the limit", err)
	}
}

func TestManyAtOnceShareTheProcesses(t *testing.T) {
	e := espeak(t, speech.Config{MaxProcesses: 2})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			src, err := e.Speak(t.Context(), media.Utterance{Text: fmt.Sprint("number ", i)})
			if err != nil || src.Rate() != 22050 {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// program writes a shell script that stands in for espeak-ng.
func program(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a shell script")
	}
	for _, tool := range []string{"sh", "cat", "mv", "sleep", "touch"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("a shell script without %s", tool)
		}
	}
	path := filepath.Join(t.TempDir(), "fake")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEndedContextKillsTheProcess(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	e := speech.NewEspeak(speech.Config{Path: program(t, "echo $$ > "+pidFile+".new; mv "+pidFile+".new "+pidFile+"; exec sleep 60"), Timeout: time.Minute})
	cause := errors.New("hung up")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := e.Speak(ctx, media.Utterance{Text: "hello"})
		done <- err
	}()
	var pid string
	for over := time.Now().Add(30 * time.Second); pid == ""; { // until the program runs
		if time.Now().After(over) {
			t.Fatal("the program does not run")
		}
		b, _ := os.ReadFile(pidFile)
		pid = strings.TrimSpace(string(b))
		runtime.Gosched()
	}
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("%v, want the cause", err)
	}
	if runtime.GOOS == "linux" {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s is still there", pid)
		}
	}
}

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	e := speech.NewEspeak(speech.Config{Path: program(t, "touch "+started+"; exec sleep 60"), MaxProcesses: 1, Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := e.Speak(ctx, media.Utterance{Text: "hello"})
		first <- err
	}()
	for _, err := os.Stat(started); err != nil; _, err = os.Stat(started) {
		runtime.Gosched()
	}
	late, lateCancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer lateCancel()
	if _, err := e.Speak(late, media.Utterance{Text: "hello"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
}

func TestFaultsOfTheProgram(t *testing.T) {
	for script, want := range map[string]string{
		"echo 'no voice data' >&2; echo second >&2; exit 3": "no voice data: exit status 3",
		"exit 7":               "exit status 7",
		"echo no wav at all":   "espeak-ng",
		"exec sleep 60":        "no end after 100ms",
		"cat > /dev/null":      "espeak-ng",
		"yes RIFF 2>/dev/null": "espeak-ng",
	} {
		e := speech.NewEspeak(speech.Config{Path: program(t, script), Timeout: 100 * time.Millisecond})
		_, err := e.Speak(t.Context(), media.Utterance{Text: "hello"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "second") {
			t.Errorf("%q: %v; want %q", script, err, want)
		}
	}
}

func TestMissingProgram(t *testing.T) {
	for _, path := range []string{"espeak-ng-that-is-not-there", filepath.Join(t.TempDir(), "espeak-ng")} {
		e := speech.NewEspeak(speech.Config{Path: path})
		_, err := e.Speak(t.Context(), media.Utterance{Text: "hello"})
		for _, err := range []error{err, e.CheckSpeak(media.Utterance{Text: "hello"}), e.CheckSpeak(media.Utterance{})} {
			if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "espeak-ng") || !strings.Contains(err.Error(), "package") {
				t.Errorf("%s: %v; want exec.ErrNotFound, the name and the package", path, err)
			}
		}
	}
}

func TestLanguagesAreSortedAndComplete(t *testing.T) {
	all := speech.Languages()
	if !slices.IsSortedFunc(all, func(a, b speech.Language) int { return strings.Compare(a.Tag, b.Tag) }) {
		t.Error("not sorted by tag")
	}
	for _, l := range all {
		if l.Name == "" || l.Quality == "" || l.Quality == speech.Limited && l.Note == "" {
			t.Errorf("%+v is incomplete", l)
		}
	}
	var tags []string
	for _, l := range all {
		for _, a := range l.Accents {
			tags = append(tags, a.Tag)
		}
	}
	for _, want := range []string{"en-GB", "en-US", "en-GB-scotland", "es-ES", "es-419", "fr-FR", "fr-BE", "fr-CH", "pt-PT", "pt-BR", "hyw", "ru-LV"} {
		if !slices.Contains(tags, want) {
			t.Errorf("no accent %s", want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"hello", "<speak>a<break/></speak>", "<speak><audio src='x'/></speak>", "<speak xmlns:x='y' x:base='z'>a</speak>", "[[a]]", "\x01I"} {
		f.Add(s, "en")
	}
	e := speech.NewEspeak(speech.Config{Path: "/nonexistent/espeak-ng"})
	f.Fuzz(func(t *testing.T, text, lang string) {
		// Everything before the program is looked for is our own parsing.
		err := e.CheckSpeak(media.Utterance{Text: text, Language: lang})
		if err == nil {
			t.Errorf("CheckSpeak(%q) without a program: no error", text)
		}
		if errors.Is(err, exec.ErrNotFound) && strings.HasPrefix(strings.TrimSpace(text), "<speak>") && strings.Contains(text, "<audio") && !strings.Contains(text, "<!--") && !strings.Contains(text, "<![CDATA[") {
			t.Errorf("CheckSpeak(%q) lets audio pass", text)
		}
	})
}

func ExampleLanguages() {
	for _, l := range speech.Languages() {
		if l.Tag == "pt" || l.Tag == "ja" {
			fmt.Println(l.Tag, l.Name, l.Quality, l.Note, l.Accents[:min(1, len(l.Accents))])
		}
	}
	// Output:
	// ja Japanese limited hiragana and katakana only, no kanji []
	// pt Portuguese good  [{pt-BR Brazil pt-br}]
}

func ExampleEspeak() {
	engine := speech.NewEspeak(speech.Config{Language: "de-DE"})
	err := engine.CheckSpeak(media.Utterance{Text: "hello", Language: "jp"})
	fmt.Println(err)
	// Output: speech: espeak-ng: unknown language "jp"; near ones: ja (Japanese)
}

func BenchmarkSpeak(b *testing.B) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		b.Skip(err)
	}
	e := speech.NewEspeak(speech.Config{})
	for b.Loop() {
		if _, err := e.Speak(b.Context(), media.Utterance{Text: "Welcome to Callbin. Press one for sales, or two for support."}); err != nil {
			b.Fatal(err)
		}
	}
}
