package calltest_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

func TestDigitsArePressedBothWays(t *testing.T) {
	bubble(t, func(t *testing.T, net *calltest.Net) {
		a, b := answered(t, net, calltest.PhoneConfig{}, calltest.PhoneConfig{})
		a.Press("1123")
		b.Press("*#D0")
		if got := b.Pressed(); got != "1123" {
			t.Errorf("bob got %q", got)
		}
		if got := a.Pressed(); got != "*#D0" {
			t.Errorf("alice got %q", got)
		}
		b.Hangup(t)
	})
}

func TestDigitsAreTonesWithoutEvents(t *testing.T) {
	for name, tc := range map[string]struct{ alice, bob calltest.PhoneConfig }{
		"the caller has none": {alice: calltest.PhoneConfig{NoEvents: true}},
		"the callee has none": {bob: calltest.PhoneConfig{NoEvents: true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, net *calltest.Net) {
				a, b := answered(t, net, tc.alice, tc.bob)
				a.Press("55555")
				time.Sleep(100 * time.Millisecond)
				if got := b.Pressed(); got != "" {
					t.Errorf("bob got the event %q", got)
				}
				hears(t, b, 770, 697)
				hears(t, b, 1336, 1209)
				a.Hangup(t)
			})
		})
	}
}
