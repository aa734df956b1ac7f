package call

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
	"github.com/callbin/callbin/store"
)

// recordVoice records what the peer says, and nothing else, until o or ctx ends it. endedBy is a word of action.TakenMessage.
func (c *Call) recordVoice(ctx context.Context, what string, o action.MessageOptions) (rec store.Recording, endedBy string, err error) {
	p, err := c.port(ctx)
	if err != nil {
		return rec, "", err
	}
	id := newID()
	now := c.Record()
	r, err := c.engine.record(ctx, what+"_"+id+".wav", media.RecorderOptions{
		Rate: p.Rate(), Mono: true, EndOfSilence: o.EndOfSilence, MaxDuration: o.MaxDuration, OnEnd: func(media.Recording) {},
	}, store.Recording{
		ID: id, ActiveflowID: c.vars.Get(varActiveflow), ReferenceType: store.ReferenceCall, ReferenceID: c.id, JourneyID: now.JourneyID,
		Files: []store.RecordingFile{{Name: what + "_" + id + ".wav", Direction: string(media.In)}},
	}, p.Tap)
	if err != nil {
		return rec, "", err
	}
	endedBy = c.hearOut(ctx, r, o.EndOfKey)
	rec = c.engine.endRecord(r, endedBy)
	switch {
	case endedBy != "":
	case rec.Code == string(media.EndSilence), rec.Code == string(media.EndDuration):
		endedBy = rec.Code
	default:
		endedBy = "error"
	}
	return rec, endedBy, nil
}

// hearOut waits for what ends r: a key, the end of ctx, or r itself (""). Other keys are forgotten.
func (c *Call) hearOut(ctx context.Context, r *recording, keys string) string {
	for {
		digits, next := c.digits.PeekDigits()
		c.digits.DropDigits()
		if strings.ContainsAny(digits, keys) {
			return "key"
		}
		select {
		case <-next:
		case <-r.rec.Done():
			return ""
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), action.ErrSkip) {
				return "skip"
			}
			return "hangup"
		}
	}
}

// spoken is how long somebody spoke in a recording: the silence that ended it does not count.
func spoken(rec *store.Recording, endedBy string, silence time.Duration) time.Duration {
	d := time.Duration(rec.DurationMS) * time.Millisecond
	if endedBy == "silence" {
		d -= silence
	}
	return max(d, 0)
}

// takeMessage is TakeMessage without its note.
func (c *Call) takeMessage(ctx context.Context, o action.MessageOptions) (got action.TakenMessage, err error) {
	e := c.engine
	box, db, err := e.findMailbox(ctx, o.MailboxID)
	if err != nil {
		return got, err
	}
	got.Message.MailboxID = box.ID
	room, release, err := e.reserve(ctx, &box, db, o.MinDuration, o.MaxDuration)
	if err != nil {
		return got, err
	}
	defer release()
	o.MaxDuration = room
	rec, endedBy, err := c.recordVoice(ctx, "voicemail", o)
	if err != nil {
		return got, err
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout) // the caller may have hung up
	defer cancel()
	got.EndedBy, got.Length = endedBy, spoken(&rec, endedBy, o.EndOfSilence)
	if got.Length < o.MinDuration || rec.DurationMS == 0 {
		return got, errors.Join(e.dropRecording(keeping, rec.ID), context.Cause(ctx))
	}
	v, err := c.keepMessage(keeping, &box, db, &rec)
	if err != nil {
		return got, err
	}
	got.Message, got.Kept = messageOf(v), true
	return got, context.Cause(ctx)
}

// keepMessage stores a recording as a message, and tells of it.
func (c *Call) keepMessage(ctx context.Context, box *Mailbox, db store.Voicemails, rec *store.Recording) (store.Voicemail, error) {
	give, err := c.engine.mailroom.of(box.ID).take(ctx)
	if err != nil {
		return store.Voicemail{}, err
	}
	defer give()
	now, self := store.At(time.Now()), c.Record()
	v := store.Voicemail{
		ID: newID(), MailboxID: box.ID, CallID: c.id, ActiveflowID: rec.ActiveflowID, JourneyID: rec.JourneyID, Source: self.Source,
		RecordingID: rec.ID, DurationMS: rec.DurationMS, Status: store.VoicemailNew, TmCreate: now, TmUpdate: now,
	}
	if err := db.PutVoicemail(ctx, v); err != nil {
		return v, err
	}
	c.link(LinkInput{What: LinkVoicemail, Room: box.ID, Detail: v.ID})
	c.engine.tell(Event{Type: "voicemail_created", Time: now.Time, Data: v})
	if err := c.engine.tellMessages(ctx, box, db); err != nil {
		c.log().Error("waiting messages not told", "mailbox", box.ID, "err", err) // the message is there all the same
	}
	return v, nil
}

// sound decodes a recording.
func (e *Engine) sound(ctx context.Context, recordingID string) (media.Source, error) {
	_, r, err := e.openRecording(ctx, recordingID)
	if err != nil {
		return nil, err
	}
	clip, err := wav.Decode(r, wav.Limits{})
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("call: recording %.40q: %w", recordingID, err)
	}
	return clip.Source(), nil
}

// mailbox is Mailbox without its note.
func (c *Call) mailbox(ctx context.Context, id string) (action.Mailbox, error) {
	box, db, err := c.engine.findMailbox(ctx, id)
	if err != nil {
		return action.Mailbox{}, err
	}
	return forFlow(ctx, &box, db)
}

// forFlow is what a flow sees of a mailbox.
func forFlow(ctx context.Context, box *Mailbox, db store.Voicemails) (action.Mailbox, error) {
	stored, err := db.Mailbox(ctx, box.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return action.Mailbox{}, err
	}
	return action.Mailbox{
		ID: box.ID, Language: box.Language, TimeZone: box.TimeZone, Greeting: stored.GreetingRecordingID, Email: box.Email, Webhook: box.Webhook,
	}, nil
}

func (c *Call) greeting(ctx context.Context, id string) (media.Source, error) {
	m, err := c.mailbox(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.engine.sound(ctx, m.Greeting)
}

// verified is the extension that has given its password to call in; "": none.
func (c *Call) verified() string {
	r := c.Record()
	if r.Direction != store.DirectionIncoming || r.Source.Type != address.TypeExtension { // see sourceOf: what From says is not enough
		return ""
	}
	return extensionName(r.Source)
}

// openBox is OpenMailbox without its note.
func (c *Call) openBox(ctx context.Context, id, pin string) (*openMailbox, error) {
	own := c.verified()
	named := id
	if id == "" {
		id = own
	}
	if id == "" {
		return nil, action.ErrMailboxClosed
	}
	box, db, err := c.engine.findMailbox(ctx, id)
	known := err == nil
	if err != nil && !errors.Is(err, action.ErrNoMailbox) {
		return nil, err
	}
	switch mine := known && own != "" && box.owner() == own; {
	case mine:
	case pin == "" || named == "":
		return nil, action.ErrMailboxClosed
	case !c.engine.mailroom.opens(&box, known, pin, time.Now()):
		if known {
			c.log().Warn("wrong PIN for a mailbox", "mailbox", box.ID)
		}
		return nil, action.ErrMailboxClosed
	}
	m, err := forFlow(ctx, &box, db)
	if err != nil {
		return nil, err
	}
	return &openMailbox{call: c, box: box, db: db, seen: m}, nil
}

// openMailbox is a mailbox whose owner this call is.
type openMailbox struct {
	call *Call
	box  Mailbox
	db   store.Voicemails
	seen action.Mailbox
}

var (
	_ action.Mailboxes   = (*Call)(nil)
	_ action.OpenMailbox = (*openMailbox)(nil)
)

func (o *openMailbox) Mailbox() action.Mailbox { return o.seen }

func (o *openMailbox) messages(ctx context.Context) ([]action.VoiceMessage, error) {
	all, err := messages(ctx, o.db, o.box.ID)
	if err != nil {
		return nil, err
	}
	var seen []action.VoiceMessage
	now := time.Now()
	for i := range all {
		if all[i].Status != store.VoicemailDeleted && !o.box.expired(&all[i], now) {
			seen = append(seen, messageOf(all[i]))
		}
	}
	return seen, nil
}

func (o *openMailbox) sound(ctx context.Context, id string) (media.Source, error) {
	v, err := o.db.Voicemail(ctx, id)
	if err != nil {
		return nil, err
	}
	if v.MailboxID != o.box.ID {
		return nil, fmt.Errorf("call: message %.40q is not in mailbox %.40q: %w", id, o.box.ID, store.ErrNotFound)
	}
	return o.call.engine.sound(ctx, v.RecordingID)
}

func (o *openMailbox) mark(ctx context.Context, id, status string) error {
	return o.call.engine.mark(ctx, &o.box, o.db, id, status)
}

func (o *openMailbox) recordGreeting(ctx context.Context, opt action.MessageOptions) (got action.TakenMessage, err error) {
	c := o.call
	rec, endedBy, err := c.recordVoice(ctx, "greeting", opt)
	if err != nil {
		return got, err
	}
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	got.EndedBy, got.Length = endedBy, spoken(&rec, endedBy, opt.EndOfSilence)
	if got.Length < opt.MinDuration || ctx.Err() != nil { // nobody has finished it
		return got, errors.Join(c.engine.dropRecording(keeping, rec.ID), context.Cause(ctx))
	}
	give, err := c.engine.mailroom.of(o.box.ID).take(keeping)
	if err != nil {
		return got, err
	}
	defer give()
	before, err := o.db.Mailbox(keeping, o.box.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return got, err
	}
	if err := o.db.PutMailbox(keeping, store.Mailbox{ID: o.box.ID, GreetingRecordingID: rec.ID, TmUpdate: store.At(time.Now())}); err != nil {
		return got, err
	}
	o.seen.Greeting, got.Kept = rec.ID, true
	return got, c.engine.dropRecording(keeping, before.GreetingRecordingID)
}

func (o *openMailbox) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return o.call.engine.sweep(ctx, &o.box, o.db, true)
}
