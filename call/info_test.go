package call

import "testing"

func TestInfoDigit(t *testing.T) {
	for _, tc := range []struct{ contentType, body, want string }{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"},
		{"Application/DTMF-Relay;charset=x", "Duration=160\r\nsignal = # \r\n", "#"},
		{"application/dtmf", "7", "7"},
		{"application/dtmf", " a\r\n", "A"},
		{"application/dtmf", "12", ""},
		{"application/dtmf", "", ""},
		{"application/dtmf-relay", "Signal=16", ""},
		{"application/dtmf-relay", "nothing", ""},
		{"text/plain", "5", ""},
	} {
		if got := infoDigit(tc.contentType, []byte(tc.body)); got != tc.want {
			t.Errorf("%s %q gives %q, want %q", tc.contentType, tc.body, got, tc.want)
		}
	}
}

func TestInfoDuration(t *testing.T) {
	for body, want := range map[string]int{
		"Signal=5\r\nDuration=160\r\n": 160, "Signal=5\nduration = 90": 90, "Signal=5": 0, "Duration=": 0, "Duration=-3": 0, "Duration=99999999999": 0, "Duration=x": 0,
	} {
		if got := infoDuration([]byte(body)); got != want {
			t.Errorf("%q: %d, want %d", body, got, want)
		}
	}
}
