package store

import "context"

var _ Voicemails = (*MemoryStore)(nil)

// PutVoicemail stores v; see Voicemails. Messages are never forgotten by themselves, for their mailbox has
// limits; their sound goes with the oldest recordings (MemoryConfig).
func (m *MemoryStore) PutVoicemail(ctx context.Context, v Voicemail) error {
	v, err := v.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put voicemail", v.ID); err != nil {
		return err
	}
	if old := m.voicemails.rows[v.ID]; old != nil {
		m.voicemails.drop(old.At())
	}
	m.voicemails.put(v.At(), &v, false)
	return nil
}

// Voicemail returns a message; see Voicemails.
func (m *MemoryStore) Voicemail(ctx context.Context, id string) (Voicemail, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get voicemail", id); err != nil {
		return Voicemail{}, err
	}
	v := m.voicemails.rows[id]
	if v == nil {
		return Voicemail{}, notFound("get voicemail", id)
	}
	return v.Clean()
}

// ListVoicemails returns a page of messages; see Voicemails.
func (m *MemoryStore) ListVoicemails(ctx context.Context, f VoicemailFilter) ([]Voicemail, string, error) {
	size, at, err := Page(f.PageSize, f.PageToken)
	if err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "list voicemails", ""); err != nil {
		return nil, "", err
	}
	return pageOf(m.voicemails.order, m.voicemails.rows, size, at, f.Match, Voicemail.Clean)
}

// DeleteVoicemail forgets a message; see Voicemails.
func (m *MemoryStore) DeleteVoicemail(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "delete voicemail", id); err != nil {
		return err
	}
	v := m.voicemails.rows[id]
	if v == nil {
		return notFound("delete voicemail", id)
	}
	m.voicemails.drop(v.At())
	return nil
}

// PutMailbox stores b; see Voicemails.
func (m *MemoryStore) PutMailbox(ctx context.Context, b Mailbox) error {
	b, err := b.Clean()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx, "put mailbox", b.ID); err != nil {
		return err
	}
	m.mailboxes[b.ID] = b
	return nil
}

// Mailbox returns a mailbox; see Voicemails.
func (m *MemoryStore) Mailbox(ctx context.Context, id string) (Mailbox, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx, "get mailbox", id); err != nil {
		return Mailbox{}, err
	}
	b, ok := m.mailboxes[id]
	if !ok {
		return Mailbox{}, notFound("get mailbox", id)
	}
	return b, nil
}
