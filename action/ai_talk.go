package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/callbin/callbin/media"
)

// Names of VoIPBIN's variables of a conversation with an assistant.
const (
	VarAICallID       = "voipbin.aicall.id"
	VarAICallAIID     = "voipbin.aicall.ai_id"
	VarAICallLanguage = "voipbin.aicall.stt_language"
)

// MaxTalkMessages is how many turns of a conversation an assistant is told; older ones are left out.
const MaxTalkMessages = 100

// aiTalk lets an assistant talk with the caller: what the caller says becomes text, the assistant's
// answer sound. It ends when the assistant or the caller ends it, or after a time.
type aiTalk struct {
	assistance
	Duration int `json:"duration" opt:"s,min=0,default=0" doc:"longest length; 0: no limit"`

	Greeting string `json:"greeting" doc:"what is said first; empty: the assistant begins"`
	Language string `json:"language" doc:"BCP 47, as en-GB"`
	Provider string `json:"provider" doc:"name of a speech engine"`
	VoiceID  string `json:"voice_id" doc:"a voice of the engine's"`
	Gender   string `json:"gender" opt:"enum=male|female|neutral" doc:"of the voice"`
}

func (a *aiTalk) Timing() Timing        { return TimeWait }
func (a *aiTalk) Check(c *CheckContext) { a.check(c) }

func (a *aiTalk) Shape() Shape {
	return Shape{Answers: true, Sets: []string{VarAICallID, VarAICallAIID, VarAICallLanguage}, Result: []string{"turns", "ended_by"}}
}

func (a *aiTalk) Needs(c *CheckContext) {
	a.needs(c)
	for _, need := range []Ability{CanAnswer, CanPlay, CanListen, HasTranscriber, HasSpeaker} {
		c.Need(need)
	}
}

// How a conversation ended.
const (
	endedByAssistant = "assistant"
	endedByDuration  = "duration"
	endedByHangup    = "hangup"
	endedBySkip      = "skip"
	endedByError     = "error"
)

func (a *aiTalk) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := a.able(leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	answerer, err := Need[Answerer](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	if err := answerer.Answer(ctx); err != nil {
		return Continue(), err
	}
	StopPlaying(ctx)
	if err := setAll(leg.Vars(), VarAICallID, uuid.NewString(), VarAICallAIID, a.id(), VarAICallLanguage, a.Language); err != nil {
		return Continue(), err
	}
	limit := ctx
	if a.Duration > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeoutCause(ctx, units(a.Duration, time.Second), ErrTimeout)
		defer cancel()
	}
	t := &conversation{aiTalk: a, leg: leg}
	err = t.run(limit, l)
	ended := endedByAssistant
	switch {
	case errors.Is(context.Cause(ctx), ErrSkip):
		ended, err = endedBySkip, ErrSkip
	case ctx.Err() != nil:
		ended, err = endedByHangup, context.Cause(ctx)
	case limit.Err() != nil:
		ended, err = endedByDuration, nil // as it was meant to
	case err != nil:
		ended, err = endedByError, Fatal(err)
	}
	return Resulting("turns", strconv.Itoa(t.turns), "ended_by", ended), err
}

// able tells what is missing for a conversation.
func (a *aiTalk) able(leg Leg) (Listener, error) {
	switch {
	case a.deps.Transcriber == nil:
		return nil, missing(HasTranscriber)
	case a.deps.Speaker == nil:
		return nil, missing(HasSpeaker)
	}
	if _, err := Need[Player](leg); err != nil {
		return nil, err
	}
	return Need[Listener](leg)
}

// conversation is one run of an aiTalk; owned by the goroutine of the step.
type conversation struct {
	*aiTalk
	leg      Leg
	messages []AssistantMessage
	turns    int // of the assistant
}

// run listens and answers until the assistant ends the conversation.
func (t *conversation) run(ctx context.Context, l Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, stop, err := hear(ctx, l)
	if err != nil {
		return fmt.Errorf("action: ai_talk: listen: %w", err)
	}
	heard := make(chan media.Transcript)
	deaf := make(chan error, 1)
	go func() { // waited for below
		defer close(deaf)
		deaf <- guard(func() error {
			return t.deps.Transcriber.Transcribe(ctx, in, media.TranscribeOptions{Language: t.Language}, func(s media.Transcript) {
				if s.Text = strings.TrimSpace(s.Text); s.Text == "" && !s.Final {
					return
				}
				select {
				case heard <- s:
				case <-ctx.Done():
				}
			})
		})
	}()
	defer func() {
		stop()
		cancel()
		for range deaf { // until the transcriber is done
		}
	}()
	say := t.Greeting
	for {
		said, end, err := t.turn(ctx, say, heard)
		if err != nil || end {
			return err
		}
		say = ""
		if err := t.listen(ctx, said, heard, deaf); err != nil {
			return err
		}
	}
}

// utterances is what the caller has said and nobody has answered.
type utterances struct {
	texts []string
	more  bool // it is still speaking
}

func (u *utterances) add(s media.Transcript) {
	if u.more = !s.Final; s.Final && s.Text != "" { // else it was a noise
		u.texts = append(u.texts, s.Text)
	}
}

// listen waits until the caller has said something. said is what it has said already: it spoke while the
// assistant did.
func (t *conversation) listen(ctx context.Context, said utterances, heard <-chan media.Transcript, deaf <-chan error) error {
	for said.more || len(said.texts) == 0 {
		select {
		case s := <-heard:
			said.add(s)
		case err := <-deaf:
			if err == nil {
				err = errors.New("it has ended")
			}
			return fmt.Errorf("action: ai_talk: transcriber: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	t.add(RoleUser, strings.Join(said.texts, " "))
	return nil
}

func (t *conversation) add(role, text string) {
	t.messages = append(t.messages, AssistantMessage{Role: role, Text: text})
	t.messages = t.messages[max(0, len(t.messages)-MaxTalkMessages):]
}

var errBargeIn = errors.New("action: the caller speaks")

// turn asks the assistant, unless there is something to say, and speaks sentence by sentence while the
// answer comes. Where the caller speaks meanwhile it is silent at once; said is what the caller said.
func (t *conversation) turn(ctx context.Context, say string, heard <-chan media.Transcript) (said utterances, end bool, err error) {
	t.turns++
	speaking, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	lines := make(chan string)
	v := newVoice(t.leg, t.speech())
	done := make(chan error, 3)
	for _, work := range []func() error{ // each of which ends when the one before it has, or speaking ends
		func() (err error) {
			defer close(lines)
			end, err = t.answer(speaking, say, lines)
			return err
		},
		func() error { return v.synthesize(speaking, lines) },
		func() error { return v.play(speaking) },
	} {
		go func() { done <- guard(work) }() // waited for below
	}
	for working := cap(done); working > 0; {
		select {
		case s := <-heard:
			said.add(s)
			cut(errBargeIn)
		case werr := <-done:
			working--
			if werr != nil && err == nil {
				err = werr
				cut(werr)
			}
		}
	}
	if text := v.said(); text != "" {
		t.add(RoleAssistant, text)
	}
	if ctx.Err() == nil && errors.Is(context.Cause(speaking), errBargeIn) {
		return said, false, nil
	}
	return said, end, err
}

// answer gives the sentences of the assistant's turn to lines.
func (t *conversation) answer(ctx context.Context, say string, lines chan<- string) (end bool, err error) {
	tell := func(all ...string) {
		for _, line := range all {
			select {
			case lines <- line:
			case <-ctx.Done():
			}
		}
	}
	if say != "" {
		tell(say)
		return false, nil
	}
	var s Sentences
	told := false
	r := t.request(t.leg, AssistantTalk)
	r.Language, r.Messages = t.Language, slices.Clone(t.messages)
	r.Tell = func(part string) {
		told = true
		tell(s.Add(part)...)
	}
	reply, err := ask(ctx, t.deps, "ai_talk", r)
	if err != nil {
		return false, err
	}
	if !told {
		tell(s.Add(reply.Text)...)
	}
	if rest := s.Rest(); rest != "" {
		tell(rest)
	}
	return reply.End, nil
}

// speech is how the assistant speaks.
func (a *aiTalk) speech() talk {
	return talk{Language: a.Language, Provider: a.Provider, VoiceID: a.VoiceID, Gender: a.Gender, deps: a.deps}
}
