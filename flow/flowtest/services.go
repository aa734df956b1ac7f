package flowtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/media"
)

// said is what the caller says, or what becomes of who listens.
type said struct {
	text  string
	final bool
	err   error
}

var errEnds = errors.New("flowtest: the transcriber ends")

// say tells all transcribers that listen.
func (w *World) say(s said) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ear := range w.ears {
		ear <- s // never full: a script is shorter
	}
}

// Transcribe tells what the caller says, from now on.
func (w *World) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	turn("transcribe") // the flow goes on beside it
	w.Log("transcribe", "%q %q", o.Language, o.Provider)
	ear := make(chan said, len(w.script))
	w.mu.Lock()
	w.ears = append(w.ears, ear)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ears = slices.DeleteFunc(w.ears, func(c chan<- said) bool { return c == ear })
	}()
	ended := make(chan struct{})
	reading, stop := context.WithCancel(ctx)
	go func() { // waited for below
		defer close(ended)
		buf := make([]int16, 1600)
		for {
			if _, err := src.Read(reading, buf); err != nil {
				return
			}
		}
	}()
	defer func() {
		stop()
		<-ended
	}()
	for {
		select {
		case s := <-ear:
			if errors.Is(s.err, errEnds) {
				return nil
			}
			if s.err != nil {
				return s.err
			}
			turn("transcribe " + o.Language)
			tell(media.Transcript{Text: s.text, Final: s.final})
		case <-ended:
			return context.Cause(ctx)
		}
	}
}

// openTape counts that it is closed.
type openTape struct {
	io.Reader
	world *World
}

func (o *openTape) Close() error {
	o.world.mu.Lock()
	defer o.world.mu.Unlock()
	o.world.open--
	return nil
}

// TranscribeRecording takes a second.
func (w *World) TranscribeRecording(ctx context.Context, name string, wav io.Reader, o media.TranscribeOptions) (string, error) {
	b, err := io.ReadAll(wav)
	if err != nil {
		return "", err
	}
	turn("transcribe " + name) // the flow may go on beside it
	text := strings.TrimPrefix(string(b), "RIFF ")
	w.Log("transcribe", "%s %q %q", name, o.Language, o.Provider)
	switch text {
	case "error":
		return "", errors.New("the engine is out of order")
	case "hang":
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	return text, wait(ctx, time.Second)
}

// Reply is the next assistant line of the script: parts with | between them, each a while after the one before.
func (w *World) Reply(ctx context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	var b strings.Builder
	for _, m := range r.Messages {
		fmt.Fprintf(&b, " [%s: %s]", m.Role, m.Text)
	}
	turn("ask " + r.ID)
	w.Log("ask", "%s %s %s %q%s", r.Work, r.Type, r.ID, r.Language, b.String())
	w.mu.Lock()
	reply := "error"
	if len(w.replies) > 0 {
		reply, w.replies = w.replies[0], w.replies[1:]
	}
	w.mu.Unlock()
	var got action.AssistantReply
	reply, got.End = strings.CutSuffix(reply, " END")
	switch reply {
	case "error":
		return got, errors.New("the assistant is out of order")
	case "hang":
		<-ctx.Done()
		return got, context.Cause(ctx)
	}
	after, text, _ := strings.Cut(reply, " ")
	d, err := time.ParseDuration(after)
	if err != nil {
		return got, err
	}
	for part := range strings.SplitSeq(text, "|") {
		if err := wait(ctx, d); err != nil {
			return got, err
		}
		got.Text += part
		if r.Tell != nil {
			r.Tell(part)
		}
	}
	return got, nil
}

// CheckAssistant knows everybody but nobody.
func (w *World) CheckAssistant(_, id string) error {
	if id == "nobody" {
		return errors.New("there is no such assistant")
	}
	return nil
}

// sent is what becomes of something that is sent, by the next line of the script.
func (w *World) sent(ctx context.Context) error {
	w.mu.Lock()
	how := "0s"
	if len(w.sends) > 0 {
		how, w.sends = w.sends[0], w.sends[1:]
	}
	w.mu.Unlock()
	switch how {
	case "error":
		return errors.New("refused")
	case "hang":
		<-ctx.Done()
		return context.Cause(ctx)
	}
	d, err := time.ParseDuration(how)
	if err != nil {
		return err
	}
	return wait(ctx, d)
}

// SendMessage sends an SMS.
func (w *World) SendMessage(ctx context.Context, m action.Message) error {
	w.Log("message", "%s: %s", addresses(m.Source, m.Destinations), m.Text)
	return w.sent(ctx)
}

// SendMail reads each attachment twice: a provider may have to try again.
func (w *World) SendMail(ctx context.Context, m action.Mail) error {
	turn("mail " + m.Subject) // the flow may go on beside it
	w.Log("mail", "%s: %s: %s", addresses(address.Address{}, m.Destinations), m.Subject, m.Content)
	for _, a := range m.Attachments {
		for range 2 {
			r, err := a.Open(ctx)
			if err != nil {
				return err
			}
			b, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			w.Log("attached", "%s %s: %s", a.Name, a.ContentType, b)
		}
	}
	return w.sent(ctx)
}

// SendConversation sends a text to a conversation.
func (w *World) SendConversation(ctx context.Context, id, text string) error {
	turn("conversation " + id)
	w.Log("conversation", "%s: %s", id, text)
	return w.sent(ctx)
}

// CreateCase opens a case.
func (w *World) CreateCase(ctx context.Context, o action.Case) (string, error) {
	w.Log("case", "%+v", o)
	return "case-1", w.sent(ctx)
}

// addresses are those of a message, and where it is from.
func addresses(source address.Address, destinations []address.Address) string {
	text := address.Join(destinations)
	if !source.IsZero() {
		text += " from " + source.String()
	}
	return text
}
