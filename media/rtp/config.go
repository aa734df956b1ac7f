package rtp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

// Addr is an address of this host: where sockets are bound and what peers are told.
type Addr struct {
	Bind      netip.Addr
	Advertise netip.Addr // the zero value: Bind
}

// Config says how legs are made. Only Shards is needed.
type Config struct {
	Addrs   []Addr        // at most one of IPv4 and one of IPv6; empty: 127.0.0.1
	Ports   [2]uint16     // first and last, RTP on even ones and RTCP above; zero: 10000-31999
	Codecs  []codec.Codec // the preferred one first; empty: PCMU, PCMA
	Shards  *media.Shards
	NoDTMF  bool          // do not negotiate telephone-event
	Logger  *slog.Logger  // nil: slog.Default()
	MinWait time.Duration // least delay of the jitter buffer; 0: 20 ms
	MaxWait time.Duration // its largest delay; 0: 120 ms

	// MediaTimeout is how long a peer that should send may give no sign, be it audio, comfort noise
	// or RTCP, before the event "media_timeout"; 0: 30 s, negative: never. A peer should send unless
	// it is on hold or the agreed direction says otherwise.
	MediaTimeout time.Duration

	// Listen opens a socket, for tests and networks of one's own. Legs then read it by a
	// goroutine. Nil: UDP.
	Listen func(netip.AddrPort) (PacketConn, error)
}

// Factory makes legs. It is safe for concurrent use.
type Factory struct {
	cfg   Config
	v4    *host
	v6    *host
	cname string // one for all legs: RFC 7022 4.2 wants it short-term and meaningless
}

// host is one Addr with its ports.
type host struct {
	Addr
	ports *ports
}

// LegConfig of one leg. The zero value is an IPv4 leg that shows the advertised address.
type LegConfig struct {
	V6           bool // take the IPv6 address
	PlainAddress bool // show the bound address instead of the advertised one

	Codecs []codec.Codec // for our offers and answers, the preferred one first; empty: Config.Codecs
	Near   *Leg          // put the leg on that one's media thread, as for two that will be bridged; nil: the least busy one

	// OnEvent is told what happens. It must not block, nor call the leg or its port. It
	// runs on the media thread or within a call of one of their methods, so it must not
	// take a lock that a caller of theirs holds.
	OnEvent func(Event)
}

// ErrNoAddress says that Config.Addrs has no address of the family that a leg needs.
var ErrNoAddress = errors.New("rtp: no address of the family is configured")

// New checks cfg and makes a Factory. Nothing is opened before NewLeg.
func New(cfg Config) (*Factory, error) {
	if cfg.Shards == nil {
		return nil, errors.New("rtp: Config.Shards is nil")
	}
	if len(cfg.Addrs) == 0 {
		cfg.Addrs = []Addr{{Bind: netip.AddrFrom4([4]byte{127, 0, 0, 1})}}
	}
	if cfg.Ports == [2]uint16{} {
		cfg.Ports = [2]uint16{10000, 31999}
	}
	if len(cfg.Codecs) == 0 {
		cfg.Codecs = []codec.Codec{codec.PCMU, codec.PCMA}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.MinWait == 0 {
		cfg.MinWait = 20 * time.Millisecond
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = 120 * time.Millisecond
	}
	if cfg.MinWait < 0 || cfg.MaxWait < cfg.MinWait || cfg.MaxWait > 500*time.Millisecond {
		return nil, fmt.Errorf("rtp: jitter buffer of %v to %v: want 0 < MinWait <= MaxWait <= 500ms", cfg.MinWait, cfg.MaxWait)
	}
	if cfg.MediaTimeout == 0 {
		cfg.MediaTimeout = 30 * time.Second
	}
	f := &Factory{cfg: cfg, cname: fmt.Sprintf("%012x@callbin", random64()>>16)}
	for _, a := range cfg.Addrs {
		a.Bind, a.Advertise = a.Bind.Unmap(), a.Advertise.Unmap()
		if !a.Bind.IsValid() {
			return nil, errors.New("rtp: Config.Addrs: Bind is missing")
		}
		if !a.Advertise.IsValid() {
			a.Advertise = a.Bind
		}
		if a.Advertise.IsUnspecified() || a.Advertise.Is4() != a.Bind.Is4() {
			return nil, fmt.Errorf("rtp: Config.Addrs: %v cannot be advertised for %v", a.Advertise, a.Bind)
		}
		ports, err := newPorts(cfg.Ports[0], cfg.Ports[1])
		if err != nil {
			return nil, err
		}
		slot := &f.v4
		if a.Bind.Is6() {
			slot = &f.v6
		}
		if *slot != nil {
			return nil, fmt.Errorf("rtp: Config.Addrs: %v is the second address of its family", a.Bind)
		}
		*slot = &host{Addr: a, ports: ports}
	}
	return f, nil
}

// NewLeg opens the sockets of a new leg on the least busy shard. Its error matches
// ErrNoPorts when the range is exhausted, or ErrNoAddress. It does not wait for the media thread.
func (f *Factory) NewLeg(cfg LegConfig) (*Leg, error) {
	h, err := f.host(cfg.V6)
	if err != nil {
		return nil, err
	}
	port, w, err := f.open(h)
	if err != nil {
		return nil, err
	}
	l := newLeg(f, cfg, h, port, w)
	return l, nil
}

func (f *Factory) host(v6 bool) (*host, error) {
	h, family := f.v4, "IPv4"
	if v6 {
		h, family = f.v6, "IPv6"
	}
	if h == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoAddress, family)
	}
	return h, nil
}

// maxBinds is how many ports that other programs hold are passed over for one leg.
const maxBinds = 64

func (f *Factory) open(h *host) (uint16, wire, error) {
	for try := 1; ; try++ {
		port, err := h.ports.take()
		if err != nil {
			return 0, nil, err
		}
		w, err := f.openAt(h, port)
		if err == nil {
			return port, w, nil
		}
		h.ports.release(port)
		if !errors.Is(err, syscall.EADDRINUSE) || try == maxBinds {
			return 0, nil, err
		}
	}
}

func (f *Factory) openAt(h *host, port uint16) (wire, error) {
	rtp, rtcp := netip.AddrPortFrom(h.Bind, port), netip.AddrPortFrom(h.Bind, port+1)
	listen := f.cfg.Listen
	if listen == nil {
		if !f.cfg.Shards.Portable() {
			return newRawWire(rtp, rtcp)
		}
		listen = listenUDP
	}
	a, err := listen(rtp)
	if err != nil {
		return nil, fmt.Errorf("rtp: listen on %v: %w", rtp, err)
	}
	b, err := listen(rtcp)
	if err != nil {
		_ = a.Close()
		return nil, fmt.Errorf("rtp: listen on %v: %w", rtcp, err)
	}
	return &connWire{rtp: a, rtcp: b}, nil
}

func listenUDP(at netip.AddrPort) (PacketConn, error) {
	network := "udp4"
	if at.Addr().Is6() {
		network = "udp6"
	}
	return net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
}

// random64 is unpredictable: SSRC, sequence and timestamp starts are a weak but free
// defence against blind injection (RFC 3550 5.1).
func random64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.NativeEndian.Uint64(b[:])
}
