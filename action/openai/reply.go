package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/callbin/callbin/action"
)

// turn is what a model answered.
type turn struct {
	text   string
	calls  []call
	finish string // why it stopped
}

// call is a function that a model calls.
type call struct {
	Index    int `json:"index"` // within a stream
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"` // JSON
	} `json:"function"`
}

// completion is an answer, whole or a part of a stream.
type completion struct {
	Choices []struct {
		Message      content `json:"message"`
		Delta        content `json:"delta"`
		FinishReason string  `json:"finish_reason"`
	} `json:"choices"`
	Error json.RawMessage `json:"error"` // within a stream
}

type content struct {
	Content   string `json:"content"`
	Refusal   string `json:"refusal"` // instead of content
	ToolCalls []call `json:"tool_calls"`
}

// Reply implements action.Assistant. Errors match ErrTooLarge, a *StatusError,
// io.ErrUnexpectedEOF where a stream breaks off, or context.Cause(ctx); the reply then has
// the text that was told.
func (c *Client) Reply(ctx context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	reply, err := c.reply(ctx, r)
	if err != nil {
		return reply, fmt.Errorf("openai: reply: %w", err)
	}
	return reply, nil
}

func (c *Client) reply(ctx context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	q, err := c.prompt(r)
	if err != nil {
		return action.AssistantReply{}, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return action.AssistantReply{}, err
	}
	ctx, timer, cancel := c.patience(ctx)
	defer cancel()
	tell := func(part string) {
		if r.Tell != nil && part != "" {
			timer.Stop() // the time that speaking takes is not the server's
			r.Tell(part)
		}
		timer.Reset(c.cfg.Timeout)
	}
	resp, err := c.post(ctx, "chat/completions", "application/json", body)
	if err != nil {
		return action.AssistantReply{}, err
	}
	defer resp.Body.Close()
	var t turn
	if isStream(resp) {
		t, err = c.readStream(resp.Body, tell)
	} else if t, err = readWhole(resp.Body); err == nil {
		tell(t.text)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return action.AssistantReply{Text: t.text}, err
	}
	return t.reply(tell)
}

// isStream tells what the server really answers: some know no streams.
func isStream(resp *http.Response) bool {
	typ, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && typ == "text/event-stream"
}

// readWhole reads an answer that is one JSON text.
func readWhole(r io.Reader) (turn, error) {
	b, err := readAll(r)
	if err != nil {
		return turn{}, err
	}
	var a completion
	if err := json.Unmarshal(b, &a); err != nil {
		return turn{}, fmt.Errorf("read the answer: %w", err)
	}
	if len(a.Choices) == 0 {
		return turn{}, errors.New("read the answer: it has no choices")
	}
	m := a.Choices[0].Message
	return turn{text: m.Content + m.Refusal, calls: m.ToolCalls, finish: a.Choices[0].FinishReason}, nil
}

// reply ends the turn. Models that call the function often say nothing besides.
func (t turn) reply(tell func(string)) (action.AssistantReply, error) {
	out := action.AssistantReply{Text: t.text}
	farewell := ""
	for _, f := range t.calls {
		if f.Function.Name != endFunction {
			continue
		}
		out.End = true
		var arguments struct {
			Farewell string `json:"farewell"`
		}
		if json.Unmarshal([]byte(f.Function.Arguments), &arguments) == nil && farewell == "" {
			farewell = arguments.Farewell
		}
	}
	switch {
	case strings.TrimSpace(t.text) != "":
	case out.End:
		out.Text += farewell
		tell(farewell)
	default:
		return out, fmt.Errorf("the model gave no text (it stopped because of %q)", t.finish)
	}
	return out, nil
}
