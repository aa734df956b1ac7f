package flow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/media"
)

// caller is a leg with a scripted peer: all capabilities, and a transcript of what
// happens, in the time of the bubble that it is made in. It knows of no SIP and no RTP.
type caller struct {
	start time.Time
	vars  action.Vars
	quiet bool // no lines for steps

	peers       map[string]peer // who can be called, by target
	conferences []string
	world       world

	mu        sync.Mutex // guards all below
	lines     []string
	answered  bool
	playing   int
	recording string
	digits    []byte
	pressed   chan struct{} // closed at the next digit
	sources   int           // open ones
	answers   []string      // of the HTTP server, "500" or "200 body" or "error" or "hang"
	left      chan struct{} // closed when the caller leaves what it is joined with
	made      int           // legs
	skip      context.CancelCauseFunc
	hangup    context.CancelCauseFunc
}

var (
	_ action.Answerer    = (*caller)(nil)
	_ action.Hanger      = (*caller)(nil)
	_ action.Player      = (*caller)(nil)
	_ action.DigitReader = (*caller)(nil)
	_ action.Echoer      = (*caller)(nil)
	_ action.Recorder    = (*caller)(nil)
	_ action.Reporter    = (*caller)(nil)
	_ flow.Observer      = (*caller)(nil)
	_ flow.Skipper       = (*caller)(nil)
)

func newCaller() *caller {
	return &caller{start: time.Now(), pressed: make(chan struct{}), left: make(chan struct{}), peers: make(map[string]peer),
		world: world{
			flows: make(map[string]string), queues: make(map[string]queue),
			programs: make(map[string]string), faults: make(map[string]string),
		}}
}

func (c *caller) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked(format, args...)
}

func (c *caller) logLocked(format string, args ...any) {
	at := strconv.FormatFloat(time.Since(c.start).Seconds(), 'f', 3, 64)
	c.lines = append(c.lines, fmt.Sprintf("%7ss %s", at, fmt.Sprintf(format, args...)))
}

func (c *caller) transcript() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n") + "\n"
}

func (c *caller) ID() string         { return "call-1" }
func (c *caller) Vars() *action.Vars { return &c.vars }

func (c *caller) Answer(ctx context.Context) error {
	if err := c.fault(ctx, "answer"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered {
		c.answered = true
		c.logLocked("  answered")
	}
	return nil
}

func (c *caller) Hangup(ctx context.Context, e action.Ending) error {
	if err := c.fault(ctx, "hangup"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked("  hangup %s%s", e.Reason, e.ReferenceID)
	if c.hangup != nil {
		c.hangup(action.ErrHangup)
	}
	return nil
}

func (c *caller) Play(ctx context.Context, src media.Source) error {
	defer func() {
		if closer, ok := src.(io.Closer); ok {
			closer.Close()
		}
	}()
	if err := c.fault(ctx, "play"); err != nil {
		return err
	}
	time.Sleep(time.Microsecond) // the flow may go on beside it: what comes first in the transcript must not be chance
	c.mu.Lock()
	if c.playing++; c.playing > 1 {
		c.logLocked("  two sounds at once")
	}
	c.logLocked("  sound %d Hz", src.Rate())
	c.mu.Unlock()
	var played time.Duration
	end := func(how string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.playing--
		c.logLocked("  sound %s after %s", how, played)
	}
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	buf := make([]int16, media.FrameLen(src.Rate()))
	for {
		n, err := src.ReadFrame(buf)
		played += time.Duration(n) * time.Second / time.Duration(src.Rate())
		if err == io.EOF && n == 0 {
			end("done")
			return nil
		}
		select {
		case <-tick.C:
			if err == io.EOF {
				end("done")
				return nil
			}
		case <-ctx.Done():
			end("cut")
			return context.Cause(ctx)
		}
	}
}

func (c *caller) press(digits string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked("  press %s", digits)
	c.digits = append(c.digits, digits...)
	close(c.pressed)
	c.pressed = make(chan struct{})
}

func (c *caller) ReadDigit(ctx context.Context) (byte, error) {
	for {
		c.mu.Lock()
		next := c.pressed
		if len(c.digits) > 0 {
			d := c.digits[0]
			c.digits = c.digits[1:]
			c.mu.Unlock()
			return d, nil
		}
		c.mu.Unlock()
		select {
		case <-next:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (c *caller) PeekDigits() (string, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.digits), c.pressed
}

func (c *caller) DropDigits() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.digits = nil
}

func (c *caller) Echo(ctx context.Context) error {
	if err := c.fault(ctx, "echo"); err != nil {
		return err
	}
	c.logf("  echo on")
	<-ctx.Done()
	c.logf("  echo off")
	return context.Cause(ctx)
}

func (c *caller) StartRecording(_ context.Context, o action.RecordOptions) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recording != "" {
		return "", errors.New("a recording runs already")
	}
	c.recording = "rec-1"
	c.logLocked("  recording %+v", o)
	return c.recording, nil
}

func (c *caller) StopRecording(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recording == "" {
		return errors.New("no recording runs")
	}
	c.recording = ""
	c.logLocked("  recording ends")
	return nil
}

func (c *caller) Report(step action.Info, err error) {
	c.logf("  %s failed later: %v", step.Type, err)
}

func (c *caller) ActionStarted(s flow.Step) {
	if !c.quiet {
		c.logf("%s %s %s", s.ID, s.Type, s.Option)
	}
}

func (c *caller) ActionEnded(s flow.Step, o action.Outcome, err error) {
	if c.quiet {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(o.Result)) {
		c.logf("  = %s: %s", k, o.Result[k])
	}
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\ngoroutine")
		c.logf("  ! %s", strings.ReplaceAll(text, "\n", "; "))
	}
}

func (c *caller) StepContext(ctx context.Context, _ flow.Step) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	c.skip = cancel
	c.mu.Unlock()
	return ctx, func() { cancel(nil) }
}

// sound is silence of a length.
type sound struct {
	c    *caller
	rate int
	left int
}

func (c *caller) newSound(rate int, d time.Duration) *sound {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources++
	return &sound{c: c, rate: rate, left: int(d * time.Duration(rate) / time.Second)}
}

func (s *sound) Rate() int { return s.rate }

func (s *sound) ReadFrame(dst []int16) (int, error) {
	n := min(len(dst), media.FrameLen(s.rate), s.left)
	s.left -= n
	if s.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (s *sound) Close() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.sources--
	return nil
}

// OpenPrompt knows files whose names tell their sound, like hello-1500ms-8k.wav; opening one
// named slow takes a second, and one named missing fails.
func (c *caller) OpenPrompt(ctx context.Context, dir, ref string) (media.Source, error) {
	c.logf("  open %s %s", dir, ref)
	part := strings.Split(strings.TrimSuffix(path.Base(strings.TrimPrefix(ref, "file:")), ".wav"), "-")
	if len(part) != 3 || part[0] == "missing" {
		return nil, errors.New("no such file")
	}
	if part[0] == "slow" {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	d, err := time.ParseDuration(part[1])
	if err != nil {
		return nil, err
	}
	rate, err := strconv.Atoi(strings.TrimSuffix(part[2], "k"))
	return c.newSound(rate*1000, d), err
}

// Speak takes 100 ms a letter; language "xx" is unknown.
func (c *caller) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	time.Sleep(500 * time.Nanosecond) // as in Play: a transcriber may begin at the same time
	c.logf("  speak %+v", u)
	if err := c.CheckSpeak(u); err != nil {
		return nil, err
	}
	if u.Provider == "slow" {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return c.newSound(8000, time.Duration(len(u.Text))*100*time.Millisecond), nil
}

func (c *caller) CheckSpeak(u media.Utterance) error {
	if u.Language == "xx" {
		return errors.New("no voice speaks xx")
	}
	return nil
}

func (c *caller) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Microsecond) // as in Play
	c.mu.Lock()
	c.logLocked("  http %s %s %q %s %s", req.Method, req.URL, req.Header.Get("Content-Type"), body, req.Header.Get("X-VoIPBIN-Signature"))
	answer := "200"
	if len(c.answers) > 0 {
		answer, c.answers = c.answers[0], c.answers[1:]
	}
	c.mu.Unlock()
	status, text, _ := strings.Cut(answer, " ")
	if text == "LARGE" {
		text = strings.Repeat(" ", action.MaxFetch+1)
	}
	switch status {
	case "error":
		return nil, errors.New("connection refused")
	case "hang":
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	code, err := strconv.Atoi(status)
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(text))}, err
}

// deps are what the actions of a caller's flow work with.
func (c *caller) deps() action.Deps {
	return action.Deps{
		Prompts:       c,
		Speaker:       c,
		HTTP:          c,
		Beep:          func() media.Source { return c.newSound(8000, 300*time.Millisecond) },
		WebhookSecret: "secret",

		Expressions:          expr.Expressions{},
		Transcriber:          c,
		RecordingTranscriber: c,
		Assistant:            c,
		Messages:             c,
		Mail:                 c,
		Conversations:        c,
		Cases:                c,
	}
}
