package foreign_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/flow/flowtest"
	"github.com/callbin/callbin/flow/foreign"
)

// vonage is a web application, as somebody has written it for Vonage.
type vonage struct {
	t    *testing.T
	told []string
}

// Do implements action.HTTPDoer.
func (v *vonage) Do(req *http.Request) (*http.Response, error) {
	var event struct {
		From, UUID, Status string
		DTMF               struct {
			Digits   string
			TimedOut bool `json:"timed_out"`
		}
		RecordingUUID string `json:"recording_uuid"`
	}
	if err := json.NewDecoder(req.Body).Decode(&event); err != nil || event.From != "+12125550100" || event.UUID == "" {
		v.t.Errorf("%s: %+v %v", req.URL, event, err)
	}
	if a := req.Header.Get("Authorization"); strings.Count(a, ".") != 2 || !strings.HasPrefix(a, "Bearer ") {
		v.t.Errorf("%s: authorization %q", req.URL, a)
	}
	line := strings.Join(strings.Fields(req.URL.Path+" "+event.Status+" "+event.DTMF.Digits), " ")
	if event.RecordingUUID != "" {
		line += " recorded"
	}
	v.told = append(v.told, line)
	body := ""
	switch req.URL.Path {
	case "/answer":
		body = `[{"action":"talk","text":"Press one or two.","bargeIn":true},{"action":"input","type":["dtmf"],"dtmf":{"maxDigits":1},"eventUrl":["/input"]},{"action":"talk","text":"Goodbye."}]`
	case "/input":
		switch event.DTMF.Digits {
		case "1":
			body = `[{"action":"connect","endpoint":[{"type":"phone","number":"16062067563"}],"eventType":"synchronous","eventUrl":["/event"]},{"action":"talk","text":"It is over."}]`
		case "2":
			body = `[{"action":"record","endOnKey":"#","eventUrl":["/recorded"]},{"action":"talk","text":"Thanks."}]`
		default:
			body = "[]"
		}
	case "/event":
		body = `{"status":"ok"}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

// TestVonageApplication runs a web application that was written for Vonage.
func TestVonageApplication(t *testing.T) {
	for name, c := range map[string]struct {
		script      string
		told, heard []string
		dialled     []string
	}{
		"connect": {"peer +16062067563 answers 1s\nhears press\npress 1\ndials +16062067563\nwait 5s\nleave\nhears it is over", []string{"/answer", "/input 1", "/event completed"}, []string{"Press one or two.", "It is over."}, []string{"tel:+16062067563"}},
		"record":  {"hears press\npress 2\nwait 5s\npress #\nhears thanks", []string{"/answer", "/input 2", "/recorded recorded"}, []string{"Press one or two.", "Thanks."}, nil},
		"nothing": {"hears press\nhears goodbye", []string{"/answer", "/input"}, []string{"Press one or two.", "Goodbye."}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := &vonage{t: t}
			f := flowtest.New(t, "shop", `[{"type":"fetch","option":{"event_url":"https://shop.example.com/answer","format":"vonage","account":"shop","replace":true}}]`, flowtest.Config{
				Unchecked: true, Deps: func(d *action.Deps) {
					d.HTTP, d.Foreign, d.WebApps = v, foreign.Reader{}, map[string]action.WebApp{"shop": {AuthToken: token}}
				},
			})
			r := f.Run(t, "caller +12125550100\n"+c.script)
			heard := strings.Split(strings.ReplaceAll(strings.Join(r.Heard(), "\n"), `"`, ""), "\n")
			if d := cmp.Diff(fmt.Sprintf("%q %q %q", c.told, c.heard, c.dialled), fmt.Sprintf("%q %q %q", v.told, heard, r.Dialled())); d != "" {
				t.Errorf("(-want +got): %s\n%s", d, r)
			}
		})
	}
}
