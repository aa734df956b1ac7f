package action

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// notifier tells of a message that was left, each of those who want to know once.
type notifier struct {
	*voicemail
	leg       Leg
	mailboxes Mailboxes
	box       Mailbox
	message   VoiceMessage
}

// recipients are the e-mail addresses, each once.
func (n *notifier) recipients() []string {
	all := slices.Concat(n.box.Email, n.EmailTo)
	slices.Sort(all)
	return slices.Compact(all)
}

// hooks are the URLs, each once.
func (n *notifier) hooks() []string {
	all := slices.DeleteFunc([]string{n.box.Webhook, n.WebhookURI}, func(s string) bool { return s == "" })
	return slices.Compact(all)
}

func (n *notifier) transcribes() bool { return n.Transcribe && n.deps.RecordingTranscriber != nil }

// any tells whether there is something to do.
func (n *notifier) any() bool {
	return n.transcribes() || len(n.recipients()) > 0 || len(n.hooks()) > 0
}

// run does it. What fails hinders nothing of the rest.
func (n *notifier) run(ctx context.Context) error {
	var errs []error
	if n.transcribes() {
		errs = append(errs, n.transcribe(ctx))
	}
	for _, hook := range n.hooks() {
		errs = append(errs, n.hook(ctx, hook))
	}
	if to := n.recipients(); len(to) > 0 {
		errs = append(errs, n.mail(ctx, to))
	}
	return errors.Join(errs...)
}

func (n *notifier) transcribe(ctx context.Context) error {
	l, err := Need[Recordings](n.leg)
	if err != nil {
		return err
	}
	lang := n.in(n.box)
	text, err := recordingText(ctx, l, n.deps, n.message.RecordingID, media.TranscribeOptions{Language: lang.Language})
	if err != nil {
		return err
	}
	n.message.Transcript = cutText(text, MaxVarValue)
	return n.mailboxes.TranscribeMessage(ctx, n.message.ID, n.message.Transcript)
}

// hook sends {"type":"voicemail_created","data":{...}}, signed and tried again as webhook_send does.
func (n *notifier) hook(ctx context.Context, uri string) error {
	if n.deps.HTTP == nil {
		return missing(HasHTTP)
	}
	body, err := json.Marshal(struct {
		Type string       `json:"type"`
		Data VoiceMessage `json:"data"`
	}{"voicemail_created", n.message})
	if err != nil {
		return err
	}
	w := webhookSend{
		URI: uri, Method: cmp.Or(n.WebhookMethod, "POST"), DataType: "application/json", Data: string(body), Timeout: defaultHTTPTimeoutMS, deps: n.deps,
	}
	if err := checkWebhookURI(uri); err != nil {
		return err
	}
	_, err = w.deliver(ctx)
	return err
}

// mail sends one mail to all, with the sound.
func (n *notifier) mail(ctx context.Context, to []string) error {
	if n.deps.Mail == nil {
		return missing(HasMail)
	}
	lang := n.in(n.box)
	who := cmp.Or(n.message.Source.TargetName, n.message.Source.Name)
	if number := cmp.Or(n.message.Source.Target, n.message.Source.TargetName); who == "" || who == number {
		who = cmp.Or(number, "?")
	} else {
		who += " (" + number + ")"
	}
	var m Mail
	for _, target := range to {
		m.Destinations = append(m.Destinations, address.Address{Type: address.TypeEmail, Target: target})
	}
	m.Subject, _ = lang.text("mail_subject", who)
	length := (time.Duration(n.message.DurationMS) * time.Millisecond).Round(time.Second)
	m.Content, _ = lang.text("mail_text", who, length, n.box.ID, n.message.Transcript)
	m.Content = strings.TrimSpace(m.Content)
	return limited(ctx, "voicemail: mail", SendTimeout, func(ctx context.Context) error {
		f, err := attach(ctx, n.leg, n.message.RecordingID)
		if err != nil {
			return err
		}
		m.Attachments = []MailAttachment{f}
		return n.deps.Mail.SendMail(ctx, m)
	})
}
