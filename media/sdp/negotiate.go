package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"github.com/callbin/callbin/media/codec"
)

const frame = 20 * time.Millisecond // of which our packets are made

// maxPtime is the longest packet that a peer can make us send.
const maxPtime = 60 * time.Millisecond

// Negotiated is what both ends agreed on, seen from this end.
type Negotiated struct {
	Codec              codec.Codec
	PayloadType        uint8 // of the packets we send: the peer's number for Codec
	ReceivePayloadType uint8 // of the packets we get: our number for Codec; the same one but for odd peers

	// Also lists what else the peer may send at any moment without a new offer
	// (RFC 3264 7): it is empty after Answer, which always chooses one codec.
	Also []Format

	DTMFRate               int    // of the clock of telephone-event, in Hz; 0: there is none
	DTMFPayloadType        uint8  // to send with
	DTMFReceivePayloadType uint8  // to receive with
	DTMFEvents             Events // that the peer understands

	// Remote is where the peer wants its audio. It is invalid where the peer gave a
	// host name or is on hold by an address of zeros.
	Remote     netip.AddrPort
	RemoteRTCP netip.AddrPort // invalid where Remote is; equal to Remote with RTCPMux
	RTCPMux    bool

	Ptime     time.Duration // of the packets we send: a multiple of 20 ms, at most 60 ms
	Direction Direction     // ours: what we are to do
	OnHold    bool          // the peer does not want to hear us
}

// Format is a codec and the payload type that stands for it.
type Format struct {
	Codec       codec.Codec
	PayloadType uint8
}

// ErrNotAcceptable matches each *NotAcceptableError.
var ErrNotAcceptable = errors.New("sdp: not acceptable")

// NotAcceptableError says why an offer or an answer has no audio that we can use:
// the answer to the former is 488 Not Acceptable Here (RFC 3261 21.4.26).
type NotAcceptableError struct {
	WarnCode int    // RFC 3261 20.43: 301 302 304 305 330
	Reason   string // in words
}

func (e *NotAcceptableError) Error() string { return "sdp: not acceptable: " + e.Reason }

// Is matches ErrNotAcceptable.
func (e *NotAcceptableError) Is(target error) bool { return target == ErrNotAcceptable }

// Warning is the value of the Warning header of a response: agent, the host that
// says it, and the reason (RFC 3261 20.43).
func (e *NotAcceptableError) Warning(agent string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r == '\\' || r == 0x7f:
			return -1
		}
		return r
	}, e.Reason)
	return fmt.Sprintf("%d %s %q", e.WarnCode, agent, text)
}

func refuse(code int, format string, args ...any) error {
	return &NotAcceptableError{WarnCode: code, Reason: fmt.Sprintf(format, args...)}
}

// Answer writes the answer to offer (RFC 3264 6) and says what is agreed by it. It
// takes the first audio stream that both ends can use, and of that the offer's first
// codec that l has, so that a packet of any other type can only be a mistake.
// The error is a *NotAcceptableError where the offer cannot be met, and a plain one
// where l cannot be used.
func Answer(l Local, offer *Session) ([]byte, Negotiated, error) {
	if err := l.check(); err != nil {
		return nil, Negotiated{}, err
	}
	last, err := l.last()
	if err != nil {
		return nil, Negotiated{}, err
	}
	var n Negotiated
	var answered []format
	at := -1
	err = refuse(304, "the offer has no audio stream")
	for i, m := range offer.desc.MediaDescriptions {
		if m.MediaName.Media != "audio" {
			continue
		}
		// The first reason is the one to tell: it is that of the stream the peer prefers.
		var why error
		if n, answered, why = l.meetOffer(offer, m); why == nil {
			at = i
			break
		} else if e := (*NotAcceptableError)(nil); errors.As(err, &e) && e.WarnCode == 304 {
			err = why
		}
	}
	if at < 0 {
		return nil, Negotiated{}, err
	}
	streams := make([]*pion.MediaDescription, 0, len(offer.desc.MediaDescriptions))
	for i, m := range offer.desc.MediaDescriptions {
		if i == at {
			streams = append(streams, l.stream(m.MediaName.Protos, answered, n.Direction, n.Ptime, n.RTCPMux))
		} else {
			streams = append(streams, reject(m))
		}
	}
	return l.write(last, streams), n, nil
}

// meetOffer tries one audio stream of an offer.
func (l Local) meetOffer(offer *Session, m *pion.MediaDescription) (Negotiated, []format, error) {
	n, err := l.common(offer, m)
	if err != nil {
		return n, nil, err
	}
	formats := streamFormats(m)
	f, c := pick(formats, l.codecs())
	if c == nil {
		return n, nil, noCodec("offer", formats, l.codecs())
	}
	n.Codec, n.PayloadType, n.ReceivePayloadType = c, f.number, f.number
	answered := []format{f}
	if e, ok := pickEvent(formats, f.rate); ok && l.DTMF {
		n.setEvents(e, e.number)
		e.params = n.DTMFEvents.String()
		answered = append(answered, e)
	}
	theirs := streamDirection(offer, m)
	n.Direction = meet(l.Direction, theirs)
	n.OnHold = !theirs.Receives()
	n.RTCPMux = l.RTCPMux && has(m, "rtcp-mux")
	if n.RTCPMux {
		n.RemoteRTCP = n.Remote
	}
	return n, answered, nil
}

// Accept reads the answer to an offer that Offer wrote for l, and says what is agreed
// by both. The error is a *NotAcceptableError where the answer rejects the stream or
// has nothing of what was offered: such a call is acknowledged and ended.
func Accept(l Local, offer, answer *Session) (Negotiated, error) {
	at := ourStream(offer)
	if at < 0 {
		return Negotiated{}, errors.New("sdp: the offer is none of ours: it has no audio stream")
	}
	if got, want := len(answer.desc.MediaDescriptions), len(offer.desc.MediaDescriptions); got <= at {
		return Negotiated{}, refuse(304, "the answer has %d m= lines, the offer %d", got, want)
	}
	ours, m := offer.desc.MediaDescriptions[at], answer.desc.MediaDescriptions[at]
	if m.MediaName.Media != "audio" {
		return Negotiated{}, refuse(304, "the answer has %s in place of audio", m.MediaName.Media)
	}
	n, err := l.common(answer, m)
	if err != nil {
		return Negotiated{}, err
	}
	offered, answered := streamFormats(ours), streamFormats(m)
	for _, f := range answered {
		_, c := pick([]format{f}, l.codecs())
		o, known := find(offered, f.name, f.rate)
		switch {
		case c == nil || !known:
		case n.Codec == nil:
			n.Codec, n.PayloadType, n.ReceivePayloadType = c, f.number, o.number
		default:
			n.Also = append(n.Also, Format{Codec: c, PayloadType: o.number})
		}
	}
	if n.Codec == nil {
		return Negotiated{}, noCodec("answer", answered, l.codecs())
	}
	if e, ok := pickEvent(answered, n.Codec.ClockRate()); ok {
		if o, known := find(offered, eventName, e.rate); known {
			n.setEvents(e, o.number)
		}
	}
	wanted, theirs := streamDirection(offer, ours), streamDirection(answer, m)
	n.Direction = meet(wanted, theirs)
	n.OnHold = wanted.Sends() && !theirs.Receives()
	n.RTCPMux = has(ours, "rtcp-mux") && has(m, "rtcp-mux")
	if n.RTCPMux {
		n.RemoteRTCP = n.Remote
	}
	return n, nil
}

// setEvents takes over the peer's telephone-event; ours has the number receive.
func (n *Negotiated) setEvents(theirs format, receive uint8) {
	n.DTMFRate, n.DTMFEvents = theirs.rate, parseEvents(theirs.params)&allEvents
	n.DTMFPayloadType, n.DTMFReceivePayloadType = theirs.number, receive
}

// common checks and reads what an offer and an answer say in the same way.
func (l Local) common(s *Session, m *pion.MediaDescription) (Negotiated, error) {
	var n Negotiated
	if m.MediaName.Port.Value == 0 {
		return n, refuse(304, "the audio stream is rejected: it has port 0")
	}
	switch proto := strings.ToUpper(strings.Join(m.MediaName.Protos, "/")); proto {
	case "RTP/AVP", "RTP/AVPF":
	case "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		return n, refuse(302, "encrypted audio (%s) is not supported", proto)
	default:
		return n, refuse(302, "transport %s is not supported", proto)
	}
	n.Ptime = l.sendPtime(m)
	c := m.ConnectionInformation
	if c == nil {
		c = s.desc.ConnectionInformation
	}
	if c == nil {
		return n, refuse(301, "the audio stream has no c= line")
	}
	ip, err := netip.ParseAddr(c.Address.Address)
	if err != nil {
		return n, nil // a host name
	}
	ip = ip.Unmap().WithZone("")
	switch {
	case ip.IsUnspecified():
		return n, nil
	case ip.IsMulticast():
		return n, refuse(330, "multicast address %v is not supported", ip)
	case ip.Is4() != l.IP.Unmap().Is4():
		return n, refuse(301, "address %v is not of the family of %v", ip, l.IP)
	}
	n.Remote = netip.AddrPortFrom(ip, uint16(m.MediaName.Port.Value))
	n.RemoteRTCP = rtcpAddr(m, n.Remote)
	return n, nil
}

// sendPtime is the peer's wish for the packets it gets, as far as we follow it.
func (l Local) sendPtime(m *pion.MediaDescription) time.Duration {
	p := l.ptime()
	if v, ok := milliseconds(m, "ptime"); ok {
		p = v
	}
	if v, ok := milliseconds(m, "maxptime"); ok {
		p = min(p, v)
	}
	return max(frame, min(p, maxPtime)/frame*frame)
}

func milliseconds(m *pion.MediaDescription, key string) (time.Duration, bool) {
	v, _ := m.Attribute(key)
	// "20.0" has been seen, and RFC 8866 6.4 does allow fractions.
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || !(f > 0 && f < 10_000) {
		return 0, false
	}
	return time.Duration(f * float64(time.Millisecond)), true
}

// rtcpAddr is where the peer wants its RTCP: a=rtcp (RFC 3605), or the next port.
func rtcpAddr(m *pion.MediaDescription, rtp netip.AddrPort) netip.AddrPort {
	v, _ := m.Attribute("rtcp")
	if f := strings.Fields(v); len(f) > 0 {
		if port, err := strconv.ParseUint(f[0], 10, 16); err == nil && port > 0 {
			ip := rtp.Addr()
			if len(f) >= 4 {
				a, err := netip.ParseAddr(f[3])
				if err == nil && a.Unmap().Is4() == ip.Is4() && !a.IsUnspecified() && !a.IsMulticast() {
					ip = a.Unmap().WithZone("")
				}
			}
			return netip.AddrPortFrom(ip, uint16(port))
		}
	}
	if rtp.Port() == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1)
}

// streamDirection is the direction of the end that wrote s: the stream's, else the
// session's. An address of zeros is how RFC 2543 put on hold (RFC 3264 8.4).
func streamDirection(s *Session, m *pion.MediaDescription) Direction {
	d := SendRecv
	for _, list := range [][]pion.Attribute{s.desc.Attributes, m.Attributes} {
		for _, a := range list {
			switch v := Direction(strings.ToLower(a.Key)); v {
			case SendRecv, SendOnly, RecvOnly, Inactive:
				d = v
			}
		}
	}
	c := m.ConnectionInformation
	if c == nil {
		c = s.desc.ConnectionInformation
	}
	if c != nil {
		if ip, err := netip.ParseAddr(c.Address.Address); err == nil && ip.IsUnspecified() {
			d = direction(d.Sends(), false)
		}
	}
	return d
}

// streamFormats lists the payload types of an m= line in its order, with their names
// from rtpmap or, where there is none, RFC 3551 table 4.
func streamFormats(m *pion.MediaDescription) []format {
	var out []format
	for _, number := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(number, 10, 7)
		if err != nil {
			continue
		}
		f := format{number: uint8(pt)}
		for _, a := range m.Attributes {
			value, ok := cutNumber(a.Value, number)
			switch {
			case !ok:
			case a.Key == "rtpmap" && f.name == "":
				parts := strings.Split(value, "/")
				f.name = strings.TrimSpace(parts[0])
				if len(parts) > 1 {
					f.rate, _ = strconv.Atoi(strings.TrimSpace(parts[1]))
				}
				if len(parts) > 2 && strings.TrimSpace(parts[2]) != "1" {
					f.name += "/" + strings.TrimSpace(parts[2]) // channels: another format than mono
				}
			case a.Key == "fmtp" && f.params == "":
				f.params = value
			}
		}
		if f.name == "" {
			f.name, f.rate = staticName(f.number)
		}
		if f.name != "" {
			out = append(out, f)
		}
	}
	return out
}

// cutNumber splits "101 telephone-event/8000" where it begins with number.
func cutNumber(value, number string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(value, number)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// staticName names the audio payload types of RFC 3551 table 4, for a stream without
// rtpmap and for the words of a refusal.
func staticName(number uint8) (name string, rateHz int) {
	switch number {
	case 0:
		return "PCMU", 8000
	case 3:
		return "GSM", 8000
	case 4:
		return "G723", 8000
	case 8:
		return "PCMA", 8000
	case 9:
		return "G722", 8000
	case 13:
		return "CN", 8000
	case 15:
		return "G728", 8000
	case 18:
		return "G729", 8000
	}
	return "", 0
}

// pick is the first of formats that is one of codecs.
func pick(formats []format, codecs []codec.Codec) (format, codec.Codec) {
	for _, f := range formats {
		for _, c := range codecs {
			if strings.EqualFold(f.name, c.Name()) && (f.rate == c.ClockRate() || f.rate == 0) {
				f.name, f.rate, f.params = c.Name(), c.ClockRate(), ""
				return f, c
			}
		}
	}
	return format{}, nil
}

// pickEvent is the telephone-event with the clock of the audio, else the first: both
// share one timestamp, but some phones offer PCMU with an event clock of 48000 only.
func pickEvent(formats []format, rateHz int) (format, bool) {
	var first format
	for _, f := range formats {
		if !strings.EqualFold(f.name, eventName) || f.rate <= 0 {
			continue
		}
		f.name = eventName
		if f.rate == rateHz {
			return f, true
		}
		if first.name == "" {
			first = f
		}
	}
	return first, first.name != ""
}

func find(formats []format, name string, rateHz int) (format, bool) {
	for _, f := range formats {
		if strings.EqualFold(f.name, name) && (f.rate == rateHz || rateHz == 0) {
			return f, true
		}
	}
	return format{}, false
}

func has(m *pion.MediaDescription, key string) bool {
	_, ok := m.Attribute(key)
	return ok
}

func noCodec(where string, theirs []format, ours []codec.Codec) error {
	var a, b []string
	for _, f := range theirs {
		if f.name != eventName && len(a) < 8 {
			a = append(a, f.name)
		}
	}
	for _, c := range ours {
		b = append(b, c.Name())
	}
	if len(a) == 0 {
		a = []string{"none that has a name"}
	}
	return refuse(305, "no common codec: the %s has %s; supported: %s", where, strings.Join(a, ", "), strings.Join(b, ", "))
}
