package action

import (
	"context"
	"errors"
	"fmt"
)

// later are VoIPBIN's actions that Callbin does not have yet. Their names are known, so that a
// flow that uses one is told from a flow with a typing error: it is read, and refused by
// flow.Check.
var later = []string{
	"ai_summary", "ai_talk", "ai_task", "amd", "block", "case_create", "condition_call_digits",
	"condition_call_status", "condition_datetime", "conversation_send", "email_send", "external_media_start",
	"external_media_stop", "fetch", "fetch_flow", "message_send", "queue_join", "stream_echo",
	"transcribe_recording", "transcribe_start", "transcribe_stop",
}

// Opaque is an action whose options are not looked at when a flow is loaded.
type Opaque interface{ OpaqueOptions() }

type notYet struct{ name string }

func (a *notYet) OpaqueOptions() {}

func (a *notYet) Needs(c *CheckContext) { c.Need(Ability("support for " + a.name)) }

func (a *notYet) Run(context.Context, Leg) (Outcome, error) {
	return Stop(), Fatal(fmt.Errorf("action: %s is not supported yet: %w", a.name, errors.ErrUnsupported))
}
