package sdp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseTakesWhatPhonesSend(t *testing.T) {
	plain := phone("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=sendonly")
	for name, body := range map[string]string{
		"LF only":         strings.ReplaceAll(plain, "\r\n", "\n"),
		"CR only":         strings.ReplaceAll(plain, "\r\n", "\r"),
		"no final line":   strings.TrimSuffix(plain, "\r\n"),
		"empty lines":     "\r\n" + strings.ReplaceAll(plain, "\r\n", "\r\n\r\n"),
		"trailing blanks": strings.ReplaceAll(plain, "\r\n", " \r\n"),
		"unknown type":    strings.Replace(plain, "t=0 0", "t=0 0\r\nq=what", 1),
		"no s, t and o":   "v=0\nc=IN IP4 198.51.100.9\nm=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=sendonly\n",
		"c after a":       "v=0\nm=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=sendonly\nc=IN IP4 198.51.100.9",
		"long o":          strings.Replace(plain, "o=- 1 1", "o=- 99999999999999999999999 x", 1),
		"odd b":           strings.Replace(plain, "t=0 0", "b=WHAT:ever\r\nt=0 0", 1),
		"lower case in":   strings.Replace(plain, "c=IN IP4", "c=in ip4", 1),
	} {
		_, n := mustAnswer(t, local, body)
		if n.Remote != netip.MustParseAddrPort("198.51.100.9:4000") || n.DTMFPayloadType != 101 || n.Direction != RecvOnly {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	for body, want := range map[string]string{
		"":                                     "sdp: parse: the description is empty",
		"\r\n \n":                              "sdp: parse: the description is empty",
		"hello":                                `sdp: parse line 1 "hello": not of the form x=value`,
		"o=- 1 1 IN IP4 1.1.1.1":               `sdp: parse line 1 "o=- 1 1 IN IP4 1.1.1.1": a description begins with v=0`,
		"v=1":                                  `sdp: parse line 1 "v=1": a description begins with v=0`,
		"v=0\nm=audio":                         `sdp: parse line 2 "m=audio": want media, port, protocol and formats`,
		"v=0\nm=audio x RTP/AVP 0":             `sdp: parse line 2 "m=audio x RTP/AVP 0": port "x" is not 0 to 65535`,
		"v=0\nm=audio 65536 RTP/AVP 0":         `sdp: parse line 2 "m=audio 65536 RTP/AVP 0": port "65536" is not 0 to 65535`,
		"v=0\nm=audio 1 RTP/AVP 0\x00":         `sdp: parse line 2 "m=audio 1 RTP/AVP 0\x00": "0\x00" has characters that none of its fields may have`,
		"v=0\nc=IN IP4":                        `sdp: parse line 2 "c=IN IP4": want nettype, addrtype and address`,
		"v=0\nc=ATM NSAP 47.1":                 `sdp: parse line 2 "c=ATM NSAP 47.1": network type "ATM" is not IN`,
		"v=0\na=:x":                            `sdp: parse line 2 "a=:x": attribute without a name`,
		"v=0\n" + strings.Repeat("x", 100):     fmt.Sprintf("sdp: parse line 2 %q: not of the form x=value", strings.Repeat("x", 60)),
		"v=0\n" + strings.Repeat("x", MaxSize): "sdp: description is too large: 65540 bytes, at most 65536",
	} {
		if _, err := Parse([]byte(body)); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v\nwant %s", body, err, want)
		}
	}
	many := "v=0\n" + strings.Repeat("m=audio 1 RTP/AVP 0\n", MaxStreams)
	if _, err := Parse([]byte(many)); err != nil {
		t.Errorf("%d streams: %v", MaxStreams, err)
	}
	if _, err := Parse([]byte(many + "m=audio 1 RTP/AVP 0\n")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one more: %v", err)
	}
}

func TestWrittenAnewItIsTheSame(t *testing.T) {
	s := mustParse(t, phone("m=audio 4000 RTP/AVP 0 101", "c=IN IP4 203.0.113.5", "a=rtpmap:101 telephone-event/8000", "a=sendonly", "m=video 0 RTP/AVP 9"))
	once := s.String()
	if twice := mustParse(t, once).String(); once != twice {
		t.Errorf("got\n%s\nthen\n%s", once, twice)
	}
	if s.ID() != 1 || s.Version() != 1 {
		t.Errorf("o= is %d %d", s.ID(), s.Version())
	}
}

// checkAnswer holds an answer against RFC 3264 by reading the text of both, with
// nothing of this package.
func checkAnswer(offer, answer string, n Negotiated) error {
	streams := func(body string) (out [][]string) {
		for _, line := range strings.FieldsFunc(body, func(r rune) bool { return r == '\r' || r == '\n' }) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "m=") {
				out = append(out, nil)
			}
			if len(out) > 0 {
				out[len(out)-1] = append(out[len(out)-1], line)
			}
		}
		return out
	}
	o, a := streams(offer), streams(answer)
	if len(o) != len(a) {
		return fmt.Errorf("%d m= lines for %d (RFC 3264 6)", len(a), len(o))
	}
	used := 0
	for i := range o {
		of, af := strings.Fields(o[i][0][2:]), strings.Fields(a[i][0][2:])
		if of[0] != af[0] || of[2] != af[2] {
			return fmt.Errorf("stream %d changes from %v to %v", i, of, af)
		}
		if len(af) < 4 {
			return fmt.Errorf("stream %d has no format", i)
		}
		if af[1] == "0" {
			continue
		}
		used++
		if port, _, _ := strings.Cut(of[1], "/"); port == "0" {
			return fmt.Errorf("stream %d was offered with port 0 and is used", i)
		}
		for _, number := range af[3:] {
			if !slices.Contains(of[3:], number) {
				return fmt.Errorf("stream %d has %s, which was not offered", i, number)
			}
		}
		if af[3] != strconv.Itoa(int(n.PayloadType)) {
			return fmt.Errorf("stream %d prefers %s, agreed is %d", i, af[3], n.PayloadType)
		}
		var ours []string
		for _, line := range a[i] {
			switch line {
			case "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive":
				ours = append(ours, line[2:])
			}
		}
		if len(ours) != 1 || ours[0] != string(n.Direction) {
			return fmt.Errorf("stream %d has directions %v, agreed is %s", i, ours, n.Direction)
		}
		theirs := ""
		for _, line := range o[i] {
			switch line = strings.ToLower(line); line {
			case "a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive":
				theirs = line[2:]
			}
		}
		allowed := map[string][]string{"sendonly": {"recvonly", "inactive"}, "recvonly": {"sendonly", "inactive"}, "inactive": {"inactive"}}
		if list, ok := allowed[theirs]; ok && !slices.Contains(list, ours[0]) {
			return fmt.Errorf("stream %d answers %s with %s (RFC 3264 6.1)", i, theirs, ours[0])
		}
		if slices.Contains(a[i], "a=rtcp-mux") && !slices.Contains(o[i], "a=rtcp-mux") {
			return fmt.Errorf("stream %d: rtcp-mux was not offered (RFC 5761 5.1.1)", i)
		}
	}
	if used != 1 {
		return fmt.Errorf("%d streams are used", used)
	}
	return nil
}

func TestAnswersToGeneratedOffersKeepTheRules(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	answered, refused := 0, 0
	for range 20_000 {
		var lines []string
		if rnd.IntN(4) == 0 {
			lines = append(lines, "a="+pick("sendrecv", "sendonly", "recvonly", "inactive"))
		}
		for range rnd.IntN(4) {
			formats := []string{}
			var attributes []string
			for range 1 + rnd.IntN(5) {
				switch f := pick("0", "8", "18", "9", "96", "97", "101", "13", "*", "300"); f {
				case "96", "97", "101":
					attributes = append(attributes, "a=rtpmap:"+f+" "+pick("PCMU/8000", "telephone-event/8000", "telephone-event/48000", "opus/48000/2", "pcma/8000/1"))
					formats = append(formats, f)
				default:
					formats = append(formats, f)
				}
			}
			m := fmt.Sprintf("m=%s %s %s %s", pick("audio", "audio", "audio", "video", "image"), pick("0", "4000", "4000/2", "65535"), pick("RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"), strings.Join(formats, " "))
			lines = append(append(lines, m), attributes...)
			for range rnd.IntN(4) {
				lines = append(lines, pick("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive", "a=rtcp-mux", "a=ptime:30", "a=rtcp:9", "c=IN IP4 0.0.0.0", "c=IN IP4 203.0.113.4", "a=fmtp:101 0-16", "a=mid:0"))
			}
		}
		// A second direction in one stream has no meaning to check.
		offer := phone(lines...)
		l := local
		l.Direction = Direction(pick("", "sendrecv", "sendonly", "recvonly", "inactive"))
		body, n, err := Answer(l, mustParse(t, offer))
		if err != nil {
			if !errors.Is(err, ErrNotAcceptable) {
				t.Fatalf("%v\n%s", err, offer)
			}
			refused++
			continue
		}
		answered++
		if err := checkAnswer(offer, string(body), n); err != nil {
			t.Fatalf("%v\noffer\n%s\nanswer\n%s", err, offer, body)
		}
	}
	if answered < 1000 || refused < 1000 {
		t.Errorf("%d offers answered and %d refused: the generator has lost its point", answered, refused)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(phone("m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=rtcp:5 IN IP4 1.1.1.1")))
	f.Add([]byte("v=0\nc=IN IP6 ::1\nm=video 1/2 RTP/AVP\nm=audio 9 RTP/AVPF 97\na=rtpmap:97 PCMA/8000\na=inactive"))
	f.Add([]byte("v=0\rm=audio 0 RTP/SAVP 0 * 300\rc=IN IP4 224.0.0.1/1"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := Parse(body)
		if err != nil {
			return
		}
		if _, err := Parse([]byte(s.String())); err != nil {
			t.Fatalf("written anew it is not readable: %v\n%s", err, s)
		}
		answer, n, err := Answer(local, s)
		if err != nil {
			if !errors.Is(err, ErrNotAcceptable) {
				t.Fatal(err)
			}
			return
		}
		a, err := Parse(answer)
		if err != nil {
			t.Fatalf("our answer: %v\n%s", err, answer)
		}
		if n.Codec == nil || n.Ptime < frame || n.Ptime > maxPtime || n.PayloadType > 127 {
			t.Fatalf("agreed: %+v", n)
		}
		if got, want := len(a.desc.MediaDescriptions), len(s.desc.MediaDescriptions); got != want {
			t.Fatalf("%d m= lines for %d", got, want)
		}
		l := local
		l.Last = answer
		if _, err := Offer(l); err != nil {
			t.Fatalf("offer after it: %v", err)
		}
		own, err := Offer(local)
		if err != nil {
			t.Fatal(err)
		}
		offer, err := Parse(own)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Accept(local, offer, s); err != nil && !errors.Is(err, ErrNotAcceptable) {
			t.Fatal(err)
		}
	})
}
