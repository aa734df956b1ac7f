package call_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow/foreign"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
)

const webToken = "a token of the account"

// webApp is an application as Twilio's documentation writes them: a server that answers with TwiML.
type webApp struct {
	t   *testing.T
	mux http.ServeMux

	mu     sync.Mutex
	asked  []string // guarded by mu; path and what it was told
	spoken []string // guarded by mu
}

func newWebApp(t *testing.T) *webApp {
	w := &webApp{t: t}
	twiml := func(path string, answer func(r *http.Request) string) {
		w.mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			u := *r.URL
			u.Scheme, u.Host = "https", r.Host
			if got := r.Header.Get("X-Twilio-Signature"); got != action.TwilioSignature(webToken, &u, r.PostForm) {
				t.Errorf("%s: the signature is wrong: %q", path, got)
			}
			if sid := r.Form.Get("CallSid"); len(sid) != 34 || !strings.HasPrefix(sid, "CA") {
				t.Errorf("CallSid is %q", sid)
			}
			rw.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(rw, answer(r))
		})
	}
	twiml("/voice", func(*http.Request) string {
		return `<Response><Gather numDigits="1" action="menu" timeout="2"><Say>Press 1.</Say></Gather><Say>Nothing came.</Say><Redirect>/bye</Redirect></Response>`
	})
	w.mux.HandleFunc("/start", func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "session", Value: "seven"})
		http.Redirect(rw, r, "/voice", http.StatusTemporaryRedirect)
	})
	twiml("/menu", func(r *http.Request) string {
		if c, err := r.Cookie("session"); err != nil || c.Value != "seven" {
			t.Errorf("the cookie is lost: %v", err)
		}
		switch r.Form.Get("Digits") {
		case "1":
			return `<Response><Dial action="/dialled" timeout="10"><Sip>sip:b1@10.0.1.1</Sip></Dial></Response>`
		case "2":
			return `<Response><Say>Speak.</Say><Record action="/recorded" maxLength="5" finishOnKey="#" playBeep="false"/></Response>`
		default:
			return `<Response><Dial><Conference>room</Conference></Dial></Response>`
		}
	})
	twiml("/dialled", func(r *http.Request) string {
		return `<Response><Say>It was ` + r.Form.Get("DialCallStatus") + `.</Say><Hangup/></Response>`
	})
	twiml("/recorded", func(r *http.Request) string {
		return `<Response><Say>Ended by ` + r.Form.Get("Digits") + `</Say><Hangup/></Response>`
	})
	twiml("/bye", func(*http.Request) string { return `<Response><Say>Good bye.</Say></Response>` })
	return w
}

// Do asks the application, without a socket: in a bubble there is none.
func (w *webApp) Do(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.Host, in.RequestURI = req.URL.Host, req.URL.RequestURI()
	in.URL = &url.URL{Path: req.URL.Path, RawQuery: req.URL.RawQuery}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, in)
	line := req.URL.Path
	for _, name := range []string{"Digits", "DialCallStatus", "CallStatus", "RecordingDuration"} {
		if v := in.PostForm.Get(name); v != "" {
			line += " " + name + "=" + v
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, line)
	res := rec.Result()
	res.Request = req
	return res, nil
}

// Speak notes what is said, and gives a tone of half a second.
func (w *webApp) Speak(_ context.Context, u media.Utterance) (media.Source, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.spoken = append(w.spoken, u.Text)
	return tone.Sine(700, 500*time.Millisecond).Clip(8000).Source(), nil
}

func (w *webApp) told() (asked, spoken string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.asked, "|"), strings.Join(w.spoken, "|")
}

// TestTwilioApplicationRunsUnchanged: an IVR, a forwarding, a recording and a conference, over SIP and RTP.
func TestTwilioApplicationRunsUnchanged(t *testing.T) {
	for _, c := range []struct{ name, press, asked, spoken string }{
		{"dial", "1", "/start|/voice CallStatus=ringing|/menu Digits=1 CallStatus=in-progress|/dialled DialCallStatus=completed CallStatus=in-progress", "Press 1.|It was completed."},
		{"record", "2", "/start|/voice CallStatus=ringing|/menu Digits=2 CallStatus=in-progress|/recorded Digits=# CallStatus=in-progress RecordingDuration=3", "Press 1.|Speak.|Ended by #"},
		{"conference", "3", "/start|/voice CallStatus=ringing|/menu Digits=3 CallStatus=in-progress", "Press 1."},
		{"nothing", "", "/start|/voice CallStatus=ringing|/bye CallStatus=in-progress", "Press 1.|Nothing came.|Good bye."},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := newWebApp(t)
				h := open(t, nil, outbound, func(cfg *call.Config) {
					cfg.OpenRooms = true
					cfg.Deps.HTTP, cfg.Deps.Speaker, cfg.Deps.Foreign = app, app, foreign.Reader{}
					cfg.Deps.WebApps = map[string]action.WebApp{"100": {AuthToken: webToken}}
					if err := cfg.UseWebApps(map[string]call.WebApp{"100": {URL: "https://app.example.com/start", AuthToken: webToken}}); err != nil {
						t.Fatal(err)
					}
				})
				bob := callee(t, h, 1)
				a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(300 * time.Millisecond) // within the prompt: the key cuts it
				if c.press != "" {
					a.Press(c.press)
				}
				switch c.name {
				case "dial":
					b := bob.WaitCall(t)
					b.Answer()
					time.Sleep(2 * time.Second)
					b.Hangup(t)
				case "record":
					time.Sleep(3 * time.Second)
					a.Press("#")
				case "conference":
					time.Sleep(2 * time.Second)
					if f, ok := h.Conference("room"); !ok || len(f.Calls()) != 1 {
						t.Error("nobody is in the room")
					}
					a.Hangup(t)
				}
				a.WaitEnd(t)
				asked, spoken := app.told()
				if asked != c.asked || spoken != c.spoken {
					t.Errorf("asked  %s\nwant   %s\nspoken %s\nwant   %s", asked, c.asked, spoken, c.spoken)
				}
				h.records(t)
			})
		})
	}
}
