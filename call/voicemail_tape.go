package call

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// What flows do with mailboxes leaves notes, as all in tape.go does. They hold neither PINs nor what was given for one.

// Mailbox finds a mailbox of Config.Mailboxes.
func (c *Call) Mailbox(ctx context.Context, id string) (action.Mailbox, error) {
	start := time.Now()
	m, err := c.mailbox(ctx, id)
	c.noted(ctx, start, Note{What: "mailbox", Target: id, Result: asJSON(noteOf(m))}, err)
	return m, err
}

// noteOf is what a trace holds of a mailbox: nothing of whom it belongs to, and of a webhook what notes of HTTP have, too: its
// query and user may carry secrets.
func noteOf(m action.Mailbox) action.Mailbox {
	m.Email = nil
	if u, err := url.Parse(m.Webhook); err == nil && m.Webhook != "" {
		m.Webhook = u.Scheme + "://" + u.Host + u.Path
	}
	return m
}

// Greeting is the greeting that the owner of a mailbox has recorded.
func (c *Call) Greeting(ctx context.Context, id string) (media.Source, error) {
	start := time.Now()
	src, err := c.greeting(ctx, id)
	c.noted(ctx, start, Note{What: "mailbox_greeting", Target: id}, err)
	return src, err
}

// TakeMessage records what the caller says as a message of a mailbox, until a key, silence, or the end of the call.
func (c *Call) TakeMessage(ctx context.Context, o action.MessageOptions) (action.TakenMessage, error) {
	start := time.Now()
	got, err := c.takeMessage(ctx, o)
	c.noted(ctx, start, Note{What: "voicemail", Target: o.MailboxID, Result: asJSON(got)}, err)
	return got, err
}

// TranscribeMessage adds the text of a message.
func (c *Call) TranscribeMessage(ctx context.Context, id, text string) error {
	db, ok := c.engine.cfg.Store.(store.Voicemails)
	if !ok {
		return errNoStore
	}
	v, err := db.Voicemail(ctx, id)
	if err != nil {
		return err
	}
	box, db, err := c.engine.findMailbox(ctx, v.MailboxID)
	if err != nil {
		return err
	}
	return c.engine.change(ctx, &box, db, id, func(v *store.Voicemail) { v.Transcript = text })
}

// OpenMailbox opens a mailbox to its owner: the extension whose it is, if that has given its password for this call, or who knows
// the PIN.
func (c *Call) OpenMailbox(ctx context.Context, id, pin string) (action.OpenMailbox, error) {
	start := time.Now()
	o, err := c.openBox(ctx, id, pin)
	n := Note{What: "mailbox_open"}
	if err == nil {
		n.Result = asJSON(noteOf(o.seen))
	}
	c.noted(ctx, start, n, err)
	if err != nil { // not an OpenMailbox that holds a nil *openMailbox
		return nil, err
	}
	return o, nil
}

// Messages are the messages that are not deleted.
func (o *openMailbox) Messages(ctx context.Context) ([]action.VoiceMessage, error) {
	start := time.Now()
	all, err := o.messages(ctx)
	noted := slices.Clone(all)
	for i := range noted {
		noted[i].Transcript = "" // the messages of others are not part of this call
	}
	o.call.noted(ctx, start, Note{What: "mailbox_list", Result: asJSON(noted)}, err)
	return all, err
}

// Sound is that of a message.
func (o *openMailbox) Sound(ctx context.Context, id string) (media.Source, error) {
	start := time.Now()
	src, err := o.sound(ctx, id)
	o.call.noted(ctx, start, Note{What: "mailbox_sound", Target: id}, err)
	return src, err
}

// Mark gives a message a status.
func (o *openMailbox) Mark(ctx context.Context, id, status string) error {
	start := time.Now()
	err := o.mark(ctx, id, status)
	o.call.noted(ctx, start, Note{What: "mailbox_mark", Target: id + " " + status}, err)
	return err
}

// RecordGreeting records the greeting of the mailbox.
func (o *openMailbox) RecordGreeting(ctx context.Context, opt action.MessageOptions) (action.TakenMessage, error) {
	start := time.Now()
	got, err := o.recordGreeting(ctx, opt)
	o.call.noted(ctx, start, Note{What: "mailbox_record", Result: asJSON(got)}, err)
	return got, err
}

// Close removes what was deleted.
func (o *openMailbox) Close(ctx context.Context) error {
	start := time.Now()
	err := o.close(ctx)
	o.call.noted(ctx, start, Note{What: "mailbox_close"}, err)
	return err
}
