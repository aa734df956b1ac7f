package action

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/mail"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// attachment of an email_send.
type attachment struct {
	ReferenceType string `json:"reference_type" opt:"required,enum=recording" doc:"what is attached"`
	ReferenceID   string `json:"reference_id" opt:"required" doc:"its id"`
}

// emailSend sends an e-mail.
type emailSend struct {
	Destinations []address.Address `json:"destinations" opt:"required" doc:"who gets it, addresses of type email"`
	Subject      string            `json:"subject" doc:"of the mail"`
	Content      string            `json:"content" doc:"plain text, or HTML if it begins with <html or <!doctype html"`
	Attachments  []attachment      `json:"attachments" doc:"recordings that go with it"`
	deps         Deps
}

func (a *emailSend) Shape() Shape { return Shape{} }

func (a *emailSend) Check(c *CheckContext) {
	checkMany(c, len(a.Destinations))
	if n := len(a.Attachments); n > MaxAttachments {
		c.At("attachments").Errorf("has %d recordings, at most %d", n, MaxAttachments)
	}
	for i, d := range a.Destinations {
		if d.Type != address.TypeEmail && d.Type != address.TypeNone && !HasVar(string(d.Type)) {
			c.At("destinations", i, "type").Errorf("must be email, not %.40q", d.Type)
		}
		if _, err := mail.ParseAddress(d.Target); err != nil && !HasVar(d.Target) {
			c.At("destinations", i, "target").Errorf("is no e-mail address: %.80q", d.Target)
		}
	}
}

func (a *emailSend) Needs(c *CheckContext) {
	c.Need(HasMail)
	if len(a.Attachments) > 0 {
		c.Need(CanReadRecord)
	}
}

// SubstituteOption escapes what goes into HTML, so that a caller cannot write a part of the mail.
func (a *emailSend) SubstituteOption(option, text string, v *Vars) string {
	if option == "content" && isHTML(text) {
		return v.SubstituteFunc(text, html.EscapeString)
	}
	return v.Substitute(text)
}

// isHTML tells whether the content of a Mail is HTML.
func isHTML(content string) bool {
	start := strings.ToLower(strings.TrimSpace(content[:min(len(content), 512)]))
	return strings.HasPrefix(start, "<html") || strings.HasPrefix(start, "<!doctype html")
}

func (a *emailSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Mail == nil {
		return Continue(), missing(HasMail)
	}
	m := Mail{Destinations: a.Destinations, Subject: a.Subject, Content: a.Content}
	return Continue(), limited(ctx, "email_send", SendTimeout, func(ctx context.Context) error {
		for _, x := range a.Attachments {
			f, err := attach(ctx, leg, CanonicalID(x.ReferenceID))
			if err != nil {
				return fmt.Errorf("recording %.40q: %w", x.ReferenceID, err)
			}
			m.Attachments = append(m.Attachments, f)
		}
		return a.deps.Mail.SendMail(ctx, m)
	})
}

// attach makes a recording a file of a mail. It is opened when it is read, and now to see whether it is there.
func attach(ctx context.Context, leg Leg, id string) (MailAttachment, error) {
	l, err := Need[Recordings](leg)
	if err != nil {
		return MailAttachment{}, err
	}
	name, wav, err := l.OpenRecording(ctx, id)
	if err != nil {
		return MailAttachment{}, err
	}
	return MailAttachment{
		Name: name, ContentType: "audio/wav",
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			_, wav, err := l.OpenRecording(ctx, id)
			return wav, err
		},
	}, wav.Close()
}
