package sdp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// Limits of what Parse reads. A large offer of a browser has some 10 KiB.
const (
	MaxSize    = 64 << 10 // bytes of a description
	MaxStreams = 64       // m= lines
)

// ErrTooLarge says that a description is beyond MaxSize or MaxStreams.
var ErrTooLarge = errors.New("sdp: description is too large")

// Session is a description that was read. It does not change and may be shared.
type Session struct {
	desc pion.SessionDescription
}

// Parse reads a description (RFC 8866 5). It takes what real phones send: any line
// ending, none at the end, empty lines, lines in another order or of unknown type,
// missing o=, s= and t=. It refuses what leaves no meaning: no v=0, an m= line
// without a port, a c= line without an address. Its errors name the line.
//
// The parser of pion/sdp is not used for this: it refuses a whole call over an m=image
// line, a b= of a type it does not know, or two lines in the wrong order.
func Parse(body []byte) (*Session, error) {
	if len(body) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(body), MaxSize)
	}
	s := &Session{desc: pion.SessionDescription{
		Origin: parseOrigin(""), SessionName: "-", TimeDescriptions: []pion.TimeDescription{{}},
	}}
	p := parser{desc: &s.desc}
	n := 0
	for line := range bytes.FieldsFuncSeq(body, func(r rune) bool { return r == '\r' || r == '\n' }) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		n++
		if err := p.line(n, string(line)); err != nil {
			return nil, fmt.Errorf("sdp: parse line %d %q: %w", n, shorten(line), err)
		}
	}
	if n == 0 {
		return nil, errors.New("sdp: parse: the description is empty")
	}
	return s, nil
}

// ID and Version are those of the o= line (RFC 8866 5.2), 0 where it has no number.
func (s *Session) ID() uint64      { return s.desc.Origin.SessionID }
func (s *Session) Version() uint64 { return s.desc.Origin.SessionVersion }

// String is the description written anew, with the lines in their proper order.
func (s *Session) String() string { return string(marshal(&s.desc)) }

type parser struct {
	desc  *pion.SessionDescription
	media *pion.MediaDescription // of the last m= line, nil before the first
}

func (p *parser) line(n int, line string) error {
	if len(line) < 2 || line[1] != '=' {
		return errors.New("not of the form x=value")
	}
	value := strings.TrimSpace(line[2:])
	if n == 1 {
		if line[0] != 'v' || value != "0" {
			return errors.New("a description begins with v=0")
		}
		return nil
	}
	switch line[0] {
	case 'o':
		p.desc.Origin = parseOrigin(value)
	case 's':
		p.desc.SessionName = pion.SessionName(value)
	case 'c':
		return p.connection(value)
	case 'm':
		return p.stream(value)
	case 'a':
		key, val, _ := strings.Cut(value, ":")
		a := pion.Attribute{Key: strings.TrimSpace(key), Value: strings.TrimSpace(val)}
		if a.Key == "" {
			return errors.New("attribute without a name")
		}
		if p.media != nil {
			p.media.Attributes = append(p.media.Attributes, a)
		} else {
			p.desc.Attributes = append(p.desc.Attributes, a)
		}
	}
	return nil // i u e p b t r z k and whatever comes one day say nothing about our stream
}

// parseOrigin keeps what it understands: identifiers of more than 64 bits exist.
func parseOrigin(value string) pion.Origin {
	f := strings.Fields(value)
	o := pion.Origin{Username: "-", NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0"}
	for i, to := range []*string{&o.Username, nil, nil, &o.NetworkType, &o.AddressType, &o.UnicastAddress} {
		if to != nil && i < len(f) {
			*to = f[i]
		}
	}
	if len(f) > 2 {
		o.SessionID, _ = strconv.ParseUint(f[1], 10, 64)
		o.SessionVersion, _ = strconv.ParseUint(f[2], 10, 64)
	}
	return o
}

func (p *parser) connection(value string) error {
	f := strings.Fields(value)
	if len(f) < 3 || f[2][0] == '/' {
		return errors.New("want nettype, addrtype and address")
	}
	if !strings.EqualFold(f[0], "IN") {
		return fmt.Errorf("network type %q is not IN", f[0])
	}
	address, _, _ := strings.Cut(f[2], "/") // the TTL of multicast
	c := &pion.ConnectionInformation{NetworkType: "IN", AddressType: strings.ToUpper(f[1]), Address: &pion.Address{Address: address}}
	if p.media == nil {
		p.desc.ConnectionInformation = c
	} else if p.media.ConnectionInformation == nil {
		p.media.ConnectionInformation = c
	}
	return nil
}

func (p *parser) stream(value string) error {
	f := strings.Fields(value)
	if len(f) < 3 {
		return errors.New("want media, port, protocol and formats")
	}
	if len(p.desc.MediaDescriptions) == MaxStreams {
		return fmt.Errorf("%w: more than %d m= lines", ErrTooLarge, MaxStreams)
	}
	// What a rejected stream says is repeated in our answer.
	if i := slices.IndexFunc(f, func(s string) bool { return !isToken(s) }); i >= 0 {
		return fmt.Errorf("%q has characters that none of its fields may have", f[i])
	}
	number, _, _ := strings.Cut(f[1], "/") // how many ports: more than one pair is not for audio
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("port %q is not 0 to 65535", f[1])
	}
	p.media = &pion.MediaDescription{MediaName: pion.MediaName{
		Media: f[0], Port: pion.RangedPort{Value: int(port)}, Protos: strings.Split(f[2], "/"), Formats: f[3:],
	}}
	p.desc.MediaDescriptions = append(p.desc.MediaDescriptions, p.media)
	return nil
}

// isToken accepts the characters of a token (RFC 8866 9) and the slash between two.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<=>?@[\]`, c) >= 0 {
			return false
		}
	}
	return true
}

func shorten(line []byte) []byte {
	if len(line) > 60 {
		return line[:60]
	}
	return line
}
