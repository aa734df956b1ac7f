package action

import "context"

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
		return limited(ctx, "conversation_send", SendTimeout, func(ctx context.Context) error {
			return a.deps.Conversations.SendConversation(ctx, CanonicalID(a.ConversationID), a.Text)
		})
	}
	if a.Sync {
		return Continue(), send(ctx)
	}
	return Continue(), Background(ctx, leg, send)
}
