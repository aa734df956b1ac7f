package stream

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
)

// dialect is what differs between Twilio's format and those that are made after it.
type dialect struct {
	version       string // of "connected"
	sequence      string // field: the number of the message
	stream        string // field: the id of the stream
	call, account string // fields of "start"
	parameters    string // field of "start"
	format        string // field of "start"
	sampleRate    string // field of the format
	encoding      string // value of the format
	tracks        [2]string
	digitTrack    string
}

var twilioDialect = &dialect{
	version: "1.0.0", sequence: "sequenceNumber", stream: "streamSid", call: "callSid", account: "accountSid", parameters: "customParameters",
	format: "mediaFormat", sampleRate: "sampleRate", encoding: "audio/x-mulaw", tracks: [2]string{"inbound", "outbound"}, digitTrack: "inbound_track",
}

// noAccount stands where Twilio has the account of its customer: programs expect that there is one.
const noAccount = "AC00000000000000000000000000000000"

// twilio is Twilio Media Streams: JSON texts with mu-law in base64.
type twilio struct {
	d       *dialect
	info    *Info
	id      string // of the stream in this connection, made for a JSON text
	enc     codec.Encoder
	begun   bool
	first   uint64 // number of the first frame
	seq     uint64
	chunks  [2]uint64
	law     []byte
	text    []byte
	account string

	// Of the goroutine that reads.
	dec codec.Decoder
	raw []byte
	pcm []int16
}

func newTwilio(i *Info, _, nth int) wire {
	t := &twilio{d: twilioDialect, info: i, enc: codec.PCMU.NewEncoder(), dec: codec.PCMU.NewDecoder(), account: i.AccountID}
	// A stream that begins anew is a stream of its own: programs keep what they know by its id.
	t.id = "MZ" + strings.ReplaceAll(i.StreamID, "-", "")
	if nth > 0 {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		t.id = "MZ" + hex.EncodeToString(b[:])
	}
	if t.account == "" {
		t.account = noAccount
	}
	return t
}

func (t *twilio) begin(send sender) error {
	if err := sendJSON(send, map[string]any{"event": "connected", "protocol": "Call", "version": t.d.version}); err != nil {
		return err
	}
	tracks := []string{}
	if t.info.Listen != media.Out {
		tracks = append(tracks, t.d.tracks[0])
	}
	if t.info.Listen == media.Out || t.info.Listen == media.Both {
		tracks = append(tracks, t.d.tracks[1])
	}
	parameters := t.info.Parameters
	if parameters == nil {
		parameters = map[string]string{}
	}
	return t.send(send, "start", map[string]any{
		t.d.account: t.account, t.d.stream: t.id, t.d.call: t.info.CallID, "tracks": tracks, t.d.parameters: parameters,
		t.d.format: map[string]any{"encoding": t.d.encoding, t.d.sampleRate: 8000, "channels": 1},
	})
}

// send sends an event with a part of its own name.
func (t *twilio) send(send sender, event string, part map[string]any) error {
	t.seq++
	return sendJSON(send, map[string]any{"event": event, t.d.sequence: strconv.FormatUint(t.seq, 10), t.d.stream: t.id, event: part})
}

func (t *twilio) media(send sender, n uint64, in, out []int16) error {
	if !t.begun {
		t.begun, t.first = true, n
	}
	at := (n - t.first) * uint64(media.FrameDuration/time.Millisecond)
	for track, pcm := range [2][]int16{in, out} {
		if pcm == nil {
			continue
		}
		if err := t.frame(send, track, at, pcm); err != nil {
			return err
		}
	}
	return nil
}

// frame sends one frame of a track. It is the one message that there are many of, so it is written by hand.
func (t *twilio) frame(send sender, track int, at uint64, pcm []int16) error {
	t.law = append(t.law[:0], make([]byte, len(pcm))...)
	if _, err := t.enc.Encode(t.law, pcm); err != nil {
		return err
	}
	t.seq++
	t.chunks[track]++
	b := append(t.text[:0], `{"event":"media","`...)
	b = append(b, t.d.sequence...)
	b = append(b, `":"`...)
	b = strconv.AppendUint(b, t.seq, 10)
	b = append(b, `","media":{"track":"`...)
	b = append(b, t.d.tracks[track]...)
	b = append(b, `","chunk":"`...)
	b = strconv.AppendUint(b, t.chunks[track], 10)
	b = append(b, `","timestamp":"`...)
	b = strconv.AppendUint(b, at, 10)
	b = append(b, `","payload":"`...)
	b = base64.StdEncoding.AppendEncode(b, t.law)
	b = append(b, `"},"`...)
	b = append(b, t.d.stream...)
	b = append(b, `":"`...)
	b = append(b, t.id...) // hexadecimal digits
	t.text = append(b, `"}`...)
	return send(Message{TextMessage, t.text})
}

func (t *twilio) digit(send sender, digit string, _ time.Duration) error {
	if !t.info.Speaks { // as with Twilio: only where the stream goes both ways
		return nil
	}
	return t.send(send, "dtmf", map[string]any{"track": t.d.digitTrack, "digit": digit})
}

func (t *twilio) mark(send sender, m mark) error {
	return t.send(send, "mark", map[string]any{"name": m.name})
}

func (t *twilio) end(send sender) error {
	return t.send(send, "stop", map[string]any{t.d.account: t.account, t.d.call: t.info.CallID})
}

func (t *twilio) read(m Message, do func(command)) bool {
	if m.Kind != TextMessage {
		return false
	}
	var e struct {
		Event string `json:"event"`
		Media struct {
			Payload string `json:"payload"`
		} `json:"media"`
		Mark struct {
			Name string `json:"name"`
		} `json:"mark"`
	}
	if json.Unmarshal(m.Data, &e) != nil {
		return false
	}
	switch {
	case e.Event == "media" && e.Media.Payload != "":
		raw, err := base64.StdEncoding.AppendDecode(t.raw[:0], []byte(e.Media.Payload))
		if t.raw = raw; err != nil {
			return false
		}
		t.pcm = sized(t.pcm, len(raw))
		if _, err := t.dec.Decode(t.pcm, raw); err != nil {
			return false
		}
		do(command{op: opSound, pcm: t.pcm})
	case e.Event == "mark" && e.Mark.Name != "":
		do(command{op: opMark, name: e.Mark.Name})
	case e.Event == "clear":
		do(command{op: opClear})
	default:
		return false
	}
	return true
}

// sendJSON sends v, which is made of strings and numbers.
func sendJSON(send sender, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return send(Message{TextMessage, b})
}
