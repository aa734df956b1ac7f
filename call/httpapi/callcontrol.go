package httpapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// deleteTime is how long a call that is deleted may take to end.
const deleteTime = 15 * time.Second

// controlRows are what is done with calls that are up.
func (a *api) controlRows() []operation {
	rows := []operation{
		op("deleteCall", "DELETE /calls/{id}", "calls:write", "Hang a call up, and forget it", a.deleteCall).
			tells("Its record and trace are gone then; recordings stay. To keep the record, hang it up."),
		op("hangupCall", "POST /calls/{id}/hangup", "calls:write", "Hang a call up", a.hangupCall),
		op("muteCall", "POST /calls/{id}/mute", "calls:write", "Mute a call", a.mute(true)).
			tells("in: what the far end says is not heard; out: it hears nothing; both, or nothing: both. Directions are independent of each other."),
		op("unmuteCall", "DELETE /calls/{id}/mute", "calls:write", "End that", a.mute(false)),
		op("recordCall", "POST /calls/{id}/recording_start", "calls:write", "Record a call", a.startRecording),
		op("stopRecordingCall", "POST /calls/{id}/recording_stop", "calls:write", "End the recording", a.stopRecording).
			tells("The file is whole when the answer comes."),
		op("sendDigits", "POST /calls/{id}/digits", "calls:write", "Press keys", a.sendDigits).
			tells("The answer comes when the last one is sent."),
		op("setMetadata", "POST /calls/{id}/metadata", "calls:write", "Add to the metadata of a call", a.setMetadata),
	}
	for _, s := range []struct {
		name, on, off string
		turn          func(c *call.Call, ctx context.Context, on bool) error
	}{
		{"hold", "Put the far end on hold: it is told so, and hears music", "Take it off again", (*call.Call).Hold},
		{"moh", "Have the far end hear music", "End that", (*call.Call).MOH},
		{"silence", "Have the far end hear nothing", "End that", (*call.Call).Silence},
	} {
		title := strings.ToUpper(s.name[:1]) + s.name[1:]
		rows = append(rows,
			op("start"+title, "POST /calls/{id}/"+s.name, "calls:write", s.on, a.control(func(ctx context.Context, c *call.Call) error { return s.turn(c, ctx, true) })),
			op("stop"+title, "DELETE /calls/{id}/"+s.name, "calls:write", s.off, a.control(func(ctx context.Context, c *call.Call) error { return s.turn(c, ctx, false) })))
	}
	return rows
}

// up is a call that is up.
func (a *api) up(r *request, id string) (*call.Call, error) {
	if c, ok := a.cfg.Engine.Call(id); ok {
		return c, nil
	}
	if a.cfg.Store != nil {
		if _, err := a.cfg.Store.Call(r.ctx, id); err == nil {
			return nil, precondition("call_ended", "the call has ended")
		} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid) {
			return nil, err
		}
	}
	return nil, notFound("call", id)
}

// refusedBy makes what a call answers to a command an error of the table: whatever is not in it otherwise is about how the call stands.
func refusedBy(err error) error {
	if err == nil || classify(err) != nil {
		return err
	}
	return precondition("state", "%s", plain(err))
}

// control is a handler of what has neither body nor answer.
func (a *api) control(do func(ctx context.Context, c *call.Call) error) func(r *request, p idParams, _ none) (none, error) {
	return func(r *request, p idParams, _ none) (none, error) {
		c, err := a.up(r, p.ID)
		if err != nil {
			return none{}, err
		}
		return none{}, refusedBy(do(r.ctx, c))
	}
}

// HangupBody is the body of POST /calls/{id}/hangup.
type HangupBody struct {
	Reason string `json:"reason,omitempty" opt:"enum=normal|failed|busy|cancel|timeout|noanswer|dialout|amd" doc:"what an unanswered caller is told, such as busy; none: normal"`
}

func (a *api) hangupCall(r *request, p idParams, b HangupBody) (store.Call, error) {
	c, err := a.up(r, p.ID)
	if err != nil {
		return store.Call{}, err
	}
	return c.Record(), refusedBy(c.Hangup(r.ctx, action.Ending{Reason: b.Reason}))
}

// deleteCall hangs a call up where it is up, and removes what is stored of it when it is over.
func (a *api) deleteCall(r *request, p idParams, _ none) (store.Call, error) {
	var rec store.Call
	if c, ok := a.cfg.Engine.Call(p.ID); ok {
		if err := c.Hangup(r.ctx, action.Ending{}); err != nil && !errors.Is(err, action.ErrHangup) {
			return rec, refusedBy(err)
		}
		limit := time.NewTimer(deleteTime)
		defer limit.Stop()
		select {
		case <-c.Done():
		case <-limit.C:
			return rec, precondition("ending", "the call is still ending: it is not deleted")
		case <-r.ctx.Done():
			return rec, context.Cause(r.ctx)
		}
		rec = c.Record()
		if a.cfg.Store == nil {
			return rec, nil
		}
	}
	if a.cfg.Store == nil {
		return rec, notFound("call", p.ID)
	}
	stored, err := a.cfg.Store.Call(r.ctx, p.ID)
	if err != nil {
		return rec, err
	}
	return stored, a.cfg.Store.DeleteCall(r.ctx, p.ID)
}

// MuteBody says which direction of a call is muted.
type MuteBody struct {
	Direction string `json:"direction,omitempty" opt:"enum=in|out|both"`
}

// muteParams are those of mute: clients that send no body with a DELETE name the direction there.
type muteParams struct {
	idParams
	MuteBody
}

func (a *api) mute(on bool) func(r *request, p muteParams, b MuteBody) (none, error) {
	return func(r *request, p muteParams, b MuteBody) (none, error) {
		c, err := a.up(r, p.ID)
		if err != nil {
			return none{}, err
		}
		if b.Direction == "" {
			b.Direction = p.Direction
		}
		return none{}, refusedBy(c.Mute(r.ctx, media.Direction(b.Direction), on))
	}
}

// RecordingStart says how something is recorded.
type RecordingStart struct {
	Format       string `json:"format,omitempty" opt:"enum=wav" doc:"wav"`
	EndOfSilence int    `json:"end_of_silence,omitempty" opt:"min=0,max=86400" doc:"seconds of silence of the far end that end it; 0: none do"`
	EndOfKey     string `json:"end_of_key,omitempty" opt:"enum=none|any|*|#" doc:"key that ends it; none: none"`
	Duration     int    `json:"duration,omitempty" opt:"min=0,max=86400" doc:"longest length in seconds; 0: no limit"`
	BeepStart    bool   `json:"beep_start,omitempty" doc:"plays a beep before it starts"`
	OnEndFlowID  string `json:"on_end_flow_id,omitempty" doc:"of the flow that runs after it"`
}

// options are b as the engine has them.
func (b *RecordingStart) options() action.RecordOptions {
	return action.RecordOptions{
		Format: store.FormatWAV, EndOfSilence: time.Duration(b.EndOfSilence) * time.Second, EndOfKey: b.EndOfKey, Duration: time.Duration(b.Duration) * time.Second,
		BeepStart: b.BeepStart, OnEndFlowID: action.CanonicalID(b.OnEndFlowID),
	}
}

func (a *api) startRecording(r *request, p idParams, b RecordingStart) (store.Call, error) {
	c, err := a.answered(r, p.ID)
	if err != nil {
		return store.Call{}, err
	}
	if err := a.checkFlowID(r, "/on_end_flow_id", b.OnEndFlowID); err != nil {
		return store.Call{}, err
	}
	if _, err := c.StartRecording(r.ctx, b.options()); err != nil {
		return store.Call{}, refusedBy(err)
	}
	return c.Record(), nil
}

// answered is a call that is up, and answered: what is done with others would wait for that.
func (a *api) answered(r *request, id string) (*call.Call, error) {
	c, err := a.up(r, id)
	if err == nil && c.CallStatus() != store.StatusProgressing {
		return nil, precondition("not_answered", "the call is %s, and not answered", c.CallStatus())
	}
	return c, err
}

// checkFlowID tells of a flow that is not there, before anything needs it.
func (a *api) checkFlowID(r *request, field, id string) error {
	if id == "" || action.CanonicalID(id) == "" {
		return nil
	}
	flows, ok := a.cfg.Engine.(Flows)
	if !ok {
		return nil
	}
	_, err := flows.FlowByID(r.ctx, action.CanonicalID(id))
	if errors.Is(err, call.ErrNoFlow) {
		return r.invalid(field, "there is no flow %.80q", id)
	}
	return err
}

func (a *api) stopRecording(r *request, p idParams, _ none) (store.Call, error) {
	c, err := a.up(r, p.ID)
	if err != nil {
		return store.Call{}, err
	}
	if err := c.StopRecording(r.ctx); err != nil {
		return store.Call{}, refusedBy(err)
	}
	return c.Record(), nil
}

// DigitsBody is the body of POST /calls/{id}/digits.
type DigitsBody struct {
	Digits   string `json:"digits" opt:"required" doc:"0-9 A-D * #, at most 100"`
	Duration int64  `json:"duration,omitempty" opt:"ms,min=100,max=1000" doc:"milliseconds of each digit; none: 100"`
	Interval int64  `json:"interval,omitempty" opt:"ms,min=0,max=5000" doc:"milliseconds between digits"`
}

// longestDigits is how long keys may be pressed by one request, which waits for it.
const longestDigits = 45 * time.Second

func (a *api) sendDigits(r *request, p idParams, b DigitsBody) (none, error) {
	if len(b.Digits) > 100 || strings.Trim(b.Digits, "0123456789ABCDabcd*#") != "" {
		return none{}, r.invalid("/digits", "digits are at most 100 of 0-9, A-D, * and #")
	}
	if b.Duration == 0 {
		b.Duration = 100
	}
	if total := ms(int64(len(b.Digits)) * (b.Duration + b.Interval)); total > longestDigits {
		return none{}, r.invalid("/digits", "the digits take %v, more than %v: send them in parts", total, longestDigits)
	}
	c, err := a.answered(r, p.ID)
	if err != nil {
		return none{}, err
	}
	sent := make(chan error, 1) // of one: who asked may have gone
	err = c.Background(func(ctx context.Context) {
		sent <- c.SendDigits(ctx, strings.ToUpper(b.Digits), ms(b.Duration), ms(b.Interval))
	})
	if err != nil {
		return none{}, refusedBy(err)
	}
	select {
	case err = <-sent:
		if errors.Is(err, media.ErrClosed) {
			err = action.ErrHangup
		}
		return none{}, refusedBy(err)
	case <-r.ctx.Done():
		return none{}, context.Cause(r.ctx)
	}
}

// MetadataBody is the body of POST /calls/{id}/metadata.
type MetadataBody struct {
	Metadata map[string]string `json:"metadata" opt:"required" doc:"what is added; a key that is there gets the new value"`
}

func (a *api) setMetadata(r *request, p idParams, b MetadataBody) (store.Call, error) {
	if wrong := r.checkMetadata(b.Metadata); wrong != nil {
		return store.Call{}, invalidBody(wrong)
	}
	c, err := a.up(r, p.ID)
	if err != nil {
		return store.Call{}, err
	}
	if err := c.SetMetadata(r.ctx, b.Metadata); err != nil {
		return store.Call{}, refusedBy(err)
	}
	return c.Record(), nil
}
