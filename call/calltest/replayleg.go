package calltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/expr"
	"github.com/callbin/callbin/media"
)

// replayable are the actions that run in a replay. All others come to what they came to when the call was recorded.
var replayable = map[string]bool{
	"answer": true, "hangup": true, "play": true, "talk": true, "beep": true, "echo": true, "stream_echo": true,
	"digits_receive": true, "digits_send": true, "recording_start": true, "recording_stop": true, "sleep": true, "stop": true,
	"branch": true, "goto": true, "condition_variable": true, "condition_datetime": true, "condition_expression": true,
	"condition_call_digits": true, "condition_call_status": true, "variable_set": true, "block": true, "mute": true,
	"connect": true, "call": true, "conference_join": true, "confbridge_join": true, "queue_join": true, "fetch": true, "fetch_flow": true,
	"webhook_send": true, "empty": true, "park": true, "pickup": true, "voicemail": true, "voicemail_main": true, "amd": true,
}

// replayLeg is the leg of a replay: every use of it comes to what it came to then.
type replayLeg struct {
	r    *replay
	id   string
	vars action.Vars
	life context.Context // of the replay
	work sync.WaitGroup  // of Background

	action.DigitBuffer

	mu     sync.Mutex
	skip   context.CancelCauseFunc
	stands chan standIn // where the step that runs is one that does not; nil: it runs
}

type standIn struct {
	outcome action.Outcome
	err     error
}

var (
	_ action.Answerer     = (*replayLeg)(nil)
	_ action.Hanger       = (*replayLeg)(nil)
	_ action.Player       = (*replayLeg)(nil)
	_ action.DigitReader  = (*replayLeg)(nil)
	_ action.Echoer       = (*replayLeg)(nil)
	_ action.Recorder     = (*replayLeg)(nil)
	_ action.Connector    = (*replayLeg)(nil)
	_ action.Dialer       = (*replayLeg)(nil)
	_ action.Bridger      = (*replayLeg)(nil)
	_ action.Conferencer  = (*replayLeg)(nil)
	_ action.Queuer       = (*replayLeg)(nil)
	_ action.DigitSender  = (*replayLeg)(nil)
	_ action.Muter        = (*replayLeg)(nil)
	_ action.Parker       = (*replayLeg)(nil)
	_ action.Picker       = (*replayLeg)(nil)
	_ action.FlowFinder   = (*replayLeg)(nil)
	_ action.Follower     = (*replayLeg)(nil)
	_ action.Stater       = (*replayLeg)(nil)
	_ action.Backgrounder = (*replayLeg)(nil)
	_ action.Reporter     = (*replayLeg)(nil)
	_ flow.Observer       = (*replayLeg)(nil)
	_ flow.Skipper        = (*replayLeg)(nil)
	_ flow.Interceptor    = (*replayLeg)(nil)
)

func newReplayLeg(ctx context.Context, r *replay, vars map[string]string) *replayLeg {
	l := &replayLeg{life: ctx, r: r, id: vars["voipbin.call.id"]}
	for name, value := range vars {
		if value != "" {
			_ = l.vars.Set(name, value) // it was within the limits
		}
	}
	return l
}

func (l *replayLeg) ID() string         { return l.id }
func (l *replayLeg) Vars() *action.Vars { return &l.vars }

// did is what came of a use of the leg.
func (l *replayLeg) did(ctx context.Context, what, target string, result any) error {
	n, err := l.r.ask(ctx, what, target)
	if err != nil {
		return err
	}
	if result != nil && len(n.Result) > 0 {
		if err := json.Unmarshal(n.Result, result); err != nil {
			return fmt.Errorf("calltest: replay: result of %s: %w", what, err)
		}
	}
	return asError(n.Error)
}

func (l *replayLeg) Answer(ctx context.Context) error { return l.did(ctx, "answer", "", nil) }

func (l *replayLeg) Hangup(ctx context.Context, e action.Ending) error {
	return l.did(ctx, "hangup", e.Reason+e.ReferenceID, nil)
}

func (l *replayLeg) Play(ctx context.Context, src media.Source) error {
	defer func() {
		if c, ok := src.(io.Closer); ok {
			c.Close()
		}
	}()
	return l.did(ctx, "play", "", nil)
}

func (l *replayLeg) Echo(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func (l *replayLeg) StartRecording(ctx context.Context, o action.RecordOptions) (id string, err error) {
	if err := l.did(ctx, "record", fmt.Sprintf("%+v", o), &id); err != nil {
		return id, err
	}
	name := l.r.recordName
	return id, errors.Join(
		l.vars.Set("voipbin.recording.recording_name", strings.TrimSuffix(name, ".wav")),
		l.vars.Set("voipbin.recording.filenames", name),
	)
}

func (l *replayLeg) StopRecording(ctx context.Context) error {
	return l.did(ctx, "record_stop", "", nil)
}

func (l *replayLeg) WaitRecording(ctx context.Context, id string) (got action.Recorded, err error) {
	err = l.did(ctx, "record_wait", id, &got)
	return got, err
}

func (l *replayLeg) Connect(ctx context.Context, o action.ConnectOptions) (got action.Connected, err error) {
	err = l.did(ctx, "connect", address.Join(o.Destinations), &got)
	return got, err
}

func (l *replayLeg) Dial(ctx context.Context, o action.DialOptions) (ids []string, err error) {
	err = l.did(ctx, "dial", address.Join(o.Destinations), &ids)
	return ids, err
}

func (l *replayLeg) JoinBridge(ctx context.Context, id string) error {
	return l.did(ctx, "bridge", id, nil)
}

func (l *replayLeg) JoinConference(ctx context.Context, o action.ConferenceOptions) (got action.Conferenced, err error) {
	err = l.did(ctx, "conference", o.ID, &got)
	return got, err
}

// JoinQueue comes to what it came to, with the variables that the wait flow set.
func (l *replayLeg) JoinQueue(ctx context.Context, id string) (action.Queued, error) {
	var got call.QueuedNote
	err := l.did(ctx, "queue", id, &got)
	for name, value := range got.Vars {
		_ = l.vars.Set(name, value) // it was within the limits
	}
	return got.Queued, err
}

func (l *replayLeg) SendDigits(ctx context.Context, digits string, _, _ time.Duration) error {
	return l.did(ctx, "digits_send", digits, nil)
}

func (l *replayLeg) Mute(ctx context.Context, d media.Direction, on bool) error {
	return l.did(ctx, "mute", fmt.Sprintf("%s %t", d, on), nil)
}

func (l *replayLeg) Park(ctx context.Context, o action.ParkOptions) (got action.Parked, err error) {
	err = l.did(ctx, "park", o.Orbit, &got)
	return got, err
}

func (l *replayLeg) Pickup(ctx context.Context, o action.PickupOptions) (got action.Picked, err error) {
	err = l.did(ctx, "pickup", o.Orbit+o.Extension, &got)
	return got, err
}

func (l *replayLeg) FlowByID(ctx context.Context, id string) (action.Program, error) {
	if err := l.did(ctx, "flow_by_id", id, nil); err != nil {
		return nil, err
	}
	text, ok := l.r.flows[id]
	if !ok {
		return nil, fmt.Errorf("calltest: replay: the trace does not hold flow %q", id)
	}
	return flow.Parse(text, flow.ParseOptions{Registry: l.r.registry, Name: id, Lenient: true})
}

func (l *replayLeg) Follow(string, map[string]string) error { return nil }

func (l *replayLeg) CallStatus() string {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	return l.r.status
}

func (l *replayLeg) Background(f func(context.Context)) error {
	l.work.Go(func() { f(l.life) })
	return nil
}

func (l *replayLeg) Report(action.Info, error) {}

func (l *replayLeg) ActionStarted(s flow.Step) {
	l.r.observe(&call.Input{Kind: call.KindStarted, Step: call.StepStarted(s)})
}

func (l *replayLeg) ActionEnded(s flow.Step, o action.Outcome, err error) {
	l.r.observe(&call.Input{Kind: call.KindEnded, Step: call.StepEnded(s, o, err)})
}

func (l *replayLeg) StepContext(ctx context.Context, _ flow.Step) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.skip = cancel
	l.mu.Unlock()
	return ctx, func() { cancel(nil) }
}

func (l *replayLeg) endStep(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skip != nil {
		l.skip(cause)
	}
}

// RunAction lets actions that are only recorded come to what they came to.
func (l *replayLeg) RunAction(ctx context.Context, s flow.Step, run func(context.Context) (action.Outcome, error)) (action.Outcome, error) {
	if !l.r.recorded[s.Type] {
		return run(ctx)
	}
	stands := make(chan standIn, 1)
	l.mu.Lock()
	l.stands = stands
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stands = nil
	}()
	select {
	case got := <-stands:
		return got.outcome, got.err
	case <-ctx.Done():
		return action.Outcome{}, context.Cause(ctx)
	}
}

// standIn ends the step that runs, if it is one that does not, as in says.
func (l *replayLeg) standIn(in *call.Input, fatal bool) {
	l.mu.Lock()
	stands := l.stands
	l.mu.Unlock()
	if stands == nil {
		return
	}
	var got standIn
	if in.Step.Outcome != nil {
		got.outcome = *in.Step.Outcome
	}
	if got.err = asError(in.Step.Error); fatal {
		got.err = action.Fatal(got.err)
	}
	stands <- got
}

// recordedError is an error of which the text is known, and what it matches by that.
type recordedError struct{ text string }

func asError(text string) error {
	if text == "" {
		return nil
	}
	return &recordedError{text}
}

func (e *recordedError) Error() string { return e.text }

// known are errors that flows tell apart. They stand in the text of what wraps them.
var known = []error{
	action.ErrNoFlow, action.ErrNoConference, action.ErrNoQueue, action.ErrNoOrbit, action.ErrTimeout, action.ErrHangup, action.ErrSkip,
	action.ErrContinue, action.ErrBusy, action.ErrNoMailbox, action.ErrMailboxFull, action.ErrMailboxClosed, context.DeadlineExceeded, context.Canceled, errors.ErrUnsupported,
}

func (e *recordedError) Is(target error) bool {
	for _, k := range known {
		if k == target {
			return strings.Contains(e.text, k.Error())
		}
	}
	return false
}

// deps are what the actions of a replay work with.
func (r *replay) deps() action.Deps {
	return action.Deps{
		Prompts: replayPrompts{r}, Speaker: replaySpeaker{r}, HTTP: replayHTTP{r},
		Beep: func() media.Source { return media.Silence(0, 8000) }, Expressions: expr.Expressions{},
	}
}

type replayPrompts struct{ r *replay }

func (p replayPrompts) OpenPrompt(ctx context.Context, _, ref string) (media.Source, error) {
	n, err := p.r.ask(ctx, "prompt", ref)
	if err != nil {
		return nil, err
	}
	return media.Silence(0, 8000), asError(n.Error)
}

type replaySpeaker struct{ r *replay }

func (s replaySpeaker) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	n, err := s.r.ask(ctx, "speech", u.Language)
	if err != nil {
		return nil, err
	}
	return media.Silence(0, 8000), asError(n.Error)
}

type replayHTTP struct{ r *replay }

func (h replayHTTP) Do(req *http.Request) (*http.Response, error) {
	n, err := h.r.ask(req.Context(), "http", req.Method+" "+req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
	if err != nil {
		return nil, err
	}
	if err := asError(n.Error); err != nil {
		return nil, err
	}
	if n.Bytes > int64(len(n.Body)) {
		return nil, fmt.Errorf("calltest: replay: the trace does not hold the whole answer of %s", n.Target)
	}
	return &http.Response{
		StatusCode: n.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
		Body: io.NopCloser(strings.NewReader(n.Body)), ContentLength: int64(len(n.Body)), Request: req,
	}, nil
}
