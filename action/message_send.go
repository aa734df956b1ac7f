package action

import (
	"context"

	"github.com/callbin/callbin/call/address"
)

// messageSend sends a text message.
type messageSend struct {
	Source       address.Address   `json:"source" doc:"who is shown as sending"`
	Destinations []address.Address `json:"destinations" opt:"required" doc:"who gets it"`
	Text         string            `json:"text" opt:"required" doc:"what it says"`
	deps         Deps
}

func (a *messageSend) Shape() Shape          { return Shape{} }
func (a *messageSend) Needs(c *CheckContext) { c.Need(HasMessages) }

func (a *messageSend) Check(c *CheckContext) {
	checkMany(c, len(a.Destinations))
	for i, d := range a.Destinations {
		switch {
		case HasVar(string(d.Type)):
		case d.Type == address.TypeNone:
			c.At("destinations", i, "type").Errorf("is required: tel, mostly")
		case !d.Type.Known():
			c.At("destinations", i, "type").Errorf("%.40q is unknown", d.Type)
		default:
			if err := validate(d); err != nil {
				c.At("destinations", i, addressField(d)).Errorf("is not usable: %v", err)
			}
		}
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
	err := limited(ctx, "message_send", SendTimeout, func(ctx context.Context) error { return a.deps.Messages.SendMessage(ctx, m) })
	if ctx.Err() != nil {
		return Continue(), err
	}
	return Continue(), Fatal(err)
}
