package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/sdp/v3"

	"github.com/callbin/callbin/media/codec"
)

var local = Local{
	IP: netip.MustParseAddr("192.0.2.1"), Port: 10000, DTMF: true, RTCPMux: true,
	SessionID: 7, Version: 1,
}

// phone is an offer with the given lines after a session part without attributes.
func phone(lines ...string) string {
	return "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n"
}

func mustParse(t *testing.T, body string) *Session {
	t.Helper()
	s, err := Parse([]byte(body))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return s
}

func mustAnswer(t *testing.T, l Local, offer string) (string, Negotiated) {
	t.Helper()
	body, n, err := Answer(l, mustParse(t, offer))
	if err != nil {
		t.Fatalf("Answer: %v", err)
	}
	var strict pion.SessionDescription
	if err := strict.Unmarshal(body); err != nil && !strings.Contains(offer, "image") {
		t.Fatalf("pion cannot read the answer: %v\n%s", err, body)
	}
	return string(body), n
}

func wantLine(t *testing.T, body, line string) {
	t.Helper()
	if !strings.Contains("\r\n"+body, "\r\n"+line+"\r\n") {
		t.Errorf("no line %q in\n%s", line, body)
	}
}

func wantNoLine(t *testing.T, body, prefix string) {
	t.Helper()
	if strings.Contains("\r\n"+body, "\r\n"+prefix) {
		t.Errorf("there is a line %q in\n%s", prefix, body)
	}
}

func TestAnswerOfAnOrdinaryOffer(t *testing.T) {
	body, n := mustAnswer(t, local, phone("m=audio 4000 RTP/AVP 18 8 0 101",
		"a=rtpmap:18 G729/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv"))
	want := "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 10000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n" +
		"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
	if body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
	if n.Codec != codec.PCMA || n.PayloadType != 8 || n.ReceivePayloadType != 8 || n.Also != nil {
		t.Errorf("codec: %+v", n)
	}
	if n.DTMFPayloadType != 101 || n.DTMFReceivePayloadType != 101 || n.DTMFRate != 8000 || n.DTMFEvents.String() != "0-15" {
		t.Errorf("DTMF: %+v", n)
	}
	if n.Remote != netip.MustParseAddrPort("198.51.100.9:4000") || n.RemoteRTCP != netip.MustParseAddrPort("198.51.100.9:4001") || n.RTCPMux {
		t.Errorf("addresses: %+v", n)
	}
	if n.Ptime != 20*time.Millisecond || n.Direction != SendRecv || n.OnHold {
		t.Errorf("%+v", n)
	}
}

// RFC 3264 6.1, for all that both sides can want, at both places of the attribute.
func TestRFC3264_6_1_Direction(t *testing.T) {
	all := []Direction{SendRecv, SendOnly, RecvOnly, Inactive}
	// The answer of an end that wants the column to an offer of the row.
	table := map[Direction][4]Direction{
		SendRecv: {SendRecv, SendOnly, RecvOnly, Inactive},
		SendOnly: {RecvOnly, Inactive, RecvOnly, Inactive},
		RecvOnly: {SendOnly, SendOnly, Inactive, Inactive},
		Inactive: {Inactive, Inactive, Inactive, Inactive},
	}
	for offered, row := range table {
		for i, ours := range all {
			l := local
			l.Direction = ours
			media := phone("m=audio 4000 RTP/AVP 0", "a="+string(offered))
			session := phone("a="+string(offered), "m=audio 4000 RTP/AVP 0")
			noNewline := strings.TrimSuffix(media, "\r\n")
			both := phone("a=inactive", "m=audio 4000 RTP/AVP 0", "a="+string(offered))
			for where, offer := range map[string]string{"media": media, "session": session, "last line": noNewline, "media wins": both} {
				body, n := mustAnswer(t, l, offer)
				if n.Direction != row[i] {
					t.Errorf("offer %s at %s, we want %s: %s, want %s", offered, where, ours, n.Direction, row[i])
				}
				wantLine(t, body, "a="+string(row[i]))
				if want := offered == SendOnly || offered == Inactive; n.OnHold != want {
					t.Errorf("offer %s: on hold %v, want %v", offered, n.OnHold, want)
				}
			}
			// The same from the other side: we offered ours, the answer says the row.
			body, err := Offer(l)
			if err != nil {
				t.Fatal(err)
			}
			n, err := Accept(l, mustParse(t, string(body)), mustParse(t, media))
			if err != nil {
				t.Fatal(err)
			}
			if n.Direction != row[i] {
				t.Errorf("answer %s to our %s: %s, want %s", offered, ours, n.Direction, row[i])
			}
		}
	}
}

func TestOldHoldByAnAddressOfZeros(t *testing.T) {
	for offer, want := range map[string]Direction{
		phone("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"):                                               RecvOnly,
		phone("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=recvonly"):                                 Inactive,
		strings.Replace(phone("m=audio 4000 RTP/AVP 0"), "c=IN IP4 198.51.100.9", "c=IN IP4 0.0.0.0", 1):  RecvOnly,
		strings.Replace(phone("m=audio 4000 RTP/AVP 0"), "c=IN IP4 198.51.100.9", "c=IN IP6 ::", 1):       RecvOnly,
		strings.Replace(phone("m=audio 4000 RTP/AVP 0"), "\r\nt=0 0", "\r\nt=0 0\r\nc=IN IP4 0.0.0.0", 1): RecvOnly,
	} {
		body, n := mustAnswer(t, local, offer)
		if n.Direction != want || !n.OnHold || n.Remote.IsValid() || n.RemoteRTCP.IsValid() {
			t.Errorf("%s\ngives %+v", offer, n)
		}
		wantLine(t, body, "a="+string(want))
	}
}

func TestOtherStreamsAreRejectedInPlace(t *testing.T) {
	body, n := mustAnswer(t, local, phone(
		"m=video 5000 RTP/AVP 96", "a=rtpmap:96 H264/90000",
		"m=audio 4000 RTP/SAVP 0",
		"m=image 6000 udptl t38",
		"m=audio 4002 RTP/AVP 0",
		"m=audio 4004 RTP/AVP 8",
		"m=application 9 TCP/BFCP *"))
	var got []string
	for line := range strings.SplitSeq(body, "\r\n") {
		if strings.HasPrefix(line, "m=") {
			got = append(got, line)
		}
	}
	want := []string{"m=video 0 RTP/AVP 96", "m=audio 0 RTP/SAVP 0", "m=image 0 udptl t38",
		"m=audio 10000 RTP/AVP 0", "m=audio 0 RTP/AVP 8", "m=application 0 TCP/BFCP *"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n.Remote.Port() != 4002 {
		t.Errorf("remote is %v", n.Remote)
	}
}

func TestWhatCannotBeMetIs488WithAReason(t *testing.T) {
	for name, c := range map[string]struct {
		offer  string
		code   int
		reason string
	}{
		"only SRTP":        {phone("m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"), 302, "encrypted audio (RTP/SAVP) is not supported"},
		"only DTLS":        {phone("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), 302, "encrypted audio (UDP/TLS/RTP/SAVPF) is not supported"},
		"TCP":              {phone("m=audio 4000 TCP/RTP/AVP 0"), 302, "transport TCP/RTP/AVP is not supported"},
		"no codec":         {phone("m=audio 4000 RTP/AVP 18 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000"), 305, "no common codec: the offer has G729, opus/2; supported: PCMU, PCMA"},
		"wideband PCMU":    {phone("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/16000"), 305, "no common codec: the offer has PCMU; supported: PCMU, PCMA"},
		"stereo PCMU":      {phone("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMU/8000/2"), 305, "no common codec: the offer has PCMU/2; supported: PCMU, PCMA"},
		"no formats":       {phone("m=audio 4000 RTP/AVP"), 305, "no common codec: the offer has none that has a name; supported: PCMU, PCMA"},
		"renamed static":   {phone("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 G722/8000"), 305, "no common codec: the offer has G722; supported: PCMU, PCMA"},
		"no audio":         {phone("m=video 4000 RTP/AVP 96"), 304, "the offer has no audio stream"},
		"nothing":          {phone(), 304, "the offer has no audio stream"},
		"rejected":         {phone("m=audio 0 RTP/AVP 0"), 304, "the audio stream is rejected: it has port 0"},
		"no connection":    {"v=0\nm=audio 4000 RTP/AVP 0\n", 301, "the audio stream has no c= line"},
		"other family":     {phone("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"), 301, "address 2001:db8::1 is not of the family of 192.0.2.1"},
		"multicast":        {phone("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"), 330, "multicast address 224.2.1.1 is not supported"},
		"first reason won": {phone("m=audio 4000 RTP/SAVP 0", "m=audio 4000 RTP/AVP 18"), 302, "encrypted audio (RTP/SAVP) is not supported"},
	} {
		body, n, err := Answer(local, mustParse(t, c.offer))
		var e *NotAcceptableError
		if !errors.As(err, &e) || !errors.Is(err, ErrNotAcceptable) {
			t.Errorf("%s: %v is no NotAcceptableError", name, err)
			continue
		}
		if e.WarnCode != c.code || e.Reason != c.reason {
			t.Errorf("%s: %d %q, want %d %q", name, e.WarnCode, e.Reason, c.code, c.reason)
		}
		if body != nil || n.Codec != nil {
			t.Errorf("%s: there is an answer beside the error", name)
		}
		if want := fmt.Sprintf(`%d pbx.example "%s"`, c.code, c.reason); e.Warning("pbx.example") != want {
			t.Errorf("%s: Warning is %s", name, e.Warning("pbx.example"))
		}
	}
}

func TestWarningCannotBreakOutOfItsHeader(t *testing.T) {
	e := &NotAcceptableError{WarnCode: 305, Reason: "a \"b\"\r\nVia: c\\"}
	if got, want := e.Warning("h"), `305 h "a 'b'Via: c"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPayloadTypesOfTheOfferAreUsed(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []string
		pt      uint8
		dtmf    uint8
		rate    int
		events  string
		formats string
	}{
		"static without rtpmap":   {[]string{"m=audio 4000 RTP/AVP 0 8"}, 0, 0, 0, "", "0"},
		"dynamic PCMU":            {[]string{"m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcmu/8000/1"}, 97, 0, 0, "", "97"},
		"event number":            {[]string{"m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16"}, 0, 96, 8000, "0-16", "0 96"},
		"event without fmtp":      {[]string{"m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 TELEPHONE-EVENT/8000"}, 0, 96, 8000, "0-15", "0 96"},
		"clock of the audio":      {[]string{"m=audio 4000 RTP/AVP 0 110 111", "a=rtpmap:110 telephone-event/48000", "a=rtpmap:111 telephone-event/8000"}, 0, 111, 8000, "0-15", "0 111"},
		"other clock only":        {[]string{"m=audio 4000 RTP/AVP 0 110", "a=rtpmap:110 telephone-event/48000"}, 0, 110, 48000, "0-15", "0 110"},
		"odd list of events":      {[]string{"m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-9,10,11,16,36-40,x"}, 0, 96, 8000, "0-11,16", "0 96"},
		"event not in m=":         {[]string{"m=audio 4000 RTP/AVP 0", "a=rtpmap:96 telephone-event/8000"}, 0, 0, 0, "", "0"},
		"number not in the table": {[]string{"m=audio 4000 RTP/AVP 99 8"}, 8, 0, 0, "", "8"},
		"number too large":        {[]string{"m=audio 4000 RTP/AVP 256 128 8"}, 8, 0, 0, "", "8"},
		"blanks in attributes":    {[]string{"m=audio  4000  RTP/AVP  97", "a=rtpmap: 97  PCMA / 8000"}, 97, 0, 0, "", "97"},
	} {
		body, n := mustAnswer(t, local, phone(c.lines...))
		if n.PayloadType != c.pt || n.DTMFPayloadType != c.dtmf || n.DTMFRate != c.rate || n.DTMFEvents.String() != c.events {
			t.Errorf("%s: %+v (events %s)", name, n, n.DTMFEvents)
		}
		wantLine(t, body, "m=audio 10000 RTP/AVP "+c.formats)
	}
	l := local
	l.DTMF = false
	body, n := mustAnswer(t, l, phone("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"))
	if n.DTMFRate != 0 {
		t.Errorf("without DTMF: %+v", n)
	}
	wantLine(t, body, "m=audio 10000 RTP/AVP 0")
}

func TestCodecsOfThisEndLimitTheAnswer(t *testing.T) {
	l := local
	l.Codecs = []codec.Codec{codec.PCMA}
	_, n := mustAnswer(t, l, phone("m=audio 4000 RTP/AVP 0 8"))
	if n.Codec != codec.PCMA {
		t.Errorf("codec is %s", n.Codec.Name())
	}
}

func TestPtime(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  time.Duration
	}{
		{nil, 20}, {[]string{"a=ptime:20"}, 20}, {[]string{"a=ptime:40"}, 40}, {[]string{"a=ptime:30"}, 20},
		{[]string{"a=ptime:10"}, 20}, {[]string{"a=ptime:60"}, 60}, {[]string{"a=ptime:200"}, 60},
		{[]string{"a=ptime:60", "a=maxptime:40"}, 40}, {[]string{"a=ptime:0"}, 20}, {[]string{"a=ptime:-5"}, 20},
		{[]string{"a=ptime:1e300"}, 20}, {[]string{"a=ptime:NaN"}, 20}, {[]string{"a=ptime:40.0"}, 40}, {[]string{"a=maxptime:1"}, 20},
	} {
		body, n := mustAnswer(t, local, phone(append([]string{"m=audio 4000 RTP/AVP 0"}, c.lines...)...))
		if n.Ptime != c.want*time.Millisecond {
			t.Errorf("%q: %v, want %d ms", c.lines, n.Ptime, c.want)
		}
		wantLine(t, body, fmt.Sprintf("a=ptime:%d", c.want))
	}
}

func TestRTCPAddress(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
		mux   bool
	}{
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000"}, "198.51.100.9:5000", false},
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP4 198.51.100.10"}, "198.51.100.10:5000", false},
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP4 host.example"}, "198.51.100.9:5000", false},
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP4 224.0.0.1"}, "198.51.100.9:5000", false},
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp:x"}, "198.51.100.9:4001", false},
		{[]string{"m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:5000"}, "198.51.100.9:4000", true},
		{[]string{"m=audio 65535 RTP/AVP 0"}, "", false},
	} {
		body, n := mustAnswer(t, local, phone(c.lines...))
		got := ""
		if n.RemoteRTCP.IsValid() {
			got = n.RemoteRTCP.String()
		}
		if got != c.want || n.RTCPMux != c.mux {
			t.Errorf("%q: %s, mux %v", c.lines, got, n.RTCPMux)
		}
		if c.mux {
			wantLine(t, body, "a=rtcp-mux")
		} else {
			wantNoLine(t, body, "a=rtcp-mux")
		}
	}
	l := local
	l.RTCPMux, l.RTCPPort = false, 12000
	body, n := mustAnswer(t, l, phone("m=audio 4000 RTP/AVP 0", "a=rtcp-mux"))
	if n.RTCPMux {
		t.Error("muxed against our will")
	}
	wantLine(t, body, "a=rtcp:12000")
}

func TestAddresses(t *testing.T) {
	six := local
	six.IP = netip.MustParseAddr("2001:db8::5")
	body, n := mustAnswer(t, six, "v=0\no=- 1 1 IN IP6 2001:db8::9\ns=-\nc=IN IP6 2001:db8::9\nt=0 0\nm=audio 4000 RTP/AVP 0\n")
	if n.Remote != netip.MustParseAddrPort("[2001:db8::9]:4000") {
		t.Errorf("remote is %v", n.Remote)
	}
	wantLine(t, body, "c=IN IP6 2001:db8::5")
	wantLine(t, body, "o=- 7 1 IN IP6 2001:db8::5")

	_, n = mustAnswer(t, local, phone("m=audio 4000 RTP/AVP 0", "c=IN IP4 203.0.113.77"))
	if n.Remote != netip.MustParseAddrPort("203.0.113.77:4000") {
		t.Errorf("the stream's c= does not win: %v", n.Remote)
	}
	_, n = mustAnswer(t, local, phone("m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example"))
	if n.Remote.IsValid() || n.OnHold || n.Direction != SendRecv {
		t.Errorf("host name: %+v", n)
	}
}

func TestOfferAndVersions(t *testing.T) {
	first, err := Offer(local)
	if err != nil {
		t.Fatal(err)
	}
	want := "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 10000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp-mux\r\na=sendrecv\r\n"
	if string(first) != want {
		t.Errorf("got\n%s\nwant\n%s", first, want)
	}
	again := local
	again.Last, again.SessionID, again.Version = first, 99, 99
	same, err := Offer(again)
	if err != nil || string(same) != want {
		t.Errorf("nothing changed, but: %v\n%s", err, same)
	}
	again.Direction = SendOnly
	hold, err := Offer(again)
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, string(hold), "o=- 7 2 IN IP4 192.0.2.1")
	wantLine(t, string(hold), "a=sendonly")
	again.Last = hold
	answer, _, err := Answer(again, mustParse(t, phone("m=audio 4000 RTP/AVP 0")))
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, string(answer), "o=- 7 3 IN IP4 192.0.2.1")
}

func TestOfferAfterAnAnswerKeepsStreamsAndNumbers(t *testing.T) {
	answer, _ := mustAnswer(t, local, phone("m=video 5000 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 97", "a=rtpmap:97 telephone-event/8000"))
	l := local
	l.Last = []byte(answer)
	offer, err := Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, string(offer), "o=- 7 2 IN IP4 192.0.2.1")
	wantLine(t, string(offer), "m=video 0 RTP/AVP 96")
	wantLine(t, string(offer), "m=audio 10000 RTP/AVP 0 8 97")
	if strings.Index(string(offer), "m=video") > strings.Index(string(offer), "m=audio") {
		t.Errorf("the streams changed places:\n%s", offer)
	}
}

func TestOfferAfterNoAudioAddsIt(t *testing.T) {
	l := local
	l.Last = []byte(phone("m=video 5000 RTP/AVP 96", "m=audio 0 RTP/AVP 0"))
	offer, err := Offer(l)
	if err != nil {
		t.Fatal(err)
	}
	if want := "m=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 0\r\nm=audio 10000 RTP/AVP 0 8 101\r\n"; !strings.Contains(string(offer), want) {
		t.Errorf("no\n%s\nin\n%s", want, offer)
	}
}

func TestAccept(t *testing.T) {
	offer, err := Offer(local)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer string
		check  func(n Negotiated) bool
	}{
		"the second codec": {phone("m=audio 4000 RTP/AVP 8"), func(n Negotiated) bool {
			return n.Codec == codec.PCMA && n.PayloadType == 8 && n.ReceivePayloadType == 8 && n.DTMFRate == 0 && n.Also == nil
		}},
		"both codecs": {phone("m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000"), func(n Negotiated) bool {
			return n.Codec == codec.PCMA && len(n.Also) == 1 && n.Also[0].Codec == codec.PCMU && n.DTMFPayloadType == 101
		}},
		"other numbers": {phone("m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 PCMU/8000", "a=rtpmap:97 telephone-event/8000"), func(n Negotiated) bool {
			return n.Codec == codec.PCMU && n.PayloadType == 96 && n.ReceivePayloadType == 0 && n.DTMFPayloadType == 97 && n.DTMFReceivePayloadType == 101
		}},
		"muxed": {phone("m=audio 4000 RTP/AVP 0", "a=rtcp-mux"), func(n Negotiated) bool { return n.RTCPMux && n.RemoteRTCP == n.Remote }},
		"held":  {phone("m=audio 4000 RTP/AVP 0", "a=inactive"), func(n Negotiated) bool { return n.OnHold && n.Direction == Inactive }},
	} {
		n, err := Accept(local, mustParse(t, string(offer)), mustParse(t, c.answer))
		if err != nil || !c.check(n) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	for name, c := range map[string]struct{ answer, reason string }{
		"rejected":       {phone("m=audio 0 RTP/AVP 0"), "the audio stream is rejected: it has port 0"},
		"nothing of it":  {phone("m=audio 4000 RTP/AVP 18"), "no common codec: the answer has G729; supported: PCMU, PCMA"},
		"no streams":     {phone(), "the answer has 0 m= lines, the offer 1"},
		"something else": {phone("m=video 4000 RTP/AVP 96"), "the answer has video in place of audio"},
	} {
		n, err := Accept(local, mustParse(t, string(offer)), mustParse(t, c.answer))
		var e *NotAcceptableError
		if !errors.As(err, &e) || e.Reason != c.reason || n.Codec != nil {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	if _, err := Accept(local, mustParse(t, phone()), mustParse(t, phone())); err == nil {
		t.Error("an offer without audio was accepted as ours")
	}
}

func TestUnusableLocalIsAPlainError(t *testing.T) {
	offer := mustParse(t, phone("m=audio 4000 RTP/AVP 0"))
	for name, change := range map[string]func(*Local){
		"no address":       func(l *Local) { l.IP = netip.Addr{} },
		"zero address":     func(l *Local) { l.IP = netip.IPv4Unspecified() },
		"port 0":           func(l *Local) { l.Port = 0 },
		"port too large":   func(l *Local) { l.Port = 65536 },
		"RTCP port":        func(l *Local) { l.RTCPPort = -1 },
		"direction":        func(l *Local) { l.Direction = "sideways" },
		"last description": func(l *Local) { l.Last = []byte("hello") },
	} {
		l := local
		change(&l)
		if b, err := Offer(l); err == nil || b != nil {
			t.Errorf("%s: Offer = %q, %v", name, b, err)
		}
		if _, _, err := Answer(l, offer); err == nil || errors.Is(err, ErrNotAcceptable) {
			t.Errorf("%s: Answer: %v", name, err)
		}
	}
}
