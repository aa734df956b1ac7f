package calltest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// ServerAddr is where Run lets its engine listen on a Net.
var ServerAddr = netip.MustParseAddrPort("10.0.0.1:5060")

// patience is how long a phone waits for what a test expects.
const patience = 30 * time.Second

// PhoneConfig of a Phone; the zero value calls ServerAddr from 10.0.0.2.
type PhoneConfig struct {
	Addr     netip.Addr     // of the phone; the zero value: 10.0.0.2
	Port     uint16         // of its SIP; 0: any free one
	Server   netip.AddrPort // whom the phone calls, which may be another phone; the zero value: ServerAddr
	User     string         // in From and Contact; "": "alice"
	Host     string         // in From; "": Addr
	FromUser string         // in From; "": User
	PCMA     bool           // offer PCMA instead of PCMU, and take it where both are offered
	NoEvents bool           // leave telephone-event out of the SDP; Press then sends tones
	SDPHost  string         // in c= of the SDP; "": Addr

	Headers   []string // more headers of each INVITE and 200 to one, of the form "Name: value", such as "Supported: 100rel"
	Password  string   // of User: answers a 401 or 407
	Algorithm string   // of the challenge that is answered, "MD5" or "SHA-256"; "": MD5

	Referred int // final status that a REFER gets; 0: 202

	LateOffer   bool // INVITE without SDP, the answer goes in the ACK, or in the PRACK
	NoACK       bool // never acknowledge a 2xx
	NoRTP       bool // send no sound and no digits, only listen: the far end hears nothing
	NoBYEAnswer bool // a BYE ends the call, but is never answered
	Silent      bool // an INVITE that begins a call gets no response at all, nor does Accept or WaitCall get a call

	// Accept is the script of incoming calls. It is called for each in a goroutine that Close waits
	// for; nil keeps the calls for WaitCall.
	Accept func(*PhoneCall)
	// IgnoreCancel answers a CANCEL with 200 like any phone, but then the INVITE with 200 all
	// the same, as if both had crossed.
	IgnoreCancel bool
}

// Phone is a scripted caller and callee: one SIP socket, and an RTP socket for each call. Its methods
// may be called from any goroutine.
type Phone struct {
	cfg  PhoneConfig
	net  Network
	conn Conn
	addr netip.AddrPort
	name string // unique in the network, of characters that a token may have

	incoming chan *PhoneCall
	off      chan struct{} // closed when the phone is
	wg       sync.WaitGroup

	mu         sync.Mutex
	calls      map[string]*PhoneCall    // guarded by mu; by Call-ID and our tag
	served     map[string]*served       // guarded by mu; by transaction, none is forgotten
	cut        map[string]bool          // guarded by mu; Call-IDs of the calls that vanished
	count      int                      // guarded by mu; of calls
	registered int                      // guarded by mu; REGISTERs
	watching   map[string]chan Notified // guarded by mu; by Call-ID
	asked      map[string]chan *message // guarded by mu; who waits for a response, by transaction
	closed     bool                     // guarded by mu
}

// NewPhone switches a phone on; it goes off at the test's end.
func NewPhone(t testing.TB, network Network, cfg PhoneConfig) *Phone {
	t.Helper()
	if !cfg.Addr.IsValid() {
		cfg.Addr = netip.MustParseAddr("10.0.0.2")
	}
	if !cfg.Server.IsValid() {
		cfg.Server = ServerAddr
	}
	if cfg.User == "" {
		cfg.User = "alice"
	}
	if cfg.FromUser == "" {
		cfg.FromUser = cfg.User
	}
	if cfg.Host == "" {
		cfg.Host = cfg.Addr.String()
	}
	conn, err := network.Listen(netip.AddrPortFrom(cfg.Addr, cfg.Port))
	if err != nil {
		t.Fatal(err)
	}
	p := &Phone{
		cfg: cfg, net: network, conn: conn, calls: map[string]*PhoneCall{}, served: map[string]*served{}, cut: map[string]bool{},
		incoming: make(chan *PhoneCall, 64), // more than a test lets ring at once
		off:      make(chan struct{}),
	}
	p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
	p.name = fmt.Sprintf("%s-%d", strings.ReplaceAll(cfg.Addr.String(), ":", "-"), p.addr.Port())
	p.wg.Go(p.read)
	t.Cleanup(p.Close)
	return p
}

// Addr is where the phone can be called: sip:user@Addr, with any user.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// Calls is how many calls the phone has got or placed, those that are over included.
func (p *Phone) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Close switches the phone off: its sockets close, nobody is told. It waits for the scripts of Accept, whose
// calls are over then.
func (p *Phone) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	calls := make([]*PhoneCall, 0, len(p.calls))
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	if first {
		close(p.off)
		p.conn.Close()
	}
	for _, c := range calls {
		c.end("phone switched off")
	}
	p.wg.Wait()
}

// spawn runs f in a goroutine that Close waits for, unless the phone is off.
func (p *Phone) spawn(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.wg.Go(f)
	}
}

func (p *Phone) read() {
	b := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if m, err := parseMessage(b[:n]); err == nil && !p.isCut(m) {
			p.receive(m, from)
		}
	}
}

func (p *Phone) receive(m *message, from netip.AddrPort) {
	if m.status() != 0 {
		if p.answeredTo(m) {
			return
		}
		if c := p.dialog(m.get("Call-ID"), tagOf(m.get("From"))); c != nil {
			c.response(m)
		}
		return
	}
	if m.method() == "ACK" {
		p.acknowledge(m)
		return
	}
	tag := tagOf(m.get("To"))
	if p.cfg.Silent && m.method() == "INVITE" && tag == "" {
		return
	}
	s := p.serve(m, from)
	if s == nil {
		return
	}
	switch {
	case m.method() == "CANCEL":
		p.cancel(s)
	case m.method() == "NOTIFY" && p.notified(m):
		p.respond(s, m.reply(200))
	case tag != "":
		if c := p.dialog(m.get("Call-ID"), tag); c != nil && c.accepts(m) {
			c.requested(s)
		} else {
			p.respond(s, m.reply(481))
		}
	case m.method() == "INVITE":
		p.ring(s)
	case m.method() == "OPTIONS":
		p.respond(s, m.reply(200))
	default:
		p.respond(s, m.reply(481))
	}
}

func (p *Phone) dialog(id, tag string) *PhoneCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[id+" "+tag]
}

// isCut tells whether m is of a call that vanished.
func (p *Phone) isCut(m *message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut[m.get("Call-ID")]
}

func (p *Phone) send(m *message, to netip.AddrPort) {
	if p.isCut(m) {
		return
	}
	_, _ = p.conn.WriteToUDPAddrPort(m.bytes(), to) // the phone may be off already
}

// number counts the calls of the phone.
func (p *Phone) number() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	return p.count
}

// keep lets c have messages and starts its sound. It is false, and c is over, if the phone is off.
func (p *Phone) keep(c *PhoneCall) bool {
	p.mu.Lock()
	off := p.closed
	if !off {
		p.calls[c.id+" "+c.tag] = c
	}
	p.mu.Unlock()
	if off {
		c.end("phone switched off")
		return false
	}
	p.spawn(c.sound.read)
	p.spawn(c.sound.send)
	return true
}
