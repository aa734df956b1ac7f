package flow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
)

// world is what a caller finds around it beside those who can be called. All is set before the
// flow begins, but for what stands behind mu.
type world struct {
	status     string // of the call; "": by whether it is answered
	flows      map[string]string
	programs   map[string]string // in plain Go, by id: what becomes of them, as in faults
	faults     map[string]string // what becomes of a use of a capability: fails, hangs, panics, takes 2s
	registry   *action.Registry  // of the flows in flows
	recordings []tape
	speech     []said
	queues     map[string]queue
	verdict    string // of the answering machine detector: human, machine, notsure, error; "": never comes
	verdictAt  time.Duration

	mu            sync.Mutex
	replies       []string // of the assistant, guarded by mu
	sends         []string // what becomes of messages, mails and cases, guarded by mu
	transcription string   // id of the one that runs, guarded by mu
	open          int      // recordings that are open, guarded by mu
	forks         int      // external media that run, guarded by mu
}

// tape is a recording; its text is what a transcriber finds in it, or "error", or "hang".
type tape struct{ id, text string }

// said is what the peer says at a time from the start; text is "error" or "end" where the transcriber
// fails, or ends.
type said struct {
	at    time.Duration
	text  string
	final bool
}

// queue has an agent who answers, or puts the caller out.
type queue struct {
	after   time.Duration
	answers bool
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

	_ media.Transcriber          = (*caller)(nil)
	_ media.RecordingTranscriber = (*caller)(nil)
	_ action.Assistant           = (*caller)(nil)
	_ action.AssistantChecker    = (*caller)(nil)
	_ action.MessageSender       = (*caller)(nil)
	_ action.MailSender          = (*caller)(nil)
	_ action.ConversationSender  = (*caller)(nil)
	_ action.CaseCreator         = (*caller)(nil)
)

// fault does what the script says of the use of a capability.
func (c *caller) fault(ctx context.Context, name string) error {
	return suffer(ctx, c.world.faults[name])
}

func suffer(ctx context.Context, what string) error {
	switch how, after, _ := strings.Cut(what, " "); how {
	case "":
		return nil
	case "panics":
		panic("oh")
	case "hangs":
		<-ctx.Done()
		return context.Cause(ctx)
	case "takes":
		d, err := time.ParseDuration(after)
		if err != nil {
			return err
		}
		return wait(ctx, d)
	default:
		return errors.New("out of order")
	}
}

// FlowByID takes a second for a flow whose id begins with slow.
func (c *caller) FlowByID(ctx context.Context, id string) (action.Program, error) {
	if what, ok := c.world.programs[id]; ok {
		return flow.Func(func(ctx context.Context, _ action.Leg) error {
			c.logf("  program %s", id)
			return suffer(ctx, what)
		}), nil
	}
	text, ok := c.world.flows[id]
	if !ok {
		return nil, action.ErrNoFlow
	}
	if strings.HasPrefix(id, "slow") {
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return flow.Parse([]byte(text), flow.ParseOptions{Registry: c.world.registry, Name: id})
}

func (c *caller) Follow(flowID string, vars map[string]string) error {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, " %s=%s", k, vars[k])
	}
	c.logf("  follow %s%s", flowID, b.String())
	return c.fault(context.Background(), "follow")
}

func (c *caller) CallStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.world.status != "":
		return c.world.status
	case c.answered:
		return "progressing"
	default:
		return "ringing"
	}
}

// Listen lets the tap hear silence.
func (c *caller) Listen(ctx context.Context, open func(rateHz int) (media.Tap, error)) (stop func(), err error) {
	if err := c.fault(ctx, "listen"); err != nil {
		return nil, err
	}
	tap, err := open(8000)
	if err != nil {
		return nil, err
	}
	c.logf("  listen")
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(media.FrameDuration)
		defer tick.Stop()
		pcm := make([]int16, media.FrameLen(8000))
		for n := uint64(1); ; n++ {
			select {
			case <-tick.C:
				tap.Tick(n, pcm, nil)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		c.logf("  listen ends")
	}, nil
}

// Transcribe tells what the script says that the peer says, from now on.
func (c *caller) Transcribe(ctx context.Context, src media.Stream, o media.TranscribeOptions, tell func(media.Transcript)) error {
	c.logf("  transcribe %q %q", o.Language, o.Provider)
	ended := make(chan struct{})
	reading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ended)
		buf := make([]int16, 1600)
		for {
			if _, err := src.Read(reading, buf); err != nil {
				return
			}
		}
	})
	defer wg.Wait()
	defer stop()
	for _, s := range c.world.speech {
		wait := s.at - time.Since(c.start)
		if wait < 0 {
			continue
		}
		select {
		case <-time.After(wait):
		case <-ended:
			return context.Cause(ctx)
		}
		switch s.text {
		case "error":
			return errors.New("the engine is out of order")
		case "end":
			return nil
		}
		how := "guess"
		if s.final {
			how = "text"
		}
		c.logf("  peer says (%s): %s", how, s.text)
		tell(media.Transcript{Text: s.text, Final: s.final})
	}
	<-ended
	return context.Cause(ctx)
}

func (c *caller) StartTranscription(ctx context.Context, o action.TranscribeOptions) (string, error) {
	if err := c.fault(ctx, "transcription"); err != nil {
		return "", err
	}
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.CallStatus() != "progressing" {
		return "", errors.New("the call is not answered")
	}
	if c.world.transcription != "" {
		return "", errors.New("a transcription runs already")
	}
	c.world.transcription = "transcribe-1"
	c.logf("  transcription %+v", o)
	return c.world.transcription, nil
}

// StopTranscription takes half a second for the last words.
func (c *caller) StopTranscription(ctx context.Context) error {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.world.transcription == "" {
		return errors.New("no transcription runs")
	}
	if err := wait(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	c.world.transcription = ""
	c.logf("  transcription ends")
	return c.vars.Set(action.VarTranscript, "in: good bye")
}

func (c *caller) RecordingIDs() []string {
	var ids []string
	for _, t := range c.world.recordings {
		ids = append(ids, t.id)
	}
	return ids
}

// openTape counts that it is closed.
type openTape struct {
	io.Reader
	c *caller
}

func (o *openTape) Close() error {
	o.c.world.mu.Lock()
	defer o.c.world.mu.Unlock()
	o.c.world.open--
	return nil
}

func (c *caller) OpenRecording(_ context.Context, id string) (string, io.ReadCloser, error) {
	for _, t := range c.world.recordings {
		if t.id == id {
			c.world.mu.Lock()
			defer c.world.mu.Unlock()
			c.world.open++
			return id + ".wav", &openTape{strings.NewReader("RIFF " + t.text), c}, nil
		}
	}
	return "", nil, errors.New("there is no such recording")
}

// TranscribeRecording takes a second.
func (c *caller) TranscribeRecording(ctx context.Context, name string, wav io.Reader, o media.TranscribeOptions) (string, error) {
	b, err := io.ReadAll(wav)
	if err != nil {
		return "", err
	}
	text := strings.TrimPrefix(string(b), "RIFF ")
	c.logf("  transcribe %s %q %q", name, o.Language, o.Provider)
	switch text {
	case "error":
		return "", errors.New("the engine is out of order")
	case "hang":
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	return text, wait(ctx, time.Second)
}

func (c *caller) DetectMachine(ctx context.Context) (string, error) {
	time.Sleep(2 * time.Microsecond) // as in Play, and after it
	c.logf("  detect")
	if c.world.verdict == "" {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	if err := wait(ctx, c.world.verdictAt-time.Since(c.start)); err != nil {
		return "", err
	}
	if c.world.verdict == "error" {
		return "", errors.New("the detector is out of order")
	}
	c.logf("  detected %s", c.world.verdict)
	return c.world.verdict, nil
}

func (c *caller) JoinQueue(ctx context.Context, id string) (action.Queued, error) {
	q, ok := c.world.queues[id]
	if !ok {
		return action.Queued{}, fmt.Errorf("%q: %w", id, action.ErrNoQueue)
	}
	if err := c.fault(ctx, "queue"); err != nil {
		return action.Queued{}, err
	}
	c.logf("  queue %s", id)
	got := action.Queued{QueuecallID: "queuecall-1", Status: "abandoned"}
	start := time.Now()
	err := wait(ctx, q.after)
	if got.Waited = time.Since(start); err != nil {
		return got, err
	}
	if !q.answers {
		return got, nil
	}
	got.Status, got.AgentCallID = "done", "leg-1"
	c.logf("  joined with %s", got.AgentCallID)
	return got, c.stay(ctx)
}

func (c *caller) StartExternalMedia(_ context.Context, o action.ExternalMediaOptions) (string, error) {
	c.logf("  external media %+v", o)
	if strings.HasPrefix(o.Host, "nobody") {
		return "", errors.New("nobody is there")
	}
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	c.world.forks++
	return fmt.Sprintf("media-%d", c.world.forks), nil
}

func (c *caller) StopExternalMedia(ctx context.Context) error {
	if err := c.fault(ctx, "external"); err != nil {
		return err
	}
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	if c.world.forks == 0 {
		return errors.New("no external media runs")
	}
	c.logf("  external media ends, %d", c.world.forks)
	c.world.forks = 0
	return nil
}

// Reply is the next line of the script: parts with | between them, each a while after the one before.
func (c *caller) Reply(ctx context.Context, r action.AssistantRequest) (action.AssistantReply, error) {
	var b strings.Builder
	for _, m := range r.Messages {
		fmt.Fprintf(&b, " [%s: %s]", m.Role, m.Text)
	}
	time.Sleep(time.Microsecond) // as in Play
	c.logf("  ask %s %s %s %q%s", r.Work, r.Type, r.ID, r.Language, b.String())
	c.world.mu.Lock()
	reply := "error"
	if len(c.world.replies) > 0 {
		reply, c.world.replies = c.world.replies[0], c.world.replies[1:]
	}
	c.world.mu.Unlock()
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

func (c *caller) CheckAssistant(_, id string) error {
	if id == "nobody" {
		return errors.New("there is no such assistant")
	}
	return nil
}

// send is what becomes of something that is sent, by the next line of the script.
func (c *caller) send(ctx context.Context) error {
	c.world.mu.Lock()
	how := "0s"
	if len(c.world.sends) > 0 {
		how, c.world.sends = c.world.sends[0], c.world.sends[1:]
	}
	c.world.mu.Unlock()
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

func (c *caller) SendMessage(ctx context.Context, m action.Message) error {
	c.logf("  message%s: %s", show(m.Source, m.Destinations, ""), m.Text)
	return c.send(ctx)
}

// SendMail reads each attachment twice: a provider may have to try again.
func (c *caller) SendMail(ctx context.Context, m action.Mail) error {
	c.logf("  mail%s: %s: %s", show(address.Address{}, m.Destinations, ""), m.Subject, m.Content)
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
			c.logf("  attached %s %s: %s", a.Name, a.ContentType, b)
		}
	}
	return c.send(ctx)
}

func (c *caller) SendConversation(ctx context.Context, id, text string) error {
	time.Sleep(time.Microsecond) // as in Play
	c.logf("  conversation %s: %s", id, text)
	return c.send(ctx)
}

func (c *caller) CreateCase(ctx context.Context, o action.Case) (string, error) {
	c.logf("  case %+v", o)
	return "case-1", c.send(ctx)
}

// uuid finds ids.
var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// hideIDs takes the ids that do not stand in source out of text: they are random.
func hideIDs(text, source string) string {
	return uuid.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Contains(source, id) {
			return id
		}
		return "<uuid>"
	})
}
