package rtp

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/media"
)

// PacketConn is a UDP socket; *net.UDPConn is one. Close must end a waiting read.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// wire is the pair of sockets of one leg, used on its shard only. Reading starts with
// start; whatever arrives is given to the receiver.
type wire interface {
	start(s *media.Shard, r receiver, rtcp bool) error
	detach() // from its shard, until
	attach(s *media.Shard)
	send(b []byte, to netip.AddrPort) error
	sendRTCP(b []byte, to netip.AddrPort) error
	pull(on bool) // read by receive instead of on arrival, where that saves something
	receive()
	connect(to netip.AddrPort) error // let the kernel drop what others send
	disconnect()
	close()
	wait() // for goroutines, after close; from any goroutine
}

// receiver takes datagrams on the shard and may write to b.
type receiver interface {
	post(f func())                                         // on the shard that the receiver lives on
	rtpIn(b []byte, from netip.AddrPort, at time.Duration) // at: when it came, in time of the shard
	rtcpIn(b []byte, from netip.AddrPort)
	// enough tells, after a packet that came at a time, whether more can wait for the next frame.
	enough(at time.Duration) bool
}

// connWire is a wire on PacketConns, each read by a goroutine. It has no connect:
// the leg's own check of the source has to do.
type connWire struct {
	rtp, rtcp PacketConn
	home      atomic.Pointer[media.Shard] // nil: the leg is being moved
	wg        sync.WaitGroup
	started   [2]bool
}

// datagram carries a packet from a reader to the shard, and back to the reader empty.
type datagram struct {
	wire  *connWire
	to    receiver
	rtcp  bool
	shard *media.Shard // that it was handed to
	n     int
	from  netip.AddrPort
	free  chan *datagram
	buf   [maxPacket + 1]byte
}

// inFlight datagrams of one socket between its reader and the shard: 320 ms of
// audio. Beyond that the shard is stuck, and more memory would be more delay.
const inFlight = 16

func (d *datagram) Deliver() {
	if home := d.wire.home.Load(); home != d.shard {
		d.to.post(d.arrive) // the leg has moved meanwhile
		return
	}
	d.arrive()
}

func (d *datagram) arrive() {
	if d.rtcp {
		d.to.rtcpIn(d.buf[:d.n], d.from)
	} else {
		d.to.rtpIn(d.buf[:d.n], d.from, d.wire.home.Load().Now())
	}
	d.free <- d // has room for all of them
}

func (w *connWire) start(s *media.Shard, r receiver, rtcp bool) error {
	w.home.Store(s)
	w.read(0, w.rtp, s, r)
	if rtcp {
		w.read(1, w.rtcp, s, r)
	}
	return nil
}

func (w *connWire) detach()               { w.home.Store(nil) }
func (w *connWire) attach(s *media.Shard) { w.home.Store(s) }

func (w *connWire) read(i int, c PacketConn, s *media.Shard, r receiver) {
	if w.started[i] {
		return
	}
	w.started[i] = true
	w.wg.Go(func() { w.readConn(c, s, r, i == 1) })
}

func (w *connWire) readConn(c PacketConn, s *media.Shard, r receiver, rtcp bool) {
	free := make(chan *datagram, inFlight)
	made, errs := 0, 0
	spare := &datagram{}
	for {
		d := spare
		select {
		case d = <-free:
		default:
			if made < inFlight {
				d = &datagram{wire: w, to: r, rtcp: rtcp, free: free}
				made++
			} // else read and drop
		}
		n, from, err := c.ReadFromUDPAddrPort(d.buf[:])
		if err != nil {
			// A refused packet of ours may come back as an error of the socket, and says
			// nothing about the next read; a closed socket fails for ever.
			if errs++; errs > maxReadErrors || isClosed(err) {
				return
			}
			if d != spare {
				free <- d
			}
			continue
		}
		errs = 0
		if home := w.home.Load(); home != nil {
			s = home
		}
		d.shard, d.n, d.from = s, n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if d != spare && !s.Feed(d) {
			free <- d
		}
	}
}

func (w *connWire) send(b []byte, to netip.AddrPort) error {
	_, err := w.rtp.WriteToUDPAddrPort(b, to)
	return err
}

func (w *connWire) sendRTCP(b []byte, to netip.AddrPort) error {
	_, err := w.rtcp.WriteToUDPAddrPort(b, to)
	return err
}

func (w *connWire) pull(bool) {}
func (w *connWire) receive()  {}

func (w *connWire) connect(netip.AddrPort) error { return nil }
func (w *connWire) disconnect()                  {}

func (w *connWire) close() {
	_ = w.rtp.Close()
	_ = w.rtcp.Close()
}

func (w *connWire) wait() { w.wg.Wait() }

func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

// maxReadErrors in a row end the reading of a socket that does nothing but fail.
const maxReadErrors = 10000
