package action

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/callbin/callbin/call/address"
)

// sendTimeout bounds the work of a provider on one message, mail or case.
const sendTimeout = 30 * time.Second

// provide runs f, a provider's work, for sendTimeout at most.
func provide(ctx context.Context, what string, f func(ctx context.Context) error) error {
	inner, cancel := context.WithTimeoutCause(ctx, sendTimeout, ErrTimeout)
	defer cancel()
	err := f(inner)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && inner.Err() != nil:
		return fmt.Errorf("action: %s: %w", what, ErrTimeout)
	case err != nil:
		return fmt.Errorf("action: %s: %w", what, err)
	}
	return nil
}

// messageSend sends a text message.
type messageSend struct {
	Source       address.Address   `json:"source" doc:"who is shown as sending"`
	Destinations []address.Address `json:"destinations" opt:"required" doc:"who gets it"`
	Text         string            `json:"text" opt:"required" doc:"what it says"`
	deps         Deps
}

func (a *messageSend) Shape() Shape          { return Shape{} }
func (a *messageSend) Needs(c *CheckContext) { c.Need(HasMessages) }

func (a *messageSend) Check(c *CheckContext) { checkMany(c, len(a.Destinations)) }

func checkMany(c *CheckContext, n int) {
	if n > MaxDestinations {
		c.At("destinations").Errorf("has %d addresses, at most %d", n, MaxDestinations)
	}
}

func (a *messageSend) Run(ctx context.Context, _ Leg) (Outcome, error) {
	if a.deps.Messages == nil {
		return Continue(), Fatal(missing(HasMessages))
	}
	m := Message{Source: a.Source.Normalize(), Text: a.Text}
	for _, d := range a.Destinations {
		m.Destinations = append(m.Destinations, d.Normalize())
	}
	err := provide(ctx, "message_send", func(ctx context.Context) error { return a.deps.Messages.SendMessage(ctx, m) })
	if ctx.Err() != nil {
		return Continue(), err
	}
	return Continue(), Fatal(err)
}

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
	for i, d := range a.Destinations {
		if d.Type != "email" && d.Type != "" && !HasVar(string(d.Type)) {
			c.At("destinations", i, "type").Errorf("must be email, not %.40q", d.Type)
		}
		if _, err := mail.ParseAddress(d.Target); err != nil && !HasVar(d.Target) {
			c.At("destinations", i, "target").Errorf("is no e-mail address: %.80q", d.Target)
		}
	}
	for i, x := range a.Attachments {
		c.At("attachments", i, "reference_type").OneOf(x.ReferenceType, "recording")
		c.At("attachments", i, "reference_id").Required(CanonicalID(x.ReferenceID) != "")
	}
}

func (a *emailSend) Needs(c *CheckContext) {
	c.Need(HasMail)
	if len(a.Attachments) > 0 {
		c.Need(CanReadRecord)
	}
}

func (a *emailSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Mail == nil {
		return Continue(), missing(HasMail)
	}
	m := Mail{Destinations: a.Destinations, Subject: a.Subject, Content: a.Content}
	for _, x := range a.Attachments {
		l, err := Need[Recordings](leg)
		if err != nil {
			return Continue(), err
		}
		name, wav, err := l.OpenRecording(ctx, CanonicalID(x.ReferenceID))
		if err != nil {
			return Continue(), fmt.Errorf("action: email_send: attachment: %w", err)
		}
		defer wav.Close()
		m.Attachments = append(m.Attachments, MailAttachment{
			Name: name, ContentType: "audio/wav",
			Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(wav), nil },
		})
	}
	return Continue(), provide(ctx, "email_send", func(ctx context.Context) error { return a.deps.Mail.SendMail(ctx, m) })
}

// conversationSend adds a message to a conversation.
type conversationSend struct {
	ConversationID string `json:"conversation_id" opt:"required" doc:"the conversation"`
	Text           string `json:"text" opt:"required" doc:"what is added"`
	Sync           bool   `json:"sync" doc:"waits until it is accepted"`
	deps           Deps
}

func (a *conversationSend) Shape() Shape          { return Shape{} }
func (a *conversationSend) Needs(c *CheckContext) { c.Need(HasConversations) }

func (a *conversationSend) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Conversations == nil {
		return Continue(), missing(HasConversations)
	}
	send := func(ctx context.Context) error {
		return provide(ctx, "conversation_send", func(ctx context.Context) error {
			return a.deps.Conversations.SendConversation(ctx, CanonicalID(a.ConversationID), a.Text)
		})
	}
	if a.Sync {
		return Continue(), send(ctx)
	}
	return Continue(), Background(ctx, leg, send)
}

// VarCaseID is VoIPBIN's name of the case that case_create has opened.
const VarCaseID = "contact_case_id"

// caseCreate opens a case for the peer in a customer database.
type caseCreate struct {
	Name   string `json:"name" opt:"required" doc:"of the case"`
	Detail string `json:"detail" doc:"of the case"`
	Note   string `json:"note" doc:"of the case"`
	Sync   bool   `json:"sync" opt:"old" doc:"means nothing"`
	deps   Deps
}

func (a *caseCreate) Shape() Shape {
	return Shape{Sets: []string{VarCaseID}, Result: []string{"case_id"}}
}

func (a *caseCreate) Needs(c *CheckContext) { c.Need(HasCases) }

func (a *caseCreate) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Cases == nil {
		return Continue(), missing(HasCases)
	}
	var id string
	err := provide(ctx, "case_create", func(ctx context.Context) (err error) {
		id, err = a.deps.Cases.CreateCase(ctx, Case{
			Name: strings.TrimSpace(a.Name), Detail: a.Detail, Note: a.Note, ReferenceID: leg.ID(),
		})
		return err
	})
	if err != nil {
		return Continue(), err
	}
	return Resulting("case_id", id), leg.Vars().Set(VarCaseID, id)
}
