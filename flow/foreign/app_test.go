package foreign_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/flow/foreign"
)

const (
	token = "12345"
	entry = `[{"type":"fetch","option":{"event_url":"https://shop.example.com/voice","format":"twilio","account":"shop","fallback_url":"https://shop.example.com/fallback","replace":true}}]`
)

// app is a web application, as somebody has written it for Twilio: a mux with handlers of forms. It serves requests
// without a network, so that they take no time.
type app struct {
	*http.ServeMux
	t *testing.T

	mu   sync.Mutex
	told []string // guarded by mu; what it was asked, one a request
}

func newApp(t *testing.T) *app { return &app{ServeMux: http.NewServeMux(), t: t} }

// page answers a path with TwiML that may depend on the form.
func (a *app) page(path string, f func(form url.Values) string) {
	a.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if want := sign(r); !hmac.Equal([]byte(r.Header.Get("X-Twilio-Signature")), []byte(want)) {
			a.t.Errorf("%s %s: the signature is %q, want %q", r.Method, r.URL, r.Header.Get("X-Twilio-Signature"), want)
			http.Error(w, "forged", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Response>%s</Response>\n", f(r.Form))
	})
}

// sign is the validation that applications do.
func sign(r *http.Request) string {
	text := "https://" + r.Host + r.URL.RequestURI()
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		text += name + r.PostForm.Get(name)
	}
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// asked are the fields that an application looks at.
var asked = []string{"Digits", "DialCallStatus", "DialBridged", "DialCallDuration", "RecordingDuration", "QueueResult", "ErrorCode"}

// Do implements action.HTTPDoer.
func (a *app) Do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	in := httptest.NewRequest(req.Method, req.URL.String(), strings.NewReader(string(body)))
	in.Header = req.Header.Clone()
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(form, req.URL.Query())
	line := req.Method + " " + req.URL.Path
	for _, name := range asked {
		if form.Has(name) {
			line += " " + name + "=" + form.Get(name)
		}
	}
	for _, name := range []string{"CallSid", "AccountSid", "From", "To", "CallStatus", "Direction", "ApiVersion"} {
		if !form.Has(name) {
			a.t.Errorf("%s: there is no %s", line, name)
		}
	}
	a.mu.Lock()
	a.told = append(a.told, line)
	a.mu.Unlock()
	out := httptest.NewRecorder()
	a.ServeHTTP(out, in)
	res := out.Result()
	res.Request = req
	return res, nil
}

// story is one call of an application, simulated and over SIP: what it was told, and what happened.
type story struct {
	script string
	told   []string // by the application
	heard  []string
	dialed []string
	recs   int
}

// TestTwilioApplications runs web applications that were written for Twilio, unchanged: a simulated call, and one over SIP
// with phones, come to the same, which is what was written for them.
func TestTwilioApplications(t *testing.T) {
	for name, c := range map[string]struct {
		app func(*app)
		story
	}{
		"an IVR, sales": {ivr, story{
			script: "caller +12125550100\ncalled +12125550199\npeer +16062067563 answers 2s\nhears press 1\npress 1\ndials +16062067563\nwait 10s\nleave\nhears your call was completed",
			told:   []string{"POST /voice", "POST /menu Digits=1", "POST /dialled DialCallStatus=completed DialBridged=true DialCallDuration=8"},
			heard:  []string{"Press 1 for sales, 2 to leave a message.", "Your call was completed."},
			dialed: []string{"tel:+16062067563"},
		}},
		"an IVR, busy": {ivr, story{
			script: "caller +12125550100\ncalled +12125550199\npeer +16062067563 busy 1s 486\nhears press 1\npress 1\nhears your call was busy",
			told:   []string{"POST /voice", "POST /menu Digits=1", "POST /dialled DialCallStatus=busy DialBridged=false"},
			heard:  []string{"Press 1 for sales, 2 to leave a message.", "Your call was busy."},
			dialed: []string{"tel:+16062067563"},
		}},
		"an IVR, a message": {ivr, story{
			script: "caller +12125550100\ncalled +12125550199\nhears press 1\npress 2\nhears leave a message\nwait 6500ms\npress #\nhears thanks",
			told:   []string{"POST /voice", "POST /menu Digits=2", "GET /recorded Digits=# RecordingDuration=5"},
			heard:  []string{"Press 1 for sales, 2 to leave a message.", "Leave a message.", "Thanks for 5 seconds."},
			recs:   1,
		}},
		"an IVR, a wrong key and none": {ivr, story{
			script: "caller +12125550100\ncalled +12125550199\nhears press 1\npress 9\nhears there is no 9\nhears press 1\nhears goodbye",
			told:   []string{"POST /voice", "POST /menu Digits=9", "POST /voice"},
			heard:  []string{"Press 1 for sales, 2 to leave a message.", "There is no 9.", "Press 1 for sales, 2 to leave a message.", "Goodbye."},
		}},
		"forwarding, answered": {forwarding, story{
			script: "caller +12125550100\ncalled +12125550199\npeer +16062067563 noanswer 3s 480\npeer +16062067564 answers 1s\ndials +16062067563\ndials +16062067564\nwait 5s\nhangup",
			told:   []string{"POST /voice", "POST /first DialCallStatus=no-answer DialBridged=false"},
			dialed: []string{"tel:+16062067563", "tel:+16062067564"},
		}},
		"forwarding, nobody": {forwarding, story{
			script: "caller +12125550100\ncalled +12125550199\npeer * silent\ndials +16062067563\ndials +16062067564\nhears nobody is there",
			told:   []string{"POST /voice", "POST /first DialCallStatus=no-answer DialBridged=false"},
			heard:  []string{"Nobody is there."},
			dialed: []string{"tel:+16062067563", "tel:+16062067564"},
		}},
		"a conference": {conference, story{
			script: "caller +12125550100\ncalled +12125550199\nconference Room 1200\nhears your number\npress 1200#\nhears you join\nwait 5s\nleave\nhears you have left",
			told:   []string{"POST /voice", "POST /join Digits=1200", "POST /left DialCallStatus=answered DialBridged=false"},
			heard:  []string{"Your number, then hash.", "You join.", "You have left."},
		}},
		"a page that leads to the next, more often than flows go within flows": {redirects, story{
			script: "caller +12125550100\ncalled +12125550199\nhears at last",
			told:   append([]string{"POST /voice"}, slices.Repeat([]string{"GET /next"}, flow.MaxStacks+20)...),
			heard:  []string{"At last."},
		}},
		"a page that fails": {broken, story{
			script: "caller +12125550100\ncalled +12125550199\nhears we are sorry",
			told:   []string{"POST /voice", "POST /fallback ErrorCode=11200"},
			heard:  []string{"We are sorry."},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			simulated := c.tell(t, c.app, func(f *flowtest.Flow, script string) *flowtest.Result { return f.Run(t, script) })
			real := c.tell(t, c.app, func(f *flowtest.Flow, script string) *flowtest.Result {
				return calltest.RunScript(t, calltest.NewNet(), f, script, calltest.ScriptOptions{})
			})
			if err := flowtest.Compare(simulated, real, 150*time.Millisecond); err != nil {
				t.Error(err)
			}
		})
	}
}

// tell runs the call and compares it with what is written.
func (c story) tell(t *testing.T, build func(*app), run func(*flowtest.Flow, string) *flowtest.Result) *flowtest.Result {
	t.Helper()
	a := newApp(t)
	build(a)
	f := flowtest.New(t, "shop", entry, flowtest.Config{Unchecked: true, Deps: func(d *action.Deps) {
		d.HTTP, d.Foreign, d.WebApps = a, foreign.Reader{}, map[string]action.WebApp{"shop": {AuthToken: token}}
	}})
	r := run(f, c.script)
	var heard []string
	for _, text := range r.Heard() {
		heard = append(heard, strings.Trim(text, `"`))
	}
	for what, pair := range map[string][2][]string{
		"the application was told": {c.told, a.told}, "the caller heard": {c.heard, heard}, "dialled were": {c.dialed, r.Dialled()},
	} {
		if d := cmp.Diff(pair[0], pair[1]); d != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", what, d, r)
		}
	}
	if got := len(r.Of(flowtest.KindRecords)); got != c.recs {
		t.Errorf("%d recordings, want %d\n%s", got, c.recs, r)
	}
	return r
}

// ivr has Gather, Say, Dial and Record.
func ivr(a *app) {
	a.page("POST /voice", func(url.Values) string {
		return `<Gather numDigits="1" action="/menu" timeout="3"><Say>Press 1 for sales, 2 to leave a message.</Say></Gather><Say>Goodbye.</Say>`
	})
	a.page("POST /menu", func(form url.Values) string {
		switch d := form.Get("Digits"); d {
		case "1":
			return `<Dial action="dialled" callerId="+12125550199"><Number>+16062067563</Number></Dial>`
		case "2":
			return `<Say>Leave a message.</Say><Record action="/recorded" method="GET" maxLength="30" finishOnKey="#"/><Say>We heard nothing.</Say>`
		default:
			return `<Say>There is no ` + d + `.</Say><Redirect>/voice</Redirect>`
		}
	})
	a.page("POST /dialled", func(form url.Values) string {
		return `<Say>Your call was ` + form.Get("DialCallStatus") + `.</Say>`
	})
	a.page("GET /recorded", func(form url.Values) string {
		return `<Say>Thanks for ` + form.Get("RecordingDuration") + ` seconds.</Say><Hangup/>`
	})
}

// forwarding tries one number after the other.
func forwarding(a *app) {
	a.page("POST /voice", func(url.Values) string {
		return `<Dial timeout="20" action="/first">+16062067563</Dial>`
	})
	a.page("POST /first", func(form url.Values) string {
		if form.Get("DialCallStatus") == "completed" {
			return `<Hangup/>`
		}
		return `<Dial timeout="10"><Number>+1 606-206-7564</Number></Dial><Say>Nobody is there.</Say>`
	})
}

// conference asks for its number.
func conference(a *app) {
	a.page("POST /voice", func(url.Values) string {
		return `<Gather action="/join"><Say>Your number, then hash.</Say></Gather><Redirect/>`
	})
	a.page("POST /join", func(form url.Values) string {
		return `<Say>You join.</Say><Dial action="/left"><Conference startConferenceOnEnter="true">Room ` + form.Get("Digits") + `</Conference></Dial>`
	})
	a.page("POST /left", func(url.Values) string { return `<Say>You have left.</Say>` })
}

// broken has a page that fails.
func broken(a *app) {
	a.HandleFunc("POST /voice", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sorry", http.StatusInternalServerError) })
	a.page("POST /fallback", func(form url.Values) string { return `<Say>We are sorry.</Say>` })
}

// redirects leads from page to page.
func redirects(a *app) {
	n := 0
	a.page("POST /voice", func(url.Values) string { return `<Pause/><Redirect method="GET">/next?n=1</Redirect>` })
	a.page("GET /next", func(url.Values) string {
		if n++; n == flow.MaxStacks+20 {
			return `<Say>At last.</Say>`
		}
		return `<Redirect method="GET">/next?n=` + strconv.Itoa(n) + `</Redirect>`
	})
}

// TestRecordOfSilence is over SIP only, where there is silence: nothing was said, so the application is not told, and its document goes on.
func TestRecordOfSilence(t *testing.T) {
	c := story{
		script: "caller +12125550100\ncalled +12125550199\nhears press 1\npress 2\nhears we heard nothing",
		told:   []string{"POST /voice", "POST /menu Digits=2"},
		heard:  []string{"Press 1 for sales, 2 to leave a message.", "Leave a message.", "We heard nothing."},
		recs:   1,
	}
	c.tell(t, ivr, func(f *flowtest.Flow, script string) *flowtest.Result {
		return calltest.RunScript(t, calltest.NewNet(), f, script, calltest.ScriptOptions{})
	})
}
