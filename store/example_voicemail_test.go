package store_test

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/store"
)

// A driver that keeps voice messages is a store.Voicemails, too.
func ExampleVoicemails() {
	ctx := context.Background()
	var db store.Store = store.Memory()
	defer db.Close()
	box, ok := db.(store.Voicemails)
	if !ok {
		return
	}
	for i, status := range []string{store.VoicemailSaved, store.VoicemailNew} {
		v := store.Voicemail{ID: fmt.Sprint("m", i), MailboxID: "200", Status: status, TmCreate: store.At(time.Unix(int64(i), 0))}
		if err := box.PutVoicemail(ctx, v); err != nil {
			fmt.Println(err)
		}
	}
	page, _, err := box.ListVoicemails(ctx, store.VoicemailFilter{MailboxID: "200"})
	for _, v := range page {
		fmt.Println(v.ID, v.Status, err)
	}
	// Output:
	// m1 new <nil>
	// m0 saved <nil>
}
