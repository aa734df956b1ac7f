package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// roomStay is that of a call in a conference, from the door to the door. Its fields are guarded by the conference's mu.
type roomStay struct {
	call     *Call
	record   store.Conferencecall
	seated   bool // it has one of the seats
	in       bool
	cause    string                  // why it is to be out; "": nobody put it out
	turnAway context.CancelCauseFunc // while it is on its way in
	name     *media.Clip             // as it has said it
	as       media.Membership        // that the bridge knows of; guarded by rules

	menu   keyRow
	relays int // keys of others on their way to it
	talk   talk
}

// Member is a call in a conference, or on its way in or out.
type Member struct {
	store.Conferencecall
	Talking bool    `json:"talking"` // these two where TalkerEvents is set
	Level   float64 `json:"level"`   // mean amplitude of the last tenth of a second; 1 is a square wave of full scale
}

func (s *roomStay) member() Member {
	return Member{Conferencecall: s.record, Talking: s.talk.on, Level: s.talk.level}
}

// Calls returns the calls that are in the conference, or on their way in or out, the oldest first.
func (f *Conference) Calls() []Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Member, 0, len(f.stays))
	for _, s := range f.stays {
		all = append(all, s.member())
	}
	slices.SortFunc(all, func(a, b Member) int {
		return cmp.Or(a.TmCreate.Compare(b.TmCreate.Time), strings.Compare(a.ID, b.ID)) // ids grow with time
	})
	return all
}

// find returns the stay that is called id, or whose call is.
func (f *Conference) find(id string) (*roomStay, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, s := range f.stays {
		if s.record.ID == id || c.id == id {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: %.80q", ErrNotInConference, id)
}

// noteBridge puts into the call's trace what happened to it in b.
func (c *Call) noteBridge(b *Confbridge, event, detail string) {
	c.post(Input{Kind: KindBridge, Bridge: &BridgeInput{ID: b.id, Type: b.kind, Event: event, Detail: detail}})
}

// noteStay gives an event about data, a store.Conferencecall or Member, its place. mu is held.
func (f *Conference) noteStay(event string, data any) { f.note(Event{Type: event, Data: data}) }

// enter puts s, which has a seat, into the bridge.
func (f *Conference) enter(s *roomStay, name *media.Clip) error {
	now := store.At(time.Now())
	f.rules.Lock()
	f.mu.Lock()
	s.name = name
	as := f.membership(s, f.silent(s))
	f.mu.Unlock()
	if err := f.bridge.enterAs(s.call, as); err != nil {
		f.rules.Unlock()
		return err
	}
	f.mu.Lock()
	s.as, s.in = as, true
	f.in++
	f.record.MostCalls, f.record.AllCalls = max(f.record.MostCalls, f.in), f.record.AllCalls+1
	s.record.Status, s.record.TmJoined, s.record.TmUpdate = store.ConferencecallJoined, now, now
	settled := f.in == 2 && f.record.Type == store.TypeConnect
	f.noteStay("conferencecall_joined", s.record)
	f.unlock()
	f.rules.Unlock()
	f.refresh()
	f.announceEntry(s)
	if settled {
		f.bridge.settle()
	}
	return nil
}

// leaved is the end of s, which was in or not; err is why it is out.
func (f *Conference) leaved(ctx context.Context, s *roomStay, err error) action.Conferenced {
	now := store.At(time.Now())
	f.mu.Lock()
	wasIn := s.in
	talked, talker := s.stopTalking(now.Time), s.member()
	if s.seated {
		f.seats--
	}
	if s.in {
		s.in = false
		if f.in--; f.in == 0 {
			f.hushAll()
		}
	}
	delete(f.stays, s.call)
	r := &s.record
	switch {
	case s.cause != "":
		r.Code = s.cause
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), action.ErrHangup):
		r.Code = LeftSkipped
	case ctx.Err() != nil, s.call.isEnding():
		r.Code = LeftHungUp
	case f.record.Status != store.ConferenceProgressing:
		r.Code = f.record.Code
	case err != nil:
		r.Code = "error"
	}
	r.Status, r.TmLeaved, r.TmUpdate = store.ConferencecallLeaved, now, now
	data, o := *r, f.o
	moderators := f.moderators()
	if talked {
		f.noteStay(talkingStopped, talker)
	}
	f.noteStay("conferencecall_leaved", data)
	f.unlock()
	got := action.Conferenced{ConferencecallID: data.ID, Role: data.Role, Joined: wasIn, Status: action.StatusOK, EndedBy: data.Code}
	if wasIn {
		got.Stay = now.Sub(data.TmJoined.Time)
	} else if err == nil {
		got.Status, got.EndedBy = data.Code, ""
	}
	if wasIn {
		f.refresh()
		f.announceExit(s)
		if o.EndWhenModeratorLeaves && data.Role == store.RoleModerator && moderators == 0 {
			f.end(LeftModerator)
		}
	}
	f.bridge.reap()
	f.engine.wg.Go(func() {
		defer f.inside.Done()
		f.engine.keepConferencecall(data)
	})
	return got
}

// Kick puts the call of a stay (its id, or the call's) out of the conference: its flow goes on. Who is not in yet
// is not let in.
func (f *Conference) Kick(id string) error { return f.putOut(id, LeftKicked) }

func (f *Conference) putOut(id, why string) error {
	s, err := f.find(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	s.cause = cmp.Or(s.cause, why)
	first := s.record.Status != store.ConferencecallLeaving
	if first {
		s.record.Status, s.record.TmUpdate = store.ConferencecallLeaving, store.At(time.Now())
	}
	if first {
		f.noteStay("conferencecall_leaving", s.record)
	}
	cancel := s.turnAway
	f.unlock()
	if why == LeftKicked {
		s.call.noteBridge(f.bridge, "kicked", "")
	}
	if cancel != nil {
		cancel(refused(why))
	}
	f.bridge.leave(s.call)
	return nil
}

// change changes one member, tells, and makes it so. f is called with mu held and tells what has changed; "": nothing.
func (f *Conference) change(id string, change func(s *roomStay) (event, detail string, err error)) error {
	s, err := f.find(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	event, detail, err := change(s)
	if err == nil && event != "" {
		s.record.TmUpdate = store.At(time.Now())
		name := event
		if event == "role" {
			name = "role_updated"
		}
		f.noteStay("conferencecall_"+name, s.record)
	}
	f.unlock()
	if err != nil || event == "" {
		return err
	}
	f.refresh()
	s.call.noteBridge(f.bridge, event, detail)
	return nil
}

// Mute lets nobody hear a member (the id of the stay, or of the call), or ends that. Its call goes on to hear the others.
func (f *Conference) Mute(id string, on bool) error {
	return f.change(id, func(s *roomStay) (string, string, error) {
		if !on && s.record.Role == store.RoleListener {
			return "", "", fmt.Errorf("call: unmute %s in conference %.40q: it is a %s, see SetRole", id, f.o.ID, store.RoleListener)
		}
		return s.mute(on), "", nil
	})
}

func (s *roomStay) mute(on bool) (event string) {
	was := s.record.Muted
	s.record.Muted = on
	switch {
	case was == on:
		return ""
	case on:
		return "muted"
	}
	return "unmuted"
}

// Deafen lets a member hear nothing of the others, or ends that. What Announce says to it alone it hears.
func (f *Conference) Deafen(id string, on bool) error {
	return f.change(id, func(s *roomStay) (string, string, error) {
		was := s.record.Deaf
		s.record.Deaf = on
		switch {
		case was == on:
			return "", "", nil
		case on:
			return "deafened", "", nil
		}
		return "undeafened", "", nil
	})
}

// SetRole makes a member a store.RoleModerator, RoleParticipant or RoleListener. A listener is heard by nobody.
func (f *Conference) SetRole(id, role string) error {
	if err := checkRole(role, false); err != nil {
		return fmt.Errorf("call: conference %.40q: %w", f.ID(), err)
	}
	return f.change(id, func(s *roomStay) (string, string, error) {
		if s.record.Role == role {
			return "", "", nil
		}
		s.record.Role = role
		return "role", role, nil
	})
}

// MuteAll mutes all members but the moderators, or ends that for all but listeners.
func (f *Conference) MuteAll(on bool) {
	f.mu.Lock()
	var told []*roomStay
	now := store.At(time.Now())
	event := ""
	for _, s := range f.stays {
		if s.record.Role == store.RoleModerator || !on && s.record.Role == store.RoleListener {
			continue
		}
		if e := s.mute(on); e != "" {
			event, s.record.TmUpdate = e, now
			told = append(told, s)
			f.noteStay("conferencecall_"+event, s.record)
		}
	}
	f.unlock()
	if len(told) == 0 {
		return
	}
	f.refresh()
	for _, s := range told {
		s.call.noteBridge(f.bridge, event, "")
	}
}

// SetMusic lets all members hear music, and nobody each other, or ends that: the conference is on hold.
func (f *Conference) SetMusic(on bool) {
	f.mu.Lock()
	was := f.record.OnHold
	f.record.OnHold, f.record.TmUpdate = on, store.At(time.Now())
	f.mu.Unlock()
	if was != on {
		f.refresh()
		f.tell("conference_updated")
	}
}
