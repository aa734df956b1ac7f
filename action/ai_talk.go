package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
)

func (a *aiTalk) Run(ctx context.Context, leg Leg) (Outcome, error) {
	if a.deps.Transcriber == nil {
		return Continue(), Fatal(missing(HasTranscriber))
	}
	if a.deps.Speaker == nil {
		return Continue(), Fatal(missing(HasSpeaker))
	}
	l, err := Need[Listener](leg)
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
	if err := setAll(leg.Vars(), VarAICallID, newID(), VarAICallAIID, a.id(), VarAICallLanguage, a.Language); err != nil {
		return Continue(), err
	}
	limit := ctx
	if a.Duration > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeoutCause(ctx, units(a.Duration, time.Second), ErrTimeout)
		defer cancel()
	}
	t := &conversation{aiTalk: a, leg: leg}
	ended, err := t.run(limit, l)
	o := Resulting("turns", strconv.Itoa(t.turns), "ended_by", ended)
	switch {
	case ctx.Err() != nil:
		return o, context.Cause(ctx)
	case limit.Err() != nil:
		o.Result["ended_by"] = endedByDuration
		return o, nil
	case err != nil:
		return o, Fatal(fmt.Errorf("action: ai_talk: %w", err))
	}
	return o, nil
}

// conversation is one run of an aiTalk; owned by the goroutine of the step.
type conversation struct {
	*aiTalk
	leg      Leg
	messages []AssistantMessage
	turns    int // of the assistant
}

// run listens until the conversation is over.
func (t *conversation) run(ctx context.Context, l Listener) (ended string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var ear *media.Ear
	stop, err := l.Listen(ctx, func(rate int) (media.Tap, error) {
		ear, err = media.NewEar(media.EarOptions{Direction: media.In, Rate: rate})
		return ear, err
	})
	if err != nil {
		cancel()
		return "", err
	}
	heard := make(chan media.Transcript)
	deaf := make(chan error, 1)
	go func() { // waited for below
		deaf <- guard(func() error {
			return t.deps.Transcriber.Transcribe(ctx, ear, media.TranscribeOptions{Language: t.Language, Provider: ""}, func(s media.Transcript) {
				if strings.TrimSpace(s.Text) == "" {
					return
				}
				select {
				case heard <- s:
				case <-ctx.Done():
				}
			})
		})
		close(deaf)
	}()
	defer func() {
		stop()
		_ = ear.Close() // never fails
		cancel()
		for range deaf { // until the transcriber is done
		}
	}()
	say := t.Greeting
	for {
		end, cut, err := t.turn(ctx, say, heard)
		switch {
		case err != nil:
			return "", err
		case end:
			return endedByAssistant, nil
		}
		say = ""
		if err := t.listen(ctx, cut, heard, deaf); err != nil {
			return "", err
		}
	}
}

// listen waits until the caller has said something. cut is what it has said so far: it spoke
// while the assistant did.
func (t *conversation) listen(ctx context.Context, cut *media.Transcript, heard <-chan media.Transcript, deaf <-chan error) error {
	for cut == nil || !cut.Final {
		select {
		case s := <-heard:
			cut = &s
		case err := <-deaf:
			return cmp.Or(err, errors.New("the transcriber has ended"))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	t.add(RoleUser, cut.Text)
	return nil
}

func (t *conversation) add(role, text string) {
	t.messages = append(t.messages, AssistantMessage{Role: role, Text: text})
	if over := len(t.messages) - MaxTalkMessages; over > 0 {
		t.messages = t.messages[over:]
	}
}

var errBargeIn = errors.New("action: the caller speaks")

// turn asks the assistant, unless there is something to say, and speaks sentence by sentence while the
// answer comes. Where the caller speaks meanwhile it is silent at once; cut is what the caller said.
func (t *conversation) turn(ctx context.Context, say string, heard <-chan media.Transcript) (end bool, cut *media.Transcript, err error) {
	t.turns++
	speaking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lines := make(chan string, 64)
	var spoken []string // owned by the speaker's goroutine until done is closed
	done := make(chan error, 2)
	go func() { // waited for below
		done <- guard(func() error {
			for line := range lines {
				if err := t.speak(speaking, line); err != nil {
					return err
				}
				spoken = append(spoken, line)
			}
			return nil
		})
	}()
	go func() { // waited for below
		defer close(lines)
		done <- guard(func() error { return t.answer(speaking, say, lines, &end) })
	}()
	for n := 0; n < 2; {
		select {
		case s := <-heard:
			cut = &s
			stop(errBargeIn)
		case err1 := <-done:
			n++
			if err1 != nil && err == nil {
				err = err1
				stop(err)
			}
		}
	}
	if len(spoken) > 0 {
		t.add(RoleAssistant, strings.Join(spoken, " "))
	}
	switch {
	case ctx.Err() != nil:
		return false, cut, context.Cause(ctx)
	case errors.Is(context.Cause(speaking), errBargeIn):
		return false, cut, nil
	}
	return end, cut, err
}

// answer gives the sentences of the assistant's turn to lines.
func (t *conversation) answer(ctx context.Context, say string, lines chan<- string, end *bool) error {
	tell := func(line string) {
		select {
		case lines <- line:
		case <-ctx.Done():
		}
	}
	if say != "" {
		tell(say)
		return nil
	}
	var s sentences
	told := false
	r := t.request(t.leg, AssistantTalk)
	r.Language, r.Messages = t.Language, t.messages
	r.Tell = func(part string) {
		told = true
		for _, line := range s.add(part) {
			tell(line)
		}
	}
	reply, err := ask(ctx, t.deps, r)
	if err != nil {
		return err
	}
	if !told {
		for _, line := range s.add(reply.Text) {
			tell(line)
		}
	}
	if rest := s.rest(); rest != "" {
		tell(rest)
	}
	*end = reply.End
	return nil
}

func (t *conversation) speak(ctx context.Context, line string) error {
	p := prompt{Text: line, Language: t.Language, Provider: t.Provider, VoiceID: t.VoiceID, Gender: t.Gender}
	return p.say(ctx, t.leg, t.deps)
}

// sentences cuts text that comes in parts into sentences.
type sentences struct{ text string }

// longSentence is how many bytes are spoken at once where there is no full stop.
const longSentence = 400

// add takes a part and returns the sentences that are complete with it.
func (s *sentences) add(part string) (complete []string) {
	s.text += part
	for {
		i := strings.IndexAny(s.text, ".!?\n;。！？")
		// A full stop may be a decimal point, as long as nothing comes after it.
		for i >= 0 && i+1 < len(s.text) && s.text[i] == '.' && s.text[i+1] > ' ' {
			next := strings.IndexAny(s.text[i+1:], ".!?\n;。！？")
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		switch {
		case i >= 0 && i+1 < len(s.text):
			i += len(firstRune(s.text[i:]))
		case len(s.text) > longSentence:
			i = len(cutText(s.text, longSentence))
			if space := strings.LastIndexByte(s.text[:i], ' '); space > 0 {
				i = space
			}
		default:
			return complete
		}
		if line := strings.TrimSpace(s.text[:i]); line != "" {
			complete = append(complete, line)
		}
		s.text = s.text[i:]
	}
}

// rest is what has no end yet.
func (s *sentences) rest() string { return strings.TrimSpace(s.text) }

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}
