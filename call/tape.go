package call

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// What a flow asks of its leg goes through here, so that what came of it stands in the call's trace: with that
// a replay can run the flow again. What the program asks for, beside the flow, does not.

// noted notes what came of a use of the leg by its flow.
func (c *Call) noted(ctx context.Context, start time.Time, n Note, err error) {
	if fromContext(ctx) != c {
		return
	}
	n.MS, n.Error, n.Cut = time.Since(start).Milliseconds(), errText(err), ctx.Err() != nil
	c.post(Input{Kind: KindNote, Note: &n})
}

// asJSON is v, which is made of strings and numbers.
func asJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // cannot fail
		return nil
	}
	return b
}

// wholeTrace is the trace of a call that is over, with its flow: whoever reads it later must not depend on what that
// flow has become.
func (c *Call) wholeTrace(w *work) []byte {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	w.trace = c.trace.appendTo(w.trace[:0])
	if f, ok := c.first.(*flow.Flow); ok && c.trace.size < MaxTrace {
		in := Input{Seq: c.seq + 1, At: store.At(time.Now()), Kind: KindNote, Note: &Note{What: "program", Target: f.Name(), Body: string(f.Source())}}
		if text, err := w.line.of(&in); err == nil {
			w.trace = append(w.trace, text...)
		}
	}
	return w.trace
}

// noteVars notes the variables of a call whose flow begins, but for those that StartVars knows without.
func (c *Call) noteVars() {
	rec := c.Record()
	vars := c.vars.All()
	for _, known := range []iter.Seq2[string, string]{ownVars(&rec), verdictVars(c.verdict)} {
		for name, value := range known {
			if vars[name] == value {
				delete(vars, name)
			}
		}
	}
	if len(vars) > 0 {
		c.post(Input{Kind: KindNote, Note: &Note{What: "vars", Result: asJSON(vars)}})
	}
}

// StartVars are the variables that a recorded call's flow began with.
func StartVars(trace []Input) (map[string]string, error) {
	var m Machine
	for i := range trace {
		m.Step(&trace[i])
		if n := trace[i].Note; n != nil && n.What == "vars" || trace[i].Kind == KindStarted {
			vars := maps.Collect(ownVars(&m.st.Record))
			maps.Insert(vars, verdictVars(verdictOfRecord(m.st.Record.Verdict)))
			if n == nil {
				return vars, nil
			}
			return vars, json.Unmarshal(n.Result, &vars)
		}
	}
	return maps.Collect(ownVars(&m.st.Record)), nil
}

// Answer answers the call and waits for the caller's ACK, for half a second at most:
// sound that is sent earlier would be clipped. Answering again does nothing.
func (c *Call) Answer(ctx context.Context) error {
	start := time.Now()
	err := c.answer(ctx)
	c.noted(ctx, start, Note{What: "answer"}, err)
	return err
}

// Hangup ends the call with one of VoIPBIN's reasons ("" is normal), or refuses it
// with the reason's status while it is unanswered. It returns when the end has
// begun; wait for Done to see it through.
func (c *Call) Hangup(ctx context.Context, e action.Ending) error {
	start := time.Now()
	err := c.endBy(ctx, e)
	c.noted(ctx, start, Note{What: "hangup", Target: e.Reason + e.ReferenceID}, err)
	return err
}

// Play plays src and returns at its end, or with context.Cause(ctx).
func (c *Call) Play(ctx context.Context, src media.Source) error {
	start := time.Now()
	err := c.play(ctx, src)
	c.noted(ctx, start, Note{What: "play"}, err)
	return err
}

// StartRecording records both directions of the answered call into one file of two
// channels, left what the caller says and right what it hears; the file is a valid WAV at
// every moment. One recording at a time.
func (c *Call) StartRecording(ctx context.Context, o action.RecordOptions) (id string, err error) {
	start := time.Now()
	id, err = c.recordStart(ctx, o)
	c.noted(ctx, start, Note{What: "record", Target: fmt.Sprintf("%+v", o), Result: asJSON(id)}, err)
	return id, err
}

// StopRecording ends the recording that runs and returns when its file is complete.
func (c *Call) StopRecording(ctx context.Context) error {
	start := time.Now()
	err := c.recordStop(ctx)
	c.noted(ctx, start, Note{What: "record_stop"}, err)
	return err
}

// WaitRecording returns when a recording that StartRecording has begun has ended, and its event was told.
func (c *Call) WaitRecording(ctx context.Context, id string) (action.Recorded, error) {
	start := time.Now()
	got, err := c.recordWait(ctx, id)
	c.noted(ctx, start, Note{What: "record_wait", Target: id, Result: asJSON(got)}, err)
	return got, err
}

// Connect calls the destinations of o, all at once or one after the other, and joins the call with the first that
// answers, and passes the screening; the others are given up. The call is answered only then. It returns when the two have
// parted, or when nobody has answered, which is no error: Connected tells. Each attempt is a call of
// its own, chained to this one, with a record of its own.
func (c *Call) Connect(ctx context.Context, o action.ConnectOptions) (action.Connected, error) {
	start := time.Now()
	c.setDenied(ctx, nil)
	got, err := c.connect(ctx, o)
	c.noted(ctx, start, Note{What: "connect", Target: address.Join(o.Destinations), Result: asJSON(got)}, err)
	return got, err
}

// Dial places calls that are not joined with this one, as the call action does: to all destinations of o,
// each with its own flow; an agent with Agent.Groupcall is a groupcall, whose id stands in place of a call's. It returns once they are under way; the error tells why none is.
func (c *Call) Dial(ctx context.Context, o action.DialOptions) ([]string, error) {
	start := time.Now()
	c.setDenied(ctx, nil)
	ids, err := c.dial(ctx, o)
	c.noted(ctx, start, Note{What: "dial", Target: address.Join(o.Destinations), Result: asJSON(ids)}, err)
	return ids, err
}

// JoinBridge puts the call into the bridge called id until it leaves. It answers the call.
func (c *Call) JoinBridge(ctx context.Context, id string) error {
	start := time.Now()
	err := c.joinBridge(ctx, id)
	c.noted(ctx, start, Note{What: "bridge", Target: id}, err)
	return err
}

// JoinConference puts the call into a conference until it leaves, is put out, or the conference ends. It asks for a PIN and a name
// where the conference wants that; the result tells where it is not let in. It answers the call, unless nobody is let in.
func (c *Call) JoinConference(ctx context.Context, o action.ConferenceOptions) (action.Conferenced, error) {
	start := time.Now()
	got, err := c.joinConference(ctx, o)
	c.noted(ctx, start, Note{What: "conference", Target: o.ID, Result: asJSON(got)}, err)
	return got, err
}

// SendDigits presses keys: as telephone-event where the peer takes it, else as tones. It returns
// at the end of the last one.
func (c *Call) SendDigits(ctx context.Context, digits string, duration, interval time.Duration) error {
	start := time.Now()
	err := c.sendDigits(ctx, digits, duration, interval)
	c.noted(ctx, start, Note{What: "digits_send", Target: digits}, err)
	return err
}

// Mute silences what the peer says (media.In), hears (media.Out), or both; or ends that.
func (c *Call) Mute(ctx context.Context, d media.Direction, on bool) error {
	start := time.Now()
	err := c.setMute(ctx, d, on)
	c.noted(ctx, start, Note{What: "mute", Target: fmt.Sprintf("%s %t", d, on)}, err)
	return err
}

// Hold puts the peer on hold, or takes it off again: it is told so by SIP (RFC 3264 8.4), hears Config.MusicOnHold and nothing else,
// and is not heard. A peer that refuses to be held (488) is held all the same, on our side only. Hold returns when the
// peer has answered. Only an answered call can be held.
func (c *Call) Hold(ctx context.Context, on bool) error {
	start := time.Now()
	err := c.setHold(ctx, on)
	c.noted(ctx, start, Note{What: "hold", Target: fmt.Sprint(on)}, err)
	return err
}

// MOH lets the peer hear Config.MusicOnHold, or ends that; what it says is heard as before.
func (c *Call) MOH(ctx context.Context, on bool) error {
	start := time.Now()
	err := c.setSwitch(ctx, "moh", on)
	c.noted(ctx, start, Note{What: "moh", Target: fmt.Sprint(on)}, err)
	return err
}

// Silence lets the peer hear nothing, or ends that; what it says is heard as before.
func (c *Call) Silence(ctx context.Context, on bool) error {
	start := time.Now()
	err := c.setSwitch(ctx, "silence", on)
	c.noted(ctx, start, Note{What: "silence", Target: fmt.Sprint(on)}, err)
	return err
}

// Park lets the call wait in an orbit, with music, until another one picks it up (Pickup). It answers the call, and returns when the
// two have parted, or nobody came in time, which is no error: Parked tells. From outside of the call's flow, see Engine.Park.
func (c *Call) Park(ctx context.Context, o action.ParkOptions) (action.Parked, error) {
	start := time.Now()
	got, err := c.park(ctx, o)
	c.noted(ctx, start, Note{What: "park", Target: o.Orbit, Result: asJSON(got)}, err)
	return got, err
}

// Pickup answers the call and joins it with one that is parked in an orbit, or with the caller for whom an extension rings: its
// phones are given up as answered elsewhere. It returns when the two have parted. Who may dial what leads to it is the
// flow's to say.
func (c *Call) Pickup(ctx context.Context, o action.PickupOptions) (action.Picked, error) {
	start := time.Now()
	got, err := c.pickup(ctx, o)
	c.noted(ctx, start, Note{What: "pickup", Target: o.Orbit + o.Extension, Result: asJSON(got)}, err)
	return got, err
}

// FlowByID finds a flow for fetch_flow.
func (c *Call) FlowByID(ctx context.Context, id string) (action.Program, error) {
	start := time.Now()
	p, err := c.engine.flowByID(ctx, id)
	n := Note{What: "flow_by_id", Target: id}
	if f, ok := p.(*flow.Flow); ok {
		n.Body = string(f.Source())
	}
	c.noted(ctx, start, n, err)
	return p, err
}
