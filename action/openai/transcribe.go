package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"path"
	"strings"

	"github.com/callbin/callbin/media"
)

// TranscribeRecording implements media.RecordingTranscriber. The recording is held in memory,
// so that it can be sent again; more than MaxRecording bytes are ErrTooLarge. Of a language
// its first subtag is sent. Errors are those of Reply.
func (c *Client) TranscribeRecording(ctx context.Context, name string, wav io.Reader, o media.TranscribeOptions) (string, error) {
	text, err := c.transcribe(ctx, name, wav, o)
	if err != nil {
		return "", fmt.Errorf("openai: transcribe %q: %w", name, err)
	}
	return text, nil
}

func (c *Client) transcribe(ctx context.Context, name string, wav io.Reader, o media.TranscribeOptions) (string, error) {
	language, _, _ := strings.Cut(strings.ToLower(o.Language), "-")
	contentType, body, err := c.form(name, wav, language)
	if err != nil {
		return "", err
	}
	ctx, _, cancel := c.patience(ctx)
	defer cancel()
	resp, err := c.post(ctx, "audio/transcriptions", contentType, body)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := readAll(resp.Body)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", err
	}
	var answer struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if answer.Text == nil {
		return "", errors.New("read the answer: it has no text")
	}
	return strings.TrimSpace(*answer.Text), nil
}

// form writes the request (RFC 7578).
func (c *Client) form(name string, wav io.Reader, language string) (contentType string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	fields := [][2]string{{"model", c.cfg.TranscribeModel}, {"response_format", "json"}}
	if language != "" {
		fields = append(fields, [2]string{"language", language})
	}
	for _, f := range fields {
		if err := w.WriteField(f[0], f[1]); err != nil {
			return "", nil, err
		}
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", fileName(name)))
	header.Set("Content-Type", "audio/wav")
	part, err := w.CreatePart(header)
	if err != nil {
		return "", nil, err
	}
	n, err := io.Copy(part, io.LimitReader(wav, MaxRecording+1))
	switch {
	case err != nil:
		return "", nil, fmt.Errorf("read the recording: %w", err)
	case n > MaxRecording:
		return "", nil, fmt.Errorf("the recording has more than %d bytes: %w", MaxRecording, ErrTooLarge)
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return w.FormDataContentType(), b.Bytes(), nil
}

// fileName ends with .wav in any case: the server goes by it.
func fileName(name string) string {
	name = path.Base(name)
	if name == "." || name == "/" {
		name = "recording"
	}
	if !strings.EqualFold(path.Ext(name), ".wav") {
		name += ".wav"
	}
	return name
}
