package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// Conference is a room with a record. All of its methods are safe for any goroutine.
type Conference struct {
	engine *Engine
	bridge *Confbridge
	begun  time.Time
	ctx    context.Context // until it begins to end
	cancel context.CancelFunc
	inside sync.WaitGroup // stays, until they are told and stored
	ended  chan struct{}  // closed when it is terminated and stored
	recEnd sync.Mutex     // held while a recording ends: its end is told before that of the conference

	rules    sync.Mutex         // held while it is made so who hears whom, and when music plays
	musicOff context.CancelFunc // guarded by rules; nil: there is none

	mu         sync.Mutex
	o          ConferenceOptions       // guarded by mu
	record     store.Conference        // guarded by mu
	stays      map[*Call]*roomStay     // guarded by mu
	seats      int                     // guarded by mu; that are taken, by who is in or just about to be
	in         int                     // guarded by mu; stays that are in
	timer      *time.Timer             // guarded by mu; nil: no timeout
	rec        *recording              // guarded by mu; the one that runs
	outbox     outbox                  // guarded by mu
	told       bool                    // guarded by mu; of its end
	queue      []*announcement         // guarded by mu; that wait
	announcing bool                    // guarded by mu; announce runs
	hush       context.CancelCauseFunc // guarded by mu; ends the one that plays
	rev        int                     // guarded by mu; of o
	listening  bool                    // guarded by mu; listen runs
}

var (
	// ErrConferenceExists is returned by CreateConference for an id that is taken.
	ErrConferenceExists = errors.New("call: there is a conference of that id")
	// ErrNotInConference is returned by Kick, and by what else is for one member.
	ErrNotInConference = errors.New("call: the call is not in the conference")
)

// CreateConference makes a conference, which lives until Terminate or its timeout.
func (e *Engine) CreateConference(o ConferenceOptions) (*Conference, error) {
	return e.createConference(o, store.At(time.Now()))
}

// createConference makes one that is there since a time.
func (e *Engine) createConference(o ConferenceOptions, since store.Time) (*Conference, error) {
	if o.ID == "" {
		o.ID = newID()
	}
	if err := e.checkConference(&o); err != nil {
		return nil, err
	}
	e.rooms.mu.Lock()
	if e.rooms.bridges[o.ID] != nil {
		e.rooms.mu.Unlock()
		return nil, fmt.Errorf("%w: %q", ErrConferenceExists, o.ID)
	}
	f := e.rooms.conference(e, o, since)
	e.rooms.mu.Unlock()
	f.begin()
	return f, nil
}

// conference makes one. r.mu is held.
func (r *rooms) conference(e *Engine, o ConferenceOptions, since store.Time) *Conference {
	o = o.clone()
	f := &Conference{
		engine: e, bridge: e.newConfbridge(o.ID, cmp.Or(o.Type, store.TypeConference)), begun: since.Time, o: o,
		stays: map[*Call]*roomStay{}, ended: make(chan struct{}),
		record: store.Conference{ID: o.ID, Type: cmp.Or(o.Type, store.TypeConference), Status: store.ConferenceProgressing, TmCreate: since, TmUpdate: since},
	}
	f.ctx, f.cancel = context.WithCancel(e.callCtx)
	o.fill(&f.record)
	f.bridge.conf = f
	f.bridge.media.SetLevels(o.TalkerEvents)
	r.add(f.bridge)
	return f
}

func (f *Conference) begin() {
	f.tell("conference_created")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.startTimer(f.o.Timeout)
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
	return f.recordLocked()
}

func (f *Conference) recordLocked() store.Conference {
	r := f.record
	r.Data, r.RecordingIDs = maps.Clone(r.Data), slices.Clone(r.RecordingIDs)
	for _, s := range f.stays {
		r.ConferencecallIDs = append(r.ConferencecallIDs, s.record.ID)
	}
	slices.Sort(r.ConferencecallIDs)
	return r
}

// Done is closed when the conference has ended.
func (f *Conference) Done() <-chan struct{} { return f.ended }

// Terminate ends the conference: everybody is put out, and their flows go on. It returns at once
// where that was done before.
func (f *Conference) Terminate() { f.end(LeftTerminated) }

// end is Terminate for a reason.
func (f *Conference) end(code string) {
	f.mu.Lock()
	if f.record.Status != store.ConferenceProgressing {
		f.mu.Unlock()
		return
	}
	f.record.Status, f.record.Code, f.record.TmUpdate = store.ConferenceTerminating, code, store.At(time.Now())
	f.mu.Unlock()
	f.tell("conference_updated")
	f.bridge.close()
}

// over is called when the bridge has closed.
func (f *Conference) over() {
	f.mu.Lock()
	if f.timer != nil {
		f.timer.Stop()
	}
	f.hushAll()
	f.mu.Unlock()
	f.cancel() // who is still on the way in turns back
	f.engine.wg.Go(func() {
		f.stopRecording("hangup")
		f.inside.Wait()
		now := store.At(time.Now())
		f.mu.Lock()
		f.record.Status, f.record.TmEnd, f.record.TmUpdate = store.ConferenceTerminated, now, now
		f.mu.Unlock()
		f.engine.keepConference(f.Record())
		f.engine.endedConference(f.ID())
		f.tell("conference_deleted")
		close(f.ended)
	})
}

func (f *Conference) tell(event string) {
	f.mu.Lock()
	f.note(Event{Type: event, Data: f.recordLocked()})
	f.unlock()
}

// note gives an event its place among all while mu is held: their order is that of the changes. Nothing comes after the last one.
func (f *Conference) note(ev Event) {
	if !f.engine.listened() || f.told {
		return
	}
	f.told = ev.Type == "conference_deleted"
	ev.ConferenceID, ev.Time = f.bridge.id, time.Now()
	f.outbox.note(f.engine, ev)
}

// unlock gives mu back and tells what was noted.
func (f *Conference) unlock() { f.outbox.unlock(&f.mu, f.engine) }

func (f *Conference) log() *slog.Logger { return f.engine.log.With("conference", f.ID()) }

// room finds a conference, or makes it where the engine allows.
func (e *Engine) room(id string) (*Conference, error) {
	if err := checkRoom(id); err != nil {
		return nil, err
	}
	e.rooms.mu.Lock()
	b := e.rooms.bridges[id]
	if b == nil && e.cfg.OpenRooms {
		o := e.cfg.RoomOptions
		o.ID = id
		f := e.rooms.conference(e, o, store.At(time.Now()))
		f.bridge.auto = true
		e.rooms.mu.Unlock()
		f.begin()
		return f, nil
	}
	e.rooms.mu.Unlock()
	if b == nil || b.conf == nil {
		return nil, fmt.Errorf("call: there is no conference %q: %w", id, action.ErrNoConference)
	}
	return b.conf, nil
}
