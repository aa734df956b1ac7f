package call

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/safehttp"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/stream"
	"github.com/callbin/callbin/store"
)

// MaxStreams is how many programs get the sound of a call at the same time.
const MaxStreams = 5

// streamParameters bounds what a flow tells a program.
const streamParameters = 8 << 10

// StreamConfig says how programs are reached that get the sound of calls. The zero value reaches public addresses, with TLS by the system's
// roots.
type StreamConfig struct {
	// Allow are private networks that may be reached all the same.
	Allow []netip.Prefix
	// Auth are the credentials that the option auth of external_media_start names, so that no password stands in a flow or a trace.
	Auth map[string]StreamAuth
	TLS  *tls.Config
	// Reconnect is how long it is tried to reach a program again that was lost. 0: stream.DefaultReconnectFor; negative: not at all.
	Reconnect time.Duration
	// Dial connects in place of a safehttp.Client with Allow.
	Dial stream.DialFunc
}

// StreamAuth is a user and a password, for HTTP basic authentication.
type StreamAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// dial is how streams connect.
func (s *StreamConfig) dial() stream.DialFunc {
	if s.Dial != nil {
		return s.Dial
	}
	return safehttp.New(safehttp.Config{Allow: s.Allow}).DialContext
}

// externalMedia is a stream that runs.
type externalMedia struct {
	id      string
	what    ExternalMediaInput // without what changes
	session streamSession
	done    chan struct{} // closed when its end is told
	result  stream.Result // once done is closed
}

// streamSession is what carries the sound: a *stream.Session, or a *rtpStream.
type streamSession interface {
	media.Tap
	Run(ctx context.Context) stream.Result
	Stop()
	Digit(key string, d time.Duration)
}

// StartExternalMedia gives the sound of the call to a program outside, and lets the program be heard, until the program ends that, StopExternalMedia,
// or the end of the call. It returns when the program is connected; with o.Wait, at the end. At most MaxStreams at once; one of
// them is heard: a program that begins to speak takes the place of another one that does, whose sound that waits is dropped as by a clear.
func (c *Call) StartExternalMedia(ctx context.Context, o action.ExternalMediaOptions) (action.Streamed, error) {
	m, err := c.openStream(ctx, nil, o)
	if err != nil {
		return action.Streamed{}, fmt.Errorf("call: external media: %w", err)
	}
	got := action.Streamed{ID: m.id}
	if !o.Wait {
		return got, nil
	}
	got.Reason, err = m.wait(ctx)
	return got, err
}

// ServeExternalMedia is StartExternalMedia for a program that has connected to us, and returns at its end: why it has ended is the reason. It
// closes conn, unless there is an error and no reason: then there was no stream. o.Host is what events and traces have for its name; nobody connects to it, so that a connection that is lost is not made again.
func (c *Call) ServeExternalMedia(ctx context.Context, conn stream.Conn, o action.ExternalMediaOptions) (reason string, err error) {
	m, err := c.openStream(ctx, conn, o)
	if err != nil {
		return "", fmt.Errorf("call: external media: %w", err)
	}
	return m.wait(ctx)
}

// wait returns at the end of the stream, which that of ctx is, too.
func (m *externalMedia) wait(ctx context.Context) (reason string, err error) {
	select {
	case <-m.done:
		return m.result.Reason, nil
	case <-ctx.Done():
		m.session.Stop()
		<-m.done
		return m.result.Reason, context.Cause(ctx)
	}
}

// openStream begins a stream over conn; nil: one to o.Host is made.
func (c *Call) openStream(ctx context.Context, conn stream.Conn, o action.ExternalMediaOptions) (*externalMedia, error) {
	size := 0
	for k, v := range o.Parameters {
		size += len(k) + len(v)
	}
	if size > streamParameters {
		return nil, fmt.Errorf("the parameters have %d bytes, more than %d", size, streamParameters)
	}
	if o.ConnectionType != "" && o.ConnectionType != "client" {
		return nil, fmt.Errorf("connection_type %.20q: only client: %w", o.ConnectionType, errors.ErrUnsupported)
	}
	if o.Listen == "" && o.Speak == "" {
		o.Listen, o.Speak = media.In, media.Out
	}
	p, err := c.port(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.mayStream(); err != nil {
		return nil, err
	}
	m := &externalMedia{id: newID(), done: make(chan struct{})}
	m.what = ExternalMediaInput{ID: m.id, Protocol: o.Protocol, Host: withoutQuery(o.Host), Listen: string(o.Listen), Speak: string(o.Speak)}
	m.session, err = c.newStream(ctx, m, p, conn, o)
	return m, c.addStream(m, p, err)
}

// mayStream takes a place for a stream that is going to be opened; addStream gives it back.
func (c *Call) mayStream() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return errors.New("the call has ended")
	case len(c.streams)+c.opening >= MaxStreams:
		return fmt.Errorf("there are %d already", MaxStreams)
	}
	c.opening++
	return nil
}

// addStream begins a stream, unless err says why there is none.
func (c *Call) addStream(m *externalMedia, p *media.Port, err error) error {
	c.mu.Lock()
	c.opening--
	if err == nil && c.closing {
		err = errors.New("the call has ended")
		defer func() {
			m.session.Stop()
			m.session.Run(c.engine.callCtx) // ends at once
		}()
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	c.streams = append(c.streams, m)
	c.mu.Unlock()
	c.postStream(m, ExternalMediaInput{Event: "started"})
	untap := p.Tap(m.session)
	c.engine.wg.Go(func() {
		r := m.session.Run(c.engine.callCtx)
		untap()
		c.endStream(m, r)
	})
	return nil
}

func (c *Call) endStream(m *externalMedia, r stream.Result) {
	c.mu.Lock()
	c.streams = slices.DeleteFunc(c.streams, func(o *externalMedia) bool { return o == m })
	c.mu.Unlock()
	m.result = r
	c.postStream(m, ExternalMediaInput{Event: "stopped", Reason: r.Reason, Error: errText(r.Err), Stats: &r.Stats})
	if r.Err != nil {
		c.log().Warn("external media ended", "external_media", m.id, "host", m.what.Host, "err", r.Err)
	}
	close(m.done)
}

func (c *Call) postStream(m *externalMedia, in ExternalMediaInput) {
	in.ID, in.Protocol, in.Host, in.Listen, in.Speak = m.id, m.what.Protocol, m.what.Host, m.what.Listen, m.what.Speak
	c.post(Input{Kind: KindExternalMedia, ExternalMedia: &in})
}

// StopExternalMedia ends all streams that run, and returns when they have ended.
func (c *Call) StopExternalMedia(context.Context) error {
	if c.stopStreams() == 0 {
		return errors.New("call: external media: none runs")
	}
	return nil
}

// stopStreams ends all streams and waits for that: some seconds at most.
func (c *Call) stopStreams() int {
	c.mu.Lock()
	all := slices.Clone(c.streams)
	c.mu.Unlock()
	for _, m := range all {
		m.session.Stop()
	}
	for _, m := range all {
		<-m.done
	}
	return len(all)
}

// streamDigit tells all streams of a key.
func (c *Call) streamDigit(d *Digit) {
	if !strings.Contains("0123456789*#ABCD", d.Digit) { // what is hidden stays so
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.streams {
		m.session.Digit(d.Digit, time.Duration(d.DurationMS)*time.Millisecond)
	}
}

// newStream connects, unless there is conn.
func (c *Call) newStream(ctx context.Context, m *externalMedia, p *media.Port, conn stream.Conn, o action.ExternalMediaOptions) (streamSession, error) {
	proto, err := stream.ByName(o.Protocol, o.SampleRate)
	if err != nil {
		return nil, err
	}
	e := c.engine
	d := stream.DialOptions{Dial: e.streamDial, TLS: e.cfg.Streams.TLS, Subprotocols: proto.Subprotocols}
	if o.Auth != "" {
		auth, ok := e.cfg.Streams.Auth[o.Auth]
		if !ok {
			return nil, fmt.Errorf("auth: there are no credentials called %.40q", o.Auth)
		}
		d.Username, d.Password = auth.Username, auth.Password
	}
	cfg := stream.Config{
		Protocol: proto, ReconnectFor: e.cfg.Streams.Reconnect, Info: c.streamInfo(m, o), Conn: conn,
		OnChange: func(err error) { c.streamChanged(m, err) },
	}
	if conn == nil {
		cfg.Open = func(ctx context.Context) (stream.Conn, error) { return dialProgram(ctx, o, d) }
	}
	if o.Protocol == "audiosocket" && o.TransportData != "" {
		if _, err := stream.ParseUUID(o.TransportData); err != nil {
			return nil, fmt.Errorf("transport_data: %w", err)
		}
	}
	if cfg.Play, err = c.streamVoice(p, o.Speak); err != nil {
		return nil, err
	}
	return stream.Connect(ctx, cfg)
}

// dialProgram connects as the protocol does.
func dialProgram(ctx context.Context, o action.ExternalMediaOptions, d stream.DialOptions) (stream.Conn, error) {
	switch host := strings.TrimPrefix(o.Host, "tcp://"); {
	case o.Protocol == "audiosocket":
		return stream.DialAudioSocket(ctx, host, d)
	case strings.HasPrefix(o.Protocol, "rtp"):
		return stream.DialRTP(ctx, host, d)
	}
	return stream.DialWebSocket(ctx, o.Host, d)
}

func (c *Call) streamInfo(m *externalMedia, o action.ExternalMediaOptions) stream.Info {
	r := c.Record()
	direction := "inbound"
	if r.Direction == store.DirectionOutgoing {
		direction = "outbound"
	}
	return stream.Info{
		StreamID: m.id, CallID: c.id, AccountID: c.account, From: r.Source.Target, To: r.Destination.Target, Direction: direction,
		Parameters: o.Parameters, Listen: o.Listen, UUID: o.TransportData,
	}
}

func (c *Call) streamChanged(m *externalMedia, err error) {
	if err == nil {
		c.postStream(m, ExternalMediaInput{Event: "reconnected"})
		return
	}
	c.postStream(m, ExternalMediaInput{Event: "lost", Error: errText(err)})
}

// streamVoice is how a program is heard; nil: not at all.
func (c *Call) streamVoice(p *media.Port, d media.Direction) (func(context.Context, media.Source) error, error) {
	switch d {
	case "":
		return nil, nil
	case media.Out, media.Both:
		return p.PlayStream, nil
	default:
		return nil, fmt.Errorf("direction_speak %.20q: %w", d, errors.ErrUnsupported)
	}
}

// withoutQuery is a URL without what may be a secret; what is no URL is returned as it is.
func withoutQuery(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return ""
		}
		return s
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
