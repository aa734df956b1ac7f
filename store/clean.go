package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/callbin/callbin/call/address"
)

// maxID is the longest id, in bytes: a UUID has 36.
const maxID = 255

// CheckID tells whether s can be the id of a record: 1 to 255 bytes of UTF-8 without
// control characters. The error matches ErrInvalid.
func CheckID(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("store: id: empty: %w", ErrInvalid)
	case len(s) > maxID:
		return fmt.Errorf("store: id: %d bytes are more than %d: %w", len(s), maxID, ErrInvalid)
	case !utf8.ValidString(s):
		return fmt.Errorf("store: id %q: not UTF-8: %w", s, ErrInvalid)
	}
	for i, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("store: id %q: control character %U at %d: %w", s, r, i, ErrInvalid)
		}
	}
	return nil
}

// Clean returns a deep copy of c in the form in which drivers store it (times by
// [At], text without broken bytes), or an error matching ErrInvalid: the id is bad,
// TmCreate unset, the verdict no JSON.
func (c Call) Clean() (Call, error) {
	if err := CheckID(c.ID); err != nil {
		return Call{}, err
	}
	if c.TmCreate.IsZero() {
		return Call{}, fmt.Errorf("store: call %s: tm_create is unset: %w", c.ID, ErrInvalid)
	}
	if len(c.Verdict) > 0 && !json.Valid(c.Verdict) {
		return Call{}, fmt.Errorf("store: call %s: verdict is not JSON: %w", c.ID, ErrInvalid)
	}
	if !finite(c.JitterMS) || c.MOS != nil && !finite(*c.MOS) {
		return Call{}, fmt.Errorf("store: call %s: jitter_ms or mos is not finite: %w", c.ID, ErrInvalid)
	}
	c.TmCreate, c.TmRinging, c.TmProgressing = At(c.TmCreate.Time), At(c.TmRinging.Time), At(c.TmProgressing.Time)
	c.TmHangup, c.TmUpdate = At(c.TmHangup.Time), At(c.TmUpdate.Time)
	texts(&c.CustomerID, &c.FlowID, &c.ActiveflowID, &c.Type, &c.MasterCallID, &c.RecordingID, &c.GroupcallID,
		&c.Status, &c.Direction, &c.MuteDirection, &c.HangupBy, &c.HangupReason, &c.JourneyID, &c.Account, &c.Currency, &c.RatePrefix, &c.Code, &c.Sentence,
		&c.FlowPosition, &c.SIPCallID, &c.Peer, &c.Transport, &c.ConfbridgeID, &c.Trunk)
	cleanAddress(&c.Source)
	cleanAddress(&c.Destination)
	c.ChainedCallIDs, c.RecordingIDs = copyTexts(c.ChainedCallIDs), copyTexts(c.RecordingIDs)
	c.Attempts = slices.Clone(c.Attempts)
	for i := range c.Attempts {
		a := &c.Attempts[i]
		texts(&a.URI, &a.Transport, &a.Peer, &a.Trunk, &a.Reason, &a.ReasonHeader)
		a.Tm, a.TmRinging, a.TmEnd = At(a.Tm.Time), At(a.TmRinging.Time), At(a.TmEnd.Time)
	}
	c.Verdict = compact(c.Verdict)
	c.Metadata = cleanMap(c.Metadata)
	if len(c.ActionMS) == 0 {
		c.ActionMS = nil
	} else {
		c.ActionMS = maps.Clone(c.ActionMS)
	}
	if c.MOS != nil {
		mos := *c.MOS
		c.MOS = &mos
	}
	return c, nil
}

// Clean returns a deep copy of r in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, TmCreate unset, the name of a file no blob's.
func (r Recording) Clean() (Recording, error) {
	if err := CheckID(r.ID); err != nil {
		return Recording{}, err
	}
	if r.TmCreate.IsZero() {
		return Recording{}, fmt.Errorf("store: recording %s: tm_create is unset: %w", r.ID, ErrInvalid)
	}
	for _, f := range r.Files {
		if err := CheckBlobName(f.Name); err != nil {
			return Recording{}, fmt.Errorf("store: recording %s: %w", r.ID, err)
		}
	}
	r.TmStart, r.TmEnd, r.TmCreate, r.TmUpdate = At(r.TmStart.Time), At(r.TmEnd.Time), At(r.TmCreate.Time), At(r.TmUpdate.Time)
	texts(&r.CustomerID, &r.ActiveflowID, &r.ReferenceType, &r.ReferenceID, &r.Status, &r.Format, &r.OnEndFlowID,
		&r.JourneyID, &r.Code, &r.Sentence)
	if len(r.Files) == 0 {
		r.Files = nil
	}
	r.Files = slices.Clone(r.Files)
	return r, nil
}

// Clean returns a deep copy of f in the form in which drivers store it, or an error
// matching ErrInvalid: the id is bad, Rev negative, the body no JSON.
func (f Flow) Clean() (Flow, error) {
	if err := CheckID(f.ID); err != nil {
		return Flow{}, err
	}
	if f.Rev < 0 {
		return Flow{}, fmt.Errorf("store: flow %s: revision %d: %w", f.ID, f.Rev, ErrInvalid)
	}
	if len(f.Body) > 0 && !json.Valid(f.Body) {
		return Flow{}, fmt.Errorf("store: flow %s: body is not JSON: %w", f.ID, ErrInvalid)
	}
	f.TmCreate, f.TmUpdate = At(f.TmCreate.Time), At(f.TmUpdate.Time)
	texts(&f.Name, &f.Detail)
	f.Body = bytes.Clone(f.Body) // as written: people's line breaks are theirs
	if len(f.Body) == 0 {
		f.Body = nil
	}
	return f, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// text replaces what a database may refuse.
func text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\ufffd")
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func texts(ps ...*string) {
	for _, p := range ps {
		*p = text(*p)
	}
}

func cleanAddress(a *address.Address) {
	texts(&a.Target, &a.TargetName, &a.Name, &a.Detail)
	a.Type = address.Type(text(string(a.Type)))
}

func cleanMap(all map[string]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	m := make(map[string]string, len(all))
	for k, v := range all {
		m[text(k)] = text(v)
	}
	return m
}

func copyTexts(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	out := make([]string, len(s))
	for i, v := range s {
		out[i] = text(v)
	}
	return out
}

// compact gives JSON that was checked before one form.
func compact(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}
