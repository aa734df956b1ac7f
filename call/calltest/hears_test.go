package calltest_test

import (
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

func TestHearsTellsTonesApart(t *testing.T) {
	mixed := calltest.Tone(400, time.Second)
	for i, v := range calltest.Tone(700, time.Second) {
		mixed[i] = mixed[i]/2 + v/2
	}
	late := append(make([]int16, 40000), calltest.Tone(440, 300*time.Millisecond)...)
	for name, tc := range map[string]struct {
		pcm  []int16
		hz   float64
		want bool
	}{
		"nothing":           {nil, 400, false},
		"silence":           {make([]int16, 8000), 400, false},
		"first of two":      {mixed, 400, true},
		"second of two":     {mixed, 700, true},
		"none of the two":   {mixed, 550, false},
		"near the first":    {mixed, 425, false},
		"late":              {late, 440, true},
		"late, another one": {late, 480, false},
		"short":             {calltest.Tone(440, 50*time.Millisecond), 440, true},
	} {
		if got := calltest.Hears(tc.pcm, tc.hz); got != tc.want {
			t.Errorf("%s: %v Hz: %v, want %v", name, tc.hz, got, tc.want)
		}
	}
}
