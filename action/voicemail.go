package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// Variables of a message that was left.
const (
	VarVoicemailID        = "voipbin.voicemail.id"
	VarVoicemailMailboxID = "voipbin.voicemail.mailbox_id"
)

// Defaults and limits of voicemail.
const (
	defaultMessageSeconds = 180
	maxMessageSeconds     = 3600
	maxMailTo             = 20
)

// voicemail lets the caller leave a message in a mailbox.
type voicemail struct {
	MailboxID    string `json:"mailbox_id" doc:"the mailbox; empty: that of who was called"`
	Greeting     prompt `json:"greeting" doc:"what is said first, unless the owner of the mailbox has recorded a greeting; empty: a sentence"`
	Beep         bool   `json:"beep" opt:"default=true" doc:"plays a beep before the message"`
	MaxDuration  int    `json:"max_duration" opt:"s,min=1,max=3600,default=180" doc:"longest message"`
	MinDuration  int    `json:"min_duration" opt:"s,min=0,default=2" doc:"a shorter message is dropped"`
	EndOfSilence int    `json:"end_of_silence" opt:"s,min=0,default=10" doc:"silence of the caller that ends the message; 0: none does"`
	EndOfKey     string `json:"end_of_key" opt:"enum=none|any|*|#,default=#" doc:"key that ends the message"`
	Transcribe   bool   `json:"transcribe" doc:"turns the message into text, where Deps.RecordingTranscriber is there"`

	EmailTo       []string `json:"email_to" doc:"e-mail addresses that get the message, beside those of the mailbox"`
	WebhookURI    string   `json:"webhook_uri" doc:"http: or https: URL that is told, beside that of the mailbox"`
	WebhookMethod string   `json:"webhook_method" opt:"enum=POST|PUT,default=POST" doc:"of the request"`
	voiceLanguage
	deps Deps
}

func newVoicemail(d Deps) *voicemail {
	return &voicemail{Beep: true, MaxDuration: defaultMessageSeconds, MinDuration: 2, EndOfSilence: 10, EndOfKey: "#", deps: d}
}

func (a *voicemail) Timing() Timing { return TimeDigits }

func (a *voicemail) Shape() Shape {
	return Shape{
		Answers: true, Sets: []string{VarVoicemailID, VarVoicemailMailboxID},
		Result: []string{"message_id", "mailbox_id", "recording_id", "duration_ms", "ended_by"}, Says: []string{a.Greeting.Text},
	}
}

func (a *voicemail) Check(c *CheckContext) {
	a.check(c)
	a.Greeting.check(c, "greeting")
	if len(a.EmailTo) > maxMailTo {
		c.At("email_to").Errorf("has %d addresses, at most %d", len(a.EmailTo), maxMailTo)
	}
	for i, to := range a.EmailTo {
		if _, err := mail.ParseAddress(to); err != nil && !HasVar(to) {
			c.At("email_to", i).Errorf("is no e-mail address: %.80q", to)
		}
	}
	if a.WebhookURI != "" && !HasVar(a.WebhookURI) {
		if err := checkWebhookURI(a.WebhookURI); err != nil {
			c.At("webhook_uri").Errorf("%v", err)
		}
	}
	if a.MinDuration >= a.MaxDuration {
		c.At("min_duration").Warnf("is not shorter than max_duration: no message is kept")
	}
}

func (a *voicemail) Needs(c *CheckContext) {
	for _, need := range []Ability{CanAnswer, CanPlay, CanDigits, CanMailbox} {
		c.Need(need)
	}
	if a.Beep {
		c.Need(HasBeep)
	}
	a.Greeting.needs(c)
	if len(a.EmailTo) > 0 {
		c.Need(HasMail)
		c.Need(CanReadRecord)
	}
	if a.WebhookURI != "" {
		c.Need(HasHTTP)
	}
}

func (a *voicemail) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Mailboxes](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	answerer, err := Need[Answerer](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	box, err := l.Mailbox(ctx, a.mailbox(leg))
	switch {
	case ctx.Err() != nil:
		return Continue(), context.Cause(ctx)
	case errors.Is(err, ErrNoMailbox):
		return Continue(), Fatal(err)
	case err != nil:
		return Continue(), err
	}
	if err := answerer.Answer(ctx); err != nil {
		return Continue(), err
	}
	StopPlaying(ctx) // it would be heard over the message
	said := a.greet(ctx, leg, l, box)
	if ctx.Err() != nil {
		return Resulting("mailbox_id", box.ID), context.Cause(ctx)
	}
	got, err := l.TakeMessage(ctx, a.options(box.ID))
	if errors.Is(err, ErrMailboxFull) && ctx.Err() == nil {
		lang := a.in(box)
		full := lang.prompt("full")
		if a.deps.Speaker != nil {
			said = errors.Join(said, full.say(ctx, leg, a.deps))
		}
		return noting(Resulting(ResultStatus, "full", "mailbox_id", box.ID), said), nil
	}
	if err != nil && ctx.Err() == nil {
		return Resulting("mailbox_id", box.ID), err
	}
	return noting(a.taken(got), said), errors.Join(err, a.keep(ctx, leg, l, box, got))
}

// mailbox is the one that is meant: who was called has that of its own name.
func (a *voicemail) mailbox(leg Leg) string {
	vars := leg.Vars()
	return cmp.Or(strings.TrimSpace(a.MailboxID), vars.Get("voipbin.call.destination.target_name"), vars.Get("voipbin.call.destination.target"))
}

// noting puts what went wrong beside the message into the result.
func noting(o Outcome, err error) Outcome {
	if err != nil {
		o.Result[ResultError] = err.Error()
	}
	return o
}

// greet says the greeting, and beeps. A digit cuts the greeting, and counts no more.
func (a *voicemail) greet(ctx context.Context, leg Leg, l Mailboxes, box Mailbox) (err error) {
	digits, derr := Need[DigitReader](leg)
	if derr != nil {
		return derr
	}
	digits.DropDigits()
	lang := a.in(box)
	greeting := a.Greeting
	if greeting.silent() && a.deps.Speaker != nil {
		greeting = lang.prompt("greeting")
	}
	err = untilDigit(ctx, digits, func(ctx context.Context) error {
		if box.Greeting != "" {
			src, err := l.Greeting(ctx, box.ID)
			if err == nil {
				return Play(ctx, leg, src)
			}
			if ctx.Err() != nil {
				return err
			}
			return errors.Join(err, greeting.say(ctx, leg, a.deps))
		}
		return greeting.say(ctx, leg, a.deps)
	})
	if a.Beep && ctx.Err() == nil && a.deps.Beep != nil {
		err = errors.Join(err, Play(ctx, leg, a.deps.Beep()))
	}
	digits.DropDigits()
	return err
}

// options are those of the recording.
func (a *voicemail) options(mailbox string) MessageOptions {
	o := MessageOptions{
		MailboxID: mailbox, EndOfKey: a.EndOfKey, EndOfSilence: units(max(a.EndOfSilence, 0), time.Second),
		MinDuration: units(max(a.MinDuration, 0), time.Second),
		MaxDuration: units(min(cmp.Or(max(a.MaxDuration, 0), defaultMessageSeconds), maxMessageSeconds), time.Second),
	}
	switch a.EndOfKey {
	case "any":
		o.EndOfKey = digitAlphabet
	case "none":
		o.EndOfKey = ""
	}
	return o
}

// taken is the outcome of a message.
func (a *voicemail) taken(got TakenMessage) Outcome {
	o := Resulting("ended_by", got.EndedBy, "duration_ms", strconv.FormatInt(got.Length.Milliseconds(), 10), "mailbox_id", got.Message.MailboxID)
	if got.Kept {
		o.Result["message_id"], o.Result["recording_id"] = got.Message.ID, got.Message.RecordingID
	} else {
		o.Result[ResultStatus] = "dropped"
	}
	return o
}

// keep tells everybody of a message that was kept, in the background: the caller may have hung up.
func (a *voicemail) keep(ctx context.Context, leg Leg, l Mailboxes, box Mailbox, got TakenMessage) error {
	if !got.Kept {
		return nil
	}
	n := notifier{voicemail: a, leg: leg, mailboxes: l, box: box, message: got.Message}
	if err := setAll(leg.Vars(), VarVoicemailID, got.Message.ID, VarVoicemailMailboxID, box.ID); err != nil {
		return err
	}
	if !n.any() {
		return nil
	}
	if err := Background(ctx, leg, n.run); err != nil {
		return fmt.Errorf("action: voicemail: tell of the message: %w", err)
	}
	return nil
}
