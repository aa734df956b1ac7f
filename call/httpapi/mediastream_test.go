package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// TestMediaStream: a program opens a WebSocket to a call, hears it, and is heard; a sixth one is told why not, and the end of the call is theirs.
func TestMediaStream(t *testing.T) {
	for _, protocol := range []string{"protocol=pcm&sample_rate=8000", "encapsulation=rtp", "protocol=ulaw"} {
		t.Run(protocol, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"sleep","option":{"duration":60000}}]`})
				w := h.serve(t)
				p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				var id string
				for c := range h.Calls() {
					id = c.ID()
				}
				at := "/v1.0/calls/" + id + "/media_stream?"
				c := w.socket(t, at+protocol)
				ended := make(chan error, 1)
				go func() { // it sends back what it hears
					for {
						kind, b, err := c.Read(context.Background())
						if err != nil {
							ended <- err
							return
						}
						if kind == websocket.MessageBinary {
							_ = c.Write(context.Background(), kind, b) // its end is read
						}
					}
				}()
				time.Sleep(500 * time.Millisecond)
				p.Say(tone.Sine(1000, time.Second).Clip(8000).PCM())
				time.Sleep(2 * time.Second)
				if !calltest.Hears(p.Heard(), 1000) {
					t.Error("the program is not heard")
				}
				for range 4 {
					more := w.socket(t, at+"protocol=twilio&direction_listen=out")
					if m, err := receive(more); err != nil || m["event"] != "connected" {
						t.Fatalf("%v, %v", m, err)
					}
					go func() {
						for {
							if _, _, err := more.Read(context.Background()); err != nil {
								return
							}
						}
					}()
				}
				sixth := w.socket(t, at)
				if _, _, err := sixth.Read(context.Background()); websocket.CloseStatus(err) != websocket.StatusTryAgainLater || !strings.Contains(err.Error(), "there are 5 already") {
					t.Errorf("the sixth: %v", err)
				}
				p.Hangup(t)
				p.WaitEnd(t)
				if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("the end of the call: %v", err)
				}
				time.Sleep(time.Second)
				for path, want := range map[string]int{"/calls/x/media_stream": 404, "/calls/" + id + "/media_stream": 409, "/calls/" + id + "/media_stream?protocol=opus": 400, "/calls/" + id + "/media_stream?protocol=twilio&sample_rate=16000": 400} {
					if r := h.do(t, "GET", path, ""); r.code != want {
						t.Errorf("%s: %d %s, want %d", path, r.code, r.text, want)
					}
				}
			})
		})
	}
}
