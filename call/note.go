package call

import (
	"context"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow/foreign"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

// NewDeps returns what the built-in actions work with: prompts from the folders of s and from
// URLs, speaker, the beep, web for requests, and what s lets out, for warnings when a flow is loaded. What they learn from outside stands in
// the call's trace. A nil speaker or web leaves out what needs it.
func NewDeps(s Settings, speaker media.Speaker, web action.HTTPDoer) action.Deps {
	beep := tone.Beep().Clip(8000)
	d := action.Deps{Beep: beep.Source, Foreign: foreign.Reader{}, WebApps: s.webApps()}
	d.HTTP, d.Speaker = web, speaker
	d = Noted(d)
	d.Prompts = NewPrompts(PromptConfig{Dirs: s.Files, HTTP: web})
	d.Destinations = destinations{(&Config{Outbound: s.Outbound, Trunks: s.Trunks, Routes: s.Routes}).dialplan(), ListExtensions(s.Extensions...), ListAgents(s.Agents...)}
	return d
}

// Noted returns d with HTTP, Speaker and Prompts that note in the trace of each call what they gave it, as
// those of NewDeps do: calls can be replayed then.
func Noted(d action.Deps) action.Deps {
	if d.HTTP != nil {
		d.HTTP = notedHTTP{d.HTTP}
	}
	if d.Speaker != nil {
		d.Speaker = notedSpeaker{d.Speaker}
	}
	if d.Prompts != nil {
		d.Prompts = notedPrompts{d.Prompts}
	}
	return d
}

type notedPrompts struct{ action.Prompts }

func (p notedPrompts) OpenPrompt(ctx context.Context, dir, ref string) (media.Source, error) {
	start := time.Now()
	src, err := p.Prompts.OpenPrompt(ctx, dir, ref)
	note(ctx, Note{What: "prompt", Target: ref, MS: time.Since(start).Milliseconds(), Error: errText(err)})
	return src, err
}

// CheckPrompt asks those behind.
func (p notedPrompts) CheckPrompt(dir, ref string) error {
	if c, ok := p.Prompts.(action.PromptChecker); ok {
		return c.CheckPrompt(dir, ref)
	}
	return nil
}

// note adds n to the trace of the call that ctx belongs to, if any.
func note(ctx context.Context, n Note) {
	if c := fromContext(ctx); c != nil {
		n.Cut = ctx.Err() != nil
		c.post(Input{Kind: KindNote, Note: &n})
	}
}

type notedHTTP struct{ next action.HTTPDoer }

func (h notedHTTP) Do(req *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := h.next.Do(req)
	// Without query and user: those carry secrets.
	n := Note{What: "http", Target: req.Method + " " + req.URL.Scheme + "://" + req.URL.Host + req.URL.Path,
		MS: time.Since(start).Milliseconds(), Error: errText(err)}
	if res == nil || res.Body == nil {
		note(req.Context(), n)
		return res, err
	}
	n.Status = res.StatusCode
	res.Body = &notedBody{ReadCloser: res.Body, ctx: req.Context(), note: n}
	return res, err
}

// MaxTraceBody is how many bytes of an HTTP answer stand in a trace. A call whose flow needed more cannot be replayed.
const MaxTraceBody = 64 << 10

// notedBody notes an answer once it is read: what a flow makes of it depends on what it says.
type notedBody struct {
	io.ReadCloser
	ctx  context.Context
	note Note
	text []byte
}

func (b *notedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.note.Bytes += int64(n)
	b.text = append(b.text, p[:min(n, MaxTraceBody-len(b.text))]...)
	return n, err
}

func (b *notedBody) Close() error {
	if utf8.Valid(b.text) {
		b.note.Body = string(b.text)
	}
	note(b.ctx, b.note)
	return b.ReadCloser.Close()
}

type notedSpeaker struct{ next media.Speaker }

func (s notedSpeaker) Speak(ctx context.Context, u media.Utterance) (media.Source, error) {
	start := time.Now()
	src, err := s.next.Speak(ctx, u)
	note(ctx, Note{What: "speech", Target: u.Language, Bytes: int64(len(u.Text)), MS: time.Since(start).Milliseconds(), Error: errText(err)})
	return src, err
}

// CheckSpeak asks the engine behind, so that a flow it cannot speak is found when it is loaded.
func (s notedSpeaker) CheckSpeak(u media.Utterance) error {
	if c, ok := s.next.(media.SpeakChecker); ok {
		return c.CheckSpeak(u)
	}
	return nil
}
