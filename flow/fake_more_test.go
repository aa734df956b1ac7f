package flow_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// more is what a scripted caller can do beyond fake_test.go and fake_connect_test.go. Guarded by
// the caller's mu once the flow runs.
type more struct {
	faults    map[string]string // of a provider or capability, by name: "fails", "hangs", "takes 2s"
	flows     map[string]string // JSON by id
	programs  map[string]string // plain Go by id: what it does, as in faults; empty: it logs
	status    string            // of the call; empty: by whether it is answered
	verdict   string            // of the machine detector
	queues    map[string]queue  // by id
	taps      []*media.Tap      // who listens
	transcr   string            // id of the transcription that runs
	files     []string          // recordings that have ended
	recorded  map[string]string // what they say, by id
	replies   []reply           // of the assistant
	forks     int               // of the sound
	transcrNo int
}

func newMore() more {
	return more{
		faults: map[string]string{"amd": "hangs"}, flows: make(map[string]string), programs: make(map[string]string),
		queues: make(map[string]queue), recorded: make(map[string]string),
	}
}

// queue is what happens to a caller in it.
type queue struct {
	status string // "served", "abandoned", "error"
	wait   time.Duration
	talk   time.Duration
}

// reply is one turn of the assistant.
type reply struct {
	fault string // "error" or "hang"
	after time.Duration
	parts []string // one: it is not told in parts; each takes after
	end   bool
}

var (
	_ action.FlowFinder      = (*caller)(nil)
	_ action.Follower        = (*caller)(nil)
	_ action.Stater          = (*caller)(nil)
	_ action.Listener        = (*caller)(nil)
	_ action.Transcribing    = (*caller)(nil)
	_ action.Recordings      = (*caller)(nil)
	_ action.MachineDetector = (*caller)(nil)
	_ action.Queuer          = (*caller)(nil)
	_ action.ExternalMedia   = (*caller)(nil)

	_ action.Expressions         = (*caller)(nil)
	_ media.Transcriber          = (*caller)(nil)
	_ media.RecordingTranscriber = (*caller)(nil)
	_ action.Assistant           = (*caller)(nil)
	_ action.MessageSender       = (*caller)(nil)
	_ action.MailSender          = (*caller)(nil)
	_ action.ConversationSender  = (*caller)(nil)
	_ action.CaseCreator         = (*caller)(nil)
)

// fault does what the script says of name.
func (c *caller) fault(ctx context.Context, name string) error {
	c.mu.Lock()
	what := c.faults[name]
	c.mu.Unlock()
	return c.suffer(ctx, what)
}

func (c *caller) suffer(ctx context.Context, what string) error {
	switch how, after, _ := strings.Cut(what, " "); how {
	case "":
		return nil
	case "fails":
		return errors.New("out of order")
	case "panics":
		panic("oh")
	case "hangs":
		<-ctx.Done()
		return context.Cause(ctx)
	case "takes":
		d, err := time.ParseDuration(after)
		return cmp.Or(err, wait(ctx, d))
	default:
		return fmt.Errorf("the script says %q", what)
	}
}

func (c *caller) FlowByID(_ context.Context, id string) (action.Program, error) {
	c.mu.Lock()
	text, isFlow := c.flows[id]
	what, isProgram := c.programs[id]
	c.mu.Unlock()
	switch {
	case isFlow:
		return flow.Parse([]byte(text), flow.ParseOptions{Registry: action.Builtin(c.deps()), File: id + ".json", Dir: "/flows"})
	case isProgram:
		return flow.Func(func(ctx context.Context, leg action.Leg) error {
			c.logf("  program %s", id)
			return c.suffer(ctx, what)
		}), nil
	default:
		return nil, action.ErrNoFlow
	}
}

func (c *caller) Follow(flowID string, vars map[string]string) error {
	c.logf("  flow %s follows %v", flowID, vars)
	return c.fault(context.Background(), "follow")
}

func (c *caller) CallStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == "" && c.answered {
		return "progressing"
	}
	return cmp.Or(c.status, "ringing")
}

// speechRate is that of the sound that a Listener hears.
const speechRate = 16000

func (c *caller) Listen(ctx context.Context, open func(rateHz int) (media.Tap, error)) (stop func(), err error) {
	if err := c.fault(ctx, "listen"); err != nil {
		return nil, err
	}
	tap, err := open(speechRate)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked("  listens")
	c.sources++
	c.taps = append(c.taps, &tap)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.logLocked("  listens no more")
		c.sources--
		c.taps = slices.DeleteFunc(c.taps, func(t *media.Tap) bool { return t == &tap })
	}, nil
}

// Speech is a frame: its kind, the length of the text, and the text.
const (
	speechPartial = 1
	speechFinal   = 2
)

// say lets the peer speak: who listens hears it as one frame, and a transcription that
// runs has it in its text.
func (c *caller) say(kind int16, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLocked("  %s %s", map[int16]string{speechPartial: "begins to say", speechFinal: "says"}[kind], text)
	frame := make([]int16, media.FrameLen(speechRate))
	frame[0], frame[1] = kind, int16(len(text))
	for i := range len(text) {
		frame[2+i] = int16(text[i])
	}
	for _, t := range c.taps {
		(*t).Tick(0, frame, nil)
	}
	if c.transcr != "" && kind == speechFinal {
		if old := c.vars.Get(action.VarTranscript); old != "" {
			text = old + "\n" + text
		}
		_ = c.vars.Set(action.VarTranscript, text)
	}
}

// Transcribe reads the frames that say makes.
func (c *caller) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	c.logf("  transcriber %d Hz %+v", src.Rate(), o)
	if err := c.fault(ctx, "transcriber"); err != nil {
		return err
	}
	buf := make([]int16, media.FrameLen(src.Rate()))
	for {
		n, err := src.Read(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n != len(buf) {
			return fmt.Errorf("the frame has %d samples", n)
		}
		text := make([]byte, buf[1])
		for i := range text {
			text[i] = byte(buf[2+i])
		}
		tell(media.Transcript{Text: string(text), Final: buf[0] == speechFinal})
	}
}

func (c *caller) StartTranscription(ctx context.Context, o action.TranscribeOptions) (string, error) {
	c.logf("  transcription %+v", o)
	if err := c.fault(ctx, "transcription"); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transcr != "" {
		return "", errors.New("a transcription runs already")
	}
	c.transcrNo++
	c.transcr = fmt.Sprintf("tr-%d", c.transcrNo)
	return c.transcr, nil
}

func (c *caller) StopTranscription(ctx context.Context) error {
	if err := c.fault(ctx, "last-words"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transcr == "" {
		return errors.New("no transcription runs")
	}
	c.logLocked("  transcription %s ends", c.transcr)
	c.transcr = ""
	return nil
}

func (c *caller) RecordingIDs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.files)
}

// wav is a file that must be closed.
type wav struct {
	io.Reader
	c *caller
}

func (w *wav) Close() error {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.sources--
	return nil
}

func (c *caller) OpenRecording(ctx context.Context, id string) (string, io.ReadCloser, error) {
	if err := c.fault(ctx, "recordings"); err != nil {
		return "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.files, id) {
		return "", nil, fmt.Errorf("there is no recording %q", id)
	}
	c.sources++
	return id + ".wav", &wav{strings.NewReader(cmp.Or(c.recorded[id], "words of "+id)), c}, nil
}

func (c *caller) TranscribeRecording(ctx context.Context, name string, wav io.Reader, o media.TranscribeOptions) (string, error) {
	c.logf("  reads %s %+v", name, o)
	if err := c.fault(ctx, "reader"); err != nil {
		return "", err
	}
	text, err := io.ReadAll(wav)
	if string(text) == "noise" {
		return "", errors.New("there are no words in it")
	}
	return string(text), err
}

func (c *caller) DetectMachine(ctx context.Context) (string, error) {
	c.logf("  detects")
	if err := c.fault(ctx, "amd"); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict, nil
}

func (c *caller) JoinQueue(ctx context.Context, id string) (action.Queued, error) {
	c.mu.Lock()
	q, ok := c.queues[id]
	c.mu.Unlock()
	if !ok {
		return action.Queued{}, fmt.Errorf("%q: %w", id, action.ErrNoQueue)
	}
	c.logf("  waits in %s", id)
	got := action.Queued{QueuecallID: "qc-1"}
	if err := wait(ctx, q.wait); err != nil {
		c.logf("  leaves %s", id)
		return got, err
	}
	got.Waited = q.wait
	switch q.status {
	case "error":
		return got, errors.New("the queue is broken")
	case "abandoned":
		got.Status = "abandoned"
		return got, nil
	}
	got.Status, got.AgentCallID = "done", "leg-1"
	c.logf("  talks with %s", got.AgentCallID)
	return got, wait(ctx, q.talk)
}

func (c *caller) StartExternalMedia(ctx context.Context, o action.ExternalMediaOptions) (string, error) {
	c.logf("  forks %+v", o)
	if err := c.fault(ctx, "external"); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forks++
	return fmt.Sprintf("em-%d", c.forks), nil
}

func (c *caller) StopExternalMedia(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forks == 0 {
		return errors.New("no external media run")
	}
	c.logLocked("  %d forks end", c.forks)
	c.forks = 0
	return nil
}

// expression is NAME == "VALUE".
type expression struct{ name, value string }

func (c *caller) Compile(source string) (action.Expression, error) {
	name, quoted, ok := strings.Cut(source, " == ")
	value, err := strconv.Unquote(quoted)
	if !ok || err != nil {
		return nil, fmt.Errorf("%q is not NAME == \"VALUE\"", source)
	}
	return expression{name, value}, nil
}

func (e expression) Reads() []string { return []string{e.name} }

func (e expression) Holds(lookup func(string) (string, bool)) (bool, error) {
	value, ok := lookup(e.name)
	if !ok {
		return false, fmt.Errorf("there is no variable %q", e.name)
	}
	return value == e.value, nil
}

// Reply plays the next scripted reply.
func (c *caller) Reply(ctx context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	c.mu.Lock()
	c.logLocked("  assistant %s %s %s %s", r.Work, r.Type, r.ID, r.Language)
	for _, m := range r.Messages {
		c.logLocked("    %s: %s", m.Role, m.Text)
	}
	if len(c.replies) == 0 {
		c.mu.Unlock()
		return action.AssistantReply{}, errors.New("the assistant has nothing to say")
	}
	now := c.replies[0]
	c.replies = c.replies[1:]
	c.mu.Unlock()
	for _, part := range now.parts {
		if err := wait(ctx, now.after); err != nil {
			c.logf("  assistant is cut")
			return action.AssistantReply{}, err
		}
		if len(now.parts) > 1 && r.Tell != nil {
			r.Tell(part)
		}
	}
	switch now.fault {
	case "error":
		return action.AssistantReply{}, errors.New("the assistant is ill")
	case "hang":
		<-ctx.Done()
		return action.AssistantReply{}, context.Cause(ctx)
	}
	return action.AssistantReply{Text: strings.Join(now.parts, ""), End: now.end}, nil
}

func (c *caller) SendMessage(ctx context.Context, m action.Message) error {
	c.logf("  message%s: %s", show(m.Source, m.Destinations, ""), m.Text)
	return c.fault(ctx, "messages")
}

func (c *caller) SendMail(ctx context.Context, m action.Mail) error {
	c.logf("  mail%s %q %q", show(address.Address{}, m.Destinations, ""), m.Subject, m.Content)
	for _, a := range m.Attachments {
		r, err := a.Open(ctx)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		c.logf("    with %s %s: %s", a.Name, a.ContentType, text)
	}
	return c.fault(ctx, "mail")
}

func (c *caller) SendConversation(ctx context.Context, id, text string) error {
	time.Sleep(time.Microsecond) // as in Play
	c.logf("  conversation %s: %s", id, text)
	return c.fault(ctx, "conversations")
}

func (c *caller) CreateCase(ctx context.Context, x action.Case) (string, error) {
	c.logf("  case %+v", x)
	return "case-1", c.fault(ctx, "cases")
}

// moreDeps adds the fakes of this file.
func (c *caller) moreDeps(d action.Deps) action.Deps {
	d.Expressions, d.Transcriber, d.RecordingTranscriber, d.Assistant = c, c, c, c
	d.Messages, d.Mail, d.Conversations, d.Cases = c, c, c, c
	return d
}

// masked hides what is random: ids that actions make.
func masked(vars map[string]string) map[string]string {
	vars = maps.Clone(vars)
	for _, name := range []string{action.VarAICallID, action.VarSummaryID} {
		if len(vars[name]) == 36 {
			vars[name] = "UUID"
		}
	}
	return vars
}

// read takes a line of a script, as TestScripts describes them; false: it is none of these.
func (m *more) read(word []string, line string) (ok bool, err error) {
	// rest is the text behind the first n words.
	rest := func(n int) string {
		text := line
		for range n {
			_, text, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
		}
		return strings.TrimLeft(text, " ")
	}
	switch word[0] {
	case "provider":
		m.faults[word[1]] = rest(2)
	case "flow":
		m.flows[word[1]] = rest(2)
	case "program":
		m.programs[word[1]] = rest(2)
	case "status":
		m.status = word[1]
	case "amd":
		m.verdict, m.faults["amd"] = word[1], "takes "+word[2]
	case "queue":
		q := queue{status: word[2]}
		if q.wait, err = time.ParseDuration(word[3]); err == nil && len(word) > 4 {
			q.talk, err = time.ParseDuration(word[4])
		}
		m.queues[word[1]] = q
	case "recorded":
		m.files = append(m.files, word[1])
		m.recorded[word[1]] = rest(2)
	case "assistant":
		var r reply
		r.after, err = time.ParseDuration(word[1])
		text := rest(2)
		switch text {
		case "error", "hang":
			r.fault = text
		default:
			text, r.end = strings.CutSuffix(text, " END")
		}
		r.parts = strings.Split(text, "|")
		m.replies = append(m.replies, r)
	default:
		return false, nil
	}
	return true, err
}
