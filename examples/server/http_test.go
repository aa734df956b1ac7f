package main_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call/calltest"
)

// curl makes a request as VoIPBIN's documentation does, and returns status and body.
func curl(t *testing.T, s *server, args ...string) (int, string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(s.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if path, ok := strings.CutPrefix(a, "https://api.voipbin.net"); ok {
			args[i] = fmt.Sprintf("http://127.0.0.1:%d%s", s.http, path)
		}
	}
	args = append([]string{"-sS", "-w", "\n%{http_code}", "-H", "Authorization: Bearer " + strings.TrimSpace(string(token))}, args...)
	out, err := exec.Command(need(t, "curl"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v\n%s", args, err, out)
	}
	i := strings.LastIndexByte(string(out), '\n')
	var code int
	if _, err := fmt.Sscan(string(out[i+1:]), &code); err != nil {
		t.Fatalf("curl %q: %s", args, out)
	}
	return code, string(out[:i])
}

// object is curl for an answer that is a JSON object, and no error.
func object(t *testing.T, s *server, args ...string) map[string]any {
	t.Helper()
	code, text := curl(t, s, args...)
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil || code != 200 {
		t.Fatalf("curl %q: %d %v %s", args, code, err, text)
	}
	return v
}

// bob is a phone that the server may call, and how to name it.
func bob(t *testing.T) (phone *calltest.Phone, target string) {
	t.Helper()
	at := calltest.FreePort(t)
	phone = calltest.NewPhone(t, calltest.Loopback{}, calltest.PhoneConfig{Addr: at.Addr(), Port: at.Port()})
	return phone, fmt.Sprintf("bob@%s", netip.AddrPortFrom(at.Addr(), at.Port()))
}

const asJSON = "Content-Type: application/json"

// TestVoIPBINsCurlExamples are those of its documentation, with the server's address: flows are made, changed and deleted, a call is placed with one,
// recorded, and hung up.
func TestVoIPBINsCurlExamples(t *testing.T) {
	s := start(t, serverOptions{config: loopbackOnly})
	p, target := bob(t)

	flow := object(t, s, "--location", "--request", "POST", "https://api.voipbin.net/v1.0/flows", "--header", asJSON, "--data-raw", `{
    "name": "Tone",
    "detail": "a tone, and then nothing",
    "actions": [
        {"type": "answer"},
        {"type": "beep"},
        {"type": "sleep", "option": {"duration": 60000}}
    ]
}`)
	id := flow["id"].(string)
	if got := object(t, s, "--location", "--request", "GET", "https://api.voipbin.net/v1.0/flows?page_size=10"); len(got["result"].([]any)) != 1 || got["next_page_token"] != "" {
		t.Errorf("listed: %v", got)
	}
	if got := object(t, s, "-X", "PUT", "https://api.voipbin.net/v1.0/flows/"+id, "-H", asJSON, "-d", `{
    "name": "Tones", "detail": "two tones",
    "actions": [{"type": "answer"}, {"type": "beep"}, {"type": "beep"}, {"type": "sleep", "option": {"duration": 60000}}]}`); got["name"] != "Tones" {
		t.Errorf("changed: %v", got)
	}
	if got := object(t, s, "https://api.voipbin.net/v1.0/flows/"+id); got["detail"] != "two tones" || len(got["actions"].([]any)) != 4 {
		t.Errorf("read: %v", got)
	}

	made := object(t, s, "--location", "--request", "POST", "https://api.voipbin.net/v1.0/calls", "--header", asJSON, "--data-raw", fmt.Sprintf(`{
    "source": {"type": "sip", "target": "alice@127.0.0.1"},
    "destinations": [{"type": "sip", "target": %q}],
    "flow_id": %q
}`, target, id))
	if got := made["groupcalls"].([]any); len(got) != 0 {
		t.Errorf("groupcalls: %v", got)
	}
	callID := made["calls"].([]any)[0].(map[string]any)["id"].(string)
	c := p.WaitCall(t)
	c.Answer()
	until(t, "the call is answered", func() bool {
		return object(t, s, "https://api.voipbin.net/v1.0/calls/"+callID)["status"] == "progressing"
	})

	got := object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls/"+callID+"/recording_start", "--header", asJSON, "--data", `{
    "format": "wav", "end_of_silence": 0, "end_of_key": "none", "duration": 600, "on_end_flow_id": "00000000-0000-0000-0000-000000000000"}`)
	recID, _ := got["recording_id"].(string)
	if recID == "" {
		t.Fatalf("recorded: %v", got)
	}
	c.Say(calltest.Tone(400, 3*time.Second))
	pauseFor(2500 * time.Millisecond)
	object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls/"+callID+"/recording_stop")
	if got := object(t, s, "https://api.voipbin.net/v1.0/recordings/"+recID); got["status"] != "ended" || got["reference_id"] != callID {
		t.Errorf("recording: %v", got)
	}
	file := filepath.Join(t.TempDir(), "recording.wav")
	if code, text := curl(t, s, "--location", "https://api.voipbin.net/v1.0/recordingfiles/"+recID, "--output", file); code != 200 {
		t.Errorf("downloaded: %d %s", code, text)
	}
	if b, err := os.ReadFile(file); err != nil || len(b) < 2*2*8000*2 || string(b[:4]) != "RIFF" {
		t.Errorf("downloaded %d bytes, %v", len(b), err)
	}
	if code, text := curl(t, s, "-r", "8-11", "https://api.voipbin.net/v1.0/recordingfiles/"+recID); code != 206 || text != "WAVE" {
		t.Errorf("a part of it: %d %q", code, text)
	}

	for _, method := range []string{"POST", "DELETE"} {
		for _, what := range []string{"hold", "moh", "silence", "mute"} {
			if code, text := curl(t, s, "--request", method, "https://api.voipbin.net/v1.0/calls/"+callID+"/"+what); code != 200 || text != "" {
				t.Errorf("%s %s: %d %q", method, what, code, text)
			}
		}
	}
	object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls/"+callID+"/hangup")
	c.WaitEnd(t)
	until(t, "the call is over", func() bool {
		return object(t, s, "https://api.voipbin.net/v1.0/calls/"+callID)["status"] == "hangup"
	})
	object(t, s, "--request", "DELETE", "https://api.voipbin.net/v1.0/calls/"+callID)
	object(t, s, "--request", "DELETE", "https://api.voipbin.net/v1.0/recordings/"+recID)
	object(t, s, "--request", "DELETE", "https://api.voipbin.net/v1.0/flows/"+id)
	for _, path := range []string{"calls/" + callID, "recordings/" + recID, "flows/" + id} {
		if code, _ := curl(t, s, "https://api.voipbin.net/v1.0/"+path); code != 404 {
			t.Errorf("%s of what is deleted: %d", path, code)
		}
	}
	code, text := curl(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls", "-H", asJSON, "-d", `{"destinations":[{"type":"tel","target":"+16062067563"}],"actions":[]}`)
	if code != 403 && code != 503 || !strings.Contains(text, `"request_id"`) {
		t.Errorf("a number that may not be dialled: %d %s", code, text)
	}
}

// tool builds a program of .ci/tools; a test is skipped where its modules cannot be had.
func tool(t *testing.T, dir, name, pkg string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Dir = toolDir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CALLBIN_FULL") == "1" {
			t.Fatalf("%s: %v\n%s", pkg, err, out)
		}
		t.Skipf("%s cannot be built: %v\n%.300s", pkg, err, out)
	}
	return path
}

const toolDir = "../../.ci/tools"

// client places a call with what the generator has made of the document.
const client = `package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

func main() {
	auth := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Args[2])
		return nil
	}
	c, err := NewClientWithResponses(os.Args[1], WithRequestEditorFn(auth))
	if err != nil {
		panic(err)
	}
	sip, tone := "sip", map[string]any{"duration": 60000}
	key := "once"
	res, err := c.CreateCallsWithResponse(context.Background(), &CreateCallsParams{IdempotencyKey: &key}, CallCreate{
		Destinations: []AddressAddress{{Type: &sip, Target: &os.Args[3]}},
		Actions:      &[]Action{{Type: "beep"}, {Type: "sleep", Option: &tone}},
	})
	if err != nil {
		panic(err)
	}
	if res.JSON200 == nil {
		panic(string(res.Body))
	}
	call, err := c.GetCallWithResponse(context.Background(), res.JSON200.Calls[0].Id)
	if err != nil || call.JSON200 == nil {
		panic(fmt.Sprint(err, string(call.Body)))
	}
	fmt.Print(call.JSON200.Id)
}
`

// TestClientMadeOfTheDocumentPlacesACall: an independent validator takes the OpenAPI document, and a client that an independent generator makes of it
// places a call that a phone gets.
func TestClientMadeOfTheDocumentPlacesACall(t *testing.T) {
	dir := t.TempDir()
	validator, generator := tool(t, dir, "openapi", "./openapi"), tool(t, dir, "oapi-codegen", "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen")
	s := start(t, serverOptions{config: loopbackOnly})
	p, target := bob(t)
	code, doc := curl(t, s, "https://api.voipbin.net/openapi.json")
	if code != 200 {
		t.Fatalf("%d %s", code, doc)
	}
	cmd := exec.Command(validator)
	cmd.Stdin = strings.NewReader(doc)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the document: %v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "openapi.json"), doc)
	write(t, filepath.Join(dir, "main.go"), client)
	mod, err := os.ReadFile(filepath.Join(toolDir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(toolDir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "\n")
	write(t, filepath.Join(dir, "go.mod"), "module example.org/client\n"+requires)
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	token, err := os.ReadFile(filepath.Join(s.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, &stderr)
		}
		return string(out)
	}
	run(generator, "-generate", "types,client", "-package", "main", "-o", "client.go", "openapi.json")
	run("go", "build", "-o", "client", ".")
	id := run(filepath.Join(dir, "client"), fmt.Sprintf("http://127.0.0.1:%d/v1.0", s.http), strings.TrimSpace(string(token)), target)
	c := p.WaitCall(t)
	c.Answer()
	until(t, "the call is answered", func() bool {
		return object(t, s, "https://api.voipbin.net/v1.0/calls/"+id)["status"] == "progressing"
	})
	if again := run(filepath.Join(dir, "client"), fmt.Sprintf("http://127.0.0.1:%d/v1.0", s.http), strings.TrimSpace(string(token)), target); again != id {
		t.Errorf("the same request again has placed %s, and not %s", again, id)
	}
	object(t, s, "--request", "POST", "https://api.voipbin.net/v1.0/calls/"+id+"/hangup")
	c.WaitEnd(t)
}
