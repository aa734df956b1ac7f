package httpapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
)

// TestEachFaultOfABodyIsToldWithItsPlace: all at once, in the order of the text.
func TestEachFaultOfABodyIsToldWithItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		for name, tc := range map[string]struct {
			body string
			want []httpapi.Detail
		}{
			"unknown, twice, wrong": {"{\n \"destinatons\": [],\n \"anonymous\": \"maybe\", \"anonymous\": \"perhaps\",\n \"destinations\": [{\"type\": 7}]\n}", []httpapi.Detail{
				{Field: "/destinatons", Line: 2, Column: 2, Message: `key "destinatons" is unknown, did you mean "destinations"?`},
				{Field: "/anonymous", Line: 3, Column: 24, Message: `key "anonymous" stands twice`},
				{Field: "/anonymous", Line: 3, Column: 37, Message: `key "anonymous" is none of yes, no, auto`},
				{Field: "/destinations/0/type", Line: 4, Column: 28, Message: `key "destinations[0].type" must be a string, not a number`},
			}},
			"missing":       {`{}`, []httpapi.Detail{{Field: "/destinations", Line: 1, Column: 1, Message: `key "destinations" is required`}}},
			"empty":         {``, []httpapi.Detail{{Field: "/destinations", Line: 1, Column: 1, Message: `key "destinations" is required`}}},
			"none":          {`{"destinations":[]}`, []httpapi.Detail{{Field: "/destinations", Line: 1, Column: 17, Message: `key "destinations" must not be empty`}}},
			"not an object": {"\n []", []httpapi.Detail{{Line: 2, Column: 2, Message: "the body must be an object, not a list"}}},
			"not JSON":      {"{\"a\":\n x}", []httpapi.Detail{{Line: 2, Column: 2, Message: "not valid JSON: invalid character 'x' looking for beginning of value"}}},
			"more than one": {`{} {}`, []httpapi.Detail{{Line: 1, Column: 4, Message: "not valid JSON: invalid character '{' after top-level value"}}},
			"not UTF-8":     {"{\"account\":\"\xff\"}", []httpapi.Detail{{Line: 1, Column: 13, Message: "not valid JSON: this is not UTF-8"}}},
			"other case":    {`{"Destinations":[{}]}`, []httpapi.Detail{{Field: "/destinations", Line: 1, Column: 1, Message: `key "destinations" is required`}, {Field: "/Destinations", Line: 1, Column: 2, Message: `key "Destinations" is unknown, did you mean "destinations"?`}}},
			"a variable":    {`{"destinations":[{"type":"sip","target":"a@b"}],"ring_timeout":"${x}"}`, []httpapi.Detail{{Field: "/ring_timeout", Line: 1, Column: 69, Message: "not what is wanted here: cannot unmarshal string into Go struct field CallCreate.ring_timeout of type int64"}}},
			"out of range":  {`{"destinations":[{"type":"sip","target":"a@b"}],"ring_timeout":-1}`, []httpapi.Detail{{Field: "/ring_timeout", Line: 1, Column: 64, Message: `key "ring_timeout": not a number from 0 to 3.6e+06`}}},
			"not to be called": {`{"destinations":[{"type":"email","target":"a@b"},{"type":"sip"}]}`, []httpapi.Detail{
				{Field: "/destinations/0/type", Line: 1, Column: 26, Message: `the type "email" cannot be called: tel, sip, extension and agent can`},
				{Field: "/destinations/1", Line: 1, Column: 50, Message: `key "target" is required`}}},
			"two flows": {`{"destinations":[{"type":"sip","target":"a@b"}],"flow_id":"x","actions":[]}`, []httpapi.Detail{{Field: "/actions", Line: 1, Column: 73, Message: "flow_id and actions are two flows: give one of them"}}},
		} {
			r := h.do(t, "POST", "/calls", tc.body)
			status, _, details := r.fault()
			if d := cmp.Diff(tc.want, details); r.code != 400 || status != "INVALID_ARGUMENT" || d != "" {
				t.Errorf("%s: %d %s (-want +got):\n%s", name, r.code, r.text, d)
			}
		}
		deep := h.do(t, "POST", "/calls", strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000))
		if _, _, details := deep.fault(); deep.code != 400 || len(details) != 1 || !strings.Contains(details[0].Message, "deep") {
			t.Errorf("deep: %d %.200s", deep.code, deep.text)
		}
		many := h.do(t, "POST", "/calls", `{`+strings.TrimSuffix(strings.Repeat(`"x":1,`, 5000), ",")+`}`)
		if _, _, details := many.fault(); many.code != 400 || len(details) != 100 {
			t.Errorf("many faults: %d, %d details", many.code, len(details))
		}
	})
}

func TestRequestsThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(_ *call.Config, w *httpapi.Config) { w.MaxBody = 100 })
		for _, tc := range []struct {
			method, path, body, header string
			code                       int
			reason                     string
		}{
			{"PATCH", "/calls", "", "", 405, "method"},
			{"PUT", "/calls/x", "{}", "", 405, "method"},
			{"GET", "/calls/x/y/z", "", "", 404, "no_such_path"},
			{"POST", "/calls", strings.Repeat(" ", 101), "", 413, "body_size"},
			{"POST", "/calls", "<a/>", "Content-Type: text/xml", 415, "content_type"},
			{"GET", "/calls?direction=up", "", "", 400, "parameter"},
			{"GET", "/calls?status=a&status=b", "", "", 400, "parameter"},
			{"GET", "/calls?page_size=x", "", "", 400, "parameter"},
			{"GET", "/calls?status.x=1", "", "", 400, "parameter"},
			{"GET", "/calls/x?status=1", "", "", 400, "parameter"},
			{"GET", "/calls/x?id=y", "", "", 400, "parameter"},
			{"GET", "/flows/" + strings.Repeat("x", 300), "", "", 404, "not_found"},
			{"POST", "/calls", `{"destinations":[{"type":"sip","target":"a@b"}]}`, "Idempotency-Key: " + strings.Repeat("k", 201), 400, "idempotency_key"},
		} {
			var headers []string
			if tc.header != "" {
				headers = append(headers, tc.header)
			}
			r := h.do(t, tc.method, tc.path, tc.body, append(headers, "X-Request-Id: my-1")...)
			if _, reason, _ := r.fault(); r.code != tc.code || reason != tc.reason || !strings.Contains(r.text, `"request_id":"my-1"`) ||
				r.header.Get("X-Request-Id") != "my-1" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %.60s: %d %s %v", tc.method, tc.path, r.code, r.text, r.header)
			}
		}
		if r := h.do(t, "PATCH", "/calls/x", ""); r.header.Get("Allow") != "GET, DELETE" {
			t.Errorf("allowed are %q", r.header.Get("Allow"))
		}
		if r := h.do(t, "GET", "/calls", "", "X-Request-Id: a\tb"); r.header.Get("X-Request-Id") == "a\tb" || r.header.Get("X-Request-Id") == "" {
			t.Errorf("an id that cannot stand in a log: %q", r.header.Get("X-Request-Id"))
		}
	})
}

func TestTokensMayDoWhatTheirScopesSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256([]byte("the secret of the third one"))
		log := &bytes.Buffer{}
		h := open(t, nil, func(_ *call.Config, w *httpapi.Config) {
			w.Tokens = nil
			w.Logger = slog.New(slog.NewTextHandler(log, nil))
			w.AccessTokens = []call.AccessToken{
				{Name: "reader", Token: "reader-0123456789", Scopes: []string{"calls:read"}},
				{Name: "readers", Token: "readers-0123456789", Scopes: []string{"*:read"}},
				{Name: "flows", SHA256: hex.EncodeToString(sum[:]), Scopes: []string{"flows:*"}},
				{Name: "slow", Token: "slow-0123456789", Scopes: []string{"*"}, PerSecond: 2, Burst: 3},
			}
		})
		as := func(method, path, token string) reply {
			r := httptest.NewRequest(method, "/v1.0"+path, strings.NewReader("{}"))
			r.Header.Set("Authorization", "bearer "+token)
			return serve(h.api, r)
		}
		for _, tc := range []struct {
			token, method, path string
			code                int
		}{
			{"reader-0123456789", "GET", "/calls", 200}, {"reader-0123456789", "POST", "/calls", 403}, {"reader-0123456789", "GET", "/flows", 403},
			{"readers-0123456789", "GET", "/flows", 200}, {"readers-0123456789", "POST", "/flows", 403},
			{"the secret of the third one", "POST", "/flows", 400}, {"the secret of the third one", "GET", "/calls", 403},
			{"slow-0123456789", "GET", "/calls", 200}, {"slow-0123456789", "GET", "/flows", 200}, {"slow-0123456789", "POST", "/calls", 400},
			{"slow-0123456789", "GET", "/calls", 429},
		} {
			if r := as(tc.method, tc.path, tc.token); r.code != tc.code {
				t.Errorf("%s: %s %s: %d %s, want %d", tc.token, tc.method, tc.path, r.code, r.text, tc.code)
			}
		}
		if r := as("GET", "/calls", "slow-0123456789"); r.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
		}
		time.Sleep(500 * time.Millisecond)
		if r := as("GET", "/calls", "slow-0123456789"); r.code != 200 {
			t.Errorf("half a second later: %d", r.code)
		}
		// Who guesses is told to wait, and who has a token behind the same address is not.
		codes := map[int]int{}
		for i := range 50 {
			codes[as("GET", "/calls", fmt.Sprint("guess", i)).code]++
		}
		if codes[401] != 20 || codes[429] != 30 {
			t.Errorf("guesses: %v", codes)
		}
		if r := as("GET", "/calls", "reader-0123456789"); r.code != 200 {
			t.Errorf("a right token meanwhile: %d", r.code)
		}
		if strings.Contains(log.String(), "0123456789") {
			t.Errorf("a token in the log:\n%s", log)
		}
	})
}

func TestScopesThatNothingNeedsAreRefused(t *testing.T) {
	_, err := httpapi.Open("127.0.0.1:0", "", httpapi.Config{Engine: noCalls{}, AccessTokens: []call.AccessToken{
		{Name: "a", Token: "0123456789abcdef", Scopes: []string{"cals:read", "calls:read", "calls:*"}}}})
	if err == nil || !strings.Contains(err.Error(), `"cals:read"`) || strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), `"calls:`) {
		t.Errorf("%v", err)
	}
}

// TestSameKeyAtOneTimePlacesOneCall: those that come while the first is at it get its answer, also where its sender has gone.
func TestSameKeyAtOneTimePlacesOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		bob := calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: bobAddr, Port: 5060})
		body := `{"actions":[{"type":"sleep","option":{"duration":1000}}],"destinations":[{"type":"sip","target":"bob@10.0.0.3"},{"type":"sip","target":"bob@192.0.2.1"}]}`
		replies := make([]reply, 20)
		var wg sync.WaitGroup
		for i := range replies {
			wg.Go(func() { replies[i] = h.do(t, "POST", "/calls", body, "Idempotency-Key: k") })
		}
		wg.Wait()
		replayed := 0
		for _, r := range replies {
			if r.code != 200 || r.text != replies[0].text {
				t.Errorf("%d %s", r.code, r.text)
			}
			if r.header.Get("Idempotency-Replayed") != "" {
				replayed++
			}
		}
		if replayed != len(replies)-1 {
			t.Errorf("%d were answered again", replayed)
		}
		// The destination that may not be dialled is told, and not hidden.
		var got httpapi.CallsCreated
		if err := json.Unmarshal([]byte(replies[0].text), &got); err != nil || len(got.Calls) != 1 || len(got.Errors) != 1 {
			t.Fatalf("%v %s", err, replies[0].text)
		}
		if e := got.Errors[0]; e.Field != "/destinations/1" || e.Status != "PERMISSION_DENIED" || e.CallID == "" || e.Message == "" {
			t.Errorf("%+v", e)
		}
		if r := h.ok(t, "GET", "/calls/"+got.Errors[0].CallID, ""); r["status"] != "hangup" || r["code"] != got.Errors[0].Reason {
			t.Errorf("its record: %v", r)
		}
		b := bob.WaitCall(t)
		b.Answer()
		b.WaitEnd(t)
		time.Sleep(25 * time.Hour) // a day later the key is a new one
		if r := h.do(t, "POST", "/calls", `{"destinations":[{"type":"sip","target":"x@192.0.2.1"}]}`, "Idempotency-Key: k"); r.code != 403 {
			t.Errorf("%d %s", r.code, r.text)
		} else if again := h.do(t, "POST", "/calls", `{"destinations":[{"type":"sip","target":"x@192.0.2.1"}]}`, "Idempotency-Key: k"); again.text != r.text {
			t.Errorf("a refusal comes again as it was: %s", again.text)
		}
	})
}

func TestAReplayHasTheETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		body := `{"name":"a","actions":[{"type":"answer"}]}`
		first, again := h.do(t, "POST", "/flows", body, "Idempotency-Key: f"), h.do(t, "POST", "/flows", body, "Idempotency-Key: f")
		if first.code != 200 || again.text != first.text || again.header.Get("ETag") != `"1"` {
			t.Errorf("%d %s\n%d %s %v", first.code, first.text, again.code, again.text, again.header)
		}
		if l := h.ok(t, "GET", "/flows", ""); len(l["result"].([]any)) != 1 {
			t.Errorf("%v", l)
		}
		// The key is that of one path.
		if r := h.do(t, "POST", "/calls", body, "Idempotency-Key: f"); r.code != 400 {
			t.Errorf("%d %s", r.code, r.text)
		}
	})
}

// slowBody comes never.
type slowBody struct{ wait chan struct{} }

func (s slowBody) Read([]byte) (int, error) {
	<-s.wait
	return 0, errors.New("over")
}

// TestABodyThatDoesNotComeEndsTheRequest is over a real connection: a deadline is set there.
func TestABodyThatDoesNotComeEndsTheRequest(t *testing.T) {
	api := httpapi.New(httpapi.Config{Engine: noCalls{}, Tokens: []string{token}})
	srv := httptest.NewServer(api)
	defer srv.Close()
	body := slowBody{make(chan struct{})}
	req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1.0/calls/x/hangup", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 10
	req.Header.Set("Authorization", "Bearer "+token)
	close(body.wait) // the client breaks off
	if res, err := http.DefaultClient.Do(req); err == nil {
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("%d %s", res.StatusCode, b)
		}
	}
}
