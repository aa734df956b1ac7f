package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// Why a call is not let into a conference: the status that conference_join leaves.
const (
	RefusedFull     = "full"      // MaxMembers are in
	RefusedLocked   = "locked"    // it is locked, and the call no moderator's
	RefusedWrongPIN = "wrong_pin" // what was typed is no PIN of it
	RefusedNoPIN    = "no_pin"    // nothing was typed
	RefusedEnded    = "ended"     // the conference has ended while the call was on its way in
)

// Why a stay in a conference has ended.
const (
	LeftKicked     = "kicked"
	LeftMenu       = "menu"           // by a key of its own
	LeftHungUp     = "hung_up"        // the call ended
	LeftSkipped    = "skipped"        // its flow was sent on
	LeftModerator  = "moderator_left" // EndWhenModeratorLeaves; also of the conference
	LeftTerminated = "terminated"     // Terminate; also of the conference
	LeftTimeout    = "timeout"        // the conference's; also of the conference
	LeftEmpty      = "empty"          // of a conference of the moment (Config.OpenRooms)
	LeftOneLeft    = "one_left"       // of a conference for two
)

// refused says why a call is not let in.
type refused string

func (r refused) Error() string { return "call: not let into the conference: " + string(r) }

// entry says how a call comes.
type entry struct {
	role    string // "": as the conference says
	invited bool   // nobody asks for a PIN, and it may be locked
}

func (c *Call) joinConference(ctx context.Context, o action.ConferenceOptions) (got action.Conferenced, err error) {
	if err := checkRole(o.Role, true); err != nil {
		return got, fmt.Errorf("call: join conference %.40q: %w", o.ID, err)
	}
	ended := false
	for {
		f, err := c.engine.room(o.ID)
		if ended && errors.Is(err, action.ErrNoConference) { // it was there when the call came to it
			got.Status, got.EndedBy = RefusedEnded, ""
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if pre := f.Options().PreFlowID; pre != "" && !o.SkipPreFlow {
			f.bridge.reap() // one of the moment is made anew when the call comes back
			return action.Conferenced{Before: pre}, nil
		}
		got, err = f.join(ctx, c, entry{role: o.Role})
		if errors.Is(err, ErrBridgeEnded) && ctx.Err() == nil {
			ended = true
			continue // at this moment: there is a new one now, or none
		}
		if got.Joined {
			f.after(ctx, c, &got)
		}
		return got, err
	}
}

// after has the PostFlowID run: by the call's flow, or beside what is left of a call that has ended.
func (f *Conference) after(ctx context.Context, c *Call, got *action.Conferenced) {
	post := f.Options().PostFlowID
	switch {
	case post == "":
	case ctx.Err() == nil:
		got.After = post
	default:
		c.follow(post, map[string]string{
			action.VarConferenceID: f.ID(), action.VarConferencecallID: got.ConferencecallID, action.VarConferencecallStatus: got.EndedBy,
		})
	}
}

// join lets c in, and returns when it is out again, or why it was not let in.
func (f *Conference) join(ctx context.Context, c *Call, how entry) (got action.Conferenced, err error) {
	s, err := f.knock(c, how)
	if err != nil {
		return got, err
	}
	defer func() { got = f.leaved(ctx, s, err) }()
	inner, stop := f.within(ctx)
	f.mu.Lock()
	s.turnAway = stop
	f.mu.Unlock()
	err = f.letIn(inner, s, how)
	f.mu.Lock()
	s.turnAway = nil
	kicked := s.cause
	f.mu.Unlock()
	stop(nil)
	if err == nil && kicked != "" { // at the last moment
		f.bridge.leave(c)
	}
	var no refused
	switch {
	case errors.As(err, &no):
		c.noteBridge(f.bridge, "refused", string(no))
		f.mu.Lock()
		s.cause = string(no)
		f.mu.Unlock()
		return got, nil
	case err != nil && ctx.Err() == nil && f.ctx.Err() != nil:
		err = ErrBridgeEnded
	}
	if err != nil {
		return got, err
	}
	return got, f.bridge.wait(ctx, c)
}

// knock notes that c wants to come in.
func (f *Conference) knock(c *Call, how entry) (*roomStay, error) {
	now := store.At(time.Now())
	f.mu.Lock()
	switch {
	case f.record.Status != store.ConferenceProgressing:
		f.mu.Unlock()
		return nil, ErrBridgeEnded
	case f.stays[c] != nil:
		f.mu.Unlock()
		return nil, fmt.Errorf("call: join conference %.40q: %w", f.o.ID, media.ErrBridged)
	}
	s := &roomStay{call: c, record: store.Conferencecall{
		ID: newID(), ActiveflowID: c.vars.Get(varActiveflow), ConferenceID: f.o.ID, ReferenceType: store.ReferenceCall, ReferenceID: c.id,
		Status: store.ConferencecallJoining, Role: cmp.Or(how.role, f.o.Role, store.RoleParticipant),
		JourneyID: c.journey, TmCreate: now, TmUpdate: now,
	}}
	f.stays[c] = s
	f.inside.Add(1)
	f.noteStay("conferencecall_joining", s.record)
	f.unlock()
	return s, nil
}

// letIn takes s through all that stands before the conference, and into it. Its error is a refused where it is turned away.
func (f *Conference) letIn(ctx context.Context, s *roomStay, how entry) error {
	o := f.Options()
	asks := !how.invited && (o.PIN != "" || o.ModeratorPIN != "")
	if why := f.closedTo(s, how, asks && o.ModeratorPIN != ""); why != "" {
		// An unanswered call stays so: its flow can still refuse it.
		if s.call.State().Record.Status == store.StatusProgressing {
			f.playRefused(ctx, s)
		}
		return refused(why)
	}
	if asks {
		keys, done := s.call.hideDigits()
		defer done()
		if err := s.call.answer(ctx); err != nil {
			return err
		}
		if err := f.askPIN(ctx, s, &o, keys); err != nil {
			return err
		}
		done()
	} else if err := s.call.answer(ctx); err != nil {
		return err
	}
	var name *media.Clip
	if o.RecordNames {
		var err error
		if name, err = f.askName(ctx, s); err != nil {
			return err
		}
	}
	if why := f.takeSeat(s, how); why != "" {
		f.playRefused(ctx, s)
		return refused(why)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.enter(s, name)
}

// closedTo tells why s cannot get in, whatever it types; "": it may.
func (f *Conference) closedTo(s *roomStay, how entry, mayBecomeModerator bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.o.Locked && !how.invited && s.record.Role != store.RoleModerator && !mayBecomeModerator:
		return RefusedLocked
	case f.o.MaxMembers > 0 && f.seats >= f.o.MaxMembers:
		return RefusedFull
	}
	return ""
}

// takeSeat is closedTo for who is at the door now; it takes one of the seats where it tells nothing.
func (f *Conference) takeSeat(s *roomStay, how entry) string {
	if why := f.closedTo(s, how, false); why != "" {
		return why
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.o.MaxMembers > 0 && f.seats >= f.o.MaxMembers {
		return RefusedFull
	}
	s.seated = true
	f.seats++
	s.record.Muted = f.o.MuteOnEntry && s.record.Role != store.RoleModerator
	return ""
}

func (f *Conference) playRefused(ctx context.Context, s *roomStay) {
	if sound := f.Options().Sounds.Refused; !sound.silent() {
		if err := f.playTo(ctx, s.call, sound, tone.Pattern{}); err != nil && ctx.Err() == nil {
			f.log().Warn("sound not played", "call", s.call.id, "err", err)
		}
	}
}

// pinPause is how long a wrong PIN is not answered; it grows with each attempt.
const pinPause = time.Second

// askPIN makes s a moderator or lets it pass. What is typed does not leave this function.
func (f *Conference) askPIN(ctx context.Context, s *roomStay, o *ConferenceOptions, keys *secretDigits) error {
	attempts := cmp.Or(o.PINAttempts, 3)
	why := refused(RefusedNoPIN)
	for i := range attempts {
		typed, err := f.typePIN(ctx, s, o, keys)
		if err != nil {
			return err
		}
		moderator, participant := o.ModeratorPIN.is(trimHash(typed)), o.PIN.is(trimHash(typed))
		switch {
		case moderator:
			f.mu.Lock()
			s.record.Role = store.RoleModerator
			f.mu.Unlock()
			return nil
		case participant, o.PIN == "" && trimHash(typed) == "":
			return nil
		}
		if why = RefusedNoPIN; typed != "" {
			why = RefusedWrongPIN
			f.log().Warn("wrong PIN", "call", s.call.id, "attempt", i+1)
		}
		if err := sleep(ctx, time.Duration(i+1)*pinPause/2); err != nil {
			return err
		}
		keys.DropDigits()
		if err := f.playTo(ctx, s.call, o.Sounds.WrongPIN, wrongPINTone()); err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return why
}

// typePIN asks once.
func (f *Conference) typePIN(ctx context.Context, s *roomStay, o *ConferenceOptions, keys *secretDigits) (string, error) {
	quiet, done := keys.untilKey(ctx)
	err := f.playTo(quiet, s.call, o.Sounds.AskPIN, askPINTone())
	cut := quiet.Err() != nil
	done()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil && !cut:
		f.log().Warn("sound not played", "call", s.call.id, "err", err)
	}
	return keys.read(ctx, cmp.Or(o.PINTimeout, 10*time.Second), max(len(o.PIN), len(o.ModeratorPIN)))
}

func trimHash(typed string) string {
	if n := len(typed); n > 0 && typed[n-1] == '#' {
		return typed[:n-1]
	}
	return typed
}

// Limits of a spoken name.
const (
	maxName     = 4 * time.Second
	nameSilence = time.Second // that ends it, and that it may take to begin is twice as long
	nameLevel   = 256         // mean amplitude that is a voice (-42 dB)
)

// askName records how who joins is called; nil: it said nothing.
func (f *Conference) askName(ctx context.Context, s *roomStay) (*media.Clip, error) {
	c := s.call
	c.DropDigits()
	if err := f.playTo(ctx, c, f.Options().Sounds.AskName, askNameTone()); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	} else if err != nil {
		f.log().Warn("sound not played", "call", c.id, "err", err)
	}
	rate := c.rate()
	ear, err := media.NewEar(media.EarOptions{Rate: rate})
	if err != nil {
		return nil, fmt.Errorf("call: name in conference %.40q: %w", f.ID(), err)
	}
	remove := c.audio().Tap(ear)
	defer remove()
	quiet, done := untilDigit(ctx, c)
	defer done()
	var pcm []int16
	frame := make([]int16, media.FrameLen(rate))
	first, last := -1, 0 // samples from and to which there is a voice
	for len(pcm) < int(maxName.Seconds())*rate {
		n, err := ear.Read(quiet, frame)
		if err != nil {
			break
		}
		pcm = append(pcm, frame[:n]...)
		if loud(frame[:n]) {
			if last = len(pcm); first < 0 {
				first = len(pcm) - n
			}
		}
		if silence := len(pcm) - last; first >= 0 && silence > int(nameSilence.Seconds())*rate || silence > 2*int(nameSilence.Seconds())*rate {
			break
		}
	}
	c.DropDigits()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if first < 0 || last-first < rate/10 {
		return nil, nil
	}
	return media.NewClip(rate, slices.Clone(pcm[first:last])), nil
}

func loud(pcm []int16) bool {
	sum := 0
	for _, v := range pcm {
		sum += max(int(v), -int(v))
	}
	return sum >= nameLevel*len(pcm) && len(pcm) > 0
}
