package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// fullVoicemail has every field set, so that a driver that forgets one is found.
func fullVoicemail(id string) store.Voicemail {
	return store.Voicemail{
		ID: id, MailboxID: "200", CallID: "c", ActiveflowID: "af", JourneyID: "jo",
		Source:      address.Address{Type: address.TypeTel, Target: "+4930901820", TargetName: "tn", Name: "Jürgen 日本", Detail: "de"},
		RecordingID: "r", DurationMS: 12345, Status: store.VoicemailSaved, Transcript: "Ring me <back>.", TmCreate: at(0), TmUpdate: at(time.Second),
	}
}

// testVoicemails is for drivers that are store.Voicemails; others pass.
func testVoicemails(t *testing.T, s store.Store) {
	db, ok := s.(store.Voicemails)
	if !ok {
		t.Skip("not a store.Voicemails")
	}
	_, err := db.Voicemail(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Voicemail of an unknown id")
	wantErr(t, db.DeleteVoicemail(t.Context(), "a"), store.ErrNotFound, "DeleteVoicemail of an unknown id")
	for _, bad := range []store.Voicemail{{ID: "a", MailboxID: "200"}, {ID: "a", TmCreate: at(0)}, {MailboxID: "200", TmCreate: at(0)}} {
		wantErr(t, db.PutVoicemail(t.Context(), bad), store.ErrInvalid, "PutVoicemail of what is incomplete")
	}
	full := fullVoicemail("a")
	for _, v := range []store.Voicemail{{ID: "a", MailboxID: "201", TmCreate: at(time.Hour)}, full, full} {
		if err := db.PutVoicemail(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		got, err := db.Voicemail(t.Context(), "a")
		if d := cmp.Diff(clean(t, v), got); err != nil || d != "" {
			t.Errorf("Voicemail: %v (-want +got):\n%s", err, d)
		}
	}
	for i := range 5 {
		v := store.Voicemail{ID: fmt.Sprint(i), MailboxID: fmt.Sprint(200 + i%2), TmCreate: at(time.Second), Status: store.VoicemailNew}
		if err := db.PutVoicemail(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f    store.VoicemailFilter
		want []string
	}{
		{store.VoicemailFilter{}, []string{"4", "3", "2", "1", "0", "a"}},
		{store.VoicemailFilter{MailboxID: "200"}, []string{"4", "2", "0", "a"}},
		{store.VoicemailFilter{MailboxID: "200", Status: store.VoicemailSaved}, []string{"a"}},
		{store.VoicemailFilter{MailboxID: "201", Status: store.VoicemailSaved}, nil},
		{store.VoicemailFilter{Since: at(time.Microsecond), MailboxID: "201"}, []string{"3", "1"}},
		{store.VoicemailFilter{Until: at(time.Second)}, []string{"a"}},
	} {
		wantPages(t, func(size int, token string) ([]store.Voicemail, string, error) {
			c.f.PageSize, c.f.PageToken = size, token
			return db.ListVoicemails(t.Context(), c.f)
		}, func(v store.Voicemail) string { return v.ID }, c.want...)
	}
	if err := db.DeleteVoicemail(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = db.Voicemail(t.Context(), "a")
	wantErr(t, err, store.ErrNotFound, "Voicemail after DeleteVoicemail")
	testMailboxes(t, db)
}

func testMailboxes(t *testing.T, db store.Voicemails) {
	t.Helper()
	_, err := db.Mailbox(t.Context(), "200")
	wantErr(t, err, store.ErrNotFound, "Mailbox of an unknown id")
	wantErr(t, db.PutMailbox(t.Context(), store.Mailbox{}), store.ErrInvalid, "PutMailbox without an id")
	for _, m := range []store.Mailbox{{ID: "200", GreetingRecordingID: "r1", TmUpdate: at(0)}, {ID: "201"}, {ID: "200", GreetingRecordingID: "r2", TmUpdate: at(time.Second)}} {
		if err := db.PutMailbox(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Mailbox(t.Context(), m.ID); err != nil || got != m {
			t.Errorf("Mailbox: %+v, %v; want %+v", got, err, m)
		}
	}
}

// leaveVoicemail stores a message and a mailbox, if s can, and wantVoicemail looks for them after a second open.
func leaveVoicemail(t *testing.T, s store.Store) {
	t.Helper()
	db, ok := s.(store.Voicemails)
	if !ok {
		return
	}
	if err := errors.Join(db.PutVoicemail(t.Context(), fullVoicemail("kept")), db.PutMailbox(t.Context(), store.Mailbox{ID: "200", GreetingRecordingID: "r"})); err != nil {
		t.Fatal(err)
	}
}

func wantVoicemail(t *testing.T, s store.Store) {
	t.Helper()
	db, ok := s.(store.Voicemails)
	if !ok {
		return
	}
	v, err := db.Voicemail(t.Context(), "kept")
	if d := cmp.Diff(clean(t, fullVoicemail("kept")), v); err != nil || d != "" {
		t.Errorf("Voicemail after a second open: %v (-want +got):\n%s", err, d)
	}
	if m, err := db.Mailbox(t.Context(), "200"); err != nil || m.GreetingRecordingID != "r" {
		t.Errorf("Mailbox after a second open: %+v, %v", m, err)
	}
}

// wantVoicemailErr wants the same error of all methods.
func wantVoicemailErr(t *testing.T, ctx context.Context, s store.Store, want error) {
	t.Helper()
	db, ok := s.(store.Voicemails)
	if !ok {
		return
	}
	_, one := db.Voicemail(ctx, "a")
	_, _, list := db.ListVoicemails(ctx, store.VoicemailFilter{})
	_, box := db.Mailbox(ctx, "a")
	for what, err := range map[string]error{
		"PutVoicemail": db.PutVoicemail(ctx, fullVoicemail("new")), "Voicemail": one, "ListVoicemails": list, "DeleteVoicemail": db.DeleteVoicemail(ctx, "a"),
		"PutMailbox": db.PutMailbox(ctx, store.Mailbox{ID: "new"}), "Mailbox": box,
	} {
		wantErr(t, err, want, what)
	}
}
