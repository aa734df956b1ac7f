package call_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/safehttp"
	"github.com/callbin/callbin/store"
)

// TestWebAppOfTheSettings points a number at a web server: a phone calls it, hears what the application plays, presses a key, and
// hears what it answers to that. The requests go over HTTP, and are signed.
func TestWebAppOfTheSettings(t *testing.T) {
	asked := make(chan string, 16)
	mux := http.NewServeMux()
	var server *httptest.Server
	page := func(path, twiml string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			text := server.URL + r.URL.RequestURI()
			for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
				text += name + r.PostForm.Get(name)
			}
			h := hmac.New(sha1.New, []byte("12345"))
			h.Write([]byte(text))
			if got, want := r.Header.Get("X-Twilio-Signature"), base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
				t.Errorf("%s: the signature is %q, want %q", path, got, want)
			}
			asked <- fmt.Sprintf("%s From=%s To=%s Digits=%s CallStatus=%s", r.URL.Path, r.Form.Get("From"), r.Form.Get("To"), r.Form.Get("Digits"), r.Form.Get("CallStatus"))
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
			if _, err := r.Cookie("seen"); err != nil && r.URL.Path == "/menu" {
				t.Error("the cookie of the first answer does not come back")
			}
			fmt.Fprint(w, twiml)
		})
	}
	page("POST /voice", `<Response><Gather numDigits="1" action="menu"><Play>http://tone/400</Play></Gather></Response>`)
	mux.HandleFunc("POST /old", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/voice?shop=1", http.StatusTemporaryRedirect)
	})
	page("POST /menu", `<Response><Play>http://tone/700</Play></Response>`)
	server = httptest.NewServer(mux)
	defer server.Close()

	s, err := readSettings(t, `{"web_apps":{"100":{"url":"`+server.URL+`/old","auth_token":"12345"}},"urls":["127.0.0.0/8"]}`)
	if err != nil {
		t.Fatal(err)
	}
	client := safehttp.New(safehttp.Config{Allow: s.URLs})
	defer client.Close()
	cfg := call.Config{Store: store.Memory(), Deps: call.NewDeps(s, nil, client)}
	cfg.Deps.Prompts = tonePrompts{}
	if err := cfg.UseWebApps(s.WebApps); err != nil {
		t.Fatal(err)
	}
	e, stop := calltest.Run(t, calltest.Loopback{}, cfg)
	defer stop()
	phone := calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: netip.MustParseAddr("127.0.0.1"), Server: e.Addrs()[0].Addr, User: "alice", Host: "example.com"})
	c := phone.Dial(t, "100")
	for deadline := time.Now().Add(10 * time.Second); !calltest.Hears(c.Heard(), 400); {
		if time.Now().After(deadline) {
			t.Fatal("the first page is not heard")
		}
		<-time.After(20 * time.Millisecond)
	}
	c.Press("5")
	if why := c.WaitEnd(t); !strings.HasPrefix(why, "BYE") {
		t.Errorf("the call ended by %q", why)
	}
	if heard := c.Heard(); !calltest.Hears(heard[max(0, len(heard)-6000):], 700) {
		t.Error("the second page is not heard")
	}
	close(asked)
	want := []string{"/voice From=sip:alice@example.com To=client:100 Digits= CallStatus=ringing", "/menu From=sip:alice@example.com To=client:100 Digits=5 CallStatus=in-progress"}
	if got := slices.Collect(func(yield func(string) bool) {
		for a := range asked {
			if !yield(a) {
				return
			}
		}
	}); !slices.Equal(got, want) {
		t.Errorf("the application was asked\n%q, want\n%q", got, want)
	}
	if _, err := phone.Invite(t.Context(), "101"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another destination: %v, want 404", err)
	}
}

func TestBadWebApps(t *testing.T) {
	_, err := readSettings(t, `{"web_apps":{"100":{"url":"ftp://me:geheim@x","method":"PUT","format":"plivo","fallback_url":"x","auth_token":"geheim"},"${x}":{"url":"https://example.com/${x}"}}}`)
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Fatal(err)
	}
	for _, want := range []string{`web_apps["100"].url:`, `web_apps["100"].method: must be GET or POST, not "PUT"`, `.format: must be twilio or vonage, not "plivo"`, ".fallback_url: must be", `web_apps["${x}"]: names no destination`, `web_apps["${x}"].url`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
	s, err := readSettings(t, `{"web_apps":{"100":{"url":"https://me:geheim@example.com/voice","auth_token":"geheim"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	d := call.NewDeps(s, nil, nil)
	d.HTTP = nil
	if text := fmt.Sprintf("%v %+v %#v %+v %#v", s.WebApps, s, s.WebApps, d.WebApps, d.WebApps); strings.Contains(text, "geheim") || !strings.Contains(text, "example.com") {
		t.Errorf("printed: %s", text)
	}
	if err := (&call.Config{Deps: d}).UseWebApps(s.WebApps); err == nil || !strings.Contains(err.Error(), "Deps.HTTP") {
		t.Errorf("an engine without HTTP: %v", err)
	}
}
