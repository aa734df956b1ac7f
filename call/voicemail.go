package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// sweepEvery is how often messages are looked for that are too old.
const sweepEvery = time.Hour

// messageOf is a stored message as flows see it.
func messageOf(v store.Voicemail) action.VoiceMessage {
	return action.VoiceMessage{
		ID: v.ID, MailboxID: v.MailboxID, CallID: v.CallID, Source: v.Source, RecordingID: v.RecordingID,
		DurationMS: v.DurationMS, Status: v.Status, Transcript: v.Transcript, TmCreate: v.TmCreate.Time,
	}
}

// messages are all of a mailbox, newest first; "": of all.
func messages(ctx context.Context, db store.Voicemails, mailbox string) (all []store.Voicemail, err error) {
	f := store.VoicemailFilter{MailboxID: mailbox}
	for {
		page, next, err := db.ListVoicemails(ctx, f)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		f.PageToken = next
	}
}

// tellMessages switches the lamp of a mailbox. Who calls it has the turn at the mailbox.
func (e *Engine) tellMessages(ctx context.Context, box *Mailbox, db store.Voicemails) error {
	all, err := messages(ctx, db, box.ID)
	if err != nil {
		return err
	}
	var newer, old int
	for i := range all {
		switch all[i].Status {
		case store.VoicemailNew:
			newer++
		case store.VoicemailSaved:
			old++
		}
	}
	return e.lamp(ctx, box.owner(), newer, old)
}

// lamp is SetMessages for the phones of an extension, if it is one.
func (e *Engine) lamp(ctx context.Context, extension string, newer, old int) error {
	if e.cfg.Extensions == nil {
		return nil
	}
	if _, ok, err := e.cfg.Extensions.Extension(ctx, extension); err != nil || !ok {
		return err
	}
	return e.SetMessages(extension, newer, old, 0, 0)
}

// reserve takes room for a message of least to longest, or ErrMailboxFull; the room it got is given back by release.
func (e *Engine) reserve(ctx context.Context, box *Mailbox, db store.Voicemails, least, longest time.Duration) (got time.Duration, release func(), err error) {
	s := e.mailroom.of(box.ID)
	give, err := s.take(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer give()
	all, err := messages(ctx, db, box.ID)
	if err != nil {
		return 0, nil, err
	}
	n, used := s.taking, s.reserved
	now := time.Now()
	for i := range all {
		v := &all[i]
		if v.Status == store.VoicemailDeleted {
			continue // somebody is about to delete it
		}
		if box.expired(v, now) {
			if err := e.purge(ctx, db, *v); err != nil {
				return 0, nil, err
			}
			continue
		}
		n++
		used += time.Duration(v.DurationMS) * time.Millisecond
	}
	if n >= box.maxMessages() || used+max(least, time.Second) > box.maxTime() {
		return 0, nil, fmt.Errorf("call: mailbox %.40q: %w", box.ID, action.ErrMailboxFull)
	}
	got = box.maxTime() - used
	if longest > 0 {
		got = min(got, longest)
	}
	s.taking++
	s.reserved += got
	return got, func() {
		give, err := s.take(context.Background()) // whoever has the turn gives it back
		if err != nil {
			return
		}
		defer give()
		s.taking--
		s.reserved -= got
	}, nil
}

// purge removes a message for good, with its sound. Who calls it has the turn at the mailbox.
func (e *Engine) purge(ctx context.Context, db store.Voicemails, v store.Voicemail) error {
	if err := e.dropRecording(ctx, v.RecordingID); err != nil {
		return err
	}
	if err := db.DeleteVoicemail(ctx, v.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v.Status, v.TmUpdate = store.VoicemailDeleted, store.At(time.Now())
	e.tell(Event{Type: "voicemail_deleted", Time: v.TmUpdate.Time, Data: v})
	return nil
}

// dropRecording removes a recording with its files; one that there is not is no fault.
func (e *Engine) dropRecording(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	gone := func(err error) error {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	rec, err := e.cfg.Store.Recording(ctx, id)
	if err != nil {
		return gone(err)
	}
	for _, f := range rec.Files {
		if err := gone(e.cfg.Store.DeleteBlob(ctx, f.Name)); err != nil {
			return err
		}
	}
	return gone(e.cfg.Store.DeleteRecording(ctx, id))
}

// change gives a message of box what with says, stores it, and tells of it.
func (e *Engine) change(ctx context.Context, box *Mailbox, db store.Voicemails, id string, with func(*store.Voicemail)) error {
	give, err := e.mailroom.of(box.ID).take(ctx)
	if err != nil {
		return err
	}
	defer give()
	v, err := db.Voicemail(ctx, id)
	if err != nil {
		return err
	}
	if v.MailboxID != box.ID {
		return fmt.Errorf("call: message %.40q is not in mailbox %.40q: %w", id, box.ID, store.ErrNotFound)
	}
	with(&v)
	v.TmUpdate = store.At(time.Now())
	if err := db.PutVoicemail(ctx, v); err != nil {
		return err
	}
	e.tell(Event{Type: "voicemail_updated", Time: v.TmUpdate.Time, Data: v})
	return e.tellMessages(ctx, box, db)
}

// MarkVoicemail gives a message another status, as a program does that shows messages: store.VoicemailNew, VoicemailSaved, or VoicemailDeleted,
// which removes it for good. The lamps of its mailbox are told. store.ErrNotFound, action.ErrNoMailbox.
func (e *Engine) MarkVoicemail(ctx context.Context, id, status string) error {
	db, ok := e.cfg.Store.(store.Voicemails)
	if !ok {
		return errNoStore
	}
	v, err := db.Voicemail(ctx, id)
	if err != nil {
		return err
	}
	box, db, err := e.findMailbox(ctx, v.MailboxID)
	if err != nil {
		return err
	}
	if err := e.mark(ctx, &box, db, id, status); err != nil || status != store.VoicemailDeleted {
		return err
	}
	return e.sweep(ctx, &box, db, true)
}

// mark gives a message of box a status.
func (e *Engine) mark(ctx context.Context, box *Mailbox, db store.Voicemails, id, status string) error {
	switch status {
	case store.VoicemailNew, store.VoicemailSaved, store.VoicemailDeleted:
		return e.change(ctx, box, db, id, func(v *store.Voicemail) { v.Status = status })
	}
	return fmt.Errorf("call: message %.40q: there is no status %.40q", id, status)
}

// sweep removes what was deleted from a mailbox, by its owner or by its age.
func (e *Engine) sweep(ctx context.Context, box *Mailbox, db store.Voicemails, deleted bool) error {
	give, err := e.mailroom.of(box.ID).take(ctx)
	if err != nil {
		return err
	}
	defer give()
	all, err := messages(ctx, db, box.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	for i := range all {
		if v := &all[i]; deleted && v.Status == store.VoicemailDeleted || box.expired(v, now) {
			if err := e.purge(ctx, db, *v); err != nil {
				return err
			}
		}
	}
	return e.tellMessages(ctx, box, db)
}

// keepMailboxes switches the lamps on when the engine starts, and then removes what is too old, until ctx ends.
func (e *Engine) keepMailboxes(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if err := e.sweepAll(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("mailboxes not swept", "err", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweepAll sweeps the mailboxes in which there is something.
func (e *Engine) sweepAll(ctx context.Context) error {
	db, ok := e.cfg.Store.(store.Voicemails)
	if !ok {
		return nil
	}
	all, err := messages(ctx, db, "")
	if err != nil {
		return err
	}
	done := map[string]bool{}
	var errs []error
	for i := range all {
		id := all[i].MailboxID
		if done[id] {
			continue
		}
		done[id] = true
		box, _, err := e.findMailbox(ctx, id)
		if errors.Is(err, action.ErrNoMailbox) {
			continue // it may come back
		}
		if err == nil {
			err = e.sweep(ctx, &box, db, false)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
