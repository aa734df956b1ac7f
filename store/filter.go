package store

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/callbin/callbin/call/address"
)

// MaxPage is the largest page of a list, and the size where none is asked for.
const MaxPage = 100

// CallFilter chooses calls; an empty field chooses all. All given fields have to match.
type CallFilter struct {
	Status       string
	HangupReason string
	Direction    string
	Source       string // the target or target_name of the source, exactly
	Destination  string // the target or target_name of the destination, exactly
	JourneyID    string
	Account      string
	ActiveflowID string
	Metadata     map[string]string // each pair has to be there
	Since        Time              // TmCreate >= Since
	Until        Time              // TmCreate < Until
	PageSize     int               // 1 to 100; 0: 100
	PageToken    string            // of the page before
}

// RecordingFilter chooses recordings; an empty field chooses all.
type RecordingFilter struct {
	Status      string
	ReferenceID string // the call's or conference's id
	JourneyID   string
	Since       Time // TmCreate >= Since
	Until       Time // TmCreate < Until
	PageSize    int  // 1 to 100; 0: 100
	PageToken   string
}

// FlowFilter chooses flows; an empty field chooses all.
type FlowFilter struct {
	Name      string // exactly
	PageSize  int    // 1 to 100; 0: 100
	PageToken string
}

// Match tells whether c is chosen; page size and token aside.
func (f *CallFilter) Match(c *Call) bool {
	if f.Status != "" && f.Status != c.Status ||
		f.HangupReason != "" && f.HangupReason != c.HangupReason ||
		f.Direction != "" && f.Direction != c.Direction ||
		f.JourneyID != "" && f.JourneyID != c.JourneyID ||
		f.Account != "" && f.Account != c.Account ||
		f.ActiveflowID != "" && f.ActiveflowID != c.ActiveflowID ||
		f.Source != "" && !names(f.Source, &c.Source) ||
		f.Destination != "" && !names(f.Destination, &c.Destination) ||
		!within(c.TmCreate, f.Since, f.Until) {
		return false
	}
	for k, v := range f.Metadata {
		if got, ok := c.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// Match tells whether r is chosen; page size and token aside.
func (f *RecordingFilter) Match(r *Recording) bool {
	return (f.Status == "" || f.Status == r.Status) &&
		(f.ReferenceID == "" || f.ReferenceID == r.ReferenceID) &&
		(f.JourneyID == "" || f.JourneyID == r.JourneyID) &&
		within(r.TmCreate, f.Since, f.Until)
}

// Match tells whether w is chosen; page size and token aside.
func (f *FlowFilter) Match(w *Flow) bool { return f.Name == "" || f.Name == w.Name }

func names(want string, a *address.Address) bool { return want == a.Target || want == a.TargetName }

func within(t, since, until Time) bool {
	return (since.IsZero() || !t.Before(since.Time)) && (until.IsZero() || t.Before(until.Time))
}

// Page reads the size and token of a filter as every driver has to: the number of records
// that a page may have, and where it starts (the zero Cursor: at the newest). The
// error matches ErrInvalid.
func Page(size int, token string) (int, Cursor, error) {
	if size == 0 {
		size = MaxPage
	}
	if size < 1 || size > MaxPage {
		return 0, Cursor{}, fmt.Errorf("store: page size %d is not 1 to %d: %w", size, MaxPage, ErrInvalid)
	}
	at, err := parseToken(token)
	return size, at, err
}

// Cursor is a place in a list: a page holds what is older than it.
type Cursor struct {
	Time Time
	ID   string
}

// IsZero tells whether the cursor is before the newest record.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// Compare orders records by time, then id; the list shows the greatest first.
func (c Cursor) Compare(d Cursor) int {
	return cmp.Or(c.Time.Compare(d.Time.Time), strings.Compare(c.ID, d.ID))
}

// Token returns the page token that leads on from the record at c.
func (c Cursor) Token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Time.Micro(), 10) + " " + c.ID))
}

func parseToken(token string) (Cursor, error) {
	if token == "" {
		return Cursor{}, nil
	}
	if len(token) < 3*maxID {
		if b, err := base64.RawURLEncoding.Strict().DecodeString(token); err == nil {
			us, id, ok := strings.Cut(string(b), " ")
			if n, err := strconv.ParseInt(us, 10, 64); ok && err == nil && CheckID(id) == nil {
				return Cursor{AtMicro(n), id}, nil
			}
		}
	}
	return Cursor{}, fmt.Errorf("store: page token %.40q was not made here: %w", token, ErrInvalid)
}

// At is the record's place in lists.
func (c *Call) At() Cursor { return Cursor{c.TmCreate, c.ID} }

// At is the record's place in lists.
func (r *Recording) At() Cursor { return Cursor{r.TmCreate, r.ID} }

// At is the record's place in lists.
func (f *Flow) At() Cursor { return Cursor{f.TmCreate, f.ID} }

// ordered is a list of ids sorted oldest first, for drivers in memory.
type ordered []Cursor

func (o *ordered) insert(c Cursor) {
	s := *o
	// Nearly every record is newer than all others.
	if len(s) == 0 || s[len(s)-1].Compare(c) < 0 {
		*o = append(s, c)
		return
	}
	if i, found := slices.BinarySearchFunc(s, c, Cursor.Compare); !found {
		*o = slices.Insert(s, i, c)
	}
}

func (o *ordered) remove(c Cursor) {
	s := *o
	i, found := slices.BinarySearchFunc(s, c, Cursor.Compare)
	switch {
	case !found:
	case i == 0:
		*o = s[1:] // what is evicted is the oldest; moving all others would cost
	default:
		*o = slices.Delete(s, i, i+1)
	}
}

// olderThan yields how many of the oldest come after the cursor in the list.
func (o ordered) olderThan(c Cursor) int {
	if c.IsZero() {
		return len(o)
	}
	i, _ := slices.BinarySearchFunc(o, c, Cursor.Compare)
	return i
}
