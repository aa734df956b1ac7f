package call

import (
	"context"
	"runtime/debug"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// moderators counts those that are in. f.mu is held.
func (f *Conference) moderators() (n int) {
	for _, s := range f.stays {
		if s.in && s.record.Role == store.RoleModerator {
			n++
		}
	}
	return n
}

// deserted tells whether nobody is in, nor at the door.
func (f *Conference) deserted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.stays) == 0
}

// silent tells whether nobody is to hear anybody, but music: with comes, which is not in yet, or nil. f.mu is held.
func (f *Conference) silent(comes *roomStay) bool {
	if f.record.OnHold {
		return true
	}
	if !f.o.WaitForModerator || comes != nil && comes.record.Role == store.RoleModerator {
		return false
	}
	return f.moderators() == 0
}

// membership is how s is to be in the bridge. f.mu is held.
func (f *Conference) membership(s *roomStay, silent bool) media.Membership {
	return media.Membership{Mute: s.record.Muted || s.record.Role == store.RoleListener || silent, Deaf: s.record.Deaf}
}

// refresh brings the bridge in step with who is in, and as what: the one place where rules become sound.
func (f *Conference) refresh() {
	f.rules.Lock()
	defer f.rules.Unlock()
	f.mu.Lock()
	silent := f.silent(nil)
	changed := map[*media.Port]media.Membership{}
	for c, s := range f.stays {
		if as := f.membership(s, silent); s.in && as != s.as {
			s.as = as
			changed[c.audio()] = as
		}
	}
	lives := f.in > 0 && f.record.Status == store.ConferenceProgressing
	music := lives && (silent || f.o.MusicUntilSecond && f.in == 1)
	talkers := f.o.TalkerEvents
	listen := lives && talkers && !f.listening
	f.listening = f.listening || listen
	f.mu.Unlock()
	if len(changed) > 0 {
		f.bridge.media.SetMembers(changed)
	}
	f.bridge.media.SetLevels(talkers)
	f.setMusic(music)
	if listen {
		f.engine.wg.Go(f.listen)
	}
}

// announceEntry lets the others know that s has come.
func (f *Conference) announceEntry(s *roomStay) {
	o := f.Options()
	f.mu.Lock()
	alone := f.in < 2
	f.mu.Unlock()
	if !o.EntryTone && s.name == nil || alone && !o.EntryToneForAll {
		return
	}
	a := &announcement{sound: o.Sounds.Entry, otherwise: entryTone(), kind: "entry", ctx: f.ctx}
	if !o.EntryToneForAll {
		a.except = s.call.audio()
	}
	f.sayWithName(a, s)
}

// announceExit lets those who are left know that s has gone.
func (f *Conference) announceExit(s *roomStay) {
	if o := f.Options(); o.ExitTone || s.name != nil {
		f.sayWithName(&announcement{sound: o.Sounds.Exit, otherwise: exitTone(), kind: "exit", ctx: f.ctx}, s)
	}
}

func (f *Conference) sayWithName(a *announcement, s *roomStay) {
	if s.name != nil {
		sound, otherwise := a.sound, a.otherwise
		a.kind, a.sound = "", Sound{Source: func() media.Source {
			src, err := sound.open(f.ctx, f.engine, otherwise)
			if err != nil {
				f.log().Warn("sound not played", "err", err)
				return s.name.Source()
			}
			return media.Concat(src, s.name.Source())
		}}
	}
	_ = f.say(a) // nobody is there, or too much is waiting: that is no loss
}

// keepConference stores a record, where the store has a place for it.
func (e *Engine) keepConference(r store.Conference) {
	e.keepIn("conference", r.ID, func(ctx context.Context, s store.Conferences) error { return s.PutConference(ctx, r) })
}

// keepConferencecall stores the record of a stay.
func (e *Engine) keepConferencecall(r store.Conferencecall) {
	e.keepIn("conferencecall", r.ID, func(ctx context.Context, s store.Conferences) error { return s.PutConferencecall(ctx, r) })
}

func (e *Engine) keepIn(what, id string, put func(ctx context.Context, s store.Conferences) error) {
	s, ok := e.cfg.Store.(store.Conferences)
	if !ok {
		return
	}
	defer func() {
		if r := recover(); r != nil { // of the host's store
			e.log.Error("record not stored", what, id, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := put(ctx, s); err != nil {
		e.log.Error("record not stored", what, id, "err", err)
	}
}
