package stream

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// Conn is a connection that carries whole messages. Read is called by one goroutine, Write by another one. An error of
// either means that the connection is of no use any more.
type Conn interface {
	Read(ctx context.Context) (Message, error)
	Write(ctx context.Context, m Message) error
	// Ping waits until the other end has shown that it reads; where the transport has no means for that it returns nil.
	Ping(ctx context.Context) error
	// Close tells the other end that this is the end, and waits for it until ctx ends.
	Close(ctx context.Context) error
}

// Message is one message of a WebSocket, or one frame of AudioSocket.
type Message struct {
	Kind byte // TextMessage or BinaryMessage; the type of an AudioSocket frame
	Data []byte
}

// Kinds of messages of a WebSocket.
const (
	TextMessage   = byte(websocket.MessageText)
	BinaryMessage = byte(websocket.MessageBinary)
)

// ErrClosed is matched by the error of Conn.Read where the program has ended the stream in due form.
var ErrClosed = errors.New("the program has closed the stream")

// errFinal is matched by errors after which connecting again is of no use.
var errFinal = errors.New("final")

// maxMessage is how many bytes a message has at most: ten minutes of mu-law in base64 and something over.
const maxMessage = 8 << 20

// sendBuffer is how much the kernel keeps of what a program does not read: what waits there is old when it is read.
const sendBuffer = 64 << 10

// DialFunc connects to host:port over network "tcp".
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// DialOptions of DialWebSocket and DialAudioSocket.
type DialOptions struct {
	Dial         DialFunc    // nil: a net.Dialer
	TLS          *tls.Config // for wss:; nil: the system's roots
	Subprotocols []string
	Username     string // for HTTP basic authentication; "" and no Password: none
	Password     string
}

func (o *DialOptions) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := o.Dial
	if d == nil {
		d = new(net.Dialer).DialContext
	}
	c, err := d(ctx, network, addr)
	if b, ok := c.(interface{ SetWriteBuffer(bytes int) error }); ok && err == nil {
		_ = b.SetWriteBuffer(sendBuffer) // without it the program is only found out later
	}
	return c, err
}

// DialWebSocket connects to a ws: or wss: URL. Redirects are not followed. Errors have no query and no password.
func DialWebSocket(ctx context.Context, rawURL string, o DialOptions) (Conn, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("stream: the URL cannot be read")
	}
	header := http.Header{}
	if u.User != nil && o.Username == "" && o.Password == "" {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	u.User = nil
	if o.Username != "" || o.Password != "" {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.Username+":"+o.Password)))
	}
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: o.dial, TLSClientConfig: o.TLS, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c, resp, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{HTTPClient: client, HTTPHeader: header, Subprotocols: o.Subprotocols})
	switch {
	case err == nil:
		return NewWebSocket(c), nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		err = fmt.Errorf("it answers %s instead of a WebSocket", resp.Status)
	default:
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
	}
	return nil, fmt.Errorf("stream: connect to %s: %w", u.Scheme+"://"+u.Host+u.EscapedPath(), err)
}

// NewWebSocket makes a Conn of a WebSocket that is open already.
func NewWebSocket(c *websocket.Conn) Conn {
	c.SetReadLimit(maxMessage)
	return webSocket{c}
}

type webSocket struct{ c *websocket.Conn }

func (w webSocket) Read(ctx context.Context) (Message, error) {
	kind, b, err := w.c.Read(ctx)
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusNoStatusRcvd:
		return Message{}, ErrClosed
	case websocket.StatusProtocolError, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData, websocket.StatusPolicyViolation,
		websocket.StatusMessageTooBig, websocket.StatusMandatoryExtension:
		return Message{}, fmt.Errorf("%w: %w", errFinal, err)
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return Message{}, fmt.Errorf("%w: a message has more than %d bytes", errFinal, maxMessage)
	}
	return Message{byte(kind), b}, err
}

func (w webSocket) Write(ctx context.Context, m Message) error {
	return w.c.Write(ctx, websocket.MessageType(m.Kind), m.Data)
}

func (w webSocket) Ping(ctx context.Context) error { return w.c.Ping(ctx) }

func (w webSocket) Close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = w.c.CloseNow() })
	defer stop()
	return w.c.Close(websocket.StatusNormalClosure, "")
}

// DialAudioSocket connects to host:port.
func DialAudioSocket(ctx context.Context, addr string, o DialOptions) (Conn, error) {
	c, err := o.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("stream: connect to %s: %w", addr, err)
	}
	return &audioSocketConn{c: c}, nil
}

// audioSocketConn frames as AudioSocket does: type, length, payload.
type audioSocketConn struct {
	c   net.Conn
	out []byte
}

func (a *audioSocketConn) Read(ctx context.Context) (Message, error) {
	stop := context.AfterFunc(ctx, func() { a.c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	m, err := readAudioSocket(a.c)
	if ctx.Err() != nil {
		return m, context.Cause(ctx)
	}
	if err == io.EOF { // between two frames
		err = fmt.Errorf("closed without a hang-up frame: %w", io.ErrUnexpectedEOF)
	}
	return m, err
}

// readAudioSocket reads one frame.
func readAudioSocket(r io.Reader) (Message, error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Message{}, err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[1:]))
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	return Message{head[0], b}, nil
}

func (a *audioSocketConn) Write(ctx context.Context, m Message) error {
	if len(m.Data) > 0xffff {
		return fmt.Errorf("stream: a frame of %d bytes", len(m.Data))
	}
	a.out = append(a.out[:0], m.Kind, byte(len(m.Data)>>8), byte(len(m.Data)))
	a.out = append(a.out, m.Data...)
	deadline, _ := ctx.Deadline()
	if err := a.c.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { a.c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := a.c.Write(a.out)
	return err
}

func (a *audioSocketConn) Ping(context.Context) error { return nil }

func (a *audioSocketConn) Close(context.Context) error { return a.c.Close() }
