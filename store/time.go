package store

import (
	"bytes"
	"fmt"
	"time"
)

// Time is a moment as records have it: UTC, whole microseconds, no monotonic part, so
// that values are comparable with ==. Its one text form is RFC 3339 with six
// decimals, 2026-11-23T07:22:12.000123Z, which sorts as text; make it with [At]. The
// zero Time is unset, and omitted from JSON by the tag omitzero.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z"

// At returns t as a Time; what is smaller than a microsecond is cut off.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{time.UnixMicro(t.UnixMicro()).UTC()}
}

// AtMicro returns the Time of a number of microseconds since 1970; 0 is unset. Drivers
// store times so.
func AtMicro(us int64) Time {
	if us == 0 {
		return Time{}
	}
	return Time{time.UnixMicro(us).UTC()}
}

// Micro is the inverse of AtMicro.
func (t Time) Micro() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// String returns the text form; "" if unset.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// MarshalText writes the text form; nothing if unset.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads any RFC 3339 time; empty text is unset.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = Time{}
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("store: parse time: %w", err)
	}
	*t = At(v)
	return nil
}

// MarshalJSON writes the text form in quotes; null if unset.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(timeLayout)+2)
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, timeLayout)
	return append(b, '"'), nil
}

// UnmarshalJSON reads a quoted RFC 3339 time, "" or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	if len(b) < 2 || b[0] != '"' {
		return fmt.Errorf("store: parse time: %s is not a string", b)
	}
	return t.UnmarshalText(bytes.Trim(b, `"`))
}
