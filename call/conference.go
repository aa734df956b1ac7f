package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// ConferenceOptions of one conference. The zero value has a random id and no end.
type ConferenceOptions struct {
	ID      string // any text of 1 to 255 bytes; "": a new UUID
	Name    string
	Detail  string
	Data    map[string]string
	Timeout time.Duration // from its beginning to its end; 0: none
}

// Conference is a room with a record. All of its methods are safe for any goroutine.
type Conference struct {
	engine *Engine
	bridge *Confbridge

	mu      sync.Mutex
	record  store.Conference                // guarded by mu
	stays   map[*Call]*store.Conferencecall // guarded by mu
	timer   *time.Timer                     // guarded by mu; nil: no timeout
	rec     *recording                      // guarded by mu; the one that runs
	closing bool                            // guarded by mu; nobody joins any more
	recEnd  sync.Mutex                      // held while a recording ends: its end is told before that of the conference
	ended   chan struct{}                   // closed when it is terminated
	endOnce sync.Once
}

var (
	// ErrConferenceExists is returned by CreateConference for an id that is taken.
	ErrConferenceExists = errors.New("call: there is a conference of that id")
	// ErrNotInConference is returned by Kick.
	ErrNotInConference = errors.New("call: the call is not in the conference")
)

// CreateConference makes a conference, which lives until Terminate or its timeout.
func (e *Engine) CreateConference(o ConferenceOptions) (*Conference, error) {
	if o.ID == "" {
		o.ID = newID()
	}
	if err := checkRoom(o.ID); err != nil {
		return nil, err
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("call: conference %s: timeout %v is negative", o.ID, o.Timeout)
	}
	e.rooms.mu.Lock()
	if e.rooms.bridges[o.ID] != nil {
		e.rooms.mu.Unlock()
		return nil, fmt.Errorf("%w: %q", ErrConferenceExists, o.ID)
	}
	f := e.rooms.conference(e, o)
	e.rooms.mu.Unlock()
	f.begin(o.Timeout)
	return f, nil
}

// conference makes one. r.mu is held.
func (r *rooms) conference(e *Engine, o ConferenceOptions) *Conference {
	now := store.At(time.Now())
	f := &Conference{
		engine: e, bridge: e.newConfbridge(o.ID, store.TypeConference), stays: map[*Call]*store.Conferencecall{}, ended: make(chan struct{}),
		record: store.Conference{ID: o.ID, Type: store.TypeConference, Status: store.ConferenceProgressing, Name: o.Name, Detail: o.Detail,
			Data: maps.Clone(o.Data), Timeout: int64(o.Timeout / time.Second), TmCreate: now, TmUpdate: now},
	}
	f.bridge.conf = f
	r.add(f.bridge)
	return f
}

func (f *Conference) begin(timeout time.Duration) {
	f.change("conference_created", func(*store.Conference) {})
	if timeout > 0 {
		f.mu.Lock()
		f.timer = time.AfterFunc(timeout, f.Terminate)
		f.mu.Unlock()
	}
}

// Conference returns the conference called id, until it begins to end.
func (e *Engine) Conference(id string) (*Conference, bool) {
	e.rooms.mu.Lock()
	defer e.rooms.mu.Unlock()
	if b := e.rooms.bridges[id]; b != nil && b.conf != nil {
		return b.conf, true
	}
	return nil, false
}

// Conferences yields the conferences that there are, in no order.
func (e *Engine) Conferences() iter.Seq[*Conference] {
	e.rooms.mu.Lock()
	defer e.rooms.mu.Unlock()
	var all []*Conference
	for _, b := range e.rooms.bridges {
		if b.conf != nil {
			all = append(all, b.conf)
		}
	}
	return slices.Values(all)
}

// ID returns the conference's id.
func (f *Conference) ID() string { return f.bridge.id }

// Record returns the conference as it is now.
func (f *Conference) Record() store.Conference {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.copyLocked()
}

func (f *Conference) copyLocked() store.Conference {
	r := f.record
	r.Data, r.RecordingIDs = maps.Clone(r.Data), slices.Clone(r.RecordingIDs)
	for _, s := range f.stays {
		r.ConferencecallIDs = append(r.ConferencecallIDs, s.ID)
	}
	slices.Sort(r.ConferencecallIDs)
	return r
}

// Calls returns the stays of the calls that are in the conference, or on their way in or out, the oldest first.
func (f *Conference) Calls() []store.Conferencecall {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []store.Conferencecall
	for _, s := range f.stays {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b store.Conferencecall) int {
		return cmp.Or(a.TmCreate.Compare(b.TmCreate.Time), strings.Compare(a.ID, b.ID)) // ids grow with time
	})
	return all
}

// Done is closed when the conference has ended.
func (f *Conference) Done() <-chan struct{} { return f.ended }

// Kick puts the call of a stay (its id, or the call's) out of the conference: its flow goes on.
func (f *Conference) Kick(id string) error {
	f.mu.Lock()
	var found *Call
	for c, s := range f.stays {
		if s.ID == id || c.id == id {
			found = c
		}
	}
	f.mu.Unlock()
	if found == nil {
		return fmt.Errorf("%w: %q", ErrNotInConference, id)
	}
	f.stay(found, store.ConferencecallLeaving)
	f.bridge.leave(found)
	return nil
}

// Terminate ends the conference: everybody is put out, and their flows go on. It returns at once
// where that was done before.
func (f *Conference) Terminate() {
	f.endOnce.Do(func() {
		f.change("conference_updated", func(r *store.Conference) { r.Status = store.ConferenceTerminating })
		f.bridge.close()
	})
}

// over is called when the bridge has closed: by Terminate, or because the last one left.
func (f *Conference) over() {
	f.stopRecording("hangup")
	f.mu.Lock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.closing = true
	left := slices.Collect(maps.Keys(f.stays))
	f.mu.Unlock()
	for _, c := range left { // who is out, and has not noticed yet
		f.stay(c, store.ConferencecallLeaved)
	}
	f.change("conference_deleted", func(r *store.Conference) { r.Status, r.TmEnd = store.ConferenceTerminated, store.At(time.Now()) })
	close(f.ended)
}

// change changes the record and tells, unless the conference has ended.
func (f *Conference) change(event string, how func(r *store.Conference)) {
	f.mu.Lock()
	if f.record.Status == store.ConferenceTerminated {
		f.mu.Unlock()
		return
	}
	how(&f.record)
	f.record.TmUpdate = store.At(time.Now())
	ev, listened := f.note(Event{Type: event, ConferenceID: f.bridge.id, Time: f.record.TmUpdate.Time, Data: f.copyLocked()})
	f.mu.Unlock()
	if listened {
		f.engine.hook(ev)
	}
}

// note gives ev its place among the events while mu is held: their order is that of the changes.
func (f *Conference) note(ev Event) (Event, bool) {
	if !f.engine.listened() {
		return ev, false
	}
	return f.engine.note(ev), true
}

// stay moves c's stay on to status, and tells.
func (f *Conference) stay(c *Call, status string) {
	now := store.At(time.Now())
	f.mu.Lock()
	s := f.stays[c]
	if s == nil && status == store.ConferencecallJoining && !f.closing {
		s = &store.Conferencecall{ID: newID(), ActiveflowID: c.vars.Get(varActiveflow), ConferenceID: f.bridge.id,
			ReferenceType: store.ReferenceCall, ReferenceID: c.id, JourneyID: c.journey, TmCreate: now}
		f.stays[c] = s
	}
	if s == nil || s.Status == status {
		f.mu.Unlock()
		return
	}
	s.Status, s.TmUpdate = status, now
	if status == store.ConferencecallLeaved {
		delete(f.stays, c)
	}
	ev, listened := f.note(Event{Type: "conferencecall_" + status, CallID: c.id, Time: now.Time, Data: *s})
	f.mu.Unlock()
	if listened {
		f.engine.hook(ev)
	}
}

func (c *Call) joinConference(ctx context.Context, id string) error {
	for {
		f, err := c.engine.room(id)
		if err != nil {
			return err
		}
		err = f.join(ctx, c)
		if errors.Is(err, ErrBridgeEnded) && ctx.Err() == nil {
			continue // it has ended at this moment: there is a new one now, or none
		}
		return err
	}
}

// room finds a conference, or makes it where the engine allows.
func (e *Engine) room(id string) (*Conference, error) {
	if err := checkRoom(id); err != nil {
		return nil, err
	}
	e.rooms.mu.Lock()
	b := e.rooms.bridges[id]
	if b == nil && e.cfg.OpenRooms {
		f := e.rooms.conference(e, ConferenceOptions{ID: id})
		f.bridge.auto = true
		e.rooms.mu.Unlock()
		f.begin(0)
		return f, nil
	}
	e.rooms.mu.Unlock()
	if b == nil || b.conf == nil {
		return nil, fmt.Errorf("call: there is no conference %q: %w", id, action.ErrNoConference)
	}
	return b.conf, nil
}

func (f *Conference) join(ctx context.Context, c *Call) error {
	f.stay(c, store.ConferencecallJoining)
	defer f.stay(c, store.ConferencecallLeaved)
	err := c.answer(ctx)
	if err == nil {
		err = f.bridge.enter(c)
	}
	if err != nil {
		f.bridge.reap()
		return err
	}
	f.stay(c, store.ConferencecallJoined)
	return f.bridge.wait(ctx, c)
}

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
	}
	var ev Event
	listened := false
	if !late {
		ev, listened = f.note(Event{Type: "recording_started", Time: r.record.TmStart.Time, Data: r.record})
	}
	f.mu.Unlock()
	if listened {
		f.engine.hook(ev)
	}
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
	f.engine.tell(Event{Type: "recording_finished", Time: rec.TmEnd.Time, Data: rec})
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
