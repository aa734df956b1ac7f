package call

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
)

// ParseListen reads a comma-separated list of SIP addresses:
//
//	udp://127.0.0.1:5060,tcp://[::1]:5060?advertise=pbx.example.com:5060
//
// tls, ws and wss are refused in plain words: they are not supported yet.
func ParseListen(s string) ([]sip.Listen, error) {
	var list []sip.Listen
	var errs []error
	for part := range strings.SplitSeq(s, ",") {
		l, err := parseListen(strings.TrimSpace(part))
		if err != nil {
			errs = append(errs, fmt.Errorf("call: SIP address %q: %w", part, err))
			continue
		}
		list = append(list, l)
	}
	return list, errors.Join(errs...)
}

func parseListen(s string) (sip.Listen, error) {
	u, err := url.Parse(s)
	if err != nil {
		return sip.Listen{}, errors.New("not of the form udp://HOST:PORT")
	}
	switch u.Scheme {
	case "udp", "tcp":
	case "tls", "ws", "wss":
		return sip.Listen{}, fmt.Errorf("%s is not supported yet, only udp and tcp are", u.Scheme)
	default:
		return sip.Listen{}, fmt.Errorf("the scheme %q is none of udp, tcp", u.Scheme)
	}
	if u.Path != "" || u.User != nil || u.Fragment != "" {
		return sip.Listen{}, errors.New("more than a host and a port")
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return sip.Listen{}, errors.New("host and port are needed, an IPv6 address in brackets")
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return sip.Listen{}, fmt.Errorf("%q is not an IP address", host)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return sip.Listen{}, fmt.Errorf("port %q is not a number up to 65535", port)
	}
	l := sip.Listen{Network: u.Scheme, Addr: net.JoinHostPort(host, port)}
	for k, v := range u.Query() {
		if k != "advertise" || len(v) != 1 {
			return sip.Listen{}, fmt.Errorf("the parameter %q is unknown, there is only one advertise", k)
		}
		if _, _, err := net.SplitHostPort(v[0]); err != nil {
			return sip.Listen{}, errors.New("advertise needs HOST:PORT")
		}
		l.Advertise = v[0]
	}
	return l, nil
}

// ParseMedia reads where sound goes, BIND[=ADVERTISED][,BIND6[=ADVERTISED6]], for
// example "0.0.0.0=203.0.113.7,::1": at most one address of IPv4 and one of IPv6.
// An unspecified address needs an advertised one.
func ParseMedia(s string) ([]rtp.Addr, error) {
	var list []rtp.Addr
	for part := range strings.SplitSeq(s, ",") {
		bind, adv, has := strings.Cut(strings.TrimSpace(part), "=")
		var a rtp.Addr
		var err error
		if a.Bind, err = netip.ParseAddr(strings.Trim(bind, "[]")); err != nil {
			return nil, fmt.Errorf("call: media address %q is not an IP address", bind)
		}
		if has {
			if a.Advertise, err = netip.ParseAddr(strings.Trim(adv, "[]")); err != nil {
				return nil, fmt.Errorf("call: advertised media address %q is not an IP address", adv)
			}
			if a.Advertise.Is4() != a.Bind.Is4() {
				return nil, fmt.Errorf("call: media address %s and its advertised address %s are of different families", a.Bind, a.Advertise)
			}
		} else if a.Bind.IsUnspecified() {
			return nil, fmt.Errorf("call: media address %s needs an advertised one: %s=ADDRESS", a.Bind, a.Bind)
		}
		for _, b := range list {
			if b.Bind.Is4() == a.Bind.Is4() {
				return nil, fmt.Errorf("call: two media addresses of one family: %s and %s", b.Bind, a.Bind)
			}
		}
		list = append(list, a)
	}
	return list, nil
}

// ParsePorts reads a range of ports, "10000-31999".
func ParsePorts(s string) ([2]uint16, error) {
	lo, hi, ok := strings.Cut(s, "-")
	a, err1 := strconv.ParseUint(lo, 10, 16)
	b, err2 := strconv.ParseUint(hi, 10, 16)
	if !ok || err1 != nil || err2 != nil || a == 0 || b <= a {
		return [2]uint16{}, fmt.Errorf("call: port range %q is not of the form 10000-31999", s)
	}
	return [2]uint16{uint16(a), uint16(b)}, nil
}
