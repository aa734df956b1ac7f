package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// Config of an Espeak. The zero value is fine.
type Config struct {
	Path         string        // of the program; empty: espeak-ng, where the system finds it
	MaxProcesses int           // that run at the same time; 0: one a CPU. Others wait.
	Timeout      time.Duration // of one utterance, waiting not counted; 0: 10 s
	MaxDuration  time.Duration // of the sound of one utterance; 0: 10 min
	Language     string        // of utterances that name none; empty: en-US
}

// Espeak speaks by the program espeak-ng, one process an utterance: some 20 ms of work
// for 10 s of speech. Its sources have 22050 Hz. The Provider of an utterance is not
// looked at, except that a Voice of another provider is ignored. It is safe for concurrent use.
type Espeak struct {
	cfg   Config
	slots chan struct{}
}

var (
	_ media.Speaker      = (*Espeak)(nil)
	_ media.SpeakChecker = (*Espeak)(nil)
)

// NewEspeak returns an Espeak. Whether the program is there is found out by CheckSpeak and Speak.
func NewEspeak(cfg Config) *Espeak {
	if cfg.Path == "" {
		cfg.Path = "espeak-ng"
	}
	if cfg.MaxProcesses <= 0 {
		cfg.MaxProcesses = runtime.NumCPU()
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.MaxDuration <= 0 {
		cfg.MaxDuration = 10 * time.Minute
	}
	if cfg.Language == "" {
		cfg.Language = "en-US"
	}
	return &Espeak{cfg: cfg, slots: make(chan struct{}, cfg.MaxProcesses)}
}

// job is an utterance that was understood.
type job struct {
	path  string
	voice string
	args  []string
	text  prepared
	ask   bool // ask the engine first whether it knows the characters
}

// CheckSpeak tells what of u can be told without speaking: the language or voice is unknown,
// the text has an unknown writing (ErrScript) or is bad (ErrText), gender or rate is
// none, the program is missing (exec.ErrNotFound). An empty text passes, so that
// a language can be checked alone.
func (e *Espeak) CheckSpeak(u media.Utterance) error {
	if u.Text == "" {
		u.Text = "1"
	}
	_, err := e.plan(u)
	return err
}

// Speak speaks u and returns its whole sound as the source of a media.Clip. It blocks
// while the program works, and before while MaxProcesses others do; when ctx ends the process is
// killed. Errors are those of CheckSpeak, the program's own, and context.Cause(ctx).
func (e *Espeak) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	j, err := e.plan(u)
	if err != nil {
		return nil, err
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("speech: espeak-ng: %w", context.Cause(ctx))
	}
	if j.ask {
		if err := e.ask(ctx, j); err != nil {
			return nil, err
		}
	}
	clip, err := e.render(ctx, j)
	if err != nil {
		return nil, err
	}
	return clip.Source(), nil
}

func (e *Espeak) plan(u media.Utterance) (job, error) {
	tag := u.Language
	if tag == "" {
		tag = e.cfg.Language
	}
	lang, voice, err := findVoice(tag)
	if err != nil {
		return job{}, err
	}
	own := u.Voice != "" && (u.Provider == "" || u.Provider == "espeak-ng" || u.Provider == "espeak")
	if own { // a voice has its language, whatever else is said
		if lang = languageOf(u.Voice); lang == nil {
			return job{}, fmt.Errorf("speech: espeak-ng: unknown voice %.40q: want one of its voices with or without a variant, for example %q", u.Voice, "de+f3")
		}
		voice = u.Voice
	}
	text, err := prepare(u.Text, voice)
	if err != nil {
		return job{}, err
	}
	if err := lang.checkScript(text.plain); err != nil {
		return job{}, err
	}
	ask := lang.han && hasHan(text.plain)
	for _, s := range text.langs {
		l, _, err := findVoice(s.lang)
		if err != nil {
			return job{}, err
		}
		// Each character would have to be asked for with that voice.
		if l.han && hasHan(s.text) {
			return job{}, fmt.Errorf("%w: Han letters under xml:lang %q; speak them as an utterance of their own", ErrScript, s.lang)
		}
		if err := l.checkScript(s.text); err != nil {
			return job{}, err
		}
	}
	args := []string{"-b", "1", "--stdin", "-z"}
	if text.ssml {
		args = append(args, "-m")
	}
	if !own {
		switch u.Gender {
		case "":
		case media.Male:
			voice += "+m3"
		case media.Female:
			voice += "+f3"
		case media.Neutral:
			args = append(args, "-p", "75") // the plain voice, between the two in pitch
		default:
			return job{}, fmt.Errorf("speech: espeak-ng: unknown gender %.40q: want %s, %s or %s", u.Gender, media.Male, media.Female, media.Neutral)
		}
	}
	switch {
	case u.Rate == 0:
	case u.Rate >= 0.5 && u.Rate <= 2.5:
		args = append(args, "-s", strconv.Itoa(int(math.Round(175*u.Rate)))) // 175 words a minute is its normal speed
	default:
		return job{}, fmt.Errorf("speech: espeak-ng: rate %g is not 0.5 to 2.5", u.Rate)
	}
	path, err := exec.LookPath(e.cfg.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = exec.ErrNotFound // a path that was configured
		}
		return job{}, fmt.Errorf("speech: espeak-ng (%s) is not installed; the package is espeak-ng for apt, dnf, pacman, apk and brew: %w", e.cfg.Path, err)
	}
	return job{path: path, voice: voice, args: append(args, "-v", voice), text: text, ask: ask}, nil
}

func hasHan(s string) bool { return strings.ContainsFunc(s, isHan) }

// languageOf returns the language of a voice of espeak-ng, nil for what is none: paths of
// files, and names that the engine would pass over in silence.
func languageOf(voice string) *Language {
	base, variant, has := strings.Cut(voice, "+")
	if has && !slices.Contains(variants, variant) {
		return nil
	}
	for i := range languages {
		l := &languages[i]
		if l.voice == base || slices.ContainsFunc(l.Accents, func(a Accent) bool { return a.voice == base }) {
			return l
		}
	}
	return nil
}

// variants of espeak-ng that go with every voice.
var variants = strings.Fields("f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 m8 croak whisper whisperf klatt klatt2 klatt3 klatt4 " +
	"Alex Andy Annie Diogo Gene Henrique Hugo Jacky Lee Michael Mike adam anika announcer aunty belinda benjamin caleb " +
	"david ed edward grandma grandpa john linda max norbert paul pedro quincy rob robert sandro shelby steph travis victor zac")

// ask lets the engine write the sounds of each Han character, and refuses the text
// where one has no reading: it is then called by the parts of its name, several syllables in one or
// another language, or by a syllable (er in the first tone) that Mandarin does not have.
func (e *Espeak) ask(ctx context.Context, j job) error {
	var list strings.Builder
	seen := map[rune]bool{}
	for _, r := range j.text.plain {
		if isHan(r) && !seen[r] {
			seen[r] = true
			list.WriteRune(r)
			list.WriteString("\n\n")
		}
	}
	j.text.text = list.String()
	j.args = []string{"-b", "1", "--stdin", "-q", "--ipa", "-v", j.voice}
	var ipa []byte
	err := e.run(ctx, j, func(out io.Reader) (err error) {
		ipa, err = io.ReadAll(out)
		return err
	})
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(ipa)) {
		if line = strings.TrimSpace(line); strings.Count(line, "ˈ") > 1 || strings.Contains(line, "(") || line == "əː1" {
			return fmt.Errorf("%w: a Han character of %q is unknown to the voice %s", ErrScript, firstRunes(j.text.plain, 20), j.voice)
		}
	}
	return nil
}

func (e *Espeak) render(ctx context.Context, j job) (clip *media.Clip, err error) {
	j.args = append(j.args, "--stdout")
	err = e.run(ctx, j, func(out io.Reader) (err error) {
		// Its header has no true length: the end of the pipe is the end of the sound.
		clip, err = wav.Decode(out, wav.Limits{Duration: e.cfg.MaxDuration})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(clip.PCM()) == 0 {
		return nil, fmt.Errorf("speech: espeak-ng (%s): it said nothing: %w", j.voice, ErrText)
	}
	return clip, nil
}

// run starts the program, gives it the text and its output to read, and waits for it.
func (e *Espeak) run(ctx context.Context, j job, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.cfg.Timeout, fmt.Errorf("no end after %s: %w", e.cfg.Timeout, context.DeadlineExceeded))
	defer cancel()
	cmd := exec.CommandContext(ctx, j.path, j.args...)
	cmd.Stdin = strings.NewReader(j.text.text + "\n") // never an argument: it may begin with a dash
	stderr := &firstLine{}
	cmd.Stderr = stderr
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("speech: espeak-ng (%s): %w", j.voice, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("speech: espeak-ng (%s): %w", j.voice, err)
	}
	readErr := read(out)
	if readErr != nil && cmd.Process != nil {
		// What it has not written yet nobody will read.
		_ = cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("speech: espeak-ng (%s): %w", j.voice, context.Cause(ctx))
	case errors.Is(readErr, wav.ErrTooLong):
		return fmt.Errorf("speech: espeak-ng (%s): more than %s of sound: %w", j.voice, e.cfg.MaxDuration, readErr)
	case stderr.line() != "" && (waitErr != nil || readErr != nil):
		return fmt.Errorf("speech: espeak-ng (%s): %s: %w", j.voice, stderr.line(), errors.Join(waitErr, readErr))
	case waitErr != nil || readErr != nil:
		return fmt.Errorf("speech: espeak-ng (%s): %w", j.voice, errors.Join(waitErr, readErr))
	}
	return nil
}

// firstLine keeps the begin of what is written to it.
type firstLine struct{ b []byte }

func (f *firstLine) Write(p []byte) (int, error) {
	const most = 200
	f.b = append(f.b, p[:min(len(p), most-min(len(f.b), most))]...)
	return len(p), nil
}

func (f *firstLine) line() string {
	s, _, _ := strings.Cut(strings.TrimSpace(string(f.b)), "\n")
	return s
}
