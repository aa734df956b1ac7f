package action

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
)

// assistantTimeout bounds one turn of an assistant.
const assistantTimeout = time.Minute

// assistance is what the options of ai_talk and ai_task have in common.
type assistance struct {
	AssistanceType string `json:"assistance_type" opt:"enum=ai|team,default=ai" doc:"what assistance_id names"`
	AssistanceID   string `json:"assistance_id" doc:"which assistant"`
	AIID           string `json:"ai_id" opt:"old" doc:"older name of assistance_id"`
	deps           Deps
}

func (a *assistance) id() string { return cmp.Or(CanonicalID(a.AssistanceID), CanonicalID(a.AIID)) }

func (a *assistance) check(c *CheckContext) {
	if a.id() == "" {
		c.At("assistance_id").Errorf("is required: which assistant")
	}
}

func (a *assistance) needs(c *CheckContext) {
	c.Need(HasAssistant)
	checker, ok := a.deps.Assistant.(AssistantChecker)
	if !ok || HasVar(a.id()) || HasVar(a.AssistanceType) {
		return
	}
	if err := checker.CheckAssistant(a.AssistanceType, a.id()); err != nil {
		c.At("assistance_id").Warnf("will not answer: %v", err)
	}
}

func (a *assistance) request(leg Leg, work string) AssistantRequest {
	return AssistantRequest{Work: work, Type: cmp.Or(a.AssistanceType, "ai"), ID: a.id(), Variables: leg.Vars().All()}
}

// aiTask lets an assistant do what its instructions say, once.
type aiTask struct{ assistance }

func (a *aiTask) Shape() Shape          { return Shape{Result: []string{"text"}} }
func (a *aiTask) Check(c *CheckContext) { a.check(c) }
func (a *aiTask) Needs(c *CheckContext) { a.needs(c) }

func (a *aiTask) Run(ctx context.Context, leg Leg) (Outcome, error) {
	reply, err := ask(ctx, a.deps, a.request(leg, AssistantTask))
	if err != nil {
		return Continue(), Fatal(fmt.Errorf("action: ai_task: %w", err))
	}
	return Resulting("text", reply.Text), nil
}

// ask waits for an assistant's turn. The end of ctx is its cause, not fatal to anybody.
func ask(ctx context.Context, deps Deps, r AssistantRequest) (AssistantReply, error) {
	if deps.Assistant == nil {
		return AssistantReply{}, missing(HasAssistant)
	}
	inner, cancel := context.WithTimeoutCause(ctx, assistantTimeout, ErrTimeout)
	defer cancel()
	reply, err := deps.Assistant.Reply(inner, r)
	switch {
	case ctx.Err() != nil:
		return reply, context.Cause(ctx)
	case inner.Err() != nil:
		return reply, ErrTimeout
	}
	return reply, err
}

// Names of VoIPBIN's variables of a summary.
const (
	VarSummaryID            = "voipbin.ai_summary.id"
	VarSummaryReferenceType = "voipbin.ai_summary.reference_type"
	VarSummaryReferenceID   = "voipbin.ai_summary.reference_id"
	VarSummaryLanguage      = "voipbin.ai_summary.language"
	VarSummaryContent       = "voipbin.ai_summary.content"
)

// aiSummary sums up what was said: in a recording, or as VarTranscript has it.
type aiSummary struct {
	OnEndFlowID   string `json:"on_end_flow_id" doc:"flow that runs after it"`
	ReferenceType string `json:"reference_type" opt:"enum=call|conference|transcribe|recording,default=call" doc:"what is summed up; recording is turned into text first, of all others the text is what was transcribed on this call"`
	ReferenceID   string `json:"reference_id" doc:"id of the recording"`
	Language      string `json:"language" doc:"of the summary, BCP 47"`
	deps          Deps
}

func (a *aiSummary) Shape() Shape {
	return Shape{Result: []string{"content"}, Sets: []string{
		VarSummaryID, VarSummaryReferenceType, VarSummaryReferenceID, VarSummaryLanguage, VarSummaryContent,
	}}
}

func (a *aiSummary) Needs(c *CheckContext) {
	c.Need(HasAssistant)
	if a.ReferenceType == "recording" {
		c.Need(CanReadRecord)
		c.Need(HasRecordingTranscriber)
	}
	if CanonicalID(a.OnEndFlowID) != "" {
		c.Need(CanFollow)
	}
}

func (a *aiSummary) Run(ctx context.Context, leg Leg) (Outcome, error) {
	o, err := a.run(ctx, leg)
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	if err != nil {
		return o, Fatal(fmt.Errorf("action: ai_summary: %w", err))
	}
	return o, follow(leg, a.OnEndFlowID, nil)
}

func (a *aiSummary) run(ctx context.Context, leg Leg) (Outcome, error) {
	text := leg.Vars().Get(VarTranscript)
	if a.ReferenceType == "recording" {
		l, err := Need[Recordings](leg)
		if err != nil {
			return Continue(), err
		}
		if text, err = recordingText(ctx, l, a.deps, CanonicalID(a.ReferenceID), media.TranscribeOptions{}); err != nil {
			return Continue(), err
		}
	}
	if text == "" {
		return Continue(), errors.New("there is no text to sum up: nothing was transcribed")
	}
	reply, err := ask(ctx, a.deps, AssistantRequest{
		Work: AssistantSummary, Language: a.Language, Variables: leg.Vars().All(),
		Messages: []AssistantMessage{{Role: RoleUser, Text: text}},
	})
	if err != nil {
		return Continue(), err
	}
	content := cutText(reply.Text, MaxVarValue)
	return Resulting("content", content), setAll(leg.Vars(), VarSummaryID, newID(),
		VarSummaryReferenceType, cmp.Or(a.ReferenceType, "call"), VarSummaryReferenceID, cmp.Or(CanonicalID(a.ReferenceID), leg.ID()),
		VarSummaryLanguage, a.Language, VarSummaryContent, content)
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
