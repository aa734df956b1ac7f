package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
	"github.com/callbin/callbin/store"
)

// recordInterval is what a crash may cost a recording; writing less often is cheaper.
const recordInterval = 500 * time.Millisecond

// diskStall is how long the disk may hold up a recording without loss: 32 KiB a second of
// memory for each.
const diskStall = 2 * time.Second

var errNoStore = fmt.Errorf("call: record: the engine has no Config.Store: %w", errors.ErrUnsupported)

// recording is one that runs: of a call, the caller on the left channel and what it hears on the right; of
// a conference, what is said in it.
type recording struct {
	rec    *media.Recorder
	untap  func()
	record store.Recording
}

func (c *Call) recordStart(ctx context.Context, o action.RecordOptions) (id string, err error) {
	if c.engine.cfg.Store == nil {
		return "", errNoStore
	}
	if o.BeepStart {
		if err := c.play(ctx, tone.Beep().Source(c.rate())); err != nil {
			return "", err
		}
	}
	id = newID()
	// VoIPBIN's pattern, with the journey in place of its direction: both are in the one file.
	name := fmt.Sprintf("call_%s_%s_%s.wav", c.id, time.Now().UTC().Format("2006-01-02T15-04-05.000Z"), fileName(c.journey))
	cmd := Command{Name: "record", Record: &RecordCommand{ID: id, Name: name, Options: o}}
	if err := c.command(ctx, cmd); err != nil {
		return "", err
	}
	return id, errors.Join(
		c.vars.Set("voipbin.recording.recording_name", strings.TrimSuffix(name, ".wav")),
		c.vars.Set("voipbin.recording.filenames", name),
	)
}

func (c *Call) recordStop(ctx context.Context) error {
	return c.command(ctx, Command{Name: "record_stop"})
}

// recordWait waits for the end of a recording of the call.
func (c *Call) recordWait(ctx context.Context, id string) (got action.Recorded, err error) {
	if err := c.command(ctx, Command{Name: "record_wait", Record: &RecordCommand{ID: id}}); err != nil {
		return got, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recorded.ID != id {
		return got, fmt.Errorf("call: recording %.40q is none that this call has just made", id)
	}
	return action.Recorded{EndedBy: c.recorded.Code, Length: time.Duration(c.recorded.DurationMS) * time.Millisecond}, nil
}

func (c *Call) rate() int {
	if l := c.leg.Load(); l != nil {
		return (*l).Port().Rate()
	}
	return 8000
}

// startRecording opens the file; it may wait for the disk and so is no part of the loop.
func (c *Call) startRecording(cmd RecordCommand) {
	r, err := c.openRecording(cmd)
	if err != nil {
		c.log().Error("recording not started", "recording", cmd.ID, "err", err)
		c.post(Input{Kind: KindRecording, Recording: &RecordingInput{ID: cmd.ID, Event: "ended", Reason: "error", Error: err.Error()}})
		return
	}
	c.mu.Lock()
	c.recorder = r
	over := c.closing
	c.mu.Unlock()
	c.post(Input{Kind: KindRecording, Recording: &RecordingInput{ID: cmd.ID, Event: "started", Name: cmd.Name}})
	select {
	case <-r.rec.Done(): // before anybody could be told
		over = true
	default:
	}
	if over {
		c.endRecording("hangup")
	}
}

func (c *Call) openRecording(cmd RecordCommand) (*recording, error) {
	return c.engine.record(c.flowCtx, cmd.Name, media.RecorderOptions{
		Rate: c.rate(), EndOfSilence: cmd.Options.EndOfSilence, MaxDuration: cmd.Options.Duration,
		OnEnd: func(media.Recording) { c.engine.wg.Go(func() { c.endRecording("") }) },
	}, store.Recording{
		ID: cmd.ID, ActiveflowID: c.vars.Get(varActiveflow), ReferenceType: store.ReferenceCall, ReferenceID: c.id,
		OnEndFlowID: cmd.Options.OnEndFlowID, JourneyID: c.journey,
		Files: []store.RecordingFile{{Name: cmd.Name, Direction: string(media.Both)}},
	}, (*c.leg.Load()).Port().Tap)
}

// endRecording ends the recording that runs, if any, and stores its record before
// anybody is told: who fetches the file at once gets it whole. reason "" takes the recorder's own.
func (c *Call) endRecording(reason string) {
	c.mu.Lock()
	r := c.recorder
	c.recorder = nil
	c.mu.Unlock()
	if r == nil {
		return
	}
	rec := c.engine.endRecord(r, reason)
	c.mu.Lock()
	c.recorded = store.Recording{ID: rec.ID, Code: rec.Code, DurationMS: rec.DurationMS}
	c.mu.Unlock()
	c.post(Input{Kind: KindRecording, Recording: &RecordingInput{
		ID: rec.ID, Event: "ended", Name: rec.Files[0].Name, Reason: rec.Code, MS: rec.DurationMS, Bytes: rec.Files[0].Bytes, Error: rec.Sentence,
	}})
}

// RecordingIDs are those of the recordings that were made of the call.
func (c *Call) RecordingIDs() []string { return c.Record().RecordingIDs }

// OpenRecording opens the file of a recording, a WAV file, and tells its name.
func (c *Call) OpenRecording(ctx context.Context, id string) (name string, wav io.ReadCloser, err error) {
	return c.engine.openRecording(ctx, id)
}

func (e *Engine) openRecording(ctx context.Context, id string) (name string, wav io.ReadCloser, err error) {
	if e.cfg.Store == nil {
		return "", nil, errNoStore
	}
	rec, err := e.cfg.Store.Recording(ctx, id)
	if err != nil {
		return "", nil, fmt.Errorf("call: recording %.40q: %w", id, err)
	}
	if len(rec.Files) == 0 {
		return "", nil, fmt.Errorf("call: recording %.40q has no file", id)
	}
	name = rec.Files[0].Name
	blob, err := e.cfg.Store.OpenBlob(ctx, name)
	return name, blob, err
}

// record opens the file called name and begins to write to it what tap gives; rec is what is known of it.
func (e *Engine) record(ctx context.Context, name string, o media.RecorderOptions, rec store.Recording, tap func(media.Tap) func()) (*recording, error) {
	db := e.cfg.Store
	if db == nil {
		return nil, errNoStore
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	blob, err := db.CreateBlob(ctx, name)
	if err != nil {
		return nil, err
	}
	channels := 2
	if o.Mono {
		channels = 1
	}
	w, err := wav.NewWriter(blob, wav.Format{Rate: o.Rate, Channels: channels, Bits: 16})
	if err != nil {
		return nil, errors.Join(err, blob.Close())
	}
	out := wavFile{w, blob}
	now := store.At(time.Now())
	rec.Status, rec.Format, rec.TmStart, rec.TmCreate, rec.TmUpdate = store.RecordingRecording, store.FormatWAV, now, now, now
	r := &recording{record: rec}
	o.Buffer = diskStall
	told := o.OnEnd
	o.OnEnd = func(x media.Recording) {
		defer e.wg.Done()
		told(x)
	}
	e.wg.Add(1) // Stop may return before OnEnd is called, and the engine must wait for that
	if r.rec, err = e.recorders.Start(out, o); err != nil {
		e.wg.Done()
		return nil, errors.Join(err, out.Close())
	}
	r.untap = tap(r.rec)
	if err := db.PutRecording(ctx, rec); err != nil {
		e.log.Error("recording's record not stored", "recording", rec.ID, "err", err)
	}
	return r, nil
}

// endRecord ends a recording and stores its record, which it returns. reason "" takes the recorder's own.
func (e *Engine) endRecord(r *recording, reason string) store.Recording {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	r.untap()
	res, err := r.rec.Stop(ctx)
	if reason == "" || res.Reason != media.EndStopped {
		reason = string(res.Reason)
	}
	rec := r.record
	if err != nil {
		e.log.Error("recording failed", "recording", rec.ID, "err", err)
	}
	now := store.At(time.Now())
	rec.Status, rec.TmEnd, rec.TmUpdate = store.RecordingEnded, now, now
	rec.DurationMS, rec.Code, rec.Sentence = res.Duration.Milliseconds(), reason, errText(err)
	rec.Files[0].Bytes = res.Bytes
	if err := e.cfg.Store.PutRecording(ctx, rec); err != nil {
		e.log.Error("recording's record not stored", "recording", rec.ID, "err", err)
	}
	return rec
}

// wavFile is a WAV file in a blob, which is closed with it.
type wavFile struct {
	*wav.Writer
	blob store.BlobWriter
}

func (f wavFile) Close() error { return errors.Join(f.Writer.Close(), f.blob.Close()) }
