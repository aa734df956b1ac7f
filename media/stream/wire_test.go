package stream

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/media/wav"
)

var testInfo = Info{
	StreamID: "11111111-2222-3333-4444-555555555555", CallID: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", From: "+16062067563", To: "100", Direction: "inbound",
	Parameters: map[string]string{"name": "Ann", "event": "not mine"}, Listen: media.Both,
}

// sent are the messages of a wire, as text: of binary ones the kind and the length.
func sent(t *testing.T, f func(w wire, send sender) error, protocol string, rate int) []string {
	t.Helper()
	p, err := ByName(protocol, rate)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	send := func(m Message) error {
		if m.Kind == TextMessage && protocol != "audiosocket" {
			list = append(list, string(m.Data))
		} else {
			list = append(list, fmt.Sprintf("%#x %d", m.Kind, len(m.Data)))
		}
		return nil
	}
	if err := f(p.new(&testInfo, p.Rate, 0), send); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestWiresWrite: a whole stream of each protocol, with one frame, a key, a mark, and the end.
func TestWiresWrite(t *testing.T) {
	for _, c := range []struct {
		protocol string
		rate     int
		want     []string
	}{
		{"pcm", 16000, []string{
			`{"content-type":"audio/l16;rate=16000","event":"websocket:connected","name":"Ann"}`, "0x2 640", `{"digit":"5","duration":250,"event":"websocket:dtmf"}`,
			`{"event":"websocket:notify","payload":{"n":1}}`,
		}},
		{"ulaw", 0, []string{
			`{"content-type":"audio/x-mulaw;rate=8000","event":"websocket:connected","name":"Ann"}`, "0x2 160", `{"digit":"5","duration":250,"event":"websocket:dtmf"}`,
			`{"event":"websocket:notify","payload":{"n":1}}`,
		}},
		{"jambonz", 8000, []string{
			`{"accountSid":"","applicationSid":"","callId":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","callSid":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","direction":"inbound","event":"not mine","from":"+16062067563","mixType":"stereo","name":"Ann","sampleRate":8000,"to":"100"}`,
			"0x2 640", `{"dtmf":"5","duration":"2000","event":"dtmf"}`, `{"data":{"event":"playout","name":"{\"n\":1}"},"type":"mark"}`,
		}},
		{"audiosocket", 16000, []string{"0x1 16", "0x12 640", "0x3 1", "0x0 0"}},
		{"audiosocket", 0, []string{"0x1 16", "0x10 320", "0x3 1", "0x0 0"}},
		{"rtp", 0, []string{"0x2 172"}},
	} {
		got := sent(t, func(w wire, send sender) error {
			p, _ := ByName(c.protocol, c.rate)
			in, out := make([]int16, media.FrameLen(p.Rate)), make([]int16, media.FrameLen(p.Rate))
			if p.Mixed {
				out = nil
			}
			for _, f := range []func() error{
				func() error { return w.begin(send) }, func() error { return w.media(send, 7, in, out) },
				func() error { return w.digit(send, "5", 250*time.Millisecond) }, func() error { return w.mark(send, mark{name: `{"n":1}`}) }, func() error { return w.end(send) },
			} {
				if err := f(); err != nil {
					return err
				}
			}
			return nil
		}, c.protocol, c.rate)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s writes\n%s\nwant\n%s", c.protocol, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// TestRTPIsWritten by RFC 3550: the marker on the first packet alone, sequence by one, timestamp by time also where frames are missing.
func TestRTPIsWritten(t *testing.T) {
	w := rtpWires(codec.PCMU)(&testInfo, 8000, 0)
	var packets []rtp.Packet
	send := func(m Message) error {
		var p rtp.Packet
		err := p.Unmarshal(slices.Clone(m.Data))
		packets = append(packets, p)
		return err
	}
	pcm := tone.Sine(440, 20*time.Millisecond).Clip(8000).PCM()
	for _, n := range []uint64{5, 6, 9} {
		if err := w.media(send, n, pcm, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range packets {
		ticks := []uint32{0, 160, 640}[i]
		if p.Marker != (i == 0) || p.SequenceNumber != packets[0].SequenceNumber+uint16(i) || p.Timestamp != packets[0].Timestamp+ticks || p.SSRC != packets[0].SSRC || p.PayloadType != 0 || len(p.Payload) != 160 {
			t.Errorf("packet %d: %+v", i, p.Header)
		}
	}
}

// asked is what a message of the program asks for.
func asked(w wire, m Message) (list []string, ok bool) {
	names := map[op]string{opSound: "sound", opMark: "mark", opClear: "clear", opClearMarks: "clear marks", opEnd: "end", opSend: "send"}
	ok = w.read(m, func(c command) {
		s := names[c.op]
		if c.op == opSound {
			s += fmt.Sprintf(" %d@%d", len(c.pcm), c.rate)
		} else if c.name != "" {
			s += " " + c.name
		}
		list = append(list, s)
	})
	return list, ok
}

func TestWiresRead(t *testing.T) {
	sound := base64.StdEncoding.EncodeToString(make([]byte, 320))
	file := base64.StdEncoding.EncodeToString(wav.Encode(media.NewClip(16000, make([]int16, 320))))
	packet := func(pt uint8, seq uint16) string {
		b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq}, Payload: make([]byte, 160)}).Marshal() // it is whole
		return string(b)
	}
	text, binary := TextMessage, BinaryMessage
	for _, c := range []struct {
		protocol string
		kind     byte
		data     string
		want     string // "": it is ignored
	}{
		{"pcm", binary, "\x01\x00\x02", "sound 1@0"},
		{"pcm", binary, "\x01", ""},
		{"pcm", text, `{"action":"clear"}`, `clear, send {"event":"websocket:cleared"}`},
		{"pcm", text, `{"action":"notify","payload":{"a":1}}`, `mark {"a":1}`},
		{"pcm", text, `{"action":"notify"}`, "mark null"},
		{"pcm", text, `{"action":"dance"}`, ""},
		{"pcm", text, `{`, ""},
		{"ulaw", binary, "\xff\xff", "sound 2@0"},
		{"jambonz", binary, "\x00\x00", "sound 1@0"},
		{"jambonz", text, `{"type":"mark","data":{"name":"m"}}`, "mark m"},
		{"jambonz", text, `{"type":"mark","data":{}}`, ""},
		{"jambonz", text, `{"type":"clearMarks"}`, "clear marks"},
		{"jambonz", text, `{"type":"killAudio"}`, "clear"},
		{"jambonz", text, `{"type":"disconnect"}`, "end"},
		{"jambonz", text, `{"type":"playAudio","data":{"audioContent":"` + sound + `","audioContentType":"raw","sampleRate":"16000","id":"1"}}`, "clear, sound 160@16000, mark 1"},
		{"jambonz", text, `{"type":"playAudio","data":{"audioContent":"` + sound + `","audioContentType":"raw","sampleRate":8000,"queuePlay":true,"id":"2"}}`, "sound 160@8000, mark 2"},
		{"jambonz", text, `{"type":"playAudio","data":{"audioContent":"` + file + `","audioContentType":"wav","id":"3"}}`, "clear, sound 320@16000, mark 3"},
		{"jambonz", text, `{"type":"playAudio","data":{"audioContent":"!","audioContentType":"raw"}}`, ""},
		{"jambonz", text, `{"type":"playAudio","data":{"audioContent":"` + sound + `","audioContentType":"raw","sampleRate":7}}`, ""},
		{"audiosocket", 0x00, "", "end"},
		{"audiosocket", 0x10, "\x00\x00\x00\x00", "sound 2@8000"},
		{"audiosocket", 0x12, "\x00\x00", "sound 1@16000"},
		{"audiosocket", 0x16, "\x00\x00", "sound 1@48000"},
		{"audiosocket", 0x10, "", ""},
		{"audiosocket", 0xff, "\x01", ""},
		{"rtp", binary, packet(0, 3), "sound 160@0"},
		{"rtp", binary, packet(8, 3), ""},
		{"rtp/alaw", binary, packet(8, 3), "sound 160@0"},
		{"rtp", binary, "\x80", ""},
	} {
		p, err := ByName(c.protocol, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := asked(p.new(&testInfo, p.Rate, 0), Message{c.kind, []byte(c.data)})
		if strings.Join(got, ", ") != c.want || ok != (c.want != "") {
			t.Errorf("%s, %.80q: %q, %v; want %q", c.protocol, c.data, got, ok, c.want)
		}
	}
}

// TestLateRTPIsDropped: what comes twice, or after its time, is not heard.
func TestLateRTPIsDropped(t *testing.T) {
	w := rtpWires(codec.PCMU)(&testInfo, 8000, 0)
	for i, c := range []struct {
		ssrc uint32
		seq  uint16
		want bool
	}{{1, 65534, true}, {1, 65535, true}, {1, 65535, false}, {1, 0, true}, {1, 65533, false}, {2, 65000, true}, {2, 65001, true}} {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, SSRC: c.ssrc}, Payload: []byte{1}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := asked(w, Message{BinaryMessage, b}); ok != c.want {
			t.Errorf("packet %d: %v", i, ok)
		}
	}
}

func TestByName(t *testing.T) {
	for _, c := range []struct {
		name string
		rate int
		want string
	}{{"opus", 0, "is none of"}, {"twilio", 16000, "has no sample rate"}, {"pcm", 44100, "has no sample rate"}} {
		if _, err := ByName(c.name, c.rate); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s at %d: %v", c.name, c.rate, err)
		}
	}
	if _, err := ParseUUID("x"); err == nil {
		t.Error("x is a UUID")
	}
}

// FuzzWires: whatever a program sends, in whatever protocol, asks for what can be done, or for nothing.
func FuzzWires(f *testing.F) {
	for i, name := range Names() {
		f.Add(byte(i), TextMessage, []byte(`{"event":"media","media":{"payload":"AAAA"},"type":"playAudio","action":"clear","data":{"audioContent":"UklGRg==","audioContentType":"wav"}}`))
		f.Add(byte(i), BinaryMessage, []byte(name))
		f.Add(byte(i), byte(0x10), binary.BigEndian.AppendUint32(nil, 0x80000000))
	}
	f.Fuzz(func(t *testing.T, protocol, kind byte, data []byte) {
		names := Names()
		p, err := ByName(names[int(protocol)%len(names)], 0)
		if err != nil {
			t.Fatal(err)
		}
		w := p.new(&testInfo, p.Rate, 0)
		for range 2 {
			w.read(Message{kind, data}, func(c command) {
				if c.op == opSound && (len(c.pcm) == 0 || c.rate != 0 && (c.rate < 8000 || c.rate > 192000)) {
					t.Fatalf("%s: %d samples at %d Hz", p.Name, len(c.pcm), c.rate)
				}
			})
		}
	})
}

// FuzzAudioSocketFrames: frames are cut as they were sent, and what is no frame is an error.
func FuzzAudioSocketFrames(f *testing.F) {
	f.Add([]byte{0x10, 0, 2, 1, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := strings.NewReader(string(b))
		for {
			before := r.Len()
			m, err := readAudioSocket(r)
			if err != nil {
				return
			}
			if before-r.Len() != 3+len(m.Data) {
				t.Fatalf("a frame of %d bytes takes %d", len(m.Data), before-r.Len())
			}
		}
	})
}
