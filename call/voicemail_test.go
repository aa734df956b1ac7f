package call_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// office is a house with mailboxes, whose voice is 900 Hz for 300 ms, mail and web.
type office struct {
	*house
	db  store.Voicemails
	log *bytes.Buffer

	mu    sync.Mutex
	said  []string      // guarded by mu
	mails []action.Mail // guarded by mu
	posts []string      // guarded by mu
}

func (o *office) Speak(_ context.Context, u media.Utterance) (media.Source, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, u.Text)
	return tone.Sine(900, 300*time.Millisecond).Clip(8000).Source(), nil
}

func (o *office) SendMail(ctx context.Context, m action.Mail) error {
	for _, a := range m.Attachments {
		r, err := a.Open(ctx)
		if err != nil {
			return err
		}
		if b, err := io.ReadAll(r); err != nil || len(b) < 44 {
			return fmt.Errorf("attachment %s: %d bytes, %w", a.Name, len(b), err)
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails = append(o.mails, m)
	return nil
}

func (o *office) Do(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posts = append(o.posts, r.Method+" "+r.URL.String()+" "+string(b))
	return &http.Response{StatusCode: 200, Body: http.NoBody}, err
}

func (o *office) TranscribeRecording(_ context.Context, _ string, wav io.Reader, _ media.TranscribeOptions) (string, error) {
	_, err := io.Copy(io.Discard, wav)
	return "call me", err
}

// told are the mails and the requests so far.
func (o *office) told() (mails []action.Mail, posts []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.mails), slices.Clone(o.posts)
}

// heard are the texts that were said since the last look.
func (o *office) heard() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.Join(o.said, " ")
	o.said = nil
	return text
}

// lockedBuffer is for the log of an engine.
type lockedBuffer struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

const (
	leaveFlow = `[{"type":"voicemail","option":{"mailbox_id":"200"}}]`
	mainFlow  = `[{"type":"voicemail_main"},{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`
)

// openOffice has mailbox 200, whose PIN is 432143, and 201, whose PIN is 987698, and flows: 100 leaves a message for 200, 900 is for owners.
func openOffice(t *testing.T, flows map[string]string, change ...func(*call.Config)) *office {
	t.Helper()
	o := &office{log: &bytes.Buffer{}}
	all := map[string]string{"100": leaveFlow, "900": mainFlow}
	for name, text := range flows {
		all[name] = text
	}
	o.house = open(t, nil, append([]func(*call.Config){extensions, func(c *call.Config) {
		c.Mailboxes = call.ListMailboxes(call.Mailbox{ID: "200", PIN: "432143"}, call.Mailbox{ID: "201", PIN: "987698"})
		c.Deps = call.Noted(action.Deps{Prompts: tonePrompts{}, Beep: c.Deps.Beep, Speaker: o, HTTP: o, Mail: o, RecordingTranscriber: o})
		c.Logger = slog.New(slog.NewTextHandler(lockedBuffer{&o.mu, o.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		table := map[string]*flow.Flow{}
		for name, text := range all {
			f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(c.Deps), Name: name})
			if err != nil {
				t.Fatal(err)
			}
			for _, finding := range c.Check(f) {
				t.Errorf("%s: %v", name, finding)
			}
			table[name] = f
		}
		c.Route = func(_ context.Context, in *call.Incoming) (flow.Program, error) {
			if f, ok := table[in.Request.User]; ok {
				return f, nil
			}
			return nil, call.ErrNoFlow
		}
	}}, change...)...)
	o.db = o.store.(store.Voicemails)
	return o
}

// inbox are the messages of a mailbox, newest first.
func (o *office) inbox(t *testing.T, mailbox string) []store.Voicemail {
	t.Helper()
	page, _, err := o.db.ListVoicemails(t.Context(), store.VoicemailFilter{MailboxID: mailbox})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// sound is that of a message, as it is stored.
func (o *office) sound(t *testing.T, v store.Voicemail) []int16 {
	t.Helper()
	rec, err := o.store.Recording(t.Context(), v.RecordingID)
	if err != nil {
		t.Fatal(err)
	}
	return soundOf(t, o.house, rec)
}

// leave leaves a message of hz, for d, and a hash.
func (o *office) leave(t *testing.T, hz float64, d time.Duration) {
	t.Helper()
	c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
	time.Sleep(time.Second) // the greeting and the beep
	c.Say(calltest.Tone(hz, d))
	time.Sleep(d)
	c.Press("#")
	c.WaitEnd(t)
}

// wantLamp waits until the phone is told of so many messages.
func wantLamp(t *testing.T, s *calltest.Subscription, newer, old int) {
	t.Helper()
	want := fmt.Sprintf("Voice-Message: %d/%d (0/0)\r\n", newer, old)
	for range 3 { // some are told again, and what changes twice in a second need not be
		if n := s.Wait(t); strings.Contains(n.Body, want) {
			return
		} else {
			t.Logf("the lamp is told %q", n.Body)
		}
	}
	t.Fatalf("the lamp is not told %q", want)
}

// owner is the phone of 200, which knows its password, and watches its lamp.
func (o *office) owner(t *testing.T) (*calltest.Phone, *calltest.Subscription) {
	t.Helper()
	p := extensionPhone(t, o.house, "200", 9)
	status, s := p.Subscribe(t, "message-summary", "200", 24*time.Hour)
	if status != 200 {
		t.Fatalf("SUBSCRIBE gets %d", status)
	}
	return p, s
}

func TestVoicemailIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flows := map[string]string{"100": `[{"id":"vm","type":"voicemail","option":{"mailbox_id":"200","transcribe":true,"email_to":["ann@example.com"],"webhook_uri":"http://hook.example/vm"}},
			{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`}
		o := openOffice(t, flows)
		_, lamp := o.owner(t)
		wantLamp(t, lamp, 0, 0)
		c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{User: "+16062067563"}).Dial(t, "100")
		time.Sleep(time.Second)
		if !calltest.Hears(c.Heard(), 900) || !calltest.Hears(c.Heard(), 1000) {
			t.Error("there is no greeting, or no beep")
		}
		c.Say(calltest.Tone(500, 4*time.Second))
		time.Sleep(4 * time.Second)
		c.Press("#")
		wantLamp(t, lamp, 1, 0)
		c.WaitEnd(t)
		if !calltest.Hears(c.Heard(), 400) {
			t.Error("the flow does not go on after the message")
		}
		synctest.Wait()
		all := o.inbox(t, "200")
		if len(all) != 1 {
			t.Fatalf("%d messages", len(all))
		}
		v := all[0]
		if v.Status != store.VoicemailNew || v.Source.Target != "+16062067563" || v.CallID == "" || v.JourneyID == "" || v.Transcript != "call me" || v.DurationMS < 3900 || v.DurationMS > 4600 {
			t.Errorf("%+v", v)
		}
		pcm := o.sound(t, v)
		if l := level(pcm[2000:24000], 500); l < 0.1 {
			t.Errorf("the caller's 500 Hz are in the message at %v", l)
		}
		for _, hz := range []float64{900, 1000} {
			if l := level(pcm, hz); l > 0.005 {
				t.Errorf("%v Hz, which is not the caller's, is in the message at %v", hz, l)
			}
		}
		mails, posts := o.told()
		if len(mails) != 1 || mails[0].Destinations[0].Target != "ann@example.com" || !strings.Contains(mails[0].Content, "call me") || len(mails[0].Attachments) != 1 {
			t.Errorf("mails: %+v", mails)
		}
		var hook struct {
			Type string
			Data store.Voicemail
		}
		if len(posts) != 1 || !strings.HasPrefix(posts[0], "POST http://hook.example/vm ") || json.Unmarshal([]byte(posts[0][27:]), &hook) != nil ||
			hook.Type != "voicemail_created" || hook.Data.ID != v.ID || hook.Data.DurationMS != v.DurationMS {
			t.Errorf("webhooks: %q", posts)
		}
		if got := o.eventTypes(); !slices.Contains(got, "voicemail_created") || !slices.Contains(got, "voicemail_updated") {
			t.Errorf("events %v", got)
		}
		r := o.records(t)[0]
		b, err := o.store.Trace(t.Context(), r.ID)
		if err != nil || !strings.Contains(string(b), `"link":{"what":"voicemail","room":"200","detail":"`+v.ID+`"}`) {
			t.Errorf("the trace does not tell of the message: %v\n%s", err, b)
		}
	})
}

func TestVoicemailEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		option string
		story  func(t *testing.T, c *calltest.PhoneCall)
		least  int64 // ms; 0: no message
		most   int64
	}{
		"by the hang-up": {`"end_of_silence":0`, func(t *testing.T, c *calltest.PhoneCall) {
			time.Sleep(4 * time.Second)
			c.Hangup(t)
		}, 3700, 4000},
		"by silence":        {`"end_of_silence":2`, func(t *testing.T, c *calltest.PhoneCall) { c.WaitEnd(t) }, 4700, 5100},
		"by its length":     {`"max_duration":3`, func(t *testing.T, c *calltest.PhoneCall) { c.WaitEnd(t) }, 3000, 3000},
		"too short":         {`"min_duration":2`, func(t *testing.T, c *calltest.PhoneCall) { time.Sleep(time.Second); c.Press("#"); c.WaitEnd(t) }, 0, 0},
		"too short, hangup": {`"min_duration":2`, func(t *testing.T, c *calltest.PhoneCall) { time.Sleep(time.Second); c.Hangup(t) }, 0, 0},
		"not by that key": {`"end_of_silence":2,"end_of_key":"*"`, func(t *testing.T, c *calltest.PhoneCall) {
			time.Sleep(time.Second)
			c.Press("1#")
			c.WaitEnd(t)
		}, 4900, 5400},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := openOffice(t, map[string]string{"100": `[{"type":"voicemail","option":{"mailbox_id":"200",` + tc.option + `,"webhook_uri":"http://h/"}}]`})
				_, lamp := o.owner(t)
				wantLamp(t, lamp, 0, 0)
				c := calltest.NewPhone(t, o.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(700 * time.Millisecond)
				c.Say(calltest.Tone(500, 3*time.Second))
				tc.story(t, c)
				time.Sleep(2 * time.Second)
				all := o.inbox(t, "200")
				recs, _, err := o.store.ListRecordings(t.Context(), store.RecordingFilter{})
				_, posts := o.told()
				if tc.least == 0 {
					if len(all) != 0 || len(recs) != 0 || err != nil || len(posts) != 0 || lamp.Waiting() != 0 {
						t.Errorf("a message is kept: %+v, recordings %+v, %v, told %q", all, recs, err, posts)
					}
					return
				}
				if len(all) != 1 || all[0].DurationMS < tc.least || all[0].DurationMS > tc.most || len(posts) != 1 {
					t.Fatalf("messages %+v, want one of %d to %d ms; told %q", all, tc.least, tc.most, posts)
				}
				wantLamp(t, lamp, 1, 0)
				if !calltest.Hears(o.sound(t, all[0]), 500) {
					t.Error("the message is empty")
				}
			})
		})
	}
}
