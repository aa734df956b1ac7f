package sdp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"github.com/callbin/callbin/media/codec"
)

// Local is what this end offers or answers with. IP and Port are needed, the zero
// value of all else is a default.
type Local struct {
	IP       netip.Addr    // the advertised address, IPv4 or IPv6
	Port     int           // of RTP, 1 to 65535
	RTCPPort int           // where it is not Port+1 (RFC 3605); 0: Port+1
	RTCPMux  bool          // offer RTP and RTCP on one port, and accept it (RFC 5761)
	Codecs   []codec.Codec // the preferred one first; empty: PCMU, PCMA
	DTMF     bool          // offer and accept telephone-event (RFC 4733)
	Ptime    time.Duration // of our packets where the peer asks for nothing else; 0: 20 ms

	// Direction is what this end wants: SendOnly puts the peer on hold. Empty: SendRecv.
	Direction Direction

	// SessionID and Version are those of o= in the first description of a session,
	// by RFC 8866 5.2 something like the time. Last rules later.
	SessionID, Version uint64

	// Last is the last description that this end sent in this session, nil at first.
	// The next one keeps its session id, its m= lines and its payload type numbers
	// (RFC 3264 8), and its version unless anything else changes.
	Last []byte
}

// The payload type numbers that an offer uses where nothing was agreed before.
const (
	firstDynamic = 96
	firstEvent   = 101 // by far the most common, and the only one some gateways know
)

func (l Local) codecs() []codec.Codec {
	if len(l.Codecs) == 0 {
		return []codec.Codec{codec.PCMU, codec.PCMA}
	}
	return l.Codecs
}

func (l Local) ptime() time.Duration {
	if l.Ptime <= 0 {
		return frame
	}
	return l.Ptime
}

func (l Local) check() error {
	switch {
	case !l.IP.IsValid() || l.IP.IsUnspecified():
		return fmt.Errorf("sdp: local address %v cannot be advertised", l.IP)
	case l.Port < 1 || l.Port > 65535:
		return fmt.Errorf("sdp: local port %d is not 1 to 65535", l.Port)
	case l.RTCPPort < 0 || l.RTCPPort > 65535:
		return fmt.Errorf("sdp: local RTCP port %d is not 0 to 65535", l.RTCPPort)
	}
	switch l.Direction {
	case "", SendRecv, SendOnly, RecvOnly, Inactive:
		return nil
	}
	return fmt.Errorf("sdp: unknown direction %q", l.Direction)
}

// last is the parsed Last, nil where there is none.
func (l Local) last() (*Session, error) {
	if len(l.Last) == 0 {
		return nil, nil
	}
	s, err := Parse(l.Last)
	if err != nil {
		return nil, fmt.Errorf("sdp: our last description: %w", err)
	}
	return s, nil
}

// Offer writes an offer of one audio stream (RFC 3264 5), also the one in the 200 to an
// INVITE without a body. An error means that l cannot be used, or that more payload
// types than numbers were asked for.
func Offer(l Local) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	last, err := l.last()
	if err != nil {
		return nil, err
	}
	formats, err := l.formats(last)
	if err != nil {
		return nil, err
	}
	audio := l.stream([]string{"RTP", "AVP"}, formats, l.Direction, l.ptime(), l.RTCPMux)
	streams := []*pion.MediaDescription{audio}
	if last != nil {
		streams = nil
		at := ourStream(last)
		for i, m := range last.desc.MediaDescriptions {
			if i == at {
				streams = append(streams, audio)
			} else {
				streams = append(streams, reject(m))
			}
		}
		if at < 0 { // a stream is added at the end (RFC 3264 8.1)
			streams = append(streams, audio)
		}
	}
	return l.write(last, streams), nil
}

// format is one payload type of a stream.
type format struct {
	number uint8
	name   string
	rate   int
	params string // of fmtp, may be empty
}

// formats gives each codec and each telephone-event clock rate a number: its static
// one, the one it had, or the next free one.
func (l Local) formats(last *Session) ([]format, error) {
	var had []format
	if last != nil {
		if i := ourStream(last); i >= 0 {
			had = streamFormats(last.desc.MediaDescriptions[i])
		}
	}
	used := map[uint8]bool{}
	for _, f := range had {
		used[f.number] = true // a number never changes its meaning (RFC 3264 8.3.2)
	}
	number := func(name string, rate int, from uint8) (uint8, error) {
		for _, f := range had {
			if strings.EqualFold(f.name, name) && f.rate == rate {
				return f.number, nil
			}
		}
		for n := from; n <= 127; n++ {
			if !used[n] {
				used[n] = true
				return n, nil
			}
		}
		return 0, errors.New("sdp: no payload type number left")
	}
	var out []format
	var rates []int
	for _, c := range l.codecs() {
		f := format{number: c.PayloadType(), name: c.Name(), rate: c.ClockRate()}
		if f.number > 127 {
			n, err := number(f.name, f.rate, firstDynamic)
			if err != nil {
				return nil, err
			}
			f.number = n
		}
		out = append(out, f)
		if !slices.Contains(rates, f.rate) {
			rates = append(rates, f.rate)
		}
	}
	if !l.DTMF {
		return out, nil
	}
	for _, rate := range rates {
		n, err := number(eventName, rate, firstEvent)
		if err != nil {
			return nil, err
		}
		out = append(out, format{number: n, name: eventName, rate: rate, params: allEvents.String()})
	}
	return out, nil
}

// stream writes our audio m= line and its attributes.
func (l Local) stream(protos []string, formats []format, d Direction, ptime time.Duration, mux bool) *pion.MediaDescription {
	m := &pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: l.Port}, Protos: protos,
	}}
	for _, f := range formats {
		m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(f.number)))
	}
	for _, f := range formats {
		m.Attributes = append(m.Attributes, pion.NewAttribute("rtpmap", fmt.Sprintf("%d %s/%d", f.number, f.name, f.rate)))
		if f.params != "" {
			m.Attributes = append(m.Attributes, pion.NewAttribute("fmtp", fmt.Sprintf("%d %s", f.number, f.params)))
		}
	}
	m.Attributes = append(m.Attributes, pion.NewAttribute("ptime", strconv.Itoa(int(ptime/time.Millisecond))))
	if l.RTCPPort != 0 && l.RTCPPort != l.Port+1 {
		m.Attributes = append(m.Attributes, pion.NewAttribute("rtcp", strconv.Itoa(l.RTCPPort)))
	}
	if mux {
		m.Attributes = append(m.Attributes, pion.NewPropertyAttribute("rtcp-mux"))
	}
	if d == "" {
		d = SendRecv
	}
	m.Attributes = append(m.Attributes, pion.NewPropertyAttribute(string(d)))
	return m
}

// write puts a description around streams. Its version is the one of last where
// nothing else differs, and the next one where something does (RFC 3264 8).
func (l Local) write(last *Session, streams []*pion.MediaDescription) []byte {
	ip := l.IP.Unmap().WithZone("")
	family := "IP4"
	if ip.Is6() {
		family = "IP6"
	}
	d := &pion.SessionDescription{
		Origin: pion.Origin{
			Username: "-", SessionID: l.SessionID, SessionVersion: l.Version,
			NetworkType: "IN", AddressType: family, UnicastAddress: ip.String(),
		},
		SessionName: "-",
		ConnectionInformation: &pion.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &pion.Address{Address: ip.String()},
		},
		TimeDescriptions:  []pion.TimeDescription{{}},
		MediaDescriptions: streams,
	}
	if last == nil {
		return marshal(d)
	}
	d.Origin.SessionID, d.Origin.SessionVersion = last.ID(), last.Version()
	same := marshal(d)
	if bytes.Equal(same, l.Last) {
		return same
	}
	d.Origin.SessionVersion++
	return marshal(d)
}

// reject is the answer to a stream that is not wanted: the same, with port 0.
func reject(m *pion.MediaDescription) *pion.MediaDescription {
	r := &pion.MediaDescription{MediaName: m.MediaName}
	r.MediaName.Port = pion.RangedPort{}
	if len(r.MediaName.Formats) == 0 {
		r.MediaName.Formats = []string{"0"} // an m= line has at least one (RFC 8866 9)
	}
	return r
}

// ourStream is the place of the audio stream that is in use in a description of ours.
func ourStream(s *Session) int {
	for i, m := range s.desc.MediaDescriptions {
		if m.MediaName.Media == "audio" && m.MediaName.Port.Value != 0 {
			return i
		}
	}
	return -1
}

func marshal(d *pion.SessionDescription) []byte {
	b, err := d.Marshal()
	if err != nil {
		// pion/sdp returns an error for no description whatever (v3.0.20).
		panic("sdp: marshal: " + err.Error())
	}
	return b
}
