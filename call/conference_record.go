package call

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// StartRecording records what is said in the conference, into one file of one channel. One recording at a
// time. Of o, BeepStart and EndOfKey mean nothing here.
func (f *Conference) StartRecording(ctx context.Context, o action.RecordOptions) (id string, err error) {
	f.mu.Lock()
	busy, status := f.rec != nil, f.record.Status
	f.mu.Unlock()
	if busy || status != store.ConferenceProgressing {
		return "", fmt.Errorf("call: record conference %s: it is %s, or recorded already", f.ID(), status)
	}
	id = newID()
	name := fmt.Sprintf("confbridge_%s_%s.wav", fileName(f.ID()), time.Now().UTC().Format("2006-01-02T15-04-05.000Z"))
	r, err := f.engine.record(ctx, name, media.RecorderOptions{
		Rate: f.bridge.media.Rate(), Mono: true, EndOfSilence: o.EndOfSilence, MaxDuration: o.Duration,
		OnEnd: func(media.Recording) { f.engine.wg.Go(func() { f.stopRecording("") }) },
	}, store.Recording{
		ID: id, ReferenceType: store.ReferenceConfbridge, ReferenceID: f.ID(), OnEndFlowID: o.OnEndFlowID,
		Files: []store.RecordingFile{{Name: name, Direction: string(media.In)}},
	}, f.bridge.media.Tap)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	late := f.rec != nil || f.record.Status != store.ConferenceProgressing
	if !late {
		f.rec, f.record.RecordingID = r, id
		f.record.RecordingIDs = append(f.record.RecordingIDs, id)
		f.note(Event{Type: "recording_started", Data: r.record})
	}
	f.unlock()
	if late {
		f.engine.endRecord(r, "stop")
		return "", fmt.Errorf("call: record conference %s: it has ended, or is recorded already", f.ID())
	}
	return id, nil
}

// StopRecording ends the recording that runs and returns when its file is complete.
func (f *Conference) StopRecording(context.Context) error {
	if !f.stopRecording("stop") {
		return fmt.Errorf("call: conference %s is not recorded", f.ID())
	}
	return nil
}

func (f *Conference) stopRecording(reason string) bool {
	f.recEnd.Lock()
	defer f.recEnd.Unlock()
	f.mu.Lock()
	r := f.rec
	f.rec, f.record.RecordingID = nil, ""
	f.mu.Unlock()
	if r == nil {
		return false
	}
	rec := f.engine.endRecord(r, reason)
	f.mu.Lock()
	f.note(Event{Type: "recording_finished", Data: rec})
	f.unlock()
	if rec.OnEndFlowID != "" {
		vars := map[string]string{"voipbin.recording.id": rec.ID, varRefType: "recording", varRefID: rec.ID}
		f.engine.wg.Go(func() { f.engine.follow(rec.OnEndFlowID, vars) })
	}
	return true
}

// fileName is a room's name in the name of a file: what a caller may have chosen must not lead elsewhere.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.+", r) {
			return r
		}
		return '_'
	}, s)
	return strings.TrimLeft(s[:min(len(s), 64)], ".")
}
