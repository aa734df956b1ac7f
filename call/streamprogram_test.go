package call_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/zaf/g711"

	"github.com/callbin/callbin/call"
)

// wires is a network of connections in memory, with one web server.
type wires struct {
	conns chan net.Conn
	done  chan struct{}

	mu   sync.Mutex
	down bool       // guarded by mu; connections are refused
	open []net.Conn // guarded by mu; the program's ends
}

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}
func (w *wires) Close() error   { return nil }
func (w *wires) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wires) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
	}
	ours, theirs := net.Pipe()
	w.open = append(w.open, theirs)
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut breaks all connections; down says whether there can be new ones.
func (w *wires) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for _, c := range w.open {
		c.Close()
	}
	w.open = nil
}

// serveWires runs a web server in memory until the test ends.
func serveWires(t *testing.T, h http.Handler) (*wires, func(*call.Config)) {
	w := &wires{conns: make(chan net.Conn, 16), done: make(chan struct{})}
	s := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(w) })
	t.Cleanup(func() {
		close(w.done)
		s.Close()
		w.cut(true)
		wg.Wait()
	})
	return w, func(c *call.Config) { c.Streams.Dial = w.dial }
}

// twilioMessage is what Twilio documents of its messages, both ways.
type twilioMessage struct {
	Event          string `json:"event"`
	Protocol       string `json:"protocol,omitempty"`
	Version        string `json:"version,omitempty"`
	SequenceNumber string `json:"sequenceNumber,omitempty"`
	StreamSid      string `json:"streamSid,omitempty"`
	Start          *struct {
		StreamSid        string            `json:"streamSid"`
		AccountSid       string            `json:"accountSid"`
		CallSid          string            `json:"callSid"`
		Tracks           []string          `json:"tracks"`
		CustomParameters map[string]string `json:"customParameters"`
		MediaFormat      struct {
			Encoding   string `json:"encoding"`
			SampleRate int    `json:"sampleRate"`
			Channels   int    `json:"channels"`
		} `json:"mediaFormat"`
	} `json:"start,omitempty"`
	Media *struct {
		Track     string `json:"track,omitempty"`
		Chunk     string `json:"chunk,omitempty"`
		Timestamp string `json:"timestamp,omitempty"`
		Payload   string `json:"payload"`
	} `json:"media,omitempty"`
	Mark *struct {
		Name string `json:"name"`
	} `json:"mark,omitempty"`
	DTMF *struct {
		Track string `json:"track"`
		Digit string `json:"digit"`
	} `json:"dtmf,omitempty"`
	Stop *struct {
		AccountSid string `json:"accountSid"`
		CallSid    string `json:"callSid"`
	} `json:"stop,omitempty"`

	at time.Time // when it came
}

// twilioProgram is a program as one is written for Twilio Media Streams: a web server that gets one WebSocket for each stream.
type twilioProgram struct {
	// on is called with each message that comes, on the connection's goroutine.
	on func(s *twilioStream, m twilioMessage)

	mu      sync.Mutex
	streams []*twilioStream // guarded by mu
}

type twilioStream struct {
	conn *websocket.Conn
	ctx  context.Context
	sid  string

	mu     sync.Mutex
	got    []twilioMessage // guarded by mu
	header http.Header
	closed error // guarded by mu; why it is over
}

func (p *twilioProgram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	s := &twilioStream{conn: c, ctx: context.WithoutCancel(r.Context()), header: r.Header}
	p.mu.Lock()
	p.streams = append(p.streams, s)
	p.mu.Unlock()
	for {
		_, b, err := c.Read(s.ctx)
		if err != nil {
			s.mu.Lock()
			s.closed = err
			s.mu.Unlock()
			return
		}
		var m twilioMessage
		if err := json.Unmarshal(b, &m); err != nil {
			panic(err)
		}
		m.at = time.Now()
		s.mu.Lock()
		s.got = append(s.got, m)
		s.mu.Unlock()
		if m.Event == "start" {
			s.sid = m.Start.StreamSid
		}
		if p.on != nil {
			p.on(s, m)
		}
	}
}

// stream is the nth of the program's streams; it has to be there.
func (p *twilioProgram) stream(t *testing.T, n int) *twilioStream {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.streams) <= n {
		t.Fatalf("%d streams, want number %d", len(p.streams), n)
	}
	return p.streams[n]
}

func (s *twilioStream) all(event string) (list []twilioMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		if event == "" || m.Event == event {
			list = append(list, m)
		}
	}
	return list
}

func (s *twilioStream) send(text string) {
	_ = s.conn.Write(s.ctx, websocket.MessageText, []byte(text))
}

func (s *twilioStream) say(pcm []int16) {
	s.send(`{"event":"media","streamSid":"` + s.sid + `","media":{"payload":"` + base64.StdEncoding.EncodeToString(g711.EncodeUlaw(toBytes(pcm))) + `"}}`)
}

func (s *twilioStream) mark(name string) {
	s.send(`{"event":"mark","streamSid":"` + s.sid + `","mark":{"name":"` + name + `"}}`)
}

func (s *twilioStream) clear() { s.send(`{"event":"clear","streamSid":"` + s.sid + `"}`) }

func toBytes(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		b = append(b, byte(v), byte(uint16(v)>>8))
	}
	return b
}

// heard is all that a track has carried.
func (s *twilioStream) heard(track string) (pcm []int16) {
	for _, m := range s.all("media") {
		if m.Media.Track != track {
			continue
		}
		law, err := base64.StdEncoding.DecodeString(m.Media.Payload)
		if err != nil {
			panic(err)
		}
		for _, b := range law {
			pcm = append(pcm, g711.DecodeUlawFrame(b))
		}
	}
	return pcm
}
