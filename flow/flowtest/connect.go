package flowtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

var (
	_ action.Connector       = (*Leg)(nil)
	_ action.Dialer          = (*Leg)(nil)
	_ action.Bridger         = (*Leg)(nil)
	_ action.Conferencer     = (*Leg)(nil)
	_ action.DigitSender     = (*Leg)(nil)
	_ action.Muter           = (*Leg)(nil)
	_ action.FlowFinder      = (*Leg)(nil)
	_ action.Follower        = (*Leg)(nil)
	_ action.Stater          = (*Leg)(nil)
	_ action.Listener        = (*Leg)(nil)
	_ action.Transcribing    = (*Leg)(nil)
	_ action.Recordings      = (*Leg)(nil)
	_ action.MachineDetector = (*Leg)(nil)
	_ action.Queuer          = (*Leg)(nil)
	_ action.ExternalMedia   = (*Leg)(nil)
)

// Hangup ends the call.
func (l *Leg) Hangup(ctx context.Context, e action.Ending) error {
	if err := l.fault(ctx, "hangup"); err != nil {
		return err
	}
	l.end(KindHangup, HangupText(e))
	return nil
}

// HangupText is that of a KindHangup event.
func HangupText(e action.Ending) string { return strings.TrimSpace(e.Reason + " " + e.ReferenceID) }

// stay waits until the caller leaves.
func (l *Leg) stay(ctx context.Context) error {
	defer l.with()()
	l.mu.Lock()
	left := l.left
	l.mu.Unlock()
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// callee is a leg of somebody who is called.
type callee struct {
	id string
	to address.Address
	Peer
}

// dial makes a leg for each destination; those that cannot be called are Unknown.
func (l *Leg) dial(destinations []address.Address, how string) (all []callee) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range destinations {
		l.made++
		c := callee{fmt.Sprintf("leg-%d", l.made), d, l.Peer(d)}
		switch {
		case d.Validate() != nil:
			c.Peer = refusedPeer(484)
		case d.Type == address.TypeNone:
			c.Peer = refusedPeer(501)
		case c.Unknown:
			c.Peer = refusedPeer(404)
		}
		if c.Unknown {
			l.Log(kindCannotDial, "%s", d)
		} else {
			l.Log(KindDials, "%s as %s%s", d, c.id, how)
		}
		all = append(all, c)
	}
	return all
}

func refusedPeer(status int) Peer { return Peer{Unknown: true, Reason: "failed", Status: status} }

func shown(source address.Address, anonymous string) string {
	var how string
	if !source.IsZero() {
		how += " from " + source.String()
	}
	if anonymous != "" {
		how += " anonymous:" + anonymous
	}
	return how
}

// Dial makes calls of their own.
func (l *Leg) Dial(_ context.Context, o action.DialOptions) ([]string, error) {
	how := shown(o.Source, o.Anonymous) + fmt.Sprintf(" flow:%s %s chained:%t early:%t dir:%s", o.FlowID, o.Actions, o.Chained, o.EarlyExecution, o.Dir)
	var ids []string
	for _, p := range l.dial(o.Destinations, how) {
		if !p.Unknown {
			ids = append(ids, p.id)
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("no call could be made")
	}
	return ids, nil
}

// JoinBridge answers, and lasts until the caller leaves.
func (l *Leg) JoinBridge(ctx context.Context, id string) error {
	if err := l.fault(ctx, "bridge"); err != nil {
		return err
	}
	if err := l.Answer(ctx); err != nil {
		return err
	}
	l.Log("bridge", "%s", id)
	return l.stay(ctx)
}

// JoinConference answers, and lasts until the caller leaves.
func (l *Leg) JoinConference(ctx context.Context, o action.ConferenceOptions) (got action.Conferenced, err error) {
	if !l.conferences[o.ID] {
		return got, fmt.Errorf("call: there is no conference %q: %w", o.ID, action.ErrNoConference)
	}
	if err := l.fault(ctx, "conference"); err != nil {
		return got, err
	}
	if err := l.Answer(ctx); err != nil {
		return got, err
	}
	l.Log("conference", "%s", o.ID)
	begun := time.Now()
	err = l.stay(ctx)
	return action.Conferenced{
		ConferencecallID: "conferencecall-1", Status: action.StatusOK, Joined: true, Role: cmp.Or(o.Role, "participant"),
		Stay: time.Since(begun), EndedBy: "terminated",
	}, err
}

// leastPress is how long a key, and the pause between two, takes at least: receivers need it.
const leastPress = 40 * time.Millisecond

// SendDigits takes the time that they have.
func (l *Leg) SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error {
	if err := l.fault(ctx, "digits"); err != nil {
		return err
	}
	l.Log("send", "%s, each %s, %s between", digits, duration, interval)
	n := time.Duration(len(digits))
	return wait(ctx, n*max(duration, leastPress)+(n-1)*max(interval, leastPress))
}

// Mute notes it.
func (l *Leg) Mute(_ context.Context, d media.Direction, on bool) error {
	l.Log("mute", "%s: %t", d, on)
	return nil
}

// Follow notes it.
func (l *Leg) Follow(flowID string, vars map[string]string) error {
	l.Log("follow", "%s%s", flowID, sortedPairs(vars))
	return l.fault(context.Background(), "follow")
}

// Listen lets the tap hear silence.
func (l *Leg) Listen(ctx context.Context, open func(rateHz int) (media.Tap, error)) (stop func(), err error) {
	if err := l.fault(ctx, "listen"); err != nil {
		return nil, err
	}
	tap, err := open(8000)
	if err != nil {
		return nil, err
	}
	l.Log("listen", "")
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { // waited for by stop
		defer close(done)
		tick := time.NewTicker(media.FrameDuration)
		defer tick.Stop()
		pcm := make([]int16, media.FrameLen(8000))
		for n := uint64(1); ; n++ {
			select {
			case <-tick.C:
				tap.Tick(n, pcm, nil)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		l.Log("listen", "ends")
	}, nil
}

// StartTranscription needs an answered call, without one that runs.
func (l *Leg) StartTranscription(ctx context.Context, o action.TranscribeOptions) (string, error) {
	if err := l.fault(ctx, "transcription"); err != nil {
		return "", err
	}
	status := l.CallStatus()
	l.mu.Lock()
	defer l.mu.Unlock()
	if status != "progressing" {
		return "", fmt.Errorf("call: transcribe: the call is %s, not answered", status)
	}
	if l.transcription != "" {
		return "", errors.New("call: transcribe: a transcription runs already")
	}
	l.transcription = "transcribe-1"
	l.Log("transcription", "%+v", o)
	return l.transcription, nil
}

// StopTranscription takes half a second for the last words.
func (l *Leg) StopTranscription(ctx context.Context) error {
	l.mu.Lock()
	runs := l.transcription != ""
	l.mu.Unlock()
	if !runs {
		return errors.New("call: transcribe: no transcription runs")
	}
	if err := wait(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	l.mu.Lock()
	l.transcription = ""
	l.mu.Unlock()
	l.Log("transcription", "ends")
	return l.vars.Set(action.VarTranscript, "in: good bye")
}

// RecordingIDs are those of the script.
func (l *Leg) RecordingIDs() []string {
	var ids []string
	for _, t := range l.recordings {
		ids = append(ids, t.id)
	}
	return ids
}

// OpenRecording opens one of the script, or that of a message.
func (l *Leg) OpenRecording(_ context.Context, id string) (string, io.ReadCloser, error) {
	for _, t := range l.recordings {
		if t.id == id {
			l.World.mu.Lock()
			defer l.World.mu.Unlock()
			l.open++
			return id + ".wav", &openTape{strings.NewReader("RIFF " + t.text), l.World}, nil
		}
	}
	if strings.HasPrefix(id, voicePrefix) {
		l.World.mu.Lock()
		defer l.World.mu.Unlock()
		l.open++
		return id + ".wav", &openTape{strings.NewReader("RIFF a message"), l.World}, nil
	}
	return "", nil, errors.New("there is no such recording")
}

// DetectMachine gives the verdict of the script at its time.
func (l *Leg) DetectMachine(ctx context.Context) (string, error) {
	turn("detect") // the flow may go on beside it
	l.Log("detect", "")
	if l.verdict == "" {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	if err := wait(ctx, l.verdictAt-time.Since(l.start)); err != nil {
		return "", err
	}
	if l.verdict == "error" {
		return "", errors.New("the detector is out of order")
	}
	l.Log("detected", "%s", l.verdict)
	return l.verdict, nil
}

// JoinQueue waits for an agent of the script.
func (l *Leg) JoinQueue(ctx context.Context, id string) (action.Queued, error) {
	q, ok := l.queues[id]
	if !ok {
		return action.Queued{}, fmt.Errorf("%q: %w", id, action.ErrNoQueue)
	}
	if err := l.fault(ctx, "queue"); err != nil {
		return action.Queued{}, err
	}
	l.Log("queue", "%s", id)
	got := action.Queued{QueuecallID: "queuecall-1", Status: "abandoned", Reason: "wait_timeout"}
	start := time.Now()
	err := wait(ctx, q.after)
	if got.Waited = time.Since(start); err != nil {
		got.Reason = "hung_up"
		return got, err
	}
	if !q.answers {
		return got, nil
	}
	if err := l.Answer(ctx); err != nil {
		return got, err
	}
	got.Status, got.Reason, got.AgentCallID = "done", "served", "leg-1"
	l.Log(KindJoins, "%s", got.AgentCallID)
	return got, l.stay(ctx)
}

// StartExternalMedia finds every host but those that begin with nobody. A stream that is waited for ends when the peer leaves.
func (l *Leg) StartExternalMedia(ctx context.Context, o action.ExternalMediaOptions) (action.Streamed, error) {
	l.Log("external media", "%+v", o)
	if strings.HasPrefix(o.Host, "nobody") {
		return action.Streamed{}, errors.New("nobody is there")
	}
	l.mu.Lock()
	l.forks++
	got := action.Streamed{ID: fmt.Sprintf("media-%d", l.forks)}
	l.mu.Unlock()
	if !o.Wait {
		return got, nil
	}
	got.Reason = "closed"
	return got, l.stay(ctx)
}

// StopExternalMedia ends all.
func (l *Leg) StopExternalMedia(ctx context.Context) error {
	if err := l.fault(ctx, "external"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.forks == 0 {
		return errors.New("no external media runs")
	}
	l.Log("external media ends", "%d", l.forks)
	l.forks = 0
	return nil
}
