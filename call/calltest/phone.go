package calltest

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// ServerAddr is where Run lets its engine listen on a Net.
var ServerAddr = netip.MustParseAddrPort("10.0.0.1:5060")

// PhoneConfig of a Phone; the zero value calls ServerAddr from 10.0.0.2.
type PhoneConfig struct {
	Network   Network        // nil: the one given to NewPhone
	Addr      netip.Addr     // of the phone; the zero value: 10.0.0.2
	Server    netip.AddrPort // the zero value: ServerAddr
	User      string         // in From; "": "alice"
	Host      string         // in From; "": Addr
	PCMA      bool           // offer PCMA instead of PCMU
	SDPHost   string         // in c= of the offer; "": Addr
	LateOffer bool           // INVITE without SDP, the answer goes in the ACK
	NoACK     bool           // never acknowledge
}

// Phone is a scripted caller: one SIP socket, and an RTP socket for each call.
type Phone struct {
	cfg  PhoneConfig
	net  Network
	conn Conn
	addr netip.AddrPort

	mu    sync.Mutex
	calls map[string]*PhoneCall // guarded by mu; by Call-ID
	count int                   // guarded by mu
	wg    sync.WaitGroup
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
	if cfg.Host == "" {
		cfg.Host = cfg.Addr.String()
	}
	conn, err := network.Listen(netip.AddrPortFrom(cfg.Addr, 0))
	if err != nil {
		t.Fatal(err)
	}
	p := &Phone{cfg: cfg, net: network, conn: conn, calls: map[string]*PhoneCall{}}
	p.addr = netip.MustParseAddrPort(conn.LocalAddr().String())
	p.wg.Go(p.read)
	t.Cleanup(p.Close)
	return p
}

// Close switches the phone off: its sockets close, nobody is told.
func (p *Phone) Close() {
	p.conn.Close()
	p.mu.Lock()
	calls := make([]*PhoneCall, 0, len(p.calls))
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.end("phone switched off")
	}
	p.wg.Wait()
}

func (p *Phone) read() {
	b := make([]byte, 65536)
	for {
		n, _, err := p.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		m, err := parseMessage(b[:n])
		if err != nil {
			continue
		}
		p.mu.Lock()
		c := p.calls[m.get("Call-ID")]
		p.mu.Unlock()
		if c != nil {
			c.receive(m)
		} else if m.status() == 0 && m.method() != "ACK" {
			p.send(m.reply(481, "Call/Transaction Does Not Exist"))
		}
	}
}

func (p *Phone) send(m *message) {
	_, _ = p.conn.WriteToUDPAddrPort(m.bytes(), p.cfg.Server) // the phone may be off already
}

// Dial calls user and returns when the call is answered. It fails the test when it is not.
func (p *Phone) Dial(t testing.TB, user string) *PhoneCall {
	t.Helper()
	c, err := p.Invite(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// StatusError is a call that was refused.
type StatusError struct {
	Status int
	Reason string // value of the Reason header
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("calltest: refused with %d %s", e.Status, e.Reason)
}

// Invite calls user and waits for the answer. A refusal is a *StatusError; when ctx ends the
// call is cancelled. The PhoneCall is not nil in either case.
func (p *Phone) Invite(ctx context.Context, user string) (*PhoneCall, error) {
	c, err := p.start(user)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.answered:
		return c, nil
	case <-c.done:
		select {
		case <-c.answered: // and then over at once
			return c, nil
		default:
			return c, c.err()
		}
	case <-ctx.Done():
		c.Cancel()
		<-c.done
		return c, ctx.Err()
	}
}

// Start calls user and returns at once.
func (p *Phone) Start(t testing.TB, user string) *PhoneCall {
	t.Helper()
	c, err := p.start(user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *Phone) start(user string) (*PhoneCall, error) {
	rtp, err := p.net.Listen(netip.AddrPortFrom(p.cfg.Addr, 0))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.count++
	id := fmt.Sprintf("call%d-%d@%s", p.count, p.addr.Port(), p.cfg.Addr)
	c := &PhoneCall{
		phone: p, id: id, tag: fmt.Sprintf("tag%d", p.count), branch: fmt.Sprintf("z9hG4bK-%d-%d", p.addr.Port(), p.count), cseq: 1,
		uri:      fmt.Sprintf("sip:%s@%s", user, p.cfg.Server),
		answered: make(chan struct{}), ringing: make(chan struct{}), done: make(chan struct{}),
		sound: newSound(rtp, p.cfg.PCMA),
	}
	p.calls[id] = c
	p.mu.Unlock()
	body := c.sdp("sendrecv")
	if p.cfg.LateOffer {
		body = ""
	}
	c.invite = c.request("INVITE", c.branch, body)
	p.wg.Go(c.resend)
	p.wg.Go(c.sound.read)
	p.wg.Go(c.sound.send)
	return c, nil
}

// PhoneCall is a call as the phone sees it.
type PhoneCall struct {
	phone  *Phone
	id     string
	tag    string
	branch string
	uri    string
	sound  *sound
	invite *message

	ringing, answered, done chan struct{}

	mu        sync.Mutex
	cseq      int    // guarded by mu
	toTag     string // guarded by mu; the whole To of the answer
	target    string // guarded by mu; Contact of the answer
	rang, up  bool   // guarded by mu
	statuses  []int  // guarded by mu; of all responses to the INVITE
	ended     bool   // guarded by mu
	why       string // guarded by mu
	refused   *StatusError
	direction string // guarded by mu; of the last SDP we got
	replies   map[string]chan *message
	offers    []string // guarded by mu; SDP of all answers
}

func (c *PhoneCall) sdp(direction string) string {
	pt, name := 0, "PCMU"
	if c.phone.cfg.PCMA {
		pt, name = 8, "PCMA"
	}
	a := c.sound.addr
	host, family := a.Addr().String(), "IP4"
	if h := c.phone.cfg.SDPHost; h != "" {
		host = h
	}
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	return fmt.Sprintf("v=0\r\no=- 1 %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\nm=audio %d RTP/AVP %d 101\r\n"+
		"a=rtpmap:%d %s/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=%s\r\n",
		c.cseqNow(), family, host, family, host, a.Port(), pt, pt, name, direction)
}

func (c *PhoneCall) cseqNow() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cseq
}

func (c *PhoneCall) request(method, branch, body string) *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	uri, to := c.uri, "<"+c.uri+">"
	if c.target != "" {
		uri = c.target
	}
	if c.toTag != "" {
		to = c.toTag
	}
	m := &message{first: method + " " + uri + " SIP/2.0", body: body, headers: [][2]string{
		{"Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=%s;rport", c.phone.addr, branch)},
		{"Max-Forwards", "70"},
		{"From", fmt.Sprintf("<sip:%s@%s>;tag=%s", c.phone.cfg.User, c.phone.cfg.Host, c.tag)},
		{"To", to},
		{"Call-ID", c.id},
		{"CSeq", fmt.Sprintf("%d %s", c.cseq, method)},
		{"Contact", fmt.Sprintf("<sip:%s@%s>", c.phone.cfg.User, c.phone.addr)},
	}}
	if body != "" {
		m.headers = append(m.headers, [2]string{"Content-Type", "application/sdp"})
	}
	return m
}

// resend sends the INVITE until there is a response (RFC 3261 17.1.1.2).
func (c *PhoneCall) resend() {
	for d := 500 * time.Millisecond; d <= 32*time.Second; d *= 2 {
		c.phone.send(c.invite)
		select {
		case <-c.ringing:
			return
		case <-c.done:
			return
		case <-time.After(d):
		}
	}
	c.end("no response")
}

func (c *PhoneCall) receive(m *message) {
	if m.status() != 0 {
		c.response(m)
		return
	}
	switch m.method() {
	case "BYE":
		c.phone.send(m.reply(200, "OK"))
		c.end("BYE " + m.get("Reason"))
	case "ACK":
	default:
		c.phone.send(m.reply(200, "OK"))
	}
}

func (c *PhoneCall) response(m *message) {
	if m.method() != "INVITE" {
		c.mu.Lock()
		ch := c.replies[m.get("CSeq")]
		c.mu.Unlock()
		deliver(ch, m)
		return
	}
	status := m.status()
	c.mu.Lock()
	c.statuses = append(c.statuses, status)
	first := !c.rang
	c.rang = true
	if status > 100 {
		c.toTag = m.get("To")
		if ct := m.get("Contact"); ct != "" {
			c.target = uriOf(ct)
		}
	}
	c.mu.Unlock()
	if first {
		close(c.ringing)
	}
	if m.body != "" {
		c.takeSDP(m.body)
	}
	switch {
	case status < 200:
	case status < 300:
		c.accepted(m)
	default:
		ack := c.request("ACK", c.branch, "")
		ack.first = "ACK " + c.uri + " SIP/2.0"
		c.phone.send(ack)
		c.mu.Lock()
		c.refused = &StatusError{status, m.get("Reason")}
		ch := c.replies[m.get("CSeq")]
		up := c.up
		c.mu.Unlock()
		if up && ch != nil { // a refused re-INVITE
			deliver(ch, m)
			return
		}
		c.end(fmt.Sprint(status))
	}
}

// deliver hands m to whoever waits for it, if anybody still does; ch may be nil.
func deliver(ch chan *message, m *message) {
	select {
	case ch <- m:
	default:
	}
}

func (c *PhoneCall) accepted(m *message) {
	if !c.phone.cfg.NoACK {
		body := ""
		if c.phone.cfg.LateOffer {
			body = c.sdp("sendrecv")
		}
		seq, _, _ := strings.Cut(m.get("CSeq"), " ")
		ack := c.request("ACK", fmt.Sprintf("%s-ack%s", c.branch, seq), body)
		for i, h := range ack.headers {
			if h[0] == "CSeq" {
				ack.headers[i][1] = seq + " ACK"
			}
		}
		c.phone.send(ack)
	}
	c.mu.Lock()
	first := !c.up
	c.up = true
	ch := c.replies[m.get("CSeq")]
	c.mu.Unlock()
	if first {
		close(c.answered)
	} else {
		deliver(ch, m)
	}
}

func (c *PhoneCall) takeSDP(body string) {
	host, port, pt, dir := sdpAudio(body)
	c.mu.Lock()
	c.direction = dir
	c.offers = append(c.offers, body)
	c.mu.Unlock()
	if a, err := netip.ParseAddr(host); err == nil {
		c.sound.setRemote(netip.AddrPortFrom(a, uint16(port)), pt)
	}
}

func (c *PhoneCall) end(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.why = true, why
	close(c.done)
	c.sound.close()
}

func (c *PhoneCall) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil {
		return c.refused
	}
	return fmt.Errorf("calltest: the call ended: %s", c.why)
}
