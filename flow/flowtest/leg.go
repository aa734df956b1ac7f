package flowtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// Leg is a simulated leg of a call: it has every capability of package action, and knows neither SIP nor RTP. What
// happens goes to the log of its World. A flow may run on it in a bubble of testing/synctest; Flow.Run does all that is
// needed, the type itself is for tests of own actions.
type Leg struct {
	*World
	vars   action.Vars
	work   sync.WaitGroup // of Background
	digits action.DigitBuffer

	mu            sync.Mutex // guards all below
	answered      bool
	over          bool
	playing       int
	recording     string // id of the one that runs
	recorded      int
	recordKey     string        // keys that end it
	recordEnds    chan struct{} // closed at its end
	recordStart   time.Time
	left          chan struct{} // closed when the caller leaves what it is joined with
	made          int           // legs of others
	forks         int           // external media that run
	transcription string        // id of the one that runs
	notes
	skip   context.CancelCauseFunc
	hangup context.CancelCauseFunc
}

var (
	_ action.Answerer     = (*Leg)(nil)
	_ action.Hanger       = (*Leg)(nil)
	_ action.Player       = (*Leg)(nil)
	_ action.DigitReader  = (*Leg)(nil)
	_ action.Echoer       = (*Leg)(nil)
	_ action.Recorder     = (*Leg)(nil)
	_ action.Reporter     = (*Leg)(nil)
	_ action.Backgrounder = (*Leg)(nil)
	_ flow.Observer       = (*Leg)(nil)
	_ flow.Skipper        = (*Leg)(nil)
)

// NewLeg returns an unanswered leg in w, and the context that its flow has to run with: it ends with the call.
func NewLeg(ctx context.Context, w *World) (*Leg, context.Context) {
	l := &Leg{World: w, left: make(chan struct{})}
	ctx, l.hangup = context.WithCancelCause(ctx)
	for name, value := range w.StartVars() {
		_ = l.vars.Set(name, value) // within the limits: it was set before
	}
	return l, ctx
}

// ID returns call-1.
func (l *Leg) ID() string { return "call-1" }

// Vars returns the variables of the call.
func (l *Leg) Vars() *action.Vars { return &l.vars }

// Answer answers.
func (l *Leg) Answer(ctx context.Context) error {
	if err := l.fault(ctx, "answer"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered {
		l.answered = true
		l.Log(KindAnswered, "")
	}
	return nil
}

// CallStatus is ringing or progressing, if the script says nothing else.
func (l *Leg) CallStatus() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.status != "":
		return l.status
	case l.answered:
		return "progressing"
	default:
		return "ringing"
	}
}

// ReadDigit waits for a digit and takes it.
func (l *Leg) ReadDigit(ctx context.Context) (byte, error) {
	d, err := l.digits.ReadDigit(ctx)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.waiting = l.waiting[1:]
	}
	return d, err
}

// PeekDigits returns the digits that are not read yet.
func (l *Leg) PeekDigits() (string, <-chan struct{}) { return l.digits.PeekDigits() }

// DropDigits forgets these.
func (l *Leg) DropDigits() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noteDropLocked()
	l.digits.DropDigits()
}

// Play takes the time that src has.
func (l *Leg) Play(ctx context.Context, src media.Source) error {
	defer func() {
		if closer, ok := src.(io.Closer); ok {
			closer.Close()
		}
	}()
	if err := l.fault(ctx, "play"); err != nil {
		return err
	}
	name := fmt.Sprintf("%T %d Hz", src, src.Rate())
	known, ok := src.(*Sound)
	if ok {
		name = known.name
	}
	turn(name)                          // the flow may go on beside it
	if ctx.Err() != nil && l.isOver() { // in the same instant
		return context.Cause(ctx)
	}
	l.begins()
	if !ok && !isOurs(src) {
		l.Log(KindSound, "%s", name)
	}
	var played time.Duration
	var err error
	if ok {
		start := time.Now()
		total := known.skip()
		if err = wait(ctx, total); err == nil {
			played = total
		} else {
			played = time.Since(start)
		}
	} else {
		played, err = drain(ctx, src)
	}
	turn(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.playing--
	l.World.playing(err != nil, played)
	return err
}

func (l *Leg) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

func (l *Leg) begins() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.playing++; l.playing > 1 {
		l.Log(kindTwo, "sounds at once")
	}
}

// isOurs tells whether src is one of package action that holds a Sound, which tells of itself.
func isOurs(src media.Source) bool {
	return strings.HasPrefix(fmt.Sprintf("%T", src), "*action.")
}

// drain reads src a frame every 20 ms.
func drain(ctx context.Context, src media.Source) (played time.Duration, err error) {
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	buf := make([]int16, media.FrameLen(src.Rate()))
	for {
		n, err := src.ReadFrame(buf)
		played += time.Duration(n) * time.Second / time.Duration(src.Rate())
		if err == io.EOF && n == 0 {
			return played, nil
		}
		if err != nil && err != io.EOF {
			return played, err
		}
		select {
		case <-tick.C:
			if err == io.EOF {
				return played, nil
			}
		case <-ctx.Done():
			return played, context.Cause(ctx)
		}
	}
}

// Echo lasts until ctx ends.
func (l *Leg) Echo(ctx context.Context) error {
	if err := l.fault(ctx, "echo"); err != nil {
		return err
	}
	l.Log("echo", "on")
	<-ctx.Done()
	l.Log("echo", "off")
	return context.Cause(ctx)
}

// StartRecording is refused before the answer, and while one runs.
func (l *Leg) StartRecording(ctx context.Context, o action.RecordOptions) (string, error) {
	if o.BeepStart { // by the engine itself: it is no sound of the flow
		if err := wait(ctx, recordBeep); err != nil {
			return "", err
		}
	}
	status := l.CallStatus()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case status != "progressing":
		return "", errors.New("call: record: only an answered call can be recorded")
	case l.recording != "":
		return "", fmt.Errorf("call: record: recording %s is already running", l.recording)
	}
	l.recorded++
	l.recording = fmt.Sprintf("rec-%d", l.recorded)
	if l.stops = (time.Time{}); o.Duration > 0 {
		l.stops = time.Now().Add(o.Duration)
	}
	l.recordKey, l.recordStart, l.recordEnds = o.EndOfKey, time.Now(), make(chan struct{})
	l.Log(KindRecords, "%+v", o)
	return l.recording, nil
}

// StopRecording ends the one that runs.
func (l *Leg) StopRecording(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recording == "" {
		return errors.New("call: record_stop: no recording is running")
	}
	l.recording = ""
	close(l.recordEnds)
	l.Log(KindRecorded, "")
	return nil
}

// WaitRecording lasts until a key, the longest time, or StopRecording: the caller is never silent.
func (l *Leg) WaitRecording(ctx context.Context, id string) (got action.Recorded, err error) {
	l.mu.Lock()
	key, start, stops, ends := l.recordKey, l.recordStart, l.stops, l.recordEnds
	runs := l.recording == id && id != ""
	l.mu.Unlock()
	if !runs {
		return got, nil
	}
	limit, cancel := ctx, context.CancelFunc(func() {})
	if !stops.IsZero() {
		limit, cancel = context.WithDeadlineCause(ctx, stops, action.ErrTimeout)
	}
	defer cancel()
	got.EndedBy = ""
	for got.EndedBy == "" {
		digits, next := l.PeekDigits()
		if strings.ContainsFunc(digits, func(r rune) bool { return key == "any" || strings.ContainsRune(key, r) }) {
			got.EndedBy = action.RecordingStopped
			break
		}
		select {
		case <-next:
		case <-ends:
			return action.Recorded{EndedBy: action.RecordingStopped, Length: time.Since(start)}, nil
		case <-limit.Done():
			if got.EndedBy = "duration"; ctx.Err() != nil {
				return got, context.Cause(ctx)
			}
		}
	}
	got.Length = time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recording == id {
		l.recording = ""
		close(l.recordEnds)
		l.Log(KindRecorded, "%s", got.EndedBy)
	}
	return got, nil
}

// Background lets work outlive the flow.
func (l *Leg) Background(f func(context.Context)) error {
	l.work.Go(func() { f(context.Background()) })
	return nil
}

// Report notes what fails later.
func (l *Leg) Report(step action.Info, err error) {
	turn("report " + step.ID)
	l.Log("later", "%s failed: %v", step.Type, firstLine(err))
}

// ActionStarted logs the step.
func (l *Leg) ActionStarted(s flow.Step) {
	l.noteStep(s)
	l.Started(s)
}

// ActionEnded logs what became of it.
func (l *Leg) ActionEnded(s flow.Step, o action.Outcome, err error) { l.Ended(s, o, err) }

// Started logs that a step begins.
func (w *World) Started(s flow.Step) {
	if !w.quiet {
		w.Log(KindStep, "%s %s %s", s.ID, s.Type, s.Option)
	}
}

// Ended logs what became of a step.
func (w *World) Ended(s flow.Step, o action.Outcome, err error) {
	w.mu.Lock()
	w.taken = append(w.taken, taken{s, o, err})
	w.mu.Unlock()
	if w.quiet {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(o.Result)) {
		w.Log(KindResult, "%s: %s", k, o.Result[k])
	}
	if err != nil {
		w.Log(KindFailed, "%s", firstLine(err))
	}
}

// StepContext lets Skip end the step.
func (l *Leg) StepContext(ctx context.Context, _ flow.Step) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.skip = cancel
	l.mu.Unlock()
	return ctx, func() { cancel(nil) }
}
