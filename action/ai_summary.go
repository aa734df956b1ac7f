package action

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/callbin/callbin/media"
)

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

func (a *aiSummary) Check(c *CheckContext) {
	if a.ReferenceType == "recording" {
		c.At("reference_id").Required(CanonicalID(a.ReferenceID) != "")
	}
}

func (a *aiSummary) Needs(c *CheckContext) {
	c.Need(HasAssistant)
	if a.ReferenceType == "recording" {
		c.Need(CanReadRecord)
		c.Need(HasRecordingTranscriber)
	}
	needFollow(c, a.OnEndFlowID)
}

func (a *aiSummary) Run(ctx context.Context, leg Leg) (Outcome, error) {
	content, err := a.sumUp(ctx, leg)
	if ctx.Err() != nil {
		return Continue(), context.Cause(ctx)
	}
	if err != nil {
		return Continue(), Fatal(err)
	}
	content = cutText(content, MaxVarValue)
	verr := setAll(leg.Vars(), VarSummaryID, uuid.NewString(),
		VarSummaryReferenceType, cmp.Or(a.ReferenceType, "call"), VarSummaryReferenceID, cmp.Or(CanonicalID(a.ReferenceID), leg.ID()),
		VarSummaryLanguage, a.Language, VarSummaryContent, content)
	return Resulting("content", content), errors.Join(verr, follow(leg, a.OnEndFlowID, nil))
}

func (a *aiSummary) sumUp(ctx context.Context, leg Leg) (string, error) {
	text := leg.Vars().Get(VarTranscript)
	if a.ReferenceType == "recording" {
		l, err := Need[Recordings](leg)
		if err != nil {
			return "", err
		}
		if text, err = recordingText(ctx, l, a.deps, CanonicalID(a.ReferenceID), media.TranscribeOptions{}); err != nil {
			return "", err
		}
	}
	if text == "" {
		return "", errors.New("action: ai_summary: there is no text to sum up: nothing was transcribed")
	}
	reply, err := ask(ctx, a.deps, "ai_summary", AssistantRequest{
		Work: AssistantSummary, Language: a.Language, Variables: leg.Vars().All(),
		Messages: []AssistantMessage{{Role: RoleUser, Text: text}},
	})
	return reply.Text, err
}
