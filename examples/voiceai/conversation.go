package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/vad"
	"github.com/callbin/callbin/media/wav"
)

// conversation is a call of the bot's. Its loop, run, owns all of it and never waits for the network: what takes time are
// goroutines that send one result.
//
//	caller speaks ──► talking ──► silent for the hangover ──► written down ──► answered, sentence by sentence
//	                     └── stops an answer at once; of that the history gets what was heard
type conversation struct {
	bot    *Bot
	leg    action.Leg
	player action.Player
	log    *slog.Logger

	heard chan vad.Heard
	keys  chan byte

	history  []action.AssistantMessage
	talking  bool         // the caller, now
	waiting  []utterance  // to be written down
	writing  chan written // nil: nothing is written down
	turn     *turn        // nil: the bot is silent
	pressed  string       // keys
	cut      bool         // the bot was interrupted, and nobody has said a word since
	silences int          // one after the other
	failures int          // one after the other
	turns    int          // answers
	times    times        // of the answer that comes next
	pace     float64      // characters a second that the voice speaks
	idle     *time.Timer  // runs while nobody does anything
	more     *time.Timer // runs while keys may follow
	idling   bool        // idle runs
	bye      bool         // the turn ends the call
	work     *sync.WaitGroup
}

// utterance is what the caller has said.
type utterance struct {
	sound *media.Clip
	ended time.Time     // when the caller was silent
	found time.Duration // after that it was certain
}

// written is an utterance as text.
type written struct {
	text  string
	err   error
	of    utterance
	after time.Duration // of writing
}

// errInterrupted is why a turn ends that the caller speaks into.
var errInterrupted = errors.New("voiceai: the caller speaks")

func (c *conversation) run(ctx context.Context, work *sync.WaitGroup) error {
	c.work = work
	c.idle, c.more = time.NewTimer(c.bot.Silence), time.NewTimer(c.bot.Keys)
	defer c.idle.Stop()
	defer c.more.Stop()
	c.idle.Stop()
	c.more.Stop()
	c.say(ctx, c.bot.Lines.Greeting)
	for {
		var spoken <-chan struct{}
		if c.turn != nil {
			spoken = c.turn.done
		}
		select {
		case h := <-c.heard:
			c.hears(ctx, h)
		case w := <-c.writing:
			c.reads(w)
		case key := <-c.keys:
			c.press(key)
		case <-c.more.C:
			c.dialled()
		case <-spoken:
			c.spoken()
			if c.bye {
				return nil
			}
		case <-c.idle.C:
			c.silent(ctx)
		case <-ctx.Done():
			c.interrupt() // so that the history is whole in the log
			return context.Cause(ctx)
		}
		c.next(ctx)
	}
}

// hears takes a beginning or an end of speech.
func (c *conversation) hears(ctx context.Context, h vad.Heard) {
	switch h.Kind {
	case vad.Started:
		c.talking, c.silences = true, 0
		c.interrupt()
	case vad.Ended:
		c.talking = false
		found := time.Duration(h.Found-h.At) * time.Second / time.Duration(h.Sound.Rate())
		c.waiting = append(c.waiting, utterance{sound: h.Sound, found: found, ended: time.Now().Add(-found)})
		c.write(ctx)
	}
}

// write has the oldest utterance written down, one at a time.
func (c *conversation) write(ctx context.Context) {
	if c.writing != nil || len(c.waiting) == 0 {
		return
	}
	u := c.waiting[0]
	c.waiting = c.waiting[1:]
	result := make(chan written, 1) // so that nobody waits where the call ends
	c.writing = result
	c.work.Go(func() {
		start := time.Now()
		text, err := c.bot.Writer.TranscribeRecording(ctx, "utterance.wav", bytes.NewReader(wav.Encode(u.sound)), media.TranscribeOptions{Language: c.bot.Language})
		result <- written{text: strings.TrimSpace(text), err: err, of: u, after: time.Since(start)}
	})
}

// reads takes what was written down.
func (c *conversation) reads(w written) {
	c.writing = nil
	switch {
	case w.err != nil:
		c.failed("write", w.err)
	case w.text != "":
		c.cut = false
		c.add(action.RoleUser, w.text)
		c.times = times{ended: w.of.ended, vad: w.of.found, write: w.after}
	}
}

// press takes a key; it interrupts as a word does.
func (c *conversation) press(key byte) {
	c.silences = 0
	c.interrupt()
	if key == '#' && c.pressed != "" {
		c.dialled()
		return
	}
	c.pressed += string(key)
	c.more.Reset(c.bot.Keys)
}

// dialled gives the keys to the assistant.
func (c *conversation) dialled() {
	c.more.Stop()
	keys := strings.Join(strings.Split(c.pressed, ""), " ")
	c.pressed, c.cut = "", false
	c.add(action.RoleUser, "[pressed "+keys+"]")
	c.times = times{ended: time.Now()}
}

// failed counts what did not work; the apology is next's.
func (c *conversation) failed(what string, err error) {
	c.failures++
	c.log.Warn("voiceai: the server has failed", "work", what, "failures", c.failures, "err", err)
	c.times.failed = true
}

// next decides what the bot does, once nobody does anything.
func (c *conversation) next(ctx context.Context) {
	if c.write(ctx); c.turn != nil || c.talking || c.writing != nil || c.pressed != "" {
		c.rest(false)
		return
	}
	switch last := len(c.history) - 1; {
	case c.times.failed && c.failures >= mostFailures:
		c.bye = true
		c.say(ctx, c.bot.Lines.Bye)
	case c.times.failed:
		c.say(ctx, c.bot.Lines.Sorry)
	case last >= 0 && c.history[last].Role == action.RoleUser && c.times.open():
		c.answer(ctx)
	case c.cut:
		c.say(ctx, c.bot.Lines.Pardon)
	default:
		c.rest(true)
		return
	}
	c.cut = false
	c.rest(false)
}

// rest counts how long nobody does anything.
func (c *conversation) rest(on bool) {
	if on && !c.idling {
		c.idle.Reset(c.bot.Silence)
	} else if !on {
		c.idle.Stop()
	}
	c.idling = on
}

// silent asks whether the caller is there.
func (c *conversation) silent(ctx context.Context) {
	c.idling = false
	if c.silences++; c.silences < mostSilences {
		c.say(ctx, c.bot.Lines.There)
		return
	}
	c.bye = true
	c.say(ctx, c.bot.Lines.Bye)
}

// say speaks a line of the bot's.
func (c *conversation) say(ctx context.Context, line string) {
	c.times = times{}
	c.begin(ctx, c.bot.cache, func(_ context.Context, tell func(string)) (bool, error) {
		tell(line)
		return false, nil
	})
}

// answer asks the assistant and speaks what it answers, a sentence as soon as it is there.
func (c *conversation) answer(ctx context.Context) {
	c.turns++
	request := action.AssistantRequest{
		Work: action.AssistantTalk, ID: c.bot.ID, Language: c.bot.Language,
		Messages: append([]action.AssistantMessage(nil), c.history...), Variables: c.leg.Vars().All(),
	}
	c.times.asked = time.Now()
	c.begin(ctx, c.bot.Speaker, func(ctx context.Context, tell func(string)) (end bool, err error) {
		r := request
		var s action.Sentences
		told := false
		r.Tell = func(part string) {
			told = true
			for _, line := range s.Add(part) {
				tell(line)
			}
		}
		reply, err := c.bot.Assistant.Reply(ctx, r)
		if err != nil {
			return false, err
		}
		if !told {
			r.Tell(reply.Text)
		}
		if rest := s.Rest(); rest != "" {
			tell(rest)
		}
		return reply.End, nil
	})
	c.turn.times, c.turn.number = c.times, c.turns
	c.times = times{}
}

// interrupt stops the bot at once.
func (c *conversation) interrupt() {
	if c.turn == nil {
		return
	}
	c.turn.cancel(errInterrupted)
	<-c.turn.done
	c.cut = true
	c.bye = false
	c.spoken()
}

// spoken takes the end of a turn.
func (c *conversation) spoken() {
	t := c.turn
	c.turn = nil
	text, pace := t.text(c.pace)
	c.pace = pace
	c.add(action.RoleAssistant, text)
	cut := errors.Is(t.err, errInterrupted)
	switch {
	case t.err != nil && !cut && !t.ended():
		c.failed("answer", t.err)
	case t.err == nil && t.number > 0:
		c.failures = 0
	}
	c.report(t, cut)
	if !cut {
		c.bye = c.bye || t.end
	}
	if cut && text == "" && t.number > 0 && !c.times.open() { // nobody has heard the answer: it is still to be given
		c.times = t.times
		c.times.asked = time.Time{}
	}
}

// add appends to the history; what one side says without an answer is one message.
func (c *conversation) add(role, text string) {
	if text == "" {
		return
	}
	if last := len(c.history) - 1; last >= 0 && c.history[last].Role == role {
		c.history[last].Text += " " + text
		return
	}
	c.history = append(c.history, action.AssistantMessage{Role: role, Text: text})
}
