package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// zone is a name server: "A host", "SRV name" and "NAPTR name" have values such
// as "192.0.2.1", "10 60 5060 host" and "10 50 s SIP+D2U name".
type zone struct {
	mu      sync.Mutex
	records map[string][]string
	asked   []string
	ttl     time.Duration
	slow    time.Duration
}

func (z *zone) look(ctx context.Context, what string) ([]string, error) {
	z.mu.Lock()
	z.asked = append(z.asked, what)
	r, ok := z.records[what]
	slow := z.slow
	z.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: what, IsNotFound: true}
	}
	return r, nil
}

func (z *zone) LookupNetIP(ctx context.Context, _, host string) (as []netip.Addr, err error) {
	rs, err := z.look(ctx, "A "+host)
	for _, r := range rs {
		as = append(as, netip.MustParseAddr(r))
	}
	return as, err
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if service != "" {
		name = "_" + service + "._" + proto + "." + name
	}
	rs, err := z.look(ctx, "SRV "+name)
	var srvs []*net.SRV
	for _, r := range rs {
		s := new(net.SRV)
		_, _ = fmt.Sscan(r, &s.Priority, &s.Weight, &s.Port, &s.Target)
		srvs = append(srvs, s)
	}
	return "", srvs, err
}

func (z *zone) questions() string {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := strings.Join(z.asked, ", ")
	z.asked = nil
	return q
}

// fullZone knows more than that of the standard library.
type fullZone struct{ zone }

func (z *fullZone) LookupNAPTR(ctx context.Context, name string) (ns []NAPTR, err error) {
	rs, err := z.look(ctx, "NAPTR "+name)
	for _, r := range rs {
		var n NAPTR
		_, _ = fmt.Sscan(r, &n.Order, &n.Preference, &n.Flags, &n.Service, &n.Replacement)
		ns = append(ns, n)
	}
	return ns, err
}

func (z *fullZone) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	KeepFor(ctx, z.ttl)
	return z.zone.LookupNetIP(ctx, network, host)
}

// asker is an endpoint with these sockets that asks r.
func asker(t testing.TB, r Resolver, listen ...Listen) *Endpoint {
	t.Helper()
	e, err := New(Config{Listen: listen, Invite: func(*Dialog) {}, Resolver: r, Logger: quietLog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// The steps of RFC 3263 4.1 and 4.2.
func TestRFC3263_4(t *testing.T) {
	// The examples of the RFC, but for TLS.
	records := map[string][]string{
		"NAPTR example.com":                {"90 50 s SIP+D2T _sip._tcp.example.com.", "100 50 s SIP+D2U _sip._udp.example.com.", "50 50 s SIPS+D2T _sips._tcp.example.com."},
		"SRV _sip._tcp.example.com":        {"0 1 5060 server1.example.com.", "0 2 5060 server2.example.com."},
		"SRV _sip._udp.example.com":        {"0 1 5070 server1.example.com."},
		"A server1.example.com":            {"192.0.2.11"},
		"A server2.example.com":            {"192.0.2.12"},
		"A six.example":                    {"2001:db8::11", "192.0.2.31"},
		"A bare.example":                   {"192.0.2.20", "192.0.2.21"},
		"SRV _sip._tcp.tcponly.example":    {"0 0 5080 server2.example.com"},
		"NAPTR flagged.example":            {"1 1 a SIP+D2U server2.example.com", "2 1 u SIP+D2U server1.example.com"},
		"SRV _sip._udp.gone.example":       {"0 0 0 ."},
		"SRV _sip._udp.half.example":       {"1 0 5060 nowhere.example", "2 0 5060 server2.example.com"},
		"SRV _sip._udp.numeric.example":    {"1 0 5066 192.0.2.66"},
		"SRV _sip._udp.priorities.example": {"20 0 5062 server2.example.com", "10 0 5061 server2.example.com"},
		"NAPTR foreign.example":            {"1 1 s E2U+sip _sip._udp.example.com"},
		"A foreign.example":                {"192.0.2.30"},
		"NAPTR prefers.example":            {"1 20 s SIP+D2U _sip._udp.example.com", "1 10 s SIP+D2T _sip._tcp.tcponly.example"},
	}
	mem := newMemNet()
	both := asker(t, &fullZone{zone{records: records}},
		Listen{Network: "udp", PacketConn: mem.listen("192.0.2.1:5060")}, Listen{Network: "tcp", Addr: "127.0.0.1:0"})
	udp := asker(t, &zone{records: records}, Listen{Network: "udp", PacketConn: mem.listen("192.0.2.2:5060")})
	tcp := asker(t, &zone{records: records}, Listen{Network: "tcp", Addr: "127.0.0.1:0"})
	for _, tt := range []struct {
		e     *Endpoint
		uri   string
		usual string
		want  string // targets, or what the error says
	}{
		{both, "sip:a@192.0.2.7", "", "udp 192.0.2.7:5060"},
		{both, "sip:a@192.0.2.7;transport=TCP", "", "tcp 192.0.2.7:5060"},
		{both, "sip:a@192.0.2.7:5070", "tcp", "tcp 192.0.2.7:5070"},
		{both, "sip:a@bare.example;maddr=192.0.2.8", "", "udp 192.0.2.8:5060"},
		{both, "sip:a@bare.example:5090", "", "udp 192.0.2.20:5090, udp 192.0.2.21:5090"},
		{both, "sip:a@bare.example:5090;transport=tcp", "", "tcp 192.0.2.20:5090, tcp 192.0.2.21:5090"},
		{both, "sip:a@bare.example", "", "udp 192.0.2.20:5060, udp 192.0.2.21:5060"},
		{both, "sip:a@BARE.example.", "", "udp 192.0.2.20:5060, udp 192.0.2.21:5060"},
		{both, "sip:a@example.com", "", "tcp 192.0.2.1?:5060, tcp 192.0.2.1?:5060, udp 192.0.2.11:5070"},
		{both, "sip:a@example.com;transport=udp", "", "udp 192.0.2.11:5070"},
		{both, "sip:a@prefers.example", "", "tcp 192.0.2.12:5080, udp 192.0.2.11:5070"},
		{both, "sip:a@tcponly.example", "", "tcp 192.0.2.12:5080"},
		{both, "sip:a@flagged.example", "", "udp 192.0.2.12:5060"},
		{both, "sip:a@foreign.example", "", "udp 192.0.2.30:5060"},
		{both, "sip:a@priorities.example", "", "udp 192.0.2.12:5061, udp 192.0.2.12:5062"},
		{both, "sip:a@half.example", "", "udp 192.0.2.12:5060"},
		{both, "sip:a@numeric.example", "", "udp 192.0.2.66:5066"},
		{both, "sip:a@gone.example", "", "no address"},
		{both, "sip:a@nowhere.example", "", "no such host"},
		{both, "sip:a@six.example", "", "udp 192.0.2.31:5060"},
		{both, "sip:a@[2001:db8::1]", "", "no socket"},
		{both, "sips:a@192.0.2.7", "", "unsupported"},
		{both, "sip:a@192.0.2.7;transport=tls", "", "unsupported"},
		{both, "sip:a@192.0.2.7;transport=ws", "", "unsupported"},
		{both, "tel:1", "", "unsupported"},
		{udp, "sip:a@example.com", "", "udp 192.0.2.11:5070"},
		{udp, "sip:a@192.0.2.7;transport=tcp", "", "tcp 192.0.2.7:5060"},
		{udp, "sip:a@tcponly.example", "", "no such host"},
		{tcp, "sip:a@192.0.2.7", "", "tcp 192.0.2.7:5060"},
		{tcp, "sip:a@bare.example", "", "tcp 192.0.2.20:5060, tcp 192.0.2.21:5060"},
	} {
		u, err := parseURI(tt.uri)
		if err != nil {
			t.Fatal(err)
		}
		ts, err := tt.e.targets(t.Context(), u, tt.usual)
		var got []string
		for _, x := range ts {
			got = append(got, x.String())
		}
		s := strings.Join(got, ", ")
		if strings.Contains(tt.want, "?") && len(s) == len(tt.want) {
			for i := strings.IndexByte(tt.want, '?'); i >= 0; i = strings.IndexByte(tt.want, '?') {
				tt.want = tt.want[:i] + s[i:i+1] + tt.want[i+1:] // by chance
			}
		}
		switch {
		case err != nil && !strings.Contains(err.Error(), tt.want), err == nil && s != tt.want:
			t.Errorf("%s: got %q, %v, want %s", tt.uri, s, err, tt.want)
		case tt.want == "unsupported" && !errors.Is(err, errors.ErrUnsupported):
			t.Errorf("%s: %v is not ErrUnsupported", tt.uri, err)
		}
	}
}

// Trap T9: an answer is kept for as long as it may be, what is not there for a
// while, and a name is asked for once, however many want it.
func TestTrapT9NamesAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &fullZone{zone{records: map[string][]string{"A host.example": {"192.0.2.9"}}, ttl: 5 * time.Minute, slow: time.Second}}
		e := asker(t, z, Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
		defer func() { _ = e.Close() }()
		find := func(host string) (string, error) {
			u, _ := parseURI("sip:a@" + host + ":5060")
			ts, err := e.targets(t.Context(), u, "")
			return fmt.Sprint(ts), err
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := find("host.example"); err != nil || got != "[udp 192.0.2.9:5060]" {
					t.Errorf("got %s, %v", got, err)
				}
			})
		}
		wg.Wait()
		if q := z.questions(); q != "A host.example" {
			t.Errorf("asked %s", q)
		}
		time.Sleep(5*time.Minute - time.Second)
		start := time.Now()
		if _, err := find("host.example"); err != nil || time.Since(start) != 0 || z.questions() != "" {
			t.Error("asked again before its time")
		}
		time.Sleep(time.Second)
		if _, err := find("host.example"); err != nil || z.questions() != "A host.example" {
			t.Error("not asked again")
		}

		for i, want := range []string{"A no.example", "", "A no.example"} {
			if _, err := find("no.example"); err == nil {
				t.Error("found no.example")
			}
			if q := z.questions(); q != want {
				t.Errorf("asked %q, want %q", q, want)
			}
			time.Sleep(time.Duration(i) * dnsKeepNothing)
		}

		// One caller's impatience is not the others'.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		u, _ := parseURI("sip:a@late.example:5060")
		if _, err := e.targets(ctx, u, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		z.mu.Lock()
		z.records["A late.example"] = []string{"192.0.2.10"}
		z.mu.Unlock()
		z.questions()
	})
}

func TestNameCacheIsBounded(t *testing.T) {
	z := &zone{records: map[string][]string{}}
	e := asker(t, z, Listen{Network: "udp", PacketConn: newMemNet().listen("192.0.2.1:5060")})
	for i := range 3 * maxNames {
		_, _ = e.names.addrs(t.Context(), fmt.Sprintf("h%d.example", i))
	}
	if n := len(e.names.known); n > maxNames {
		t.Errorf("%d names, want %d at most", n, maxNames)
	}
}

// A higher weight is chosen more often, a lower priority never first (RFC 2782).
func TestRFC2782_Order(t *testing.T) {
	srvs := []*net.SRV{
		{Target: "backup", Priority: 2, Weight: 100}, {Target: "a", Priority: 1, Weight: 60},
		{Target: "b", Priority: 1, Weight: 20}, {Target: "c", Priority: 1, Weight: 20}, {Target: "zero", Priority: 1},
	}
	// Every number that chance can draw first.
	first := map[string]int{}
	for n := range 101 {
		once := true
		got := orderSRV(srvs, func(int) int {
			if once {
				once = false
				return n
			}
			return 0
		})
		if len(got) != 5 || got[4].Target != "backup" {
			t.Fatalf("the order is %v", got)
		}
		first[got[0].Target]++
	}
	if first["zero"] != 1 || first["a"] != 60 || first["b"] != 20 || first["c"] != 20 {
		t.Errorf("first: %v", first)
	}
	if srvs[0].Target != "backup" || !slices.Equal(orderSRV(nil, nil), nil) {
		t.Error("the records were changed")
	}
}
