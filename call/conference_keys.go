package call

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// MenuCommand is what a key sequence of a member does.
type MenuCommand string

const (
	MenuMute   MenuCommand = "mute"   // mutes the member, or ends that
	MenuDeafen MenuCommand = "deafen" // deafens the member, or ends that
	MenuLeave  MenuCommand = "leave"  // takes the member out: its flow goes on

	// Of moderators. Others press these in vain.
	MenuLock    MenuCommand = "lock"     // locks the conference, or ends that
	MenuMuteAll MenuCommand = "mute_all" // mutes all others, or ends that
	MenuRecord  MenuCommand = "record"   // begins a recording, or ends it
	MenuEnd     MenuCommand = "end"      // ends the conference
)

// DefaultMenu is a menu to begin with: *6 mutes, *8 deafens, ** leaves; of moderators *5 locks, *4 mutes all, *2 records, *9 ends.
func DefaultMenu() map[string]MenuCommand {
	return map[string]MenuCommand{
		"*6": MenuMute, "*8": MenuDeafen, "**": MenuLeave, "*5": MenuLock, "*4": MenuMuteAll, "*2": MenuRecord, "*9": MenuEnd,
	}
}

// maxMenuKeys is how long a sequence may be.
const maxMenuKeys = 6

func checkMenu(menu map[string]MenuCommand) error {
	var errs []error
	for keys, command := range menu {
		if keys == "" || len(keys) > maxMenuKeys || strings.Trim(keys, "0123456789*#") != "" {
			errs = append(errs, fmt.Errorf("menu %.20q is not 1 to %d of the keys 0-9 * #", keys, maxMenuKeys))
		}
		switch command {
		case MenuMute, MenuDeafen, MenuLeave, MenuLock, MenuMuteAll, MenuRecord, MenuEnd:
		default:
			errs = append(errs, fmt.Errorf("menu %.20q: there is no command %.20q", keys, command))
		}
		for other := range menu {
			if other != keys && strings.HasPrefix(other, keys) {
				errs = append(errs, fmt.Errorf("menu %.20q hides %.20q, which begins with it", keys, other))
			}
		}
	}
	return errors.Join(errs...)
}

// menuPause is how long a sequence may rest between two keys.
const menuPause = 3 * time.Second

// keyRow is what a member has pressed that may become a sequence of the menu.
type keyRow struct {
	typed string
	at    time.Time
}

// press takes a key: command is what it completes, rest what can be no sequence any more.
func (k *keyRow) press(menu map[string]MenuCommand, key string, now time.Time) (command MenuCommand, rest string) {
	if now.Sub(k.at) > menuPause {
		rest, k.typed = k.typed, ""
	}
	k.typed += key
	k.at = now
	for k.typed != "" {
		if command, ok := menu[k.typed]; ok {
			k.typed = ""
			return command, rest
		}
		if begins(menu, k.typed) {
			break
		}
		rest, k.typed = rest+k.typed[:1], k.typed[1:]
	}
	return "", rest
}

func begins(menu map[string]MenuCommand, typed string) bool {
	for keys := range menu {
		if strings.HasPrefix(keys, typed) {
			return true
		}
	}
	return false
}

// relaysAtOnce bounds the keys that are on their way to one member: a peer that floods is not worth more.
const relaysAtOnce = 4

// key takes a key that a member has pressed, on its loop.
func (f *Conference) key(c *Call, key string) {
	f.mu.Lock()
	s := f.stays[c]
	if s == nil || !s.in {
		f.mu.Unlock()
		return
	}
	command, rest := MenuCommand(""), key
	if len(f.o.Menu) > 0 {
		command, rest = s.menu.press(f.o.Menu, key, time.Now())
	}
	var to []*roomStay
	if f.o.Digits == DigitsRelay && f.record.Type == store.TypeConference && rest != "" && !s.as.Mute {
		for _, other := range f.stays {
			if other != s && other.in && !other.as.Deaf && other.relays < relaysAtOnce {
				other.relays++
				to = append(to, other)
			}
		}
	}
	f.mu.Unlock()
	for _, other := range to {
		f.engine.wg.Go(func() { f.relay(other, rest) })
	}
	if command != "" {
		f.engine.wg.Go(func() { f.obey(s, command) })
	}
}

func (f *Conference) relay(to *roomStay, keys string) {
	if err := to.call.sendDigits(f.ctx, keys, relayedDigit, relayedDigit); err != nil && !errors.Is(err, media.ErrClosed) && f.ctx.Err() == nil {
		f.log().Warn("digit not carried across", "call", to.call.id, "err", err)
	}
	f.mu.Lock()
	to.relays--
	f.mu.Unlock()
}

// obey does what a member wants.
func (f *Conference) obey(s *roomStay, command MenuCommand) {
	f.mu.Lock()
	r, o := s.record, f.o
	recorded := f.rec != nil
	everybodyMuted := true
	for _, other := range f.stays {
		if other.in && other.record.Role == store.RoleParticipant && !other.record.Muted {
			everybodyMuted = false
		}
	}
	f.mu.Unlock()
	sound, otherwise := o.Sounds.Done, doneTone()
	var err error
	switch moderator := r.Role == store.RoleModerator; {
	case command == MenuMute && r.Role == store.RoleListener: // nobody hears it anyway
		return
	case command == MenuMute:
		if err = f.Mute(r.ID, !r.Muted); err == nil && !r.Muted {
			sound, otherwise = o.Sounds.Muted, mutedTone()
		} else {
			sound, otherwise = o.Sounds.Unmuted, unmutedTone()
		}
	case command == MenuDeafen:
		err = f.Deafen(r.ID, !r.Deaf)
	case command == MenuLeave:
		if err = f.putOut(r.ID, LeftMenu); err == nil {
			return
		}
	case !moderator:
		return
	case command == MenuLock:
		err = f.Update(func(o *ConferenceOptions) { o.Locked = !o.Locked })
	case command == MenuMuteAll:
		f.MuteAll(!everybodyMuted)
	case command == MenuRecord && recorded:
		err = f.StopRecording(f.ctx)
	case command == MenuRecord:
		_, err = f.StartRecording(f.ctx, action.RecordOptions{})
	case command == MenuEnd:
		f.Terminate()
		return
	}
	if err != nil {
		f.log().Warn("menu command failed", "call", s.call.id, "command", string(command), "err", err)
		return
	}
	if err := f.whisper(f.ctx, s.call, sound, otherwise); err != nil && f.ctx.Err() == nil && !errors.Is(err, media.ErrReplaced) {
		f.log().Debug("sound not played", "call", s.call.id, "err", err)
	}
}
