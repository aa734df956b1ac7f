package flowtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

var (
	_ action.Mailboxes   = (*Leg)(nil)
	_ action.OpenMailbox = (*openMailbox)(nil)
)

// voicePrefix begins the ids of recordings that are messages.
const voicePrefix = "voice-"

// mailbox is one of the script.
type mailbox struct {
	pin      string
	greeting time.Duration
	messages []action.VoiceMessage // oldest first; guarded by World.mu
}

func setMailbox(w *World, args string) error {
	f := strings.Fields(args)
	if len(f) < 1 || len(f) > 2 || len(f) == 2 && strings.Trim(f[1], "0123456789") != "" {
		return errors.New(`want "mailbox ID [PIN]"`)
	}
	m := &mailbox{}
	if len(f) == 2 {
		m.pin = f[1]
	}
	w.mailboxes[f[0]] = m
	return nil
}

func setMessage(w *World, args string) error {
	f, err := fields(args, 2, "message MAILBOX TIME [SOURCE]")
	if err != nil {
		return err
	}
	length, source, _ := strings.Cut(f[1], " ")
	d, err := parseDelay(length)
	if err != nil {
		return err
	}
	m := w.mailboxes[f[0]]
	if m == nil {
		if len(w.script) > 0 { // else it is only tried
			return fmt.Errorf("no line before it makes mailbox %q", f[0])
		}
		m = &mailbox{}
	}
	from := address.Address{}
	if source != "" {
		from = address.Address{Type: address.TypeExtension, Target: source}
		if strings.HasPrefix(source, "+") {
			from.Type = address.TypeTel
		}
	}
	w.leave(f[0], m, d, from, w.start.Add(-time.Hour))
	return nil
}

// leave puts a message into a mailbox.
func (w *World) leave(id string, m *mailbox, d time.Duration, from address.Address, at time.Time) action.VoiceMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left++
	v := action.VoiceMessage{
		ID: fmt.Sprintf("message-%d", w.left), MailboxID: id, CallID: "call-0", Source: from, RecordingID: fmt.Sprint(voicePrefix, w.left),
		DurationMS: d.Milliseconds(), Status: action.MessageNew, TmCreate: at,
	}
	m.messages = append(m.messages, v)
	return v
}

func (l *Leg) find(ctx context.Context, id string) (*mailbox, error) {
	if err := l.fault(ctx, "mailbox"); err != nil {
		return nil, err
	}
	m := l.mailboxes[id]
	if m == nil {
		return nil, fmt.Errorf("call: mailbox %q: %w", id, action.ErrNoMailbox)
	}
	return m, nil
}

func (m *mailbox) seen(id string) action.Mailbox {
	seen := action.Mailbox{ID: id}
	if m.greeting > 0 {
		seen.Greeting = "greeting"
	}
	return seen
}

// Mailbox finds a mailbox of the script.
func (l *Leg) Mailbox(ctx context.Context, id string) (action.Mailbox, error) {
	m, err := l.find(ctx, id)
	if err != nil {
		return action.Mailbox{}, err
	}
	return m.seen(id), nil
}

// Greeting is the one that was recorded.
func (l *Leg) Greeting(ctx context.Context, id string) (media.Source, error) {
	m, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.newSound("greeting", 8000, m.greeting), nil
}

// record lasts until a key, the longest time, or the end of the call: the caller is never silent.
func (l *Leg) record(ctx context.Context, o action.MessageOptions) (ended string, length time.Duration) {
	start := time.Now()
	defer func() { length = time.Since(start).Round(time.Millisecond) }()
	inner, cancel := ctx, context.CancelFunc(func() {})
	if o.MaxDuration > 0 {
		inner, cancel = context.WithTimeoutCause(ctx, o.MaxDuration, action.ErrTimeout)
	}
	defer cancel()
	for {
		d, err := l.ReadDigit(inner)
		switch {
		case err == nil && strings.IndexByte(o.EndOfKey, d) >= 0:
			return "key", 0
		case err == nil:
		case errors.Is(err, action.ErrTimeout) && ctx.Err() == nil:
			return "duration", 0
		case errors.Is(err, action.ErrSkip):
			return "skip", 0
		default:
			return "hangup", 0
		}
	}
}

// TakeMessage leaves a message.
func (l *Leg) TakeMessage(ctx context.Context, o action.MessageOptions) (got action.TakenMessage, err error) {
	m, err := l.find(ctx, o.MailboxID)
	if err != nil {
		return got, err
	}
	l.Log(KindRecords, "a message for %s", o.MailboxID)
	got.Message.MailboxID = o.MailboxID
	got.EndedBy, got.Length = l.record(ctx, o)
	if got.Length < o.MinDuration {
		l.Log(KindRecorded, "too short")
		return got, context.Cause(ctx)
	}
	from := address.Address{Type: address.Type(l.vars.Get("voipbin.call.source.type")), Target: l.vars.Get("voipbin.call.source.target")}
	got.Message, got.Kept = l.leave(o.MailboxID, m, got.Length, from, time.Now()), true
	l.Log(KindRecorded, "%s", got.Message.ID)
	return got, context.Cause(ctx)
}

// TranscribeMessage logs the text.
func (l *Leg) TranscribeMessage(_ context.Context, id, text string) error {
	l.Log("transcript", "%s: %s", id, text)
	return nil
}

// HideDigits does nothing: a script is no secret.
func (l *Leg) HideDigits(bool) {}

// OpenMailbox opens a mailbox to the extension of its name, and to who knows its PIN.
func (l *Leg) OpenMailbox(ctx context.Context, id, pin string) (action.OpenMailbox, error) {
	own := ""
	if l.vars.Get("voipbin.call.source.type") == string(address.TypeExtension) {
		own = l.vars.Get("voipbin.call.source.target")
	}
	if id == "" {
		id = own
	}
	m, err := l.find(ctx, id)
	switch {
	case err != nil && !errors.Is(err, action.ErrNoMailbox):
		return nil, err
	case err != nil, own != id && (pin == "" || pin != m.pin):
		return nil, action.ErrMailboxClosed
	}
	l.Log("mailbox", "%s opens", id)
	return &openMailbox{l, id, m}, nil
}

// openMailbox is a mailbox that is open to the caller.
type openMailbox struct {
	leg *Leg
	id  string
	box *mailbox
}

func (o *openMailbox) Mailbox() action.Mailbox { return o.box.seen(o.id) }

// Messages are those that are there, newest first.
func (o *openMailbox) Messages(context.Context) ([]action.VoiceMessage, error) {
	o.leg.World.mu.Lock()
	defer o.leg.World.mu.Unlock()
	all := slices.Clone(o.box.messages)
	slices.Reverse(all)
	return all, nil
}

func (o *openMailbox) find(id string) (*action.VoiceMessage, error) {
	for i := range o.box.messages {
		if m := &o.box.messages[i]; m.ID == id {
			return m, nil
		}
	}
	return nil, fmt.Errorf("call: there is no message %q", id)
}

// Sound is as long as the message.
func (o *openMailbox) Sound(_ context.Context, id string) (media.Source, error) {
	o.leg.World.mu.Lock()
	m, err := o.find(id)
	o.leg.World.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o.leg.newSound(id, 8000, time.Duration(m.DurationMS)*time.Millisecond), nil
}

// Mark logs the status.
func (o *openMailbox) Mark(_ context.Context, id, status string) error {
	o.leg.World.mu.Lock()
	m, err := o.find(id)
	if err == nil {
		m.Status = status
	}
	o.leg.World.mu.Unlock()
	o.leg.Log("mailbox", "%s is %s", id, status)
	return err
}

// RecordGreeting lasts as long as a message.
func (o *openMailbox) RecordGreeting(ctx context.Context, opt action.MessageOptions) (got action.TakenMessage, err error) {
	o.leg.Log(KindRecords, "a greeting for %s", o.id)
	got.EndedBy, got.Length = o.leg.record(ctx, opt)
	if got.Kept = got.Length >= opt.MinDuration && ctx.Err() == nil; got.Kept {
		o.box.greeting = got.Length
	}
	o.leg.Log(KindRecorded, "")
	return got, context.Cause(ctx)
}

// Close removes what was deleted.
func (o *openMailbox) Close(context.Context) error {
	o.leg.World.mu.Lock()
	defer o.leg.World.mu.Unlock()
	o.box.messages = slices.DeleteFunc(o.box.messages, func(m action.VoiceMessage) bool { return m.Status == action.MessageDeleted })
	return nil
}
