package stream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/pion/rtp"

	"github.com/callbin/callbin/media/codec"
)

// rtpWire is bare RTP (RFC 3550) with G.711 (RFC 3551), a packet each 20 ms, to where the program's packets come from. It has no marks, keys or end.
type rtpWire struct {
	enc codec.Encoder
	out rtp.Packet
	b   []byte

	first uint64 // number of the first frame
	base  uint32 // its timestamp

	// Of the goroutine that reads.
	dec    codec.Decoder
	in     rtp.Packet
	pcm    []int16
	heard  bool
	ssrc   uint32
	newest uint16
}

func rtpWires(law codec.Codec) func(*Info, int, int) wire {
	return func(*Info, int, int) wire {
		var r [10]byte
		rand.Read(r[:]) // never fails
		w := &rtpWire{enc: law.NewEncoder(), dec: law.NewDecoder(), base: binary.BigEndian.Uint32(r[6:])}
		w.out.Header = rtp.Header{
			Version: 2, PayloadType: law.PayloadType(), Marker: true,
			SequenceNumber: binary.BigEndian.Uint16(r[:]), SSRC: binary.BigEndian.Uint32(r[2:]),
		}
		return w
	}
}

func (w *rtpWire) begin(sender) error { return nil }

func (w *rtpWire) media(send sender, n uint64, in, out []int16) error {
	if in == nil {
		in = out
	}
	if w.out.Marker {
		w.first = n
	}
	w.out.Timestamp = w.base + uint32(n-w.first)*uint32(len(in)) // G.711 counts samples at 8000 Hz
	w.out.Payload = sized(w.out.Payload, len(in))
	if _, err := w.enc.Encode(w.out.Payload, in); err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	w.b = sized(w.b, w.out.MarshalSize())
	if _, err := w.out.MarshalTo(w.b); err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	w.out.Marker = false
	w.out.SequenceNumber++
	return send(Message{BinaryMessage, w.b})
}

func (w *rtpWire) digit(sender, string, time.Duration) error { return nil }
func (w *rtpWire) mark(sender, mark) error                   { return nil }
func (w *rtpWire) end(sender) error                          { return nil }

// read takes a packet of the same payload type. What is older than the newest one comes too late.
func (w *rtpWire) read(m Message, do func(command)) bool {
	if err := w.in.Unmarshal(m.Data); err != nil || w.in.PayloadType != w.out.PayloadType || len(w.in.Payload) == 0 {
		return false
	}
	if w.heard && w.in.SSRC == w.ssrc && int16(w.in.SequenceNumber-w.newest) <= 0 {
		return false
	}
	w.heard, w.ssrc, w.newest = true, w.in.SSRC, w.in.SequenceNumber
	w.pcm = sized(w.pcm, len(w.in.Payload))
	if _, err := w.dec.Decode(w.pcm, w.in.Payload); err != nil {
		return false
	}
	do(command{op: opSound, pcm: w.pcm})
	return true
}

// DialRTP makes a Conn of UDP packets from and to host:port. That nobody listens there is no error: programs come and go.
func DialRTP(ctx context.Context, addr string, o DialOptions) (Conn, error) {
	c, err := o.dial(ctx, "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("stream: connect to %s: %w", addr, err)
	}
	return &packetConn{c: c}, nil
}

type packetConn struct {
	c   net.Conn
	buf [1500]byte
}

// Read returns a packet, which is good until the next call.
func (p *packetConn) Read(ctx context.Context) (Message, error) {
	stop := context.AfterFunc(ctx, func() { p.c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		n, err := p.c.Read(p.buf[:])
		switch {
		case ctx.Err() != nil:
			return Message{}, context.Cause(ctx)
		case errors.Is(err, syscall.ECONNREFUSED):
		default:
			return Message{BinaryMessage, p.buf[:n]}, err
		}
	}
}

func (p *packetConn) Write(_ context.Context, m Message) error {
	if _, err := p.c.Write(m.Data); err != nil && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOBUFS) {
		return err
	}
	return nil
}

func (p *packetConn) Ping(context.Context) error  { return nil }
func (p *packetConn) Close(context.Context) error { return p.c.Close() }
