package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const maxCalls = 8 // of functions in one answer; an assistant has one function

// readStream reads an answer that comes as events and tells its parts. Where it fails, the
// turn has what was told.
func (c *Client) readStream(r io.Reader, tell func(string)) (turn, error) {
	limited := &io.LimitedReader{R: r, N: MaxStream}
	stream := newEvents(limited)
	var t turn
	var text strings.Builder
	for {
		data, err := stream.next()
		switch {
		case err == nil:
		case limited.N == 0:
			err = fmt.Errorf("the stream has more than %d bytes: %w", MaxStream, ErrTooLarge)
		case errors.Is(err, io.EOF) && t.finish != "":
			err, data = nil, []byte("[DONE]") // some servers do not say it
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			err = fmt.Errorf("the stream broke off: %w", io.ErrUnexpectedEOF)
		}
		if err == nil {
			if string(data) == "[DONE]" {
				t.text = text.String()
				return t, nil
			}
			var part string
			part, err = c.readPart(data, &t)
			text.WriteString(part)
			tell(part)
		}
		if err == nil && text.Len() > MaxAnswer {
			err = fmt.Errorf("the answer has more than %d bytes: %w", MaxAnswer, ErrTooLarge)
		}
		if err != nil {
			t.text = text.String()
			return t, err
		}
	}
}

// readPart adds one event to the turn, and returns its text.
func (c *Client) readPart(data []byte, t *turn) (string, error) {
	var part completion
	if err := json.Unmarshal(data, &part); err != nil {
		return "", fmt.Errorf("read the stream: %w", err)
	}
	if len(part.Error) > 0 && string(part.Error) != "null" {
		return "", &StatusError{Status: http.StatusOK, Message: c.clean(errorMessage(data))}
	}
	if len(part.Choices) == 0 {
		return "", nil // the last part may have numbers only
	}
	choice := part.Choices[0]
	if choice.FinishReason != "" {
		t.finish = choice.FinishReason
	}
	for _, f := range choice.Delta.ToolCalls {
		if f.Index < 0 || f.Index >= maxCalls {
			continue
		}
		for len(t.calls) <= f.Index {
			t.calls = append(t.calls, call{})
		}
		known := &t.calls[f.Index].Function
		known.Name += f.Function.Name
		if known.Arguments += f.Function.Arguments; len(known.Arguments) > MaxAnswer {
			return "", fmt.Errorf("a function call has more than %d bytes: %w", MaxAnswer, ErrTooLarge)
		}
	}
	return choice.Delta.Content + choice.Delta.Refusal, nil
}
