package sip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer speaks DNS. Its records are those of a zone, such as "SRV name":
// {"10 60 5060 host"}; "CNAME name" has one name.
type nameServer struct {
	records map[string][]string
	change  func(*dnsmessage.Message)               // of each answer
	replies func(network string, b []byte) [][]byte // what is sent instead of b; nil: b

	mu    sync.Mutex
	asked []string // "udp NAPTR name"
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(strings.TrimSuffix(s, ".") + ".") }

// packNAPTR writes the data of a record.
func packNAPTR(n NAPTR, regexp string) []byte {
	b := binary.BigEndian.AppendUint16(nil, n.Order)
	b = binary.BigEndian.AppendUint16(b, n.Preference)
	for _, s := range []string{n.Flags, n.Service, regexp} {
		b = append(append(b, byte(len(s))), s...)
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(n.Replacement, "."), ".") {
		if l != "" {
			b = append(append(b, byte(len(l))), l...)
		}
	}
	return append(b, 0)
}

// body makes a record of kind from its text.
func body(kind, r string) dnsmessage.ResourceBody {
	switch kind {
	case "A":
		return &dnsmessage.AResource{A: netip.MustParseAddr(r).As4()}
	case "AAAA":
		return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(r).As16()}
	case "CNAME":
		return &dnsmessage.CNAMEResource{CNAME: name(r)}
	case "SRV":
		var s dnsmessage.SRVResource
		var to string
		_, _ = fmt.Sscan(r, &s.Priority, &s.Weight, &s.Port, &to)
		s.Target = name(to)
		return &s
	case "NAPTR":
		var n NAPTR
		var regexp string
		_, _ = fmt.Sscan(r, &n.Order, &n.Preference, &n.Flags, &n.Service, &n.Replacement, &regexp)
		return &dnsmessage.UnknownResource{Type: typeNAPTR, Data: packNAPTR(n, regexp)}
	}
	return &dnsmessage.UnknownResource{Type: typeNAPTR, Data: []byte(r)} // RAW
}

var kinds = map[dnsmessage.Type]string{
	dnsmessage.TypeA: "A", dnsmessage.TypeAAAA: "AAAA", dnsmessage.TypeSRV: "SRV", typeNAPTR: "NAPTR",
}

// answer is what s sends when it gets b.
func (s *nameServer) answer(network string, b []byte) [][]byte {
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	host := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	s.mu.Lock()
	s.asked = append(s.asked, network+" "+kinds[q.Type]+" "+host)
	s.mu.Unlock()
	m.Response, m.RecursionAvailable, m.RCode = true, true, dnsmessage.RCodeNameError
	for hops := 0; hops < 20; hops++ {
		for _, kind := range []string{kinds[q.Type], "RAW"} {
			for _, r := range s.records[kind+" "+host] {
				m.Answers = append(m.Answers, dnsmessage.Resource{Body: body(kind, r),
					Header: dnsmessage.ResourceHeader{Name: name(host), Class: dnsmessage.ClassINET, TTL: 300}})
			}
		}
		to := s.records["CNAME "+host]
		if len(to) == 0 {
			break
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Body: body("CNAME", to[0]),
			Header: dnsmessage.ResourceHeader{Name: name(host), Class: dnsmessage.ClassINET, TTL: 60}})
		host = to[0]
	}
	if len(m.Answers) > 0 {
		m.RCode = dnsmessage.RCodeSuccess
	}
	if s.change != nil {
		s.change(&m)
	}
	out, err := m.Pack()
	if err != nil {
		panic(err) // the test's own fault
	}
	if s.replies != nil {
		return s.replies(network, out)
	}
	return [][]byte{out}
}

func (s *nameServer) questions() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := strings.Join(s.asked, ", ")
	s.asked = nil
	return q
}

// serve answers on one connection.
func (s *nameServer) serve(network string, c net.Conn) {
	defer func() { _ = c.Close() }()
	buf := make([]byte, dnsDatagram)
	for {
		b, err := readMessage(c, network, buf)
		if err != nil {
			return
		}
		for _, out := range s.answer(network, b) {
			if network == "tcp" {
				out = append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

// askers gives a DNS that asks these servers, at 192.0.2.53, .54 and so on, in
// memory; nil refuses connections.
func askers(servers ...*nameServer) *DNS {
	d := &DNS{}
	at := make(map[string]*nameServer)
	for i, s := range servers {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(53 + i)}), 53)
		d.Servers, at[a.String()] = append(d.Servers, a), s
	}
	d.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		s := at[addr]
		if s == nil {
			return nil, errors.New("connection refused")
		}
		ours, theirs := net.Pipe() // keeps datagrams apart, as long as they are read whole
		go s.serve(network, theirs)
		return ours, nil
	}
	return d
}

// Records of all kinds, and what is not one.
func TestDNSRecords(t *testing.T) {
	long := strings.Repeat("x", 63)
	s := &nameServer{records: map[string][]string{
		"NAPTR example.com":     {"90 50 s SIP+D2T _sip._tcp.example.com.", "100 50 s SIP+D2U _sip._udp.example.com", "50 50 S SIPS+D2T _sips._tcp.example.com"},
		"NAPTR regexp.example":  {"1 1 u E2U+sip . !^.*$!sip:a@b!", "2 1 s SIP+D2U ."},
		"RAW broken.example":    {"\x00\x01\x00", "\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\x03abc", "\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\xc0\x0c", "\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\x03a.b\x00", "\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\x00x"},
		"NAPTR broken.example":  {"3 4 a SIP+D2U host.example"},
		"SRV _sip._udp.example": {"1 2 5060 host.example", "3 4 5061 ."},
		"SRV odd.example":       {"1 2 5060 bad!name.example"},
		"A host.example":        {"192.0.2.9", "192.0.2.10"},
		"AAAA host.example":     {"2001:db8::9"},
		"AAAA six.example":      {"2001:db8::6"},
		"CNAME alias.example":   {"second.example"},
		"CNAME second.example":  {"host.example"},
		"CNAME circle.example":  {"circle2.example"},
		"CNAME circle2.example": {"circle.example"},
		"CNAME self.example":    {"self.example"},
		"CNAME dead.example":    {"nothing.example"},
	}}
	for i := range 12 {
		s.records[fmt.Sprintf("CNAME c%d.example", i)] = []string{fmt.Sprintf("c%d.example", i+1)}
	}
	s.records["A c12.example"] = []string{"192.0.2.12"}
	d := askers(s)
	for _, tt := range []struct{ look, name, want string }{
		{"naptr", "example.com", "[{90 50 s SIP+D2T _sip._tcp.example.com.} {100 50 s SIP+D2U _sip._udp.example.com.} {50 50 S SIPS+D2T _sips._tcp.example.com.}] 5m0s"},
		{"naptr", "EXAMPLE.com.", "[{90 50 s SIP+D2T _sip._tcp.example.com.} {100 50 s SIP+D2U _sip._udp.example.com.} {50 50 S SIPS+D2T _sips._tcp.example.com.}] 5m0s"},
		{"naptr", "regexp.example", "[{2 1 s SIP+D2U .}] 5m0s"},
		{"naptr", "broken.example", "[{3 4 a SIP+D2U host.example.}] 5m0s"},
		{"naptr", "host.example", "not found"},
		{"naptr", "a..b", "not found"},
		{"naptr", "", "not found"},
		{"naptr", "a b", "not found"},
		{"naptr", long + "x.example", "not found"},
		{"naptr", strings.Repeat(long+".", 4) + "example", "not found"},
		{"naptr", "localhost", "not found"},
		{"srv", "example", "[{host.example. 5060 1 2} {. 5061 3 4}] 5m0s"},
		{"srv", "odd.example", "not found"},
		{"srv of itself", "_sip._udp.example", "[{host.example. 5060 1 2} {. 5061 3 4}] 5m0s"},
		{"srv of itself", "odd.example", "[] 5m0s"},
		{"ip", "host.example", "[192.0.2.9 192.0.2.10 2001:db8::9] 5m0s"},
		{"ip4", "host.example", "[192.0.2.9 192.0.2.10] 5m0s"},
		{"ip6", "host.example", "[2001:db8::9] 5m0s"},
		{"ip", "six.example", "[2001:db8::6] 5m0s"},
		{"ip4", "six.example", "not found"},
		{"ip", "nothing.example", "not found"},
		{"ip", "2001:db8::77", "[2001:db8::77] unknown"},
		{"ip4", "alias.example", "[192.0.2.9 192.0.2.10] 1m0s"},
		{"ip", "circle.example", "not found"},
		{"ip", "self.example", "not found"},
		{"ip", "dead.example", "not found"},
		{"ip4", "c4.example", "[192.0.2.12] 1m0s"},
		{"ip4", "c3.example", "not found"},
	} {
		t.Run(tt.look+" "+clip(tt.name), func(t *testing.T) {
			ttl := "unknown"
			ctx := context.WithValue(t.Context(), keepKey{}, func(d time.Duration) { ttl = d.String() })
			var v any
			var err error
			switch tt.look {
			case "naptr":
				v, err = d.LookupNAPTR(ctx, tt.name)
			case "srv", "srv of itself":
				service, proto := "sip", "udp"
				if tt.look != "srv" {
					service, proto = "", ""
				}
				var srvs []*net.SRV
				_, srvs, err = d.LookupSRV(ctx, service, proto, tt.name)
				flat := []net.SRV{}
				for _, s := range srvs {
					flat = append(flat, *s)
				}
				v = flat
			default:
				v, err = d.LookupNetIP(ctx, tt.look, tt.name)
			}
			got := fmt.Sprint(v) + " " + ttl
			if notFound(err) {
				got = "not found"
			} else if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Servers that are silent, lie, or cannot.
func TestDNSFaults(t *testing.T) {
	records := map[string][]string{"A host.example": {"192.0.2.9"}}
	good := func() *nameServer { return &nameServer{records: records} }
	changed := func(f func(*dnsmessage.Message)) *nameServer { return &nameServer{records: records, change: f} }
	// first sends this, and then the answer.
	first := func(f func(b []byte) []byte) *nameServer {
		return &nameServer{records: records, replies: func(_ string, b []byte) [][]byte { return [][]byte{f(append([]byte(nil), b...)), b} }}
	}
	rcode := func(c dnsmessage.RCode) *nameServer {
		return changed(func(m *dnsmessage.Message) { m.RCode, m.Answers = c, nil })
	}
	silent := &nameServer{replies: func(string, []byte) [][]byte { return nil }}
	truncates := func(tcp func(b []byte) [][]byte) *nameServer {
		return &nameServer{records: records, replies: func(network string, b []byte) [][]byte {
			if network == "udp" {
				b[2] |= 2 // TC
				return [][]byte{b[:len(b)-10]}
			}
			return tcp(b)
		}}
	}
	for _, tt := range []struct {
		name    string
		servers []*nameServer
		want    string // part of the error; "": found
		took    time.Duration
	}{
		{"good", []*nameServer{good()}, "", 0},
		{"second server", []*nameServer{silent, good()}, "", dnsTimeout},
		{"refused connection", []*nameServer{nil, good()}, "", 0},
		{"all are silent", []*nameServer{silent, silent}, "deadline exceeded", 2 * dnsRounds * dnsTimeout},
		{"wrong id first", []*nameServer{first(func(b []byte) []byte { b[0], b[3] = b[0]+1, b[3]|3; return b })}, "", 0},
		{"only a wrong id", []*nameServer{changed(func(m *dnsmessage.Message) { m.ID++ })}, "deadline exceeded", dnsRounds * dnsTimeout},
		{"garbage first", []*nameServer{first(func([]byte) []byte { return []byte("garbage") })}, "", 0},
		{"a question first", []*nameServer{first(func(b []byte) []byte { b[2], b[3] = b[2]&^0x80, b[3]|3; return b })}, "", 0},
		{"an empty datagram first", []*nameServer{first(func(b []byte) []byte { return b[:1] })}, "", 0},
		{"other name", []*nameServer{changed(func(m *dnsmessage.Message) { m.Questions[0].Name = name("evil.example") }), good()}, "", dnsTimeout},
		{"other type", []*nameServer{changed(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX }), good()}, "", dnsTimeout},
		{"two questions", []*nameServer{changed(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }), good()}, "", dnsTimeout},
		{"no question", []*nameServer{changed(func(m *dnsmessage.Message) { m.Questions = nil }), good()}, "", dnsTimeout},
		{"answer for another name", []*nameServer{changed(func(m *dnsmessage.Message) { m.Answers[0].Header.Name = name("evil.example") })}, "no such record", 0},
		{"answer of another class", []*nameServer{changed(func(m *dnsmessage.Message) { m.Answers[0].Header.Class = dnsmessage.ClassCHAOS })}, "no such record", 0},
		{"cut off", []*nameServer{{records: records, replies: func(_ string, b []byte) [][]byte { return [][]byte{b[:len(b)-6]} }}, good()}, "", 0},
		{"NXDOMAIN is believed", []*nameServer{rcode(dnsmessage.RCodeNameError), good()}, "no such record", 0},
		{"nothing is believed", []*nameServer{rcode(dnsmessage.RCodeSuccess), good()}, "no such record", 0},
		{"SERVFAIL", []*nameServer{rcode(dnsmessage.RCodeServerFailure), good()}, "", 0},
		{"REFUSED", []*nameServer{rcode(dnsmessage.RCodeRefused)}, "RCodeRefused", 0},
		{"referral", []*nameServer{changed(func(m *dnsmessage.Message) { m.RecursionAvailable, m.Answers = false, nil; m.RCode = 0 }), good()}, "", 0},
		{"truncated", []*nameServer{truncates(func(b []byte) [][]byte { return [][]byte{b} })}, "", 0},
		{"truncated, and TCP is silent", []*nameServer{truncates(func([]byte) [][]byte { return nil }), good()}, "", dnsTimeout},
		{"truncated, and TCP sends half", []*nameServer{truncates(func(b []byte) [][]byte { return [][]byte{b[:20]} }), good()}, "", dnsTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, start := askers(tt.servers...), time.Now()
				as, err := d.LookupNetIP(t.Context(), "ip4", "host.example")
				switch {
				case tt.want == "" && (err != nil || fmt.Sprint(as) != "[192.0.2.9]"):
					t.Errorf("got %v, %v", as, err)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("got %v, %v, want %s", as, err, tt.want)
				case tt.want != "" && notFound(err) != (tt.want == "no such record"):
					t.Errorf("not found: %v", err)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
				// The server that knew is asked first from now on.
				if start = time.Now(); tt.want == "" {
					if _, err = d.LookupNetIP(t.Context(), "ip4", "host.example"); err != nil || time.Since(start) != 0 {
						t.Errorf("again: %v after %v", err, time.Since(start))
					}
				}
			})
		})
	}
}

// The end of ctx ends a look-up at once, and is its error.
func TestDNSEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := askers(&nameServer{replies: func(string, []byte) [][]byte { return nil }})
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		time.AfterFunc(100*time.Millisecond, func() { cancel(gone) })
		start := time.Now()
		if _, err := d.LookupNAPTR(ctx, "example.com"); !errors.Is(err, gone) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// Real sockets: what another socket sends is not seen, and TCP takes over.
func TestDNSOnLoopback(t *testing.T) {
	l, pc := listenBoth(t)
	at := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	other, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{records: map[string][]string{"A host.example": {"192.0.2.9"}, "A long.example": {"192.0.2.10"}}}
	forger := &nameServer{records: map[string][]string{"A host.example": {"192.0.2.66"}, "A long.example": {"192.0.2.66"}}}
	s.change = func(m *dnsmessage.Message) {
		m.Truncated = m.Questions[0].Name == name("long.example")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, dnsDatagram)
		for {
			n, from, err := pc.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, out := range forger.answer("udp", b[:n]) {
				_, _ = other.WriteToUDPAddrPort(out, from)
			}
			for _, out := range s.answer("udp", b[:n]) {
				_, _ = pc.WriteToUDPAddrPort(out, from)
			}
		}
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve("tcp", c) })
		}
	})
	defer wg.Wait()
	defer func() { _, _, _ = pc.Close(), l.Close(), other.Close() }()

	d := &DNS{Servers: []netip.AddrPort{at}, Timeout: 10 * time.Second}
	for host, want := range map[string]string{"host.example": "[192.0.2.9]", "long.example": "[192.0.2.10]"} {
		if as, err := d.LookupNetIP(t.Context(), "ip4", host); err != nil || fmt.Sprint(as) != want {
			t.Errorf("%s: got %v, %v, want %s", host, as, err, want)
		}
	}
	if q := s.questions(); !strings.Contains(q, "tcp A long.example") || strings.Contains(q, "tcp A host.example") {
		t.Errorf("asked %s", q)
	}
}

func TestResolvConf(t *testing.T) {
	got := parseResolvConf("# c\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver x\nnameserver\n" +
		"domain old.example\nsearch a.example b.example.\noptions rotate ndots:5\n")
	want := resolvConf{servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53")},
		search: []string{"a.example", "b.example"}, ndots: 5}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := parseResolvConf(""); got.ndots != 1 || len(got.servers) != 0 {
		t.Errorf("got %+v", got)
	}
}

// Short names are tried as they are, then with the search list.
func TestDNSSearchList(t *testing.T) {
	s := &nameServer{records: map[string][]string{"SRV _sip._udp.pbx.b.example": {"1 1 5060 host.example"}}}
	d := askers(s)
	servers := d.Servers
	d.once.Do(func() { d.conf = resolvConf{servers: servers, search: []string{"a.example", "b.example"}, ndots: 1} })
	if _, srvs, err := d.LookupSRV(t.Context(), "sip", "udp", "pbx"); err != nil || len(srvs) != 1 {
		t.Errorf("got %v, %v", srvs, err)
	}
	if got, want := s.questions(), "udp SRV _sip._udp.pbx, udp SRV _sip._udp.pbx.a.example, udp SRV _sip._udp.pbx.b.example"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if _, err := d.LookupNAPTR(t.Context(), "pbx.example"); !notFound(err) || s.questions() != "udp NAPTR pbx.example" {
		t.Errorf("got %v", err)
	}
}

// NAPTR leads to SRV, SRV to A, and a silent server to the next.
func TestRFC3263_CallByNAPTR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &nameServer{records: map[string][]string{
			"NAPTR example.com":      {"10 1 s SIPS+D2T _sips._tcp.example.com", "20 1 s SIP+D2T _sip._tcp.example.com", "30 2 s SIP+D2U other.example.com", "30 1 s SIP+D2U phones.example.com"},
			"SRV phones.example.com": {"2 0 5060 second.example.com", "1 0 5066 first.example.com"},
			"SRV other.example.com":  {"1 0 5067 first.example.com"},
			"A first.example.com":    {"192.0.2.99"},
			"A second.example.com":   {"192.0.2.10"},
		}}
		b := newBubble(t, func(c *Config) { c.Resolver = askers(s) })
		defer b.close()
		silent := b.phone(t, "192.0.2.99:5066")
		defer silent.close()
		start := time.Now()
		d, _, inv := b.placed(t, Outgoing{URI: "sip:bob@example.com", Body: []byte(sdpOffer)})
		if got := time.Since(start); got != failoverTime {
			t.Errorf("took %v, want %v", got, failoverTime)
		}
		if first := silent.want("INVITE"); first.get("Call-ID") != inv.get("Call-ID") {
			t.Error("the first target got another call")
		}
		q := s.questions()
		for _, want := range []string{"NAPTR example.com", "SRV phones.example.com", "SRV other.example.com", "A first.example.com", "A second.example.com"} {
			if strings.Count(q, "udp "+want) != 1 {
				t.Errorf("asked %s: %s not once", q, want)
			}
		}
		if strings.Contains(q, "_sip") {
			t.Errorf("asked %s", q)
		}
		if err := d.Bye(); err != nil {
			t.Fatal(err)
		}
		b.p.reply(b.p.want("BYE"), "200 OK")
	})
}

// A name server that does not answer for NAPTR costs naptrTimeout once a minute,
// and NAPTR records that lead nowhere cost nothing.
func TestCallsGoOnWithoutNAPTR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &nameServer{records: map[string][]string{
			"A bare.example": {"192.0.2.10"}, "SRV _sip._udp.served.example": {"1 1 5070 bare.example"},
			"NAPTR dead.example": {"1 1 s SIP+D2U nowhere.example"}, "SRV nowhere.example": {"1 1 5060 nothing.example"}, "A dead.example": {"192.0.2.11"},
		}}
		s.replies = func(_ string, b []byte) [][]byte {
			if strings.Contains(string(b), "dead") || binary.BigEndian.Uint16(b[len(b)-4:]) != typeNAPTR {
				return [][]byte{b}
			}
			return nil // without an answer the question stands last
		}
		e := asker(t, askers(s, s), Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
		defer func() { _ = e.Close() }()
		for _, tt := range []struct {
			uri, want string
			took      time.Duration
		}{
			{"sip:a@bare.example:5060", "[udp 192.0.2.10:5060]", 0},
			{"sip:a@bare.example;transport=udp", "[udp 192.0.2.10:5060]", 0},
			{"sip:a@bare.example", "[udp 192.0.2.10:5060]", naptrTimeout},
			{"sip:a@bare.example", "[udp 192.0.2.10:5060]", 0},
			{"sip:a@served.example", "[udp 192.0.2.10:5070]", naptrTimeout},
			{"sip:a@served.example", "[udp 192.0.2.10:5070]", 0},
			{"sip:a@dead.example", "[udp 192.0.2.11:5060]", 0},
		} {
			u, err := parseURI(tt.uri)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			ts, err := e.targets(t.Context(), u, "")
			if got := time.Since(start); err != nil || fmt.Sprint(ts) != tt.want || got != tt.took {
				t.Errorf("%s: got %v, %v after %v, want %s after %v", tt.uri, ts, err, got, tt.want, tt.took)
			}
		}
		time.Sleep(naptrKeepNothing - 2*time.Second)
		s.questions()
		for range 2 {
			u, _ := parseURI("sip:a@bare.example")
			if _, err := e.targets(t.Context(), u, ""); err != nil {
				t.Error(err)
			}
		}
		if q := s.questions(); strings.Contains(q, "NAPTR") {
			t.Errorf("asked %s", q)
		}
	})
}

// hostsFile is a DNS that finds hosts without its servers.
type hostsFile struct{ *DNS }

func (hostsFile) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("192.0.2.10")}, ctx.Err()
}

// When all name servers are silent, there is time left for the hosts file.
func TestHostsFileCountsWithoutServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &nameServer{replies: func(string, []byte) [][]byte { return nil }}
		e := asker(t, hostsFile{askers(s, s, s, s, s, s, s)}, Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
		defer func() { _ = e.Close() }()
		u, _ := parseURI("sip:a@host.example")
		start := time.Now()
		if ts, err := e.targets(t.Context(), u, ""); err != nil || len(ts) != 1 || time.Since(start) != serviceTimeout {
			t.Errorf("got %v, %v after %v", ts, err, time.Since(start))
		}
	})
}

// One URI makes us ask so many questions and no more.
func TestLookupsAreBounded(t *testing.T) {
	z := &zone{records: map[string][]string{}}
	for i := range 4 * maxLookups {
		z.records["SRV _sip._udp.many.example"] = append(z.records["SRV _sip._udp.many.example"], fmt.Sprintf("1 1 5060 h%d.example", i))
	}
	e := asker(t, z, Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
	u, _ := parseURI("sip:a@many.example")
	if ts, err := e.targets(t.Context(), u, ""); err == nil {
		t.Errorf("got %v", ts)
	}
	if n := strings.Count(z.questions(), "A "); n != maxLookups {
		t.Errorf("asked for %d hosts, want %d", n, maxLookups)
	}
}

func FuzzNAPTR(f *testing.F) {
	f.Add(packNAPTR(NAPTR{10, 20, "s", "SIP+D2U", "_sip._udp.example.com."}, ""))
	f.Add(packNAPTR(NAPTR{1, 2, "u", "E2U+sip", "."}, "!^.*$!sip:a@b!"))
	f.Add([]byte("\x00\x01\x00\x02\x01s\x07SIP+D2U\x00\xc0\x0c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, regexp, err := parseNAPTR(b)
		if err == nil && string(packNAPTR(n, regexp)) != string(b) {
			t.Fatalf("%q became %+v, %q", b, n, regexp)
		}
	})
}

// FuzzDNSAnswer reads anything as the answer to a question: what is taken has
// records, of the type asked for.
func FuzzDNSAnswer(f *testing.F) {
	s := &nameServer{records: map[string][]string{
		"NAPTR example.com": {"90 50 s SIP+D2T _sip._tcp.example.com"}, "SRV example.com": {"1 2 5060 example.com"},
		"A example.com": {"192.0.2.1"}, "CNAME example.com": {"b.example.com"}, "CNAME b.example.com": {"example.com"}, "A c.example.com": {"192.0.2.2"},
	}}
	types := []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeSRV, typeNAPTR}
	ask := func(host string, typ dnsmessage.Type) question {
		q, err := newQuestion(host, typ)
		if err != nil {
			f.Fatal(err)
		}
		return q
	}
	for i, typ := range types {
		for _, host := range []string{"example.com", "c.example.com"} {
			f.Add(s.answer("udp", ask(host, typ).packed)[0], uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, i uint8) {
		typ := types[int(i)%len(types)]
		for _, host := range []string{"example.com", "c.example.com"} {
			a, err := readAnswer(b, 0, ask(host, typ), "udp")
			if (err == nil) != (len(a.bodies) > 0) || a.ttl < 0 {
				t.Fatalf("got %+v, %v", a, err)
			}
			for _, r := range a.bodies {
				if u, ok := r.(*dnsmessage.UnknownResource); ok && typ == typeNAPTR {
					_, _, _ = parseNAPTR(u.Data)
				} else if ok {
					t.Fatalf("got %+v for %v", r, typ)
				}
			}
		}
	})
}
