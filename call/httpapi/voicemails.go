package httpapi

import (
	"context"

	"github.com/callbin/callbin/store"
)

// Mailroom changes messages that were left in mailboxes, and has the lamps of phones told; *call.Engine does.
type Mailroom interface {
	MarkVoicemail(ctx context.Context, id, status string) error
}

// voicemailRows are what is done with messages that were left in mailboxes.
func (a *api) voicemailRows() []operation {
	db, ok := a.cfg.Store.(store.Voicemails)
	if !ok {
		return nil
	}
	rows := []operation{
		op("listVoicemails", "GET /voicemails", "voicemails:read", "Messages in mailboxes", func(r *request, p voicemailParams, _ none) (list[store.Voicemail], error) {
			page, next, err := db.ListVoicemails(r.ctx, store.VoicemailFilter{
				MailboxID: p.MailboxID, Status: p.Status, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken,
			})
			return listOf(page, next), err
		}),
		op("getVoicemail", "GET /voicemails/{id}", "voicemails:read", "One message", func(r *request, p idParams, _ none) (store.Voicemail, error) {
			return db.Voicemail(r.ctx, p.ID)
		}),
	}
	if a.cfg.Recordings != nil && a.cfg.Blobs != nil {
		rows = append(rows, op("getVoicemailFile", "GET /voicemailfiles/{id}", "voicemails:read", "The sound of a message", func(r *request, p idParams, _ none) (raw, error) {
			v, err := db.Voicemail(r.ctx, p.ID)
			if err != nil {
				return nil, err
			}
			rec, err := a.cfg.Recordings.Recording(r.ctx, v.RecordingID)
			if err != nil {
				return nil, err
			}
			return a.soundOf(r, rec, 0)
		}).gives("audio/wav").tagged().tells("A WAV file, or the part of it that Range asks for."))
	}
	e, ok := a.cfg.Engine.(Mailroom)
	if !ok {
		return rows
	}
	return append(rows,
		op("markVoicemail", "PUT /voicemails/{id}", "voicemails:write", "Mark a message as heard, or as new", func(r *request, p idParams, b VoicemailMark) (store.Voicemail, error) {
			if err := e.MarkVoicemail(r.ctx, p.ID, b.Status); err != nil {
				return store.Voicemail{}, err
			}
			return db.Voicemail(r.ctx, p.ID)
		}).tells("The lamps of the mailbox's phones are told."),
		op("deleteVoicemail", "DELETE /voicemails/{id}", "voicemails:write", "Forget a message, and its sound", func(r *request, p idParams, _ none) (store.Voicemail, error) {
			v, err := db.Voicemail(r.ctx, p.ID)
			if err != nil {
				return v, err
			}
			return v, e.MarkVoicemail(r.ctx, p.ID, store.VoicemailDeleted)
		}).tells("So are those that their owner has deleted, but not left the mailbox since. The lamps of the mailbox's phones are told."))
}

type voicemailParams struct {
	pageParams
	MailboxID string `json:"mailbox_id,omitempty"`
	Status    string `json:"status,omitempty" opt:"enum=new|saved|deleted"`
	timeParams
}

// VoicemailMark is the body of PUT /voicemails/{id}.
type VoicemailMark struct {
	Status string `json:"status" opt:"required,enum=new|saved"`
}
