package call_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtp"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media/tone"
)

// echoes are programs that send back what they get, each in its protocol, and note what else they are told.
type echoes struct {
	mu    sync.Mutex
	texts []string // guarded by mu
	conns sync.WaitGroup
}

func (e *echoes) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.texts = append(e.texts, fmt.Sprintf(format, args...))
}

func (e *echoes) told() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.texts, "\n")
}

func (e *echoes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"audio.drachtio.org"}})
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := context.WithoutCancel(r.Context())
	e.note("sub-protocol %q, Authorization %q", c.Subprotocol(), r.Header.Get("Authorization"))
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageText {
			e.note("%s", b)
			continue
		}
		_ = c.Write(ctx, kind, b)
	}
}

// audioSocket is the program's end of a connection.
func (e *echoes) audioSocket(c net.Conn) {
	defer c.Close()
	for {
		head := make([]byte, 3)
		if _, err := io.ReadFull(c, head); err != nil {
			e.note("over")
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(head[1:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		if head[0] != 0x10 {
			e.note("%#x %x", head[0], b)
			continue
		}
		_, _ = c.Write(append(head, b...))
	}
}

// rtp is another one, of packets.
func (e *echoes) rtp(c net.Conn) {
	defer c.Close()
	b := make([]byte, 1500)
	for seq := uint16(0); ; seq++ {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		var p rtp.Packet
		if err := p.Unmarshal(b[:n]); err != nil {
			panic(err)
		}
		if seq == 0 {
			e.note("payload type %d, marker %v", p.PayloadType, p.Marker)
		}
		p.SSRC, p.SequenceNumber = 7, seq
		out, _ := p.Marshal() // it was one
		_, _ = c.Write(out)
	}
}

// TestStreamFormats: a program of each protocol hears the caller, and is heard by it; keys and the end come as the protocol has them.
func TestStreamFormats(t *testing.T) {
	for _, c := range []struct {
		name, option string
		want         []string // that the program is told
	}{
		{"pcm", `{"protocol":"pcm","url":"ws://program/x","parameters":{"name":"Ann"}}`, []string{`"content-type":"audio/l16;rate=16000"`, `"name":"Ann"`, `"event":"websocket:dtmf"`, `"digit":"5"`}},
		{"ulaw", `{"external_host":"ws://program/x","transport":"websocket","encapsulation":"none"}`, []string{`"content-type":"audio/x-mulaw;rate=8000"`}},
		{"slin16", `{"external_host":"ws://program/x","transport":"websocket","encapsulation":"none","format":"slin16"}`, []string{`"content-type":"audio/l16;rate=16000"`}},
		{"jambonz", `{"protocol":"jambonz","url":"ws://program/x","auth":"bot","sample_rate":16000}`,
			[]string{`sub-protocol "audio.drachtio.org", Authorization "Basic Ym90OnNlY3JldA=="`, `"sampleRate":16000`, `"mixType":"mono"`, `"dtmf":"5"`}},
		{"audiosocket", `{"external_host":"program:9092","encapsulation":"audiosocket","transport":"tcp","transport_data":"40325ec2-5efd-4bd3-805f-53576e581d13"}`,
			[]string{"0x1 40325ec25efd4bd3805f53576e581d13", "0x3 35", "0x0 \nover"}},
		{"rtp", `{"external_host":"program:4000"}`, []string{"payload type 0, marker true"}},
		{"rtp/alaw", `{"external_host":"program:4000","format":"alaw"}`, []string{"payload type 8, marker true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &echoes{}
				wires, useWires := serveWires(t, e)
				h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"external_media_start","option":` + c.option + `},{"type":"sleep","option":{"duration":60000}}]`}, useWires,
					func(cfg *call.Config) {
						cfg.Streams.Auth = map[string]call.StreamAuth{"bot": {Username: "bot", Password: "secret"}}
						cfg.Streams.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
							serve := map[string]func(net.Conn){"tcp program:9092": e.audioSocket, "udp program:4000": e.rtp}[network+" "+addr]
							if serve == nil {
								return wires.dial(ctx, network, addr)
							}
							ours, theirs := net.Pipe()
							e.conns.Go(func() { serve(theirs) })
							return ours, nil
						}
					})
				p := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
				time.Sleep(500 * time.Millisecond)
				p.Say(tone.Sine(1000, time.Second).Clip(8000).PCM())
				time.Sleep(time.Second)
				p.Press("5")
				time.Sleep(time.Second)
				if pcm := p.Heard(); !calltest.Hears(pcm, 1000) {
					t.Errorf("the caller does not come back: %.3f", tone.Goertzel(pcm, 8000, 1000))
				}
				p.Hangup(t)
				p.WaitEnd(t)
				time.Sleep(2 * time.Second)
				e.conns.Wait()
				for _, want := range c.want {
					if !strings.Contains(e.told(), want) {
						t.Errorf("the program is told\n%s, want %s", e.told(), want)
					}
				}
			})
		})
	}
}
