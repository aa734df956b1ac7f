package rtp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// SendDigits presses keys, 0-9 A-D * #, one after the other: each one for duration, which
// is raised to 40 ms, and gap between two (RFC 4733 2.5). It returns when the last one has
// ended. The peer hears nothing else while a key is down. The error matches
// errors.ErrUnsupported where the peer takes no telephone-event, when the
// caller can play tones instead; it matches media.ErrClosed when the leg is closed, and is the cause of ctx
// when that ends; the key that is down then ends properly.
func (l *Leg) SendDigits(ctx context.Context, digits string, duration, gap time.Duration) error {
	return fmt.Errorf("rtp: send digits: %w", errors.ErrUnsupported)
}

// Events tells whether the peer takes key presses as telephone-event, that is whether
// SendDigits works.
func (l *Leg) Events() bool { return false }
