package calltest

import (
	"context"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
)

var (
	_ action.Mailboxes   = (*replayLeg)(nil)
	_ action.OpenMailbox = (*replayMailbox)(nil)
)

func (l *replayLeg) Mailbox(ctx context.Context, id string) (m action.Mailbox, err error) {
	err = l.did(ctx, "mailbox", id, &m)
	return m, err
}

// sound is sound that was there then.
func (l *replayLeg) sound(ctx context.Context, what, target string) (media.Source, error) {
	if err := l.did(ctx, what, target, nil); err != nil {
		return nil, err
	}
	return media.Silence(0, 8000), nil
}

func (l *replayLeg) Greeting(ctx context.Context, id string) (media.Source, error) {
	return l.sound(ctx, "mailbox_greeting", id)
}

func (l *replayLeg) TakeMessage(ctx context.Context, o action.MessageOptions) (got action.TakenMessage, err error) {
	err = l.did(ctx, "voicemail", o.MailboxID, &got)
	l.DropDigits() // the recording took them
	return got, err
}

func (l *replayLeg) TranscribeMessage(context.Context, string, string) error { return nil }

// OpenMailbox opens what was opened then: neither the PIN nor a number that was given with it is known any more.
func (l *replayLeg) OpenMailbox(ctx context.Context, _, _ string) (action.OpenMailbox, error) {
	m := &replayMailbox{leg: l}
	if err := l.did(ctx, "mailbox_open", "", &m.seen); err != nil {
		return nil, err
	}
	return m, nil
}

// DetectMachine finds what it found then, whatever the reason.
func (l *replayLeg) DetectMachine(ctx context.Context) (verdict string, err error) {
	err = l.did(ctx, "amd", "", &verdict)
	return verdict, err
}

// replayMailbox is a mailbox of a replay.
type replayMailbox struct {
	leg  *replayLeg
	seen action.Mailbox
}

func (m *replayMailbox) Mailbox() action.Mailbox { return m.seen }

func (m *replayMailbox) Messages(ctx context.Context) (all []action.VoiceMessage, err error) {
	err = m.leg.did(ctx, "mailbox_list", "", &all)
	return all, err
}

func (m *replayMailbox) Sound(ctx context.Context, id string) (media.Source, error) {
	return m.leg.sound(ctx, "mailbox_sound", id)
}

func (m *replayMailbox) Mark(ctx context.Context, id, status string) error {
	return m.leg.did(m.leg.ending(ctx), "mailbox_mark", id+" "+status, nil)
}

func (m *replayMailbox) RecordGreeting(ctx context.Context, _ action.MessageOptions) (got action.TakenMessage, err error) {
	err = m.leg.did(ctx, "mailbox_record", "", &got)
	m.leg.DropDigits()
	return got, err
}

func (m *replayMailbox) Close(ctx context.Context) error {
	return m.leg.did(m.leg.ending(ctx), "mailbox_close", "", nil)
}

// ending is a context that ends with the replay at the latest, for what does not mind the end of the call.
func (l *replayLeg) ending(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return l.life
	}
	return ctx
}
