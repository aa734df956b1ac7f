package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callbin/callbin/media/tone"
)

// TestFlowsReachOnlyTheWebTheyMay plays from, and reports to, a web server on this machine: a private
// address, which the settings have to allow.
func TestFlowsReachOnlyTheWebTheyMay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tone.wav")
	writeTone(t, file, 600, 2)
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan string, 8)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			b, _ := io.ReadAll(r.Body) // what came is compared below
			reports <- string(b)
			return
		}
		_, _ = w.Write(sound) // the server under test may have hung up
	}))
	defer web.Close()
	for name, tc := range map[string]struct {
		config  string
		allowed bool
	}{
		"allowed": {`{"urls":["127.0.0.0/8"]}`, true},
		"guarded": {`{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, serverOptions{config: tc.config, flows: map[string]string{"100.json": `[{"type":"answer"},
				{"type":"play","option":{"stream_urls":["` + web.URL + `/tone.wav"]}},
				{"type":"webhook_send","option":{"sync":true,"uri":"` + web.URL + `","method":"POST","data":"from ${voipbin.call.source.target}"}},
				{"type":"beep"}]`}})
			c := phone(t, s).Dial(t, "100")
			c.WaitEnd(t)
			if l := tone.Goertzel(c.Heard(), 8000, 600); (l > 0.05) != tc.allowed {
				t.Errorf("600 Hz from the web server at %.3f", l)
			}
			select {
			case got := <-reports:
				if !tc.allowed || got != "from alice@127.0.0.1" {
					t.Errorf("reported %q", got)
				}
			default:
				if tc.allowed {
					t.Error("nothing was reported")
				}
			}
			if blocked := strings.Contains(s.log.String(), "127.0.0.1"); !tc.allowed && !blocked {
				t.Errorf("the refusal is not told:\n%s", s.log)
			}
		})
	}
}
