package action

import (
	"context"
	"io"

	"github.com/callbin/callbin/call/address"
)

// Message is a short text message (message_send).
type Message struct {
	Source       address.Address
	Destinations []address.Address
	Text         string
}

// MessageSender sends text messages; it returns once the message is accepted.
type MessageSender interface {
	SendMessage(ctx context.Context, m Message) error
}

// Mail is an e-mail (email_send).
type Mail struct {
	Destinations []address.Address // Target is the e-mail address, TargetName the name shown
	Subject      string
	Content      string // plain text, or HTML if it begins with <html or <!doctype html
	Attachments  []MailAttachment
}

// MailAttachment is a file that goes with a Mail.
type MailAttachment struct {
	Name        string
	ContentType string
	Open        func(ctx context.Context) (io.ReadCloser, error)
}

// MailSender sends e-mails; it returns once the mail is accepted.
type MailSender interface {
	SendMail(ctx context.Context, m Mail) error
}

// ConversationSender adds a message to a conversation that exists outside (conversation_send).
type ConversationSender interface {
	SendConversation(ctx context.Context, conversationID, text string) error
}

// Case is what case_create opens.
type Case struct {
	Name, Detail, Note string
	ReferenceID        string // of the call
}

// CaseCreator opens a case in a customer database and returns its id.
type CaseCreator interface {
	CreateCase(ctx context.Context, c Case) (id string, err error)
}

// Work that an Assistant is asked to do.
const (
	AssistantTalk    = "talk"    // goes on with the conversation in Messages, by voice
	AssistantTask    = "task"    // does what its instructions say, once
	AssistantSummary = "summary" // sums up the text of the last message
)

// Roles of an AssistantMessage.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// AssistantMessage is one turn of a conversation.
type AssistantMessage struct {
	Role string // RoleUser or RoleAssistant
	Text string
}

// AssistantRequest asks an Assistant for its next turn.
type AssistantRequest struct {
	Work      string             // AssistantTalk, AssistantTask or AssistantSummary
	Type      string             // VoIPBIN's assistance_type: "ai" or "team"; may be empty
	ID        string             // VoIPBIN's assistance_id: which assistant; may be empty for a summary
	Language  string             // BCP 47; empty: the assistant's
	Messages  []AssistantMessage // so far, oldest first
	Variables map[string]string  // of the call, for the assistant's instructions
	// Tell, if not nil, is given the parts of the text as they come. It is called by one
	// goroutine at a time and not after Reply has returned.
	Tell func(part string)
}

// AssistantReply is the assistant's turn.
type AssistantReply struct {
	Text string // whole, also where Tell was given its parts
	End  bool   // the conversation is over
}

// Assistant is an AI that reads and writes text. Reply blocks until its turn is complete. It
// is safe for concurrent use.
type Assistant interface {
	Reply(ctx context.Context, r AssistantRequest) (AssistantReply, error)
}

// AssistantChecker is an Assistant that can tell beforehand, without the network, that there is
// no assistant of that type and id.
type AssistantChecker interface {
	CheckAssistant(typ, id string) error
}
