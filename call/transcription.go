package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// transcriptionEnd is how long the end of a transcription waits for the last words.
const transcriptionEnd = 5 * time.Second

var errNoTranscriber = fmt.Errorf("call: transcribe: Config.Deps has no Transcriber: %w", errors.ErrUnsupported)

// transcription is one that runs: a transcriber for each direction.
type transcription struct {
	id      string
	options action.TranscribeOptions
	ears    []*media.Ear
	untap   []func()
	work    sync.WaitGroup
	cancel  context.CancelFunc
	done    chan struct{} // closed when its end is told
}

// deafen ends the sound that the transcribers hear; once more does nothing.
func (t *transcription) deafen() {
	for i, ear := range t.ears {
		t.untap[i]()
		_ = ear.Close() // never fails
	}
}

// StartTranscription turns what is said on the answered call into text until StopTranscription, or
// the end of the call. Each text is an event, and is added to the variable action.VarTranscript. One
// transcription at a time.
func (c *Call) StartTranscription(ctx context.Context, o action.TranscribeOptions) (id string, err error) {
	engine := c.engine.cfg.Deps.Transcriber
	if engine == nil {
		return "", errNoTranscriber
	}
	if s := c.CallStatus(); s != store.StatusProgressing {
		return "", fmt.Errorf("call: transcribe: the call is %s, not answered", s)
	}
	p, err := c.port(ctx)
	if err != nil {
		return "", err
	}
	t := &transcription{id: newID(), options: o, done: make(chan struct{})}
	directions := []media.Direction{o.Direction}
	if o.Direction == media.Both || o.Direction == "" {
		directions = []media.Direction{media.In, media.Out}
	}
	for _, d := range directions {
		ear, err := media.NewEar(media.EarOptions{Direction: d, Rate: p.Rate()})
		if err != nil {
			return "", err
		}
		t.ears = append(t.ears, ear)
	}
	var work context.Context
	work, t.cancel = context.WithCancel(withCall(c.engine.callCtx, c))
	c.mu.Lock()
	switch {
	case c.transcription != nil:
		err = errors.New("call: transcribe: a transcription runs already")
	case c.closing:
		err = errors.New("call: transcribe: the call has ended")
	default:
		for _, ear := range t.ears {
			t.untap = append(t.untap, p.Tap(ear))
		}
		c.transcription = t
	}
	c.mu.Unlock()
	if err != nil {
		t.cancel()
		return "", err
	}
	c.post(Input{Kind: KindTranscription, Transcription: &TranscriptionInput{ID: t.id, Event: "started", Language: o.Language}})
	for i, ear := range t.ears {
		t.work.Go(func() { c.transcribe(work, engine, t, ear, directions[i]) })
	}
	c.engine.wg.Go(func() {
		t.work.Wait()
		c.endTranscription(t)
	})
	return t.id, nil
}

// transcribe is the goroutine of one direction.
func (c *Call) transcribe(ctx context.Context, engine media.Transcriber, t *transcription, ear *media.Ear, d media.Direction) {
	o := media.TranscribeOptions{Language: t.options.Language, Provider: t.options.Provider}
	err := guarded(func() error {
		return engine.Transcribe(ctx, ear, o, func(s media.Transcript) {
			if s.Final && s.Text != "" {
				c.transcript(t, d, s)
			}
		})
	})
	if err != nil && ctx.Err() == nil {
		c.log().Warn("transcription failed", "transcription", t.id, "direction", d, "err", err)
		c.post(Input{Kind: KindNote, Note: &Note{What: "transcription", Target: string(d), Error: errText(err)}})
	}
}

// transcript takes one text.
func (c *Call) transcript(t *transcription, d media.Direction, s media.Transcript) {
	c.mu.Lock()
	line := string(d) + ": " + s.Text
	if old := c.vars.Get(action.VarTranscript); old != "" {
		line = "\n" + line
	}
	err := c.vars.Append(action.VarTranscript, line) // full: what follows is in the events only
	c.mu.Unlock()
	if err != nil && !errors.Is(err, action.ErrVarLimit) {
		c.log().Warn("transcript not kept", "err", err)
	}
	c.post(Input{Kind: KindTranscription, Transcription: &TranscriptionInput{
		ID: t.id, Event: "text", Direction: string(d), Text: s.Text, StartMS: s.Start.Milliseconds(),
	}})
}

// StopTranscription ends the transcription that runs and returns when its last text is there.
func (c *Call) StopTranscription(ctx context.Context) error {
	c.mu.Lock()
	t := c.transcription
	c.mu.Unlock()
	if t == nil {
		return errors.New("call: transcribe: no transcription runs")
	}
	return c.stopTranscription(ctx, t)
}

// stopTranscription ends the sound; an engine that does not come to its end is cut.
func (c *Call) stopTranscription(ctx context.Context, t *transcription) error {
	t.deafen()
	late := time.AfterFunc(transcriptionEnd, t.cancel)
	defer late.Stop()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		t.cancel()
		return context.Cause(ctx)
	}
}

// endTranscription tells the end, and runs the flow that follows.
func (c *Call) endTranscription(t *transcription) {
	t.cancel()
	t.deafen()
	c.mu.Lock()
	c.transcription = nil
	c.mu.Unlock()
	if id := t.options.OnEndFlowID; id != "" {
		c.follow(id, map[string]string{"voipbin.transcribe.id": t.id, varRefType: "transcribe", varRefID: t.id})
	}
	c.post(Input{Kind: KindTranscription, Transcription: &TranscriptionInput{ID: t.id, Event: "ended", Language: t.options.Language}})
	close(t.done)
}

// transcribed takes what became of a transcription.
func (m *Machine) transcribed(in *Input) {
	t := in.Transcription
	event := "transcript_created"
	switch t.Event {
	case "started":
		m.st.Transcribing = t.ID
		event = "transcribe_created"
	case "ended":
		m.st.Transcribing = ""
		event = "transcribe_done"
	}
	m.do(Effect{Do: DoEmit, Text: event, Transcription: t})
}

// data is what an event about a transcription carries.
func (t *TranscriptionInput) data(r *store.Call, at store.Time) any {
	if t.Event == "text" {
		return store.Transcript{TranscribeID: t.ID, Direction: t.Direction, Message: t.Text, OffsetMS: t.StartMS, TmCreate: at}
	}
	status := store.TranscribeProgressing
	if t.Event == "ended" {
		status = store.TranscribeDone
	}
	return store.Transcribe{
		ID: t.ID, ActiveflowID: r.ActiveflowID, ReferenceType: store.ReferenceCall, ReferenceID: r.ID,
		Status: status, Language: t.Language, TmUpdate: at,
	}
}
