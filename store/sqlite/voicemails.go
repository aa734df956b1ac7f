package sqlite

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/store"
)

var _ store.Voicemails = (*Store)(nil)

// PutVoicemail stores v; see store.Voicemails. It is on disk when PutVoicemail returns, with Options.Async, too.
func (s *Store) PutVoicemail(ctx context.Context, v store.Voicemail) error {
	v, err := v.Clean()
	if err != nil {
		return err
	}
	body, err := encode(v)
	if err != nil {
		return fmt.Errorf("store/sqlite: put voicemail %s: %w", v.ID, err)
	}
	if err := s.begin(ctx, "put voicemail", v.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put voicemail", id: v.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putVoicemail.ExecContext(ctx, v.ID, v.TmCreate.Micro(), v.MailboxID, v.Status, body)
		return err
	}
	return s.submit(w, false)
}

// Voicemail returns a message; see store.Voicemails.
func (s *Store) Voicemail(ctx context.Context, id string) (store.Voicemail, error) {
	return get[store.Voicemail](ctx, s, "get voicemail", id, `SELECT body FROM voicemails WHERE id = ?`)
}

// ListVoicemails returns a page of messages; see store.Voicemails.
func (s *Store) ListVoicemails(ctx context.Context, f store.VoicemailFilter) ([]store.Voicemail, string, error) {
	w := from("voicemails")
	if f.MailboxID != "" {
		w.and("mailbox_id = ?", f.MailboxID) // an id is short enough to be indexed as it is
	}
	w.equal("status", f.Status)
	w.within(f.Since, f.Until)
	return page(ctx, s, "list voicemails", "body", w, f.PageSize, f.PageToken, scanBody[store.Voicemail])
}

// DeleteVoicemail removes a message; see store.Voicemails.
func (s *Store) DeleteVoicemail(ctx context.Context, id string) error {
	return s.drop(ctx, "delete voicemail", id, s.stmts.dropVoicemail)
}

// PutMailbox stores m; see store.Voicemails.
func (s *Store) PutMailbox(ctx context.Context, m store.Mailbox) error {
	m, err := m.Clean()
	if err != nil {
		return err
	}
	body, err := encode(m)
	if err != nil {
		return fmt.Errorf("store/sqlite: put mailbox %s: %w", m.ID, err)
	}
	if err := s.begin(ctx, "put mailbox", m.ID); err != nil {
		return err
	}
	defer s.end()
	w := &write{ctx: ctx, what: "put mailbox", id: m.ID}
	w.do = func(ctx context.Context) error {
		_, err := s.stmts.putMailbox.ExecContext(ctx, m.ID, body)
		return err
	}
	return s.submit(w, false)
}

// Mailbox returns a mailbox; see store.Voicemails.
func (s *Store) Mailbox(ctx context.Context, id string) (store.Mailbox, error) {
	return get[store.Mailbox](ctx, s, "get mailbox", id, `SELECT body FROM mailboxes WHERE id = ?`)
}
