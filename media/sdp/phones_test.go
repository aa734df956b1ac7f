package sdp

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/callbin/callbin/media/codec"
)

// Offers in the manner of well-known phones and gateways: what each of them is odd in.
func TestOffersInTheMannerOfRealPhones(t *testing.T) {
	for name, c := range map[string]struct {
		offer   string
		codec   codec.Codec
		dtmf    uint8
		remote  string
		mux     bool
		streams string // of the answer
	}{
		"desk phone: many codecs, silence suppression, old attributes": {
			"v=0\r\no=root 1821 1821 IN IP4 10.0.0.5\r\ns=call\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n" +
				"m=audio 64312 RTP/AVP 9 2 3 18 4 101 8 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:abc\r\na=rtpmap:9 g722/8000\r\n" +
				"a=rtpmap:2 g726-32/8000\r\na=rtpmap:3 gsm/8000\r\na=rtpmap:18 g729/8000\r\na=rtpmap:4 g723/8000\r\n" +
				"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtpmap:8 pcma/8000\r\na=rtpmap:0 pcmu/8000\r\n" +
				"a=silenceSupp:off - - - -\r\na=ptime:20\r\na=sendrecv\r\n",
			codec.PCMA, 101, "10.0.0.5:64312", false, "m=audio 10000 RTP/AVP 8 101",
		},
		"soft phone: AVPF, feedback, ICE, two event clocks, video": {
			"v=0\r\no=alice 3915 2 IN IP4 192.168.1.2\r\ns=Talk\r\nc=IN IP4 192.168.1.2\r\nt=0 0\r\n" +
				"a=ice-pwd:xyz\r\na=ice-ufrag:ab\r\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n" +
				"m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99 100\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n" +
				"a=rtpmap:97 speex/16000\r\na=rtpmap:98 speex/8000\r\na=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/48000\r\n" +
				"a=rtpmap:99 telephone-event/16000\r\na=rtpmap:100 telephone-event/8000\r\na=rtcp-fb:* trr-int 5000\r\n" +
				"a=rtcp-mux\r\na=candidate:1 1 UDP 2130706303 192.168.1.2 7078 typ host\r\n" +
				"m=video 9078 RTP/AVPF 96\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:* ccm fir\r\n",
			codec.PCMU, 100, "192.168.1.2:7078", true, "m=audio 10000 RTP/AVPF 0 100|m=video 0 RTP/AVPF 96",
		},
		"carrier: c= in the stream only, no rtpmap for static types, maxptime": {
			"v=0\r\no=SBC 17 1 IN IP4 203.0.113.1\r\ns=sip call\r\nt=0 0\r\nm=audio 23456 RTP/AVP 8 0 18 100\r\nc=IN IP4 203.0.113.20\r\n" +
				"a=rtpmap:100 telephone-event/8000\r\na=fmtp:100 0-15\r\na=maxptime:40\r\n",
			codec.PCMA, 100, "203.0.113.20:23456", false, "m=audio 10000 RTP/AVP 8 100",
		},
		"fax gateway: T.38 beside audio": {
			"v=0\r\no=GW 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 5004 RTP/AVP 0\r\n" +
				"m=image 5006 udptl t38\r\na=T38FaxVersion:0\r\n",
			codec.PCMU, 0, "198.51.100.7:5004", false, "m=audio 10000 RTP/AVP 0|m=image 0 udptl t38",
		},
		"optional SRTP: the secure stream first": {
			"v=0\no=- 5 5 IN IP4 198.51.100.8\ns=-\nc=IN IP4 198.51.100.8\nb=AS:84\nt=0 0\na=X-nat:0\n" +
				"m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\nm=audio 4002 RTP/AVP 0\na=ssrc:12345 cname:x",
			codec.PCMU, 0, "198.51.100.8:4002", false, "m=audio 0 RTP/SAVP 0|m=audio 10000 RTP/AVP 0",
		},
	} {
		body, n := mustAnswer(t, local, c.offer)
		if n.Codec != c.codec || n.DTMFPayloadType != c.dtmf || n.Remote != netip.MustParseAddrPort(c.remote) || n.RTCPMux != c.mux {
			t.Errorf("%s: %+v", name, n)
		}
		var streams []string
		for line := range strings.SplitSeq(body, "\r\n") {
			if strings.HasPrefix(line, "m=") {
				streams = append(streams, line)
			}
		}
		if got := strings.Join(streams, "|"); got != c.streams {
			t.Errorf("%s: %s, want %s", name, got, c.streams)
		}
	}
}

func TestBrowserOfferIsRefusedInWords(t *testing.T) {
	_, _, err := Answer(local, mustParse(t, "v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS\r\n"+
		"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=setup:actpass\r\n"+
		"a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"))
	if !errors.Is(err, ErrNotAcceptable) || !strings.Contains(err.Error(), "encrypted audio (UDP/TLS/RTP/SAVPF) is not supported") {
		t.Errorf("%v", err)
	}
}

// The bodies of the torture messages of RFC 4475: either readable or an error of ours.
func TestRFC4475Bodies(t *testing.T) {
	const dir = "../../../shared/vectors/rfc4475"
	files, err := filepath.Glob(filepath.Join(dir, "*.dat"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("%s: %v", dir, fs.ErrNotExist)
	}
	read := 0
	for _, name := range files {
		message, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
		if !bytes.HasPrefix(body, []byte("v=0")) {
			continue
		}
		s, err := Parse(body)
		if err != nil {
			t.Logf("%s: %v", filepath.Base(name), err)
			continue
		}
		read++
		if _, _, err := Answer(local, s); err != nil && !errors.Is(err, ErrNotAcceptable) {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
	if read < 10 {
		t.Errorf("only %d bodies were readable", read)
	}
}
