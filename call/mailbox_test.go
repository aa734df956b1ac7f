package call_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// TestMailboxByDigits has an owner on its own phone listen to three messages, and save and delete.
func TestMailboxByDigits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		p, lamp := o.owner(t)
		wantLamp(t, lamp, 0, 0)
		for i, hz := range []float64{500, 600, 800} {
			o.leave(t, hz, 3*time.Second)
			wantLamp(t, lamp, i+1, 0)
		}
		o.heard()
		c := p.Dial(t, "900")
		time.Sleep(2 * time.Second) // counts, the words before the newest, some of it
		if got := o.heard(); !strings.HasPrefix(got, "New messages: 3. Saved messages: 0. New message 1 of 3. From a l i c e") && !strings.HasPrefix(got, "New messages: 3. Saved messages: 0. New message 1 of 3. From alice. Today at 00:0") {
			t.Errorf("said: %q", got)
		}
		if !calltest.Hears(c.Heard(), 800) || calltest.Hears(c.Heard(), 600) {
			t.Error("the newest message is not heard first, or not alone")
		}
		c.Press("6") // cuts it
		wantLamp(t, lamp, 2, 1)
		time.Sleep(1500 * time.Millisecond)
		if !calltest.Hears(c.Heard(), 600) {
			t.Error("6 does not go to the next message")
		}
		c.Press("3")
		wantLamp(t, lamp, 1, 1) // it was heard, and is deleted
		if got := o.heard(); !strings.Contains(got, "Deleted.") {
			t.Errorf("said: %q", got)
		}
		c.Press("6")
		time.Sleep(1500 * time.Millisecond)
		c.Press("2")
		wantLamp(t, lamp, 0, 2)
		time.Sleep(time.Second)
		if got := o.heard(); !strings.Contains(got, "New message 3 of 3.") || !strings.Contains(got, "Saved. That was the last message.") {
			t.Errorf("said: %q", got)
		}
		c.Press("4") // back to the deleted one
		time.Sleep(time.Second)
		c.Press("*")
		c.WaitEnd(t)
		if !calltest.Hears(c.Heard(), 400) {
			t.Error("the flow does not go on after the mailbox")
		}
		all := o.inbox(t, "200")
		if len(all) != 2 || all[0].Status != store.VoicemailSaved || all[1].Status != store.VoicemailSaved {
			t.Fatalf("left: %+v", all)
		}
		if recs, _, err := o.store.ListRecordings(t.Context(), store.RecordingFilter{}); len(recs) != 2 || err != nil {
			t.Errorf("the sound of the deleted message is there still: %+v, %v", recs, err)
		}
	})
}

func TestMailboxKeepsWhatIsNotDeletedAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		p, _ := o.owner(t)
		o.leave(t, 500, 3*time.Second)
		c := p.Dial(t, "900")
		time.Sleep(1500 * time.Millisecond)
		c.Press("3")
		time.Sleep(500 * time.Millisecond)
		c.Press("3")
		time.Sleep(time.Second)
		c.Hangup(t)
		time.Sleep(time.Second)
		if all := o.inbox(t, "200"); len(all) != 1 || all[0].Status != store.VoicemailSaved {
			t.Errorf("%+v", all)
		}
		c = p.Dial(t, "900")
		time.Sleep(1500 * time.Millisecond)
		c.Press("3")
		time.Sleep(500 * time.Millisecond)
		c.Hangup(t) // what is deleted is deleted, also by who hangs up
		time.Sleep(time.Second)
		if all := o.inbox(t, "200"); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}

// TestTwoCallersInOneMailbox has two leave messages at once where there is room for two, and a third none.
func TestTwoCallersInOneMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil, func(c *call.Config) {
			c.Mailboxes = call.ListMailboxes(call.Mailbox{ID: "200", MaxMessages: 2})
		})
		_, lamp := o.owner(t)
		wantLamp(t, lamp, 0, 0)
		var calls []*calltest.PhoneCall
		for _, hz := range []float64{500, 650} {
			c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
			calls = append(calls, c)
			time.Sleep(800 * time.Millisecond)
			c.Say(calltest.Tone(hz, 5*time.Second))
		}
		o.heard()
		third := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
		third.WaitEnd(t)
		if got := o.heard(); !strings.Contains(got, "This mailbox is full.") {
			t.Errorf("the third hears %q", got)
		}
		time.Sleep(2 * time.Second)
		for _, c := range calls {
			c.Hangup(t)
		}
		wantLamp(t, lamp, 2, 0)
		var got []float64
		for _, v := range o.inbox(t, "200") {
			pcm := o.sound(t, v)
			for _, hz := range []float64{500, 650} {
				if calltest.Hears(pcm, hz) {
					got = append(got, hz)
				}
			}
		}
		slices.SortFunc(got, cmp.Compare[float64])
		if !slices.Equal(got, []float64{500, 650}) {
			t.Errorf("the messages hold %v Hz", got)
		}
	})
}

func TestOwnGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		p, _ := o.owner(t)
		c := p.Dial(t, "900")
		time.Sleep(time.Second)
		c.Press("9")
		time.Sleep(time.Second)
		c.Say(calltest.Tone(550, 3*time.Second))
		time.Sleep(3 * time.Second)
		c.Press("#")
		time.Sleep(2 * time.Second)
		if !calltest.Hears(c.Heard(), 550) {
			t.Error("the owner does not hear its greeting")
		}
		c.Hangup(t)
		a := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		if !calltest.Hears(a.Heard(), 550) || calltest.Hears(a.Heard(), 900) {
			t.Error("a caller does not hear the owner's greeting, or more than that")
		}
		a.Hangup(t)
	})
}

// TestMessagesGetOld has the lamp after a restart, and a message that is too old.
func TestMessagesGetOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		v := store.Voicemail{ID: "old", MailboxID: "200", Status: store.VoicemailSaved, TmCreate: store.At(time.Now().Add(-48*time.Hour + 30*time.Minute))}
		if err := db.PutVoicemail(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		o := openOffice(t, nil, func(c *call.Config) {
			c.Store = db
			c.Mailboxes = call.ListMailboxes(call.Mailbox{ID: "200", KeepDays: 2})
		})
		_, lamp := o.owner(t)
		wantLamp(t, lamp, 0, 1)
		time.Sleep(50 * time.Minute)
		if status := lamp.Refresh(t, time.Hour); status != 200 {
			t.Fatalf("the refresh gets %d", status)
		}
		wantLamp(t, lamp, 0, 1)
		time.Sleep(20 * time.Minute)
		wantLamp(t, lamp, 0, 0)
		if _, err := db.Voicemail(t.Context(), "old"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the message is there still: %v", err)
		}
	})
}

// TestReplayVoicemail runs calls again that left a message, and that heard it.
func TestReplayVoicemail(t *testing.T) {
	var traces [][]byte
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		o.leave(t, 500, 3*time.Second)
		c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(3 * time.Second)
		c.Hangup(t)
		c = calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "900")
		for _, keys := range []string{"200#", "111711#", "200#", "432143#", "6", "3", "9"} {
			time.Sleep(1500 * time.Millisecond)
			c.Press(keys)
		}
		time.Sleep(4 * time.Second)
		c.Press("#")
		time.Sleep(3 * time.Second)
		c.Press("*")
		c.WaitEnd(t)
		c = calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "900") // hears one, and hangs up
		for _, keys := range []string{"200#", "432143#"} {
			time.Sleep(1500 * time.Millisecond)
			c.Press(keys)
		}
		time.Sleep(2 * time.Second)
		c.Hangup(t)
		for _, r := range o.records(t) {
			b, err := o.store.Trace(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			traces = append(traces, b)
		}
	})
	if len(traces) != 4 {
		t.Fatalf("%d traces", len(traces))
	}
	for i, b := range traces {
		if _, err := calltest.ReplayTrace(t, b, calltest.ReplayConfig{}); err != nil {
			t.Errorf("trace %d: %v", i, err)
		}
	}
}

// TestMailboxTellsItsOwner: mail and webhook of the mailbox, each once though the flow names the same address; what is secret in the URL is
// not in the trace, which replays all the same.
func TestMailboxTellsItsOwner(t *testing.T) {
	var trace []byte
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, map[string]string{"100": `[{"type":"voicemail","option":{"mailbox_id":"200","email_to":["ann@example.com","bob@example.com"]}}]`}, func(c *call.Config) {
			c.Mailboxes = call.ListMailboxes(call.Mailbox{ID: "200", Language: "de", Email: []string{"ann@example.com"}, Webhook: "http://hook.example/vm?token=s3cr3t"})
		})
		o.leave(t, 500, 3*time.Second)
		synctest.Wait()
		if got := o.heard(); !strings.HasPrefix(got, "Zurzeit kann niemand") {
			t.Errorf("said: %q", got)
		}
		mails, posts := o.told()
		if len(posts) != 1 || !strings.HasPrefix(posts[0], "POST http://hook.example/vm?token=s3cr3t ") {
			t.Errorf("webhooks: %q", posts)
		}
		if len(mails) != 1 || len(mails[0].Destinations) != 2 || !strings.HasPrefix(mails[0].Subject, "Sprachnachricht von ") {
			t.Errorf("mails: %+v", mails)
		}
		var err error
		if trace, err = o.store.Trace(t.Context(), o.records(t)[0].ID); err != nil || strings.Contains(string(trace), "s3cr3t") {
			t.Errorf("the trace: %v\n%s", err, trace)
		}
	})
	if _, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{}); err != nil {
		t.Error(err)
	}
}

// TestCallBack has an owner call back who has left a message: whom the outbound policy lets out, and nobody else.
func TestCallBack(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := openOffice(t, map[string]string{"900": `[{"type":"voicemail_main","option":{"call_back":true}}]`}, func(c *call.Config) {
					c.Outbound.SIP = []string{"10.0.9.0/24"}
					if allowed {
						c.Outbound.SIP = append(c.Outbound.SIP, "10.0.1.0/24")
					}
				})
				caller := callee(t, o.house, 1, func(p *calltest.PhoneConfig) { p.Host = "10.0.1.1" })
				c := caller.Dial(t, "100")
				time.Sleep(time.Second)
				c.Say(calltest.Tone(500, 3*time.Second))
				time.Sleep(3 * time.Second)
				c.Hangup(t)
				synctest.Wait() // until the message is stored
				p, _ := o.owner(t)
				a := p.Dial(t, "900")
				time.Sleep(1500 * time.Millisecond)
				o.heard()
				a.Press("8")
				if allowed {
					b := caller.WaitCall(t)
					b.Answer()
					b.Say(calltest.Tone(700, 2*time.Second))
					time.Sleep(2 * time.Second)
					if !calltest.Hears(a.Heard(), 700) {
						t.Error("the two do not hear each other")
					}
					b.Hangup(t)
				}
				time.Sleep(time.Second)
				if got := o.heard(); strings.Contains(got, "That did not work.") == allowed || !strings.Contains(got, "To call back, press 8.") {
					t.Errorf("said: %q", got)
				}
				a.Hangup(t)
				if !allowed && caller.Calls() != 1 {
					t.Error("who may not be dialled is called back")
				}
			})
		})
	}
}

// TestMailboxOfAnExtension: without Config.Mailboxes each extension has one, that of who was called is the default, and its sound is limited.
func TestMailboxOfAnExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, map[string]string{"204": `[{"type":"voicemail"}]`}, func(c *call.Config) { c.Mailboxes = nil })
		leave := func() {
			c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "204")
			time.Sleep(time.Second)
			c.Say(calltest.Tone(500, 3*time.Second))
			time.Sleep(3 * time.Second)
			c.Press("#")
			c.WaitEnd(t)
		}
		leave()
		if all := o.inbox(t, "204"); len(all) != 1 {
			t.Fatalf("%+v", all)
		}
		p := extensionPhone(t, o.house, "204", 4)
		o.heard()
		c := p.Dial(t, "900")
		time.Sleep(2 * time.Second)
		if got := o.heard(); !strings.HasPrefix(got, "New messages: 1.") {
			t.Errorf("said: %q", got)
		}
		c.Hangup(t)
		v := store.Voicemail{ID: "long", MailboxID: "204", Status: store.VoicemailSaved, DurationMS: call.DefaultMaxMailboxTime.Milliseconds() - 5000, TmCreate: store.At(time.Now())}
		if err := o.db.PutVoicemail(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		leave()
		if got := o.heard(); !strings.Contains(got, "This mailbox is full.") || len(o.inbox(t, "204")) != 2 {
			t.Errorf("said: %q", got)
		}
	})
}

// TestProgramMarksMessages has a program mark a message as heard, as new, and delete it; the lamp follows.
func TestProgramMarksMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t, nil)
		_, lamp := o.owner(t)
		wantLamp(t, lamp, 0, 0)
		o.leave(t, 500, 3*time.Second)
		wantLamp(t, lamp, 1, 0)
		v := o.inbox(t, "200")[0]
		for _, c := range []struct {
			status     string
			newer, old int
		}{{store.VoicemailSaved, 0, 1}, {store.VoicemailNew, 1, 0}, {store.VoicemailDeleted, 0, 0}} {
			time.Sleep(2 * time.Second)
			if err := o.MarkVoicemail(t.Context(), v.ID, c.status); err != nil {
				t.Fatal(err)
			}
			wantLamp(t, lamp, c.newer, c.old)
		}
		recs, _, err := o.store.ListRecordings(t.Context(), store.RecordingFilter{})
		if len(o.inbox(t, "200")) != 0 || len(recs) != 0 || err != nil {
			t.Errorf("what was deleted is there still: %+v, %v", recs, err)
		}
		if err := o.MarkVoicemail(t.Context(), v.ID, store.VoicemailSaved); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}
