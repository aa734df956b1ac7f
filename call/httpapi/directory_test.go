package httpapi_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/call/httpapi"
	"github.com/callbin/callbin/store"
)

// inDirectory keeps in db what is made; the settings have an extension, an agent and a queue.
func inDirectory(t testing.TB, db store.Directory) func(*call.Config, *httpapi.Config) {
	return func(c *call.Config, _ *httpapi.Config) {
		t.Helper()
		c.Registrar.KeepAlive = -1
		c.Extensions = call.ListExtensions(call.Extension{Name: "200", Password: "of the settings"})
		c.Agents = call.ListAgents(call.Agent{ID: "old", Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}})
		c.Queues = []call.QueueOptions{{ID: "old"}}
		if _, err := c.UseDirectory(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

// made does a POST and returns the id.
func (h *house) made(t *testing.T, path, body string) string {
	t.Helper()
	id, _ := h.ok(t, "POST", path, body)["id"].(string)
	if id == "" {
		t.Fatalf("POST %s %s: no id", path, body)
	}
	return id
}

// faulty wants a body refused for the value at field, which stands in line.
func (h *house) faulty(t *testing.T, method, path, body, field string, line int) {
	t.Helper()
	r := h.do(t, method, path, body)
	if _, _, details := r.fault(); r.code != 400 || !slices.ContainsFunc(details, func(d httpapi.Detail) bool { return d.Field == field && d.Line == line }) {
		t.Errorf("%s %s %s: %d %s, want 400 and %q in line %d", method, path, body, r.code, r.text, field, line)
	}
}

// TestWhatTheDirectoryKeepsIsMadeChangedAndDeleted: each of its resources by the same rules.
func TestWhatTheDirectoryKeepsIsMadeChangedAndDeleted(t *testing.T) {
	for _, x := range []struct {
		path, body, change, key, value string
		again                          int // what the same body gets once more
		fixed                          string
		revised                        bool // counts changes
	}{
		{"/extensions", `{"extension":"300","password":"long enough","name":"Ann","contacts_max":2}`, `{"name":"Bob"}`, "name", "Bob", 409, "200", true},
		{"/numbers", `{"number":"+1 (606) 206-7563","name":"main"}`, `{"detail":"of the house"}`, "detail", "of the house", 409, "", true},
		{"/agents", `{"id":"ann","addresses":[{"type":"extension","target":"200"}],"tag_ids":["fr"]}`, `{"name":"Ann"}`, "name", "Ann", 409, "old", true},
		{"/queues", `{"id":"sales","name":"Sales","wait_timeout":60000}`, `{"routing_method":"longest_idle"}`, "routing_method", "longest_idle", 409, "old", true},
		{"/conferences", `{"id":"team","timeout":3600}`, `{"name":"Team"}`, "name", "Team", 409, "", false},
	} {
		t.Run(x.path[1:], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, nil, inDirectory(t, store.Memory()))
				before := len(h.ok(t, "GET", x.path, "")["result"].([]any))
				id := h.made(t, x.path, x.body)
				if got := h.ok(t, "GET", x.path+"/"+id, ""); got["id"] != id || got["tm_create"] == nil {
					t.Errorf("one: %v", got)
				}
				if all := h.ok(t, "GET", x.path+"?page_size=1", "")["result"].([]any); len(all) != 1 || all[0].(map[string]any)["id"] != id {
					t.Errorf("the newest is not the first: %v", all)
				}
				if n := len(h.ok(t, "GET", x.path, "")["result"].([]any)); n != before+1 {
					t.Errorf("%d listed, were %d", n, before)
				}
				again := h.do(t, "POST", x.path, x.body)
				if status, reason, _ := again.fault(); again.code != x.again || status != "ALREADY_EXISTS" || reason != "exists" {
					t.Errorf("made twice: %d %s", again.code, again.text)
				}
				time.Sleep(time.Second)
				changed := h.do(t, "PUT", x.path+"/"+id, x.change, `If-Match: *`)
				if changed.code != 200 || changed.body[x.key] != x.value {
					t.Errorf("changed: %d %s", changed.code, changed.text)
				}
				if x.revised {
					if changed.body["rev"] != 2.0 || changed.header.Get("ETag") != `"2"` {
						t.Errorf("revision after a change: %s, ETag %s", changed.text, changed.header.Get("ETag"))
					}
					for _, method := range []string{"PUT", "DELETE"} {
						if r := h.do(t, method, x.path+"/"+id, x.change, `If-Match: "1"`); r.code != 412 {
							t.Errorf("%s of an old revision: %d %s", method, r.code, r.text)
						}
					}
				}
				for _, r := range [][3]string{{"GET", "", ""}, {"PUT", x.change, ""}, {"DELETE", "", ""}} {
					if got := h.do(t, r[0], x.path+"/none", r[1]); got.code != 404 || !strings.Contains(got.text, "NOT_FOUND") {
						t.Errorf("%s of what there is not: %d %s", r[0], got.code, got.text)
					}
				}
				if x.fixed != "" {
					if got := h.ok(t, "GET", x.path+"/"+x.fixed, ""); got["read_only"] != true {
						t.Errorf("of the settings: %v", got)
					}
					for _, r := range [][2]string{{"PUT", x.change}, {"DELETE", ""}} {
						got := h.do(t, r[0], x.path+"/"+x.fixed, r[1])
						if _, reason, _ := got.fault(); got.code != 409 || reason != "read_only" {
							t.Errorf("%s of the settings: %d %s", r[0], got.code, got.text)
						}
					}
				}
				h.faulty(t, "PUT", x.path+"/"+id, "{\n\"nane\":\"x\"}", "/nane", 2)
				if got := h.ok(t, "DELETE", x.path+"/"+id, ""); got["id"] != id {
					t.Errorf("deleted: %v", got)
				}
				time.Sleep(time.Second)
				if x.path != "/conferences" { // of which there is a record
					if r := h.do(t, "GET", x.path+"/"+id, ""); r.code != 404 {
						t.Errorf("what is deleted: %d %s", r.code, r.text)
					}
				}
				h.made(t, x.path, x.body)
			})
		})
	}
}

// TestWhatIsWrongWithAnEntryIsToldWithItsPlace: missing and bad values of each resource.
func TestWhatIsWrongWithAnEntryIsToldWithItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, inDirectory(t, store.Memory()))
		for _, x := range []struct {
			path, body, field string
			line              int
		}{
			{"/extensions", `{"extension":"300"}`, "/password", 1},
			{"/extensions", "{\"extension\":\"300\",\n\"password\":\"short\"}", "/password", 2},
			{"/extensions", "{\"extension\":\"300\",\"password\":\"long enough\",\n \"contacts_max\":-1}", "/contacts_max", 2},
			{"/extensions", "{\"extension\":\"300\",\"password\":\"long enough\",\n\n \"name\":7}", "/name", 3},
			{"/numbers", `{"name":"x"}`, "/number", 1},
			{"/numbers", "{\n\"number\":\"+1\"}", "/number", 2},
			{"/numbers", "{\"number\":\"100\",\n\"call_flow_id\":\"none\"}", "/call_flow_id", 2},
			{"/agents", `{"name":"x"}`, "/addresses", 1},
			{"/agents", "{\"addresses\":[{\"type\":\"extension\",\"target\":\"200\"},\n{\"type\":\"tel\",\"target\":\"abc\"}]}", "/addresses/1", 2},
			{"/agents", "{\"addresses\":[{\"type\":\"extension\",\"target\":\"200\"}],\n\"ring_method\":\"all\"}", "/ring_method", 2},
			{"/queues", "{\"wait_timeout\":1,\n\"routing_method\":\"best\"}", "/routing_method", 2},
			{"/queues", "{\"name\":\"x\",\n\"wait_flow_id\":\"none\"}", "/wait_flow_id", 2},
			{"/conferences", "{\"name\":\"x\",\n\"type\":\"party\"}", "/type", 2},
			{"/conferences", "{\"name\":\"x\",\n\"pin\":\"12a4\"}", "/pin", 2},
			{"/conferences", "{\"name\":\"x\",\n\"moderator_pin\":\"1\"}", "/moderator_pin", 2},
			{"/conferences", "{\"name\":\"x\",\n\"post_flow_id\":\"none\"}", "/post_flow_id", 2},
			{"/groupcalls", `{"actions":[]}`, "/destinations", 1},
			{"/groupcalls", "{\"destinations\":[{\"type\":\"sip\",\"target\":\"bob@10.0.0.3\"}],\n\"ring_method\":\"best\"}", "/ring_method", 2},
		} {
			h.faulty(t, "POST", x.path, x.body, x.field, x.line)
		}
		for _, path := range []string{"/groupcalls/none", "/queuecalls/none", "/conferencecalls/none", "/extensions/none/registrations"} {
			if r := h.do(t, "GET", path, ""); r.code != 404 {
				t.Errorf("%s: %d %s", path, r.code, r.text)
			}
		}
	})
}

// TestNoAnswerHoldsASecret walks over all GETs of a house that has passwords and PINs, and over the answers that made them.
func TestNoAnswerHoldsASecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := store.Memory()
		h := open(t, nil, inDirectory(t, db), func(c *call.Config, _ *httpapi.Config) {
			c.Trunks = []call.Trunk{{Name: "provider", Address: "10.0.0.9", User: "us", Password: "secret-of-the-trunk"}}
		})
		secrets := []string{"of the settings", "secret-of-the-extension", "secret-of-the-trunk", "471147", "081508", "ha1", token}
		ids := map[string]string{}
		for path, body := range map[string]string{
			"/extensions":  `{"extension":"300","password":"secret-of-the-extension"}`,
			"/numbers":     `{"number":"100"}`,
			"/agents":      `{"addresses":[{"type":"extension","target":"300"}]}`,
			"/queues":      `{"name":"q"}`,
			"/conferences": `{"pin":"471147","moderator_pin":"081508"}`,
			"/flows":       `{"actions":[]}`,
		} {
			r := h.do(t, "POST", path, body)
			ids[path], _ = r.body["id"].(string)
			for _, s := range secrets {
				if strings.Contains(strings.ToLower(r.text), s) {
					t.Errorf("POST %s answers %s", path, r.text)
				}
			}
			wrong := h.do(t, "POST", path, strings.Replace(body, "{", `{"nothing":1,`, 1))
			for _, s := range secrets {
				if strings.Contains(strings.ToLower(wrong.text), s) {
					t.Errorf("POST %s answers %s", path, wrong.text)
				}
			}
		}
		sums, _, err := db.ListEntries(t.Context(), store.EntryFilter{Kind: store.EntryExtension})
		if err != nil || len(sums) != 1 || strings.Contains(string(sums[0].Body), "secret") {
			t.Errorf("stored: %v, %v", sums, err)
		}
		seen := 0
		for _, row := range httpapi.Rows(h.api) {
			if row.Method != "GET" || strings.HasPrefix(row.Path, "/v1.0/events") { // streams: they tell what is to come
				continue
			}
			path := strings.TrimPrefix(row.Path, "/v1.0")
			base, _, _ := strings.Cut(path, "/{")
			for _, id := range []string{ids[base], "200", "old"} {
				r := h.do(t, "GET", pathID.ReplaceAllLiteralString(path, id), "")
				if r.code == 200 {
					seen++
				}
				for _, s := range secrets {
					if strings.Contains(strings.ToLower(r.text), s) {
						t.Errorf("GET %s answers %s, which holds %s", path, r.text, s)
					}
				}
			}
		}
		if seen < 20 {
			t.Errorf("only %d answers", seen)
		}
	})
}

// phoneOf is one of an extension, at 10.0.1.n.
func phoneOf(t *testing.T, h *house, extension, password string, n byte) *calltest.Phone {
	t.Helper()
	return calltest.NewPhone(t, h.net, calltest.PhoneConfig{Addr: netip.AddrFrom4([4]byte{10, 0, 1, n}), Port: 5060, User: extension, Host: "10.0.0.1", Password: password})
}

// TestExtensionMadeByRESTRegisters with its password, with no other, and not when it is deleted; its phones are seen and dropped.
func TestExtensionMadeByRESTRegisters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, inDirectory(t, store.Memory()))
		id := h.made(t, "/extensions", `{"extension":"300","password":"long enough"}`)
		registers := func(n byte, password string, want bool) {
			t.Helper()
			time.Sleep(time.Minute) // after failures
			if status, _ := phoneOf(t, h, "300", password, n).Register(t, time.Hour); (status == 200) != want {
				t.Errorf("REGISTER with %q gets %d", password, status)
			}
		}
		phones := func() int {
			return len(h.ok(t, "GET", "/extensions/"+id+"/registrations", "")["result"].([]any))
		}
		registers(1, "long enough", true)
		registers(2, "not enough", false)
		if n := phones(); n != 1 {
			t.Errorf("%d phones", n)
		}
		if r := h.do(t, "DELETE", "/extensions/"+id+"/registrations", ""); r.code != 204 || phones() != 0 {
			t.Errorf("phones dropped: %d %s, %d are left", r.code, r.text, phones())
		}
		registers(3, "long enough", true)
		h.ok(t, "PUT", "/extensions/"+id, `{"password":"another one"}`)
		if n := phones(); n != 0 {
			t.Errorf("%d phones of the old password", n)
		}
		registers(4, "long enough", false)
		registers(5, "another one", true)
		h.ok(t, "DELETE", "/extensions/"+id, "")
		registers(6, "another one", false)
		if n := len(h.Registrations("300")); n != 0 {
			t.Errorf("%d phones of no extension", n)
		}
	})
}

// TestNumberGoesToAStoredFlow: what POST /flows and POST /numbers have made answers a phone, before the flows of files.
func TestNumberGoesToAStoredFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"+16062067563": `[{"type":"answer"}]`}, withSounds, inDirectory(t, store.Memory()))
		plays := func(hz int) string {
			return h.made(t, "/flows", fmt.Sprintf(`{"name":"%d","actions":[{"type":"answer"},{"type":"play","option":{"stream_urls":["https://tones.example/%d"]}}]}`, hz, hz))
		}
		dials := func(what string, want ...float64) {
			t.Helper()
			c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "+16062067563")
			c.WaitEnd(t)
			only(t, what, c.Heard(), want...)
		}
		dials("without a number")
		id := h.made(t, "/numbers", `{"number":"+16062067563","call_flow_id":"`+plays(440)+`"}`)
		dials("with one", 440)
		h.ok(t, "PUT", "/numbers/"+id, `{"call_flow_id":"`+plays(550)+`"}`)
		dials("of another flow", 550)
		h.ok(t, "PUT", "/numbers/"+id, `{"call_flow_id":""}`)
		if status := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "+16062067563").WaitEnd(t); !strings.HasPrefix(status, "404") {
			t.Errorf("a number of no flow: %s", status)
		}
		h.ok(t, "DELETE", "/numbers/"+id, "")
		dials("after it")
		if r := h.do(t, http.MethodGet, "/numbers/"+id, ""); r.code != 404 {
			t.Errorf("%d %s", r.code, r.text)
		}
	})
}

// TestPagesOfWhatTheSettingsHave: they have no times, and come once each all the same.
func TestPagesOfWhatTheSettingsHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil, func(c *call.Config, _ *httpapi.Config) {
			var all []call.Agent
			for i := range 5 {
				all = append(all, call.Agent{ID: fmt.Sprint("a", i), Addresses: []address.Address{{Type: address.TypeExtension, Target: "200"}}})
				c.Queues = append(c.Queues, call.QueueOptions{ID: fmt.Sprint("q", i)})
			}
			c.Agents = call.ListAgents(all...)
			if _, err := c.UseDirectory(t.Context(), store.Memory()); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(time.Second)
		h.made(t, "/agents", `{"id":"new","addresses":[{"type":"extension","target":"200"}]}`)
		h.made(t, "/queues", `{"id":"new"}`)
		for path, want := range map[string]string{"/agents": "new a4 a3 a2 a1 a0", "/queues": "new q4 q3 q2 q1 q0"} {
			var ids []string
			for token := ""; len(ids) < 10; {
				page := h.ok(t, "GET", path+"?page_size=2&page_token="+token, "")
				for _, x := range page["result"].([]any) {
					ids = append(ids, x.(map[string]any)["id"].(string))
				}
				if token, _ = page["next_page_token"].(string); token == "" {
					break
				}
			}
			if got := strings.Join(ids, " "); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	})
}
