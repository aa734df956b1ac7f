package call

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/store"
)

// Defaults and limits of mailboxes.
const (
	DefaultMaxMessages    = 100
	DefaultMaxMailboxTime = time.Hour
	// MaxPINFaults wrong PINs in a row close a mailbox to PINs, right ones too, until PINPause has passed since the last of
	// them. Its owner's own phones get in all the same.
	MaxPINFaults = 10
	PINPause     = 15 * time.Minute
	maxPIN       = 32
)

// Mailbox is where messages for somebody are left. It does not show its PIN when it is printed or logged.
type Mailbox struct {
	ID  string `json:"id"`
	PIN string `json:"pin,omitempty"` // digits; "": only the phones of Extension open it
	// Extension is whose it is: its phones open it without PIN, and have the lamp. "": that called as the mailbox.
	Extension string   `json:"extension,omitempty"`
	Language  string   `json:"language,omitempty"`  // BCP 47, in which its owner is spoken to
	TimeZone  string   `json:"time_zone,omitempty"` // IANA name; "": UTC
	Email     []string `json:"email,omitempty"`     // who gets each message, by Deps.Mail
	Webhook   string   `json:"webhook,omitempty"`   // URL that is told of each message, by Deps.HTTP

	MaxMessages int `json:"max_messages,omitempty"` // 0: DefaultMaxMessages
	MaxSeconds  int `json:"max_seconds,omitempty"`  // of all messages together; 0: DefaultMaxMailboxTime
	KeepDays    int `json:"keep_days,omitempty"`    // then a message is deleted; 0: never
}

// String leaves the PIN out.
func (m Mailbox) String() string { return m.ID }

// GoString leaves the PIN out.
func (m Mailbox) GoString() string { return fmt.Sprintf("call.Mailbox{ID:%q}", m.ID) }

// LogValue leaves the PIN out.
func (m Mailbox) LogValue() slog.Value { return slog.StringValue(m.ID) }

// owner is the extension whose mailbox it is.
func (m *Mailbox) owner() string { return cmp.Or(m.Extension, m.ID) }

func (m *Mailbox) maxMessages() int { return cmp.Or(m.MaxMessages, DefaultMaxMessages) }

func (m *Mailbox) maxTime() time.Duration {
	return cmp.Or(time.Duration(m.MaxSeconds)*time.Second, DefaultMaxMailboxTime)
}

// expired tells whether v has been kept for long enough.
func (m *Mailbox) expired(v *store.Voicemail, now time.Time) bool {
	return m.KeepDays > 0 && now.Sub(v.TmCreate.Time) > time.Duration(m.KeepDays)*24*time.Hour
}

// Mailboxes finds mailboxes by their ids. It is asked for each message and each time that one is opened; an error means that nobody
// could be asked.
type Mailboxes interface {
	Mailbox(ctx context.Context, id string) (m Mailbox, ok bool, err error)
}

// mailboxList is Mailboxes in memory.
type mailboxList map[string]Mailbox

func (l mailboxList) Mailbox(_ context.Context, id string) (Mailbox, bool, error) {
	m, ok := l[id]
	return m, ok, nil
}

// ListMailboxes are those of list, of which no two may have the same id. Nil of none.
func ListMailboxes(list ...Mailbox) Mailboxes {
	if len(list) == 0 {
		return nil
	}
	l := make(mailboxList, len(list))
	for _, m := range list {
		l[m.ID] = m
	}
	return l
}

// extensionMailboxes gives each extension a mailbox.
type extensionMailboxes struct{ Extensions }

func (x extensionMailboxes) Mailbox(ctx context.Context, id string) (Mailbox, bool, error) {
	_, ok, err := x.Extension(ctx, id)
	return Mailbox{ID: id}, ok, err
}

// mailboxes are those of the config: Mailboxes, else one for each extension; nil: none.
func (c *Config) mailboxes() Mailboxes {
	switch _, kept := c.Store.(store.Voicemails); {
	case !kept:
		return nil
	case c.Mailboxes != nil:
		return c.Mailboxes
	case c.Extensions != nil:
		return extensionMailboxes{c.Extensions}
	}
	return nil
}

func checkMailboxes(what string, list []Mailbox) error {
	var errs []error
	seen := map[string]bool{}
	for i, m := range list {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", what, i, fmt.Errorf(format, args...)))
		}
		if err := store.CheckID(m.ID); err != nil {
			bad("%w", err)
		}
		if seen[m.ID] {
			bad("%q stands there twice", m.ID)
		}
		seen[m.ID] = true
		if len(m.PIN) > maxPIN || strings.Trim(m.PIN, "0123456789") != "" {
			bad("the pin of %q is not made of digits, %d at most", m.ID, maxPIN)
		} else if m.PIN != "" && len(m.PIN) < 4 {
			bad("the pin of %q is shorter than 4 digits", m.ID)
		}
		if _, err := time.LoadLocation(m.TimeZone); err != nil {
			bad("the time_zone of %q: %w", m.ID, err)
		}
		for _, to := range m.Email {
			if _, err := mail.ParseAddress(to); err != nil {
				bad("%q: %.80q is no e-mail address", m.ID, to)
			}
		}
		if u, err := url.Parse(m.Webhook); m.Webhook != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			bad("the webhook of %q is no http: or https: URL", m.ID)
		}
		if m.MaxMessages < 0 || m.MaxSeconds < 0 || m.KeepDays < 0 {
			bad("max_messages, max_seconds and keep_days of %q cannot be negative", m.ID)
		}
	}
	return errors.Join(errs...)
}

// mailroom is what the engine knows of mailboxes beside what is stored: who is at them, and how often a PIN was wrong.
type mailroom struct {
	mu    sync.Mutex
	boxes map[string]*mailboxState // guarded by mu; only of mailboxes that there are
}

// mailboxState is that of one mailbox.
type mailboxState struct {
	turn chan struct{} // holds one token: who has taken it changes messages, and tells of the counts in order

	taking   int           // messages that are being left; owned by who has the turn
	reserved time.Duration // for these; so, too

	faults int       // wrong PINs in a row; guarded by mailroom.mu
	last   time.Time // when the last of them was; so, too
}

// of returns the state of a mailbox.
func (r *mailroom) of(id string) *mailboxState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.boxes[id]
	if s == nil {
		if r.boxes == nil {
			r.boxes = map[string]*mailboxState{}
		}
		s = &mailboxState{turn: make(chan struct{}, 1)}
		s.turn <- struct{}{}
		r.boxes[id] = s
	}
	return s
}

// take waits for the turn at a mailbox; give ends it.
func (s *mailboxState) take(ctx context.Context) (give func(), err error) {
	select {
	case <-s.turn:
		return func() { s.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// opens tells whether pin opens m. It takes as long for a mailbox that there is not (known is false), and does not tell what was wrong.
func (r *mailroom) opens(m *Mailbox, known bool, pin string, now time.Time) bool {
	got, want := sha256.Sum256([]byte(pin)), sha256.Sum256([]byte(m.PIN))
	right := subtle.ConstantTimeCompare(got[:], want[:]) == 1 && known && m.PIN != "" && pin != ""
	if !known {
		return false
	}
	s := r.of(m.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.faults >= MaxPINFaults {
		if now.Sub(s.last) < PINPause {
			return false
		}
		s.faults = 0
	}
	if right {
		s.faults = 0
		return true
	}
	s.faults++
	s.last = now
	return false
}

// findMailbox finds a mailbox; action.ErrNoMailbox.
func (e *Engine) findMailbox(ctx context.Context, id string) (Mailbox, store.Voicemails, error) {
	all := e.cfg.mailboxes()
	db, ok := e.cfg.Store.(store.Voicemails)
	if all == nil || !ok {
		return Mailbox{}, nil, fmt.Errorf("call: mailbox %.40q: the engine has no mailboxes: %w", id, errors.ErrUnsupported)
	}
	m, ok, err := all.Mailbox(ctx, id)
	switch {
	case err != nil:
		return m, nil, fmt.Errorf("call: mailbox %.40q: %w", id, err)
	case !ok:
		return m, nil, fmt.Errorf("call: mailbox %.40q: %w", id, action.ErrNoMailbox)
	}
	return m, db, nil
}
