package action

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Limits of voicemail_main.
const (
	maxMailboxDigits = 32
	firstDigitTime   = 10 * time.Second
	nextDigitTime    = 5 * time.Second
	// menuRounds is how often the menu is said to somebody who presses nothing.
	menuRounds       = 3
	greetingDuration = 2 * time.Minute
)

// voicemailMain is the mailbox for its owner: listen, save, delete by digits.
type voicemailMain struct {
	MailboxID string `json:"mailbox_id" doc:"the mailbox; empty: the caller's own, if it is one of our extensions, else it is asked for"`
	Retries   int    `json:"retries" opt:"min=0,max=10,default=2" doc:"how often it asks again after a wrong PIN"`
	Order     string `json:"order" opt:"enum=newest|oldest,default=newest" doc:"which message comes first, of the new ones and of the saved ones"`
	CallBack  bool   `json:"call_back" doc:"key 8 calls who has left the message, as connect does"`
	voiceLanguage
	deps Deps
}

func newVoicemailMain(d Deps) *voicemailMain { return &voicemailMain{Retries: 2, deps: d} }

func (a *voicemailMain) Timing() Timing        { return TimeDigits }
func (a *voicemailMain) Check(c *CheckContext) { a.check(c) }

func (a *voicemailMain) Shape() Shape {
	return Shape{Answers: true, Result: []string{"mailbox_id", "new", "saved", "heard", "deleted"}}
}

func (a *voicemailMain) Needs(c *CheckContext) {
	for _, need := range []Ability{CanAnswer, CanPlay, CanDigits, CanMailbox, HasSpeaker} {
		c.Need(need)
	}
	if a.CallBack {
		c.Need(CanConnect)
	}
}

func (a *voicemailMain) Run(ctx context.Context, leg Leg) (Outcome, error) {
	l, err := Need[Mailboxes](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	answerer, err := Need[Answerer](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	digits, err := Need[DigitReader](leg)
	if err != nil {
		return Continue(), Fatal(err)
	}
	if a.deps.Speaker == nil {
		return Continue(), missing(HasSpeaker)
	}
	if err := answerer.Answer(ctx); err != nil {
		return Continue(), err
	}
	StopPlaying(ctx)
	m := &mailboxMenu{voicemailMain: a, leg: leg, mailboxes: l, digits: digits, lang: a.voiceLanguage}
	if m.open, err = a.open(ctx, m); err != nil {
		if ctx.Err() != nil {
			return Continue(), context.Cause(ctx)
		}
		if errors.Is(err, ErrMailboxClosed) {
			_ = m.say(ctx, "bye") // the failure is that it did not open
			return Resulting(ResultStatus, "denied"), nil
		}
		return Continue(), err
	}
	m.lang = a.in(m.open.Mailbox())
	err = m.run(ctx)
	o := m.result()
	if cerr := m.open.Close(context.WithoutCancel(ctx)); err == nil {
		err = cerr
	}
	return o, err
}

// open lets the owner in: by what the engine knows of it, else by mailbox and PIN.
func (a *voicemailMain) open(ctx context.Context, m *mailboxMenu) (OpenMailbox, error) {
	id := strings.TrimSpace(a.MailboxID)
	box, err := m.mailboxes.OpenMailbox(ctx, id, "")
	if err == nil || !errors.Is(err, ErrMailboxClosed) {
		return box, err
	}
	defer hideDigits(m.leg)() // from the first question to the last answer
	for range max(0, min(a.Retries, 10)) + 1 {
		number, pin, aerr := m.identify(ctx, id)
		if aerr != nil {
			return nil, aerr
		}
		if number != "" && pin != "" {
			if box, err = m.mailboxes.OpenMailbox(ctx, number, pin); !errors.Is(err, ErrMailboxClosed) {
				return box, err
			}
		}
		if serr := m.say(ctx, "wrong"); serr != nil {
			return nil, serr
		}
	}
	return nil, ErrMailboxClosed
}

// identify asks for mailbox, unless it is known, and PIN. Neither is in any variable or result.
func (m *mailboxMenu) identify(ctx context.Context, id string) (number, pin string, err error) {
	if number = id; number == "" {
		if number, err = m.ask(ctx, "mailbox"); err != nil || number == "" {
			return "", "", err
		}
	}
	pin, err = m.ask(ctx, "pin")
	return number, pin, err
}

// ask says something and collects digits until hash, or until none comes any more.
func (m *mailboxMenu) ask(ctx context.Context, text string) (string, error) {
	if err := m.say(ctx, text); err != nil {
		return "", err
	}
	var typed []byte
	limit := firstDigitTime
	for len(typed) < maxMailboxDigits {
		d, err := m.key(ctx, limit)
		switch {
		case err != nil:
			return "", err
		case d == 0 || d == '#':
			return string(typed), nil
		}
		typed = append(typed, d)
		limit = nextDigitTime
	}
	return "", nil // nobody's number
}

// result is what was done.
func (m *mailboxMenu) result() Outcome {
	o := Resulting("mailbox_id", m.open.Mailbox().ID, "heard", strconv.Itoa(m.heard))
	counts := map[string]int{}
	for i := range m.list {
		counts[m.list[i].Status]++
	}
	o.Result["new"], o.Result["saved"] = strconv.Itoa(counts[MessageNew]), strconv.Itoa(counts[MessageSaved])
	o.Result["deleted"] = strconv.Itoa(counts[MessageDeleted])
	return o
}
