package action

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/callbin/callbin/call/address"
)

// Keys of voicemail_main.
const (
	keyAgain    = '1'
	keySave     = '2'
	keyDelete   = '3' // again: keeps it
	keyPrevious = '4'
	keyNext     = '6'
	keyCallBack = '8'
	keyGreeting = '9'
	keyEnd      = '*'
)

// mailboxMenu is one owner in its mailbox; owned by the goroutine of the step.
type mailboxMenu struct {
	*voicemailMain
	leg       Leg
	mailboxes Mailboxes
	digits    DigitReader
	lang      voiceLanguage
	open      OpenMailbox

	list  []VoiceMessage // in the order of the keys
	at    int            // in list
	heard int
}

// say says a text until a digit is pressed. That it cannot be said is no reason to put the owner out.
func (m *mailboxMenu) say(ctx context.Context, text string, args ...any) error {
	p := m.lang.prompt(text, args...)
	return m.prompt(ctx, p)
}

func (m *mailboxMenu) prompt(ctx context.Context, p prompt) error {
	err := untilDigit(ctx, m.digits, func(ctx context.Context) error { return p.say(ctx, m.leg, m.deps) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	report(m.leg, FlowInfo(ctx), err)
	return nil
}

// key waits for a digit; 0: none came.
func (m *mailboxMenu) key(ctx context.Context, limit time.Duration) (byte, error) {
	inner, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	d, err := m.digits.ReadDigit(inner)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, nil
	}
	return d, nil
}

// run tells the counts, plays the messages, and does what the keys say.
func (m *mailboxMenu) run(ctx context.Context) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	if err := m.say(ctx, "counts", m.count(MessageNew), m.count(MessageSaved)); err != nil {
		return err
	}
	play, round := true, 0
	for {
		if play && m.at < len(m.list) {
			if err := m.play(ctx); err != nil {
				return err
			}
		}
		if err := m.menu(ctx); err != nil {
			return err
		}
		d, err := m.key(ctx, firstDigitTime)
		if err != nil {
			return err
		}
		if d == 0 {
			if round++; round == menuRounds {
				return m.say(ctx, "bye")
			}
			play = false
			continue
		}
		round = 0
		if d == keyEnd {
			return m.say(ctx, "bye")
		}
		if play, err = m.press(ctx, d); err != nil {
			return err
		}
	}
}

func (m *mailboxMenu) menu(ctx context.Context) error {
	if len(m.list) == 0 {
		return m.say(ctx, "none")
	}
	p := m.lang.prompt("menu")
	if m.CallBack {
		more, _ := m.lang.text("call_back")
		p.Text += " " + more
	}
	return m.prompt(ctx, p)
}

// load sorts the messages: new ones first, and each by order.
func (m *mailboxMenu) load(ctx context.Context) error {
	all, err := m.open.Messages(ctx)
	if err != nil {
		return err
	}
	if m.Order == "oldest" {
		slices.Reverse(all)
	}
	slices.SortStableFunc(all, func(a, b VoiceMessage) int {
		switch {
		case a.Status == b.Status:
			return 0
		case a.Status == MessageNew:
			return -1
		}
		return 1
	})
	m.list = all
	return nil
}

func (m *mailboxMenu) count(status string) (n int) {
	for i := range m.list {
		if m.list[i].Status == status {
			n++
		}
	}
	return n
}

// play plays the message that it stands at, which is heard then.
func (m *mailboxMenu) play(ctx context.Context) error {
	msg := m.list[m.at]
	if err := m.prompt(ctx, m.lang.introduce(msg, m.at+1, len(m.list), time.Now(), m.open.Mailbox().TimeZone)); err != nil {
		return err
	}
	if pressed, _ := m.digits.PeekDigits(); pressed != "" {
		return nil // before there was anything to hear
	}
	err := untilDigit(ctx, m.digits, func(ctx context.Context) error {
		src, err := m.open.Sound(ctx, msg.ID)
		if err != nil {
			return err
		}
		return Play(ctx, m.leg, src)
	})
	if ctx.Err() != nil {
		err = nil
	}
	if err != nil {
		report(m.leg, FlowInfo(ctx), err)
		return m.say(ctx, "failed")
	}
	m.heard++
	if msg.Status == MessageNew {
		err = m.mark(context.WithoutCancel(ctx), MessageSaved) // it was heard, also by who hung up then
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (m *mailboxMenu) mark(ctx context.Context, status string) error {
	if err := m.open.Mark(ctx, m.list[m.at].ID, status); err != nil {
		return err
	}
	m.list[m.at].Status = status
	return nil
}

// press does what a key says; play: the message that it stands at is to be played.
func (m *mailboxMenu) press(ctx context.Context, d byte) (play bool, err error) {
	if d == keyGreeting {
		return false, m.greeting(ctx)
	}
	if len(m.list) == 0 {
		return false, nil
	}
	switch d {
	case keyAgain:
		return true, nil
	case keySave:
		if err := m.mark(ctx, MessageSaved); err != nil {
			return false, err
		}
		if err := m.say(ctx, "saved"); err != nil {
			return false, err
		}
		return m.move(ctx, 1)
	case keyDelete:
		if m.list[m.at].Status == MessageDeleted {
			if err := m.mark(ctx, MessageSaved); err != nil {
				return false, err
			}
			return false, m.say(ctx, "kept")
		}
		if err := m.mark(ctx, MessageDeleted); err != nil {
			return false, err
		}
		return false, m.say(ctx, "deleted")
	case keyPrevious:
		return m.move(ctx, -1)
	case keyNext:
		return m.move(ctx, 1)
	case keyCallBack:
		if m.CallBack {
			return false, m.callBack(ctx)
		}
	}
	return false, nil // 0, and what means nothing: the menu again
}

// move goes to the message before or after.
func (m *mailboxMenu) move(ctx context.Context, by int) (play bool, err error) {
	switch to := m.at + by; {
	case to < 0:
		return false, m.say(ctx, "first")
	case to >= len(m.list):
		return false, m.say(ctx, "last")
	default:
		m.at = to
		return true, nil
	}
}

// callBack calls who has left the message; what may be called says the engine, as of any connect.
func (m *mailboxMenu) callBack(ctx context.Context) error {
	l, err := Need[Connector](m.leg)
	if err != nil {
		return err
	}
	to := m.list[m.at].Source
	if !to.Type.Dialable() {
		return m.say(ctx, "failed")
	}
	got, err := l.Connect(ctx, ConnectOptions{Destinations: []address.Address{to.Normalize()}, HangupKey: string(keyEnd), CallBack: true})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil || got.CallID == "":
		report(m.leg, FlowInfo(ctx), err)
		return m.say(ctx, "failed")
	}
	m.digits.DropDigits()
	return nil
}

// greeting records the greeting of the mailbox, and plays it.
func (m *mailboxMenu) greeting(ctx context.Context) error {
	if err := m.say(ctx, "record"); err != nil {
		return err
	}
	m.digits.DropDigits()
	if m.deps.Beep != nil {
		if err := Play(ctx, m.leg, m.deps.Beep()); err != nil {
			return err
		}
	}
	got, err := m.open.RecordGreeting(ctx, MessageOptions{
		EndOfKey: "#", EndOfSilence: nextDigitTime, MinDuration: time.Second, MaxDuration: greetingDuration,
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.Is(err, ErrMailboxFull):
		report(m.leg, FlowInfo(ctx), err)
		return m.say(ctx, "failed")
	case !got.Kept:
		return m.say(ctx, "greeting_dropped")
	}
	if err := m.say(ctx, "greeting_kept"); err != nil {
		return err
	}
	err = untilDigit(ctx, m.digits, func(ctx context.Context) error {
		src, err := m.mailboxes.Greeting(ctx, m.open.Mailbox().ID)
		if err != nil {
			return err
		}
		return Play(ctx, m.leg, src)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	report(m.leg, FlowInfo(ctx), err)
	return nil
}
