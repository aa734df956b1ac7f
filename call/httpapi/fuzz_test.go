package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

const streamPath = "/v1.0/events/stream"

var pathID = regexp.MustCompile(`\{[a-z_]+\}`)

// FuzzBody sends anything to each row of the table that reads a body: whatever comes, the answer is one of the table, and a fault has its place in the text.
func FuzzBody(f *testing.F) {
	// Nothing may be dialled, so that nothing rings longer than the test.
	h := open(f, nil, inDirectory(f, store.Memory()), func(c *call.Config, _ *httpapi.Config) { c.Outbound = call.Outbound{} })
	var rows []httpapi.Row
	for _, r := range httpapi.Rows(h.api) {
		if r.HasBody {
			rows = append(rows, r)
		}
	}
	bodies := []string{
		``, `{}`, `[]`, `null`, `{"a":`, "\xef\xbb\xbf{}", `{"a":1,"a":2}`, "{\"name\":\"\xff\"}", `{"name":null}`,
		`{"destinations":[{"type":"sip","target":"bob@10.0.0.3"}],"actions":[{"type":"answer"}]}`,
		`{"destinations":[{"type":"tel","target":"+1 (606) 206"},{"type":"agent","target":"x"}],"flow_id":"y","variables":{"a":"b"}}`,
		`{"name":"n","detail":"d","actions":[{"id":"a","type":"goto","option":{"target_id":"a"}}],"on_complete_flow_id":"z"}`,
		`{"direction":"in"}`, `{"text":"hello","language":"en-US","to":"all"}`, `{"stream_urls":["file:/etc/passwd"]}`, `{"digits":"123","duration":100}`,
		`{"format":"wav","end_of_silence":1,"end_of_key":"#","duration":9223372036854775807}`, `{"metadata":{"":""}}`, `{"action_id":"x","execution":-1}`,
		`{"extension":"300","password":"long enough","contacts_max":1}`, `{"number":"+16062067563","call_flow_id":""}`, `{"id":"a","pin":"1234","timeout":60,"data":{"a":"b"}}`,
		`{"addresses":[{"type":"extension","target":"200"}],"tag_ids":["a"],"ring_timeout":1}`, `{"status":"saved"}`, `{"role":"listener"}`, `{"priority":-9223372036854775808}`,
		`{"transfer_type":"blind","transferer_call_id":"x","transferee_addresses":[{}]}`, `{"orbit":"701","timeout":1e3}`, `{"reason":"busy"}`,
	}
	for i := range rows {
		for _, b := range bodies {
			f.Add(uint8(i), []byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, row uint8, body []byte) {
		r := rows[int(row)%len(rows)]
		req := httptest.NewRequest(r.Method, pathID.ReplaceAllString(r.Path, "x"), bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		got := serve(h.api, req)
		if got.code == 500 || got.code < 200 || got.text != "" && !json.Valid([]byte(got.text)) {
			t.Fatalf("%s %s %q: %d %s", r.Method, r.Path, body, got.code, got.text)
		}
		if got.code/100 == 2 {
			if id, ok := got.body["id"].(string); ok && r.Method == "POST" { // so that they do not become more and more
				again := httptest.NewRequest("DELETE", "/", nil)
				again.URL.Path = r.Path + "/" + id
				again.Header.Set("Authorization", "Bearer "+token)
				serve(h.api, again)
			}
			return
		}
		status, reason, details := got.fault()
		if status == "" || reason == "" {
			t.Errorf("%s %s %q: %s", r.Method, r.Path, body, got.text)
		}
		lines := bytes.Count(body, []byte("\n")) + 1
		for _, d := range details {
			if d.Line < 0 || d.Line > lines || d.Column < 0 || d.Column > len(body)+1 || d.Message == "" {
				t.Errorf("%s %s %q: %+v", r.Method, r.Path, body, d)
			}
		}
	})
}

// FuzzQuery sends any query to each row of the table that only reads.
func FuzzQuery(f *testing.F) {
	h := open(f, nil, inDirectory(f, store.Memory()))
	var rows []httpapi.Row
	for _, r := range httpapi.Rows(h.api) {
		if r.Method == "GET" {
			rows = append(rows, r)
		}
	}
	for i := range rows {
		for _, q := range []string{"", "page_size=1&page_token=x", "since=2026-01-01T00:00:00Z&until=x", "metadata.a=b&metadata[c]=d", "metadata=x", "status=a&status=b", "%zz", "file=99", "direction=incoming&x[=1"} {
			f.Add(uint8(i), "x", q)
		}
	}
	f.Fuzz(func(t *testing.T, row uint8, id, query string) {
		r := rows[int(row)%len(rows)]
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond) // the answers of streams end with it alone
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, r.Method, "/", nil)
		req.URL.Path, req.URL.RawQuery = pathID.ReplaceAllLiteralString(r.Path, id), query
		req.Header.Set("Authorization", "Bearer "+token)
		if got := serve(h.api, req); got.code == 500 || got.code < 200 {
			t.Fatalf("%s?%s: %d %s", req.URL.Path, query, got.code, got.text)
		}
	})
}

// FuzzLastEventID sends any id of a last event, by the header and by the parameter, and any choice of events: the stream begins, tells that events are lost
// unless the id is one of those that are kept, and has no line that is not its own.
func FuzzLastEventID(f *testing.F) {
	h := open(f, nil)
	for i := range 3 {
		if _, err := h.CreateConference(call.ConferenceOptions{ID: "room" + strconv.Itoa(i)}); err != nil {
			f.Fatal(err)
		}
	}
	kept := map[string]bool{"": true}
	for _, ev := range h.RecentEvents(call.SubscribeOptions{}, "", 100) {
		kept[ev.ID] = true
		f.Add(ev.ID, "", "")
		f.Add("", ev.ID, "conference_*")
		f.Add("x", ev.ID, ",")
	}
	for _, id := range []string{"0", "\xff", "a\r\ndata: {}\n\n", "\x00", "ffffffff-ffff-ffff-ffff-ffffffffffff", "%zz"} {
		f.Add(id, id, "*"+id)
	}
	line := regexp.MustCompile(`^(|:|retry: 2000|id: [0-9a-f-]{36}|event: [a-z_]+|data: \{.*\})$`)
	f.Fuzz(func(t *testing.T, header, parameter, types string) {
		ctx, gone := context.WithCancel(t.Context())
		gone()
		req := httptest.NewRequestWithContext(ctx, "GET", streamPath+"?"+url.Values{"last_event_id": {parameter}, "type": {types}}.Encode(), nil)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header["Last-Event-Id"] = []string{header}
		got := serve(h.api, req)
		if got.code != 200 {
			if status, reason, _ := got.fault(); got.code != 400 || status == "" || reason == "" {
				t.Fatalf("%q %q %q: %d %s", header, parameter, types, got.code, got.text)
			}
			return
		}
		last := header
		if last == "" {
			last = parameter
		}
		if lost := strings.Contains(got.text, "event: events_lost"); lost == kept[last] {
			t.Errorf("after %q: %s", last, got.text)
		}
		for l := range strings.SplitSeq(got.text, "\n") {
			if !line.MatchString(l) {
				t.Errorf("%q %q %q: line %q", header, parameter, types, l)
			}
		}
	})
}
