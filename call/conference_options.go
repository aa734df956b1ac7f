package call

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/callbin/callbin/store"
)

// ConferenceOptions of one conference. The zero value has a random id and no end, and lets everybody in, silently.
type ConferenceOptions struct {
	ID     string // any text of 1 to 255 bytes; "": a new UUID. Update does not change it
	Name   string
	Detail string
	Data   map[string]string
	// Type is store.TypeConference, which is also what "" is, or store.TypeConnect, a conference for two that ends when one
	// of them leaves. Update does not change it.
	Type string
	// Timeout is from its beginning to its end; 0: none. It is as long as it says: VoIPBIN makes a day of what is shorter than
	// a minute.
	Timeout time.Duration
	// PreFlowID is a flow that runs on each call that joins, before it is asked for a PIN and let in; PostFlowID one that runs after it has left. Config.FlowByID finds them.
	PreFlowID  string
	PostFlowID string

	// PIN has to be typed by whoever wants to join, ModeratorPIN makes who types it a moderator. With ModeratorPIN alone, who
	// types nothing, or #, joins in Role. Calls that Invite places need none.
	PIN          PIN
	ModeratorPIN PIN
	PINAttempts  int           // 0: 3
	PINTimeout   time.Duration // for the first key of each attempt; 0: 10 s
	MaxMembers   int           // more are refused; 0: no limit
	Locked       bool          // only moderators get in
	// Role is that of who types no ModeratorPIN, and whose flow says nothing. "": store.RoleParticipant.
	Role string

	WaitForModerator       bool // music, and nobody is heard, until a moderator is there
	EndWhenModeratorLeaves bool // the last one
	MuteOnEntry            bool // all but moderators
	MusicUntilSecond       bool // who is alone hears music

	EntryTone bool // the others hear that somebody comes; the same with EntryToneForAll for who comes
	ExitTone  bool // the others hear that somebody goes
	// EntryToneForAll lets who comes hear the entry tone, too.
	EntryToneForAll bool
	// RecordNames asks who joins for a name, which the room hears in place of the tones.
	RecordNames bool
	Sounds      ConferenceSounds

	// Digits is what becomes of the keys that members press: "drop", which is also what "" is, or "relay": the others
	// get them, as events or tones.
	Digits string
	// Menu are key sequences of members, such as DefaultMenu. Nil: none.
	Menu map[string]MenuCommand

	// TalkerEvents tells who talks (conference_talking_started, conference_talking_stopped) and measures levels for Talkers and
	// Calls. It costs a jitter buffer and a decoder for each of two who would else exchange packets untouched.
	TalkerEvents bool
}

// ConferenceSounds are what a conference says by itself. The zero value of each is a tone, or music, made here.
type ConferenceSounds struct {
	AskPIN   Sound // who joins hears it
	WrongPIN Sound
	Refused  Sound // the room is full or locked; the zero value is silent
	AskName  Sound
	Entry    Sound // the room hears it
	Exit     Sound
	Music    Sound // for who waits; over and over; none: Config.MusicOnHold
	Muted    Sound // who has used the menu hears it
	Unmuted  Sound
	Done     Sound // another command of the menu was done
}

// PIN is a row of 4 to 16 digits that is to stay secret: printed, logged and as JSON it is ***.
type PIN string

const hiddenPIN = "***"

// String hides the digits.
func (p PIN) String() string {
	if p == "" {
		return ""
	}
	return hiddenPIN
}

// GoString hides the digits.
func (p PIN) GoString() string { return fmt.Sprintf("%q", p.String()) }

// LogValue hides the digits.
func (p PIN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText hides the digits.
func (p PIN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p PIN) check(what string) error {
	if p == "" {
		return nil
	}
	if len(p) < 4 || len(p) > 16 || strings.Trim(string(p), "0123456789") != "" {
		return fmt.Errorf("%s is not 4 to 16 digits", what) // without it
	}
	return nil
}

// is tells whether somebody has typed p, in a time that says nothing about it.
func (p PIN) is(typed string) bool {
	a, b := sha256.Sum256([]byte(typed)), sha256.Sum256([]byte(p))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && p != ""
}

// Values of ConferenceOptions.Digits.
const (
	DigitsDrop  = "drop"
	DigitsRelay = "relay"
)

func checkRole(role string, none bool) error {
	switch role {
	case store.RoleModerator, store.RoleParticipant, store.RoleListener:
		return nil
	case "":
		if none {
			return nil
		}
	}
	return fmt.Errorf("role %.40q is none of %s, %s and %s", role, store.RoleModerator, store.RoleParticipant, store.RoleListener)
}

// check tells all that is wrong with o.
func (e *Engine) checkConference(o *ConferenceOptions) error {
	errs := []error{checkRoom(o.ID), o.PIN.check("PIN"), o.ModeratorPIN.check("ModeratorPIN"), checkRole(o.Role, true), checkMenu(o.Menu), e.checkSounds(&o.Sounds)}
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Timeout < 0 || o.PINTimeout < 0 {
		bad("timeout %v or PIN timeout %v is negative", o.Timeout, o.PINTimeout)
	}
	if o.MaxMembers < 0 || o.PINAttempts < 0 || o.PINAttempts > 10 {
		bad("MaxMembers %d is negative, or PINAttempts %d not 0 to 10", o.MaxMembers, o.PINAttempts)
	}
	if o.PIN != "" && o.PIN == o.ModeratorPIN {
		bad("PIN and ModeratorPIN are the same")
	}
	switch o.Type {
	case "", store.TypeConference, store.TypeConnect:
	default:
		bad("type %.40q is neither %s nor %s", o.Type, store.TypeConference, store.TypeConnect)
	}
	switch o.Digits {
	case "", DigitsDrop, DigitsRelay:
	default:
		bad("digits %.40q are neither %s nor %s", o.Digits, DigitsDrop, DigitsRelay)
	}
	if (o.PreFlowID != "" || o.PostFlowID != "") && e.cfg.FlowByID == nil {
		bad("PreFlowID and PostFlowID: %w", errNoFlows)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("call: conference %.40q: %w", o.ID, err)
	}
	return nil
}

// clone is o without what it shares.
func (o ConferenceOptions) clone() ConferenceOptions {
	o.Data, o.Menu = maps.Clone(o.Data), maps.Clone(o.Menu)
	return o
}

// Options returns what the conference is like now.
func (f *Conference) Options() ConferenceOptions {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.o.clone()
}

// Update changes the conference, all that change does or, where something of it is wrong, nothing. Who is in stays in: a
// PIN, a lock or a smaller MaxMembers is for who comes next. A Timeout counts from the beginning of the conference. Where
// somebody else changes it meanwhile, change is called again.
func (f *Conference) Update(change func(o *ConferenceOptions)) error {
	for {
		f.mu.Lock()
		o, rev := f.o.clone(), f.rev
		f.mu.Unlock()
		id, kind := o.ID, o.Type
		change(&o)
		o.ID, o.Type = id, kind
		if err := f.engine.checkConference(&o); err != nil {
			return err
		}
		done, err := f.put(o.clone(), rev)
		if err != nil {
			return err
		}
		if done {
			f.tell("conference_updated")
			f.refresh()
			return nil
		}
	}
}

// put makes o the options, unless they have changed since rev.
func (f *Conference) put(o ConferenceOptions, rev int) (done bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.record.Status != store.ConferenceProgressing {
		return false, fmt.Errorf("call: update conference %.40q: %w", f.o.ID, ErrBridgeEnded)
	}
	if f.rev != rev {
		return false, nil
	}
	if o.Timeout != f.o.Timeout {
		f.startTimer(o.Timeout)
	}
	f.o = o
	f.rev++
	o.fill(&f.record)
	f.record.TmUpdate = store.At(time.Now())
	return true, nil
}

// fill puts what a record shows of o into r.
func (o *ConferenceOptions) fill(r *store.Conference) {
	r.Name, r.Detail, r.Data, r.Timeout = o.Name, o.Detail, o.Data, int64(o.Timeout/time.Second)
	r.PreFlowID, r.PostFlowID = o.PreFlowID, o.PostFlowID
	r.Locked, r.PIN, r.MaxMembers = o.Locked, o.PIN != "", o.MaxMembers
}

// startTimer has the conference end when timeout has passed since its beginning. f.mu is held.
func (f *Conference) startTimer(timeout time.Duration) {
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	if timeout > 0 {
		f.timer = time.AfterFunc(time.Until(f.begun.Add(timeout)), func() { f.end(LeftTimeout) })
	}
}

// Lock lets nobody in but moderators.
func (f *Conference) Lock() error {
	return f.Update(func(o *ConferenceOptions) { o.Locked = true })
}

// Unlock ends Lock.
func (f *Conference) Unlock() error {
	return f.Update(func(o *ConferenceOptions) { o.Locked = false })
}
