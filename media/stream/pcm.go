package stream

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/callbin/callbin/media/codec"
)

// pcm is the WebSocket of Vonage's Voice API: binary messages of sound, without any frame around it, and JSON texts for the rest. In place of
// 16-bit samples it can carry G.711.
type pcm struct {
	info *Info
	rate int
	law  codec.Codec // nil: 16-bit little-endian samples
	enc  codec.Encoder
	out  []byte

	// Of the goroutine that reads.
	dec codec.Decoder
	in  []int16
}

// pcmWire makes wires that carry law, or samples where that is nil.
func pcmWire(law codec.Codec) func(*Info, int, int) wire {
	return func(i *Info, rate, _ int) wire {
		p := &pcm{info: i, rate: rate, law: law}
		if law != nil {
			p.enc, p.dec = law.NewEncoder(), law.NewDecoder()
		}
		return p
	}
}

func (p *pcm) begin(send sender) error {
	first := map[string]any{}
	for k, v := range p.info.Parameters {
		first[k] = v
	}
	kind := map[codec.Codec]string{nil: "audio/l16", codec.PCMU: "audio/x-mulaw", codec.PCMA: "audio/x-alaw"}[p.law]
	maps.Copy(first, map[string]any{"event": "websocket:connected", "content-type": fmt.Sprintf("%s;rate=%d", kind, p.rate)})
	return sendJSON(send, first)
}

func (p *pcm) media(send sender, _ uint64, in, out []int16) error {
	if in == nil {
		in = out
	}
	if p.law == nil {
		p.out = appendL16(p.out[:0], in)
		return send(Message{BinaryMessage, p.out})
	}
	p.out = append(p.out[:0], make([]byte, len(in))...)
	if _, err := p.enc.Encode(p.out, in); err != nil {
		return err
	}
	return send(Message{BinaryMessage, p.out})
}

func (p *pcm) digit(send sender, digit string, d time.Duration) error {
	return sendJSON(send, map[string]any{"event": "websocket:dtmf", "digit": digit, "duration": d.Milliseconds()})
}

// mark answers a notify; its name is the payload, as JSON.
func (p *pcm) mark(send sender, m mark) error {
	return sendJSON(send, map[string]any{"event": "websocket:notify", "payload": json.RawMessage(m.name)})
}

func (p *pcm) end(sender) error { return nil } // it just closes

func (p *pcm) read(m Message, do func(command)) bool {
	if m.Kind == BinaryMessage {
		return p.sound(m.Data, do)
	}
	var e struct {
		Action  string          `json:"action"`
		Payload json.RawMessage `json:"payload"`
	}
	if json.Unmarshal(m.Data, &e) != nil {
		return false
	}
	switch e.Action {
	case "clear":
		do(command{op: opClear})
		do(command{op: opSend, name: `{"event":"websocket:cleared"}`})
	case "notify":
		if len(e.Payload) == 0 {
			e.Payload = json.RawMessage("null")
		}
		do(command{op: opMark, name: string(e.Payload)})
	default:
		return false
	}
	return true
}

func (p *pcm) sound(b []byte, do func(command)) bool {
	if p.law == nil {
		p.in = l16(p.in, b)
	} else {
		p.in = sized(p.in, len(b))
		if _, err := p.dec.Decode(p.in, b); err != nil {
			return false
		}
	}
	if len(p.in) == 0 {
		return false
	}
	do(command{op: opSound, pcm: p.in})
	return true
}
