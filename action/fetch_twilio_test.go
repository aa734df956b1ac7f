package action

import (
	"net/url"
	"testing"
)

// The vectors of Twilio's documentation, and what a port does to them.
func TestTwilioSignature(t *testing.T) {
	for _, c := range []struct{ uri, from, want string }{
		{"https://mycompany.com/myapp.php?foo=1&bar=2", "+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		{"https://mycompany.com/myapp.php?foo=1&bar=2", "+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="},
		{"https://mycompany.com:443/myapp.php?foo=1&bar=2", "+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
		{"https://user:secret@mycompany.com/myapp.php?foo=1&bar=2#top", "+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
	} {
		u, err := url.Parse(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {c.from}, "From": {c.from}, "Digits": {"1234"}, "To": {"+18005551212"}}
		if got := TwilioSignature("12345", u, form); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.uri, c.from, got, c.want)
		}
	}
}
