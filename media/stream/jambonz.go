package stream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/wav"
)

// jambonz is the listen verb of jambonz, sub-protocol audio.drachtio.org, with audio both ways: L16 in binary messages, JSON texts for the rest.
type jambonz struct {
	info *Info
	rate int
	out  []byte

	in []int16 // of the goroutine that reads
}

func newJambonz(i *Info, rate, _ int) wire { return &jambonz{info: i, rate: rate} }

// Kinds of marks.
const (
	jambonzMark     = iota // of the program
	jambonzPlayDone        // at the end of a playAudio
)

func (j *jambonz) begin(send sender) error {
	mix := "mono"
	if j.info.Listen == media.Both {
		mix = "stereo"
	}
	first := map[string]any{}
	for k, v := range j.info.Parameters {
		first[k] = v
	}
	maps.Copy(first, map[string]any{
		"callSid": j.info.CallID, "accountSid": j.info.AccountID, "applicationSid": "", "callId": j.info.CallID, "from": j.info.From, "to": j.info.To,
		"direction": j.info.Direction, "sampleRate": j.rate, "mixType": mix,
	})
	return sendJSON(send, first)
}

func (j *jambonz) media(send sender, _ uint64, in, out []int16) error {
	j.out = j.out[:0]
	switch {
	case in != nil && out != nil: // the caller is on the left
		for i := range in {
			j.out = append(j.out, byte(in[i]), byte(uint16(in[i])>>8), byte(out[i]), byte(uint16(out[i])>>8))
		}
	case in != nil:
		j.out = appendL16(j.out, in)
	default:
		j.out = appendL16(j.out, out)
	}
	return send(Message{BinaryMessage, j.out})
}

func (j *jambonz) digit(send sender, digit string, d time.Duration) error {
	ticks := strconv.FormatInt(d.Milliseconds()*8, 10) // of RTP
	return sendJSON(send, map[string]any{"event": "dtmf", "dtmf": digit, "duration": ticks})
}

func (j *jambonz) mark(send sender, m mark) error {
	if m.kind == jambonzPlayDone {
		return sendJSON(send, map[string]any{"type": "playDone", "data": map[string]any{"id": m.name}})
	}
	event := "playout"
	if m.cleared {
		event = "cleared"
	}
	return sendJSON(send, map[string]any{"type": "mark", "data": map[string]any{"name": m.name, "event": event}})
}

func (j *jambonz) end(sender) error { return nil } // it just closes

func (j *jambonz) read(m Message, do func(command)) bool {
	if m.Kind == BinaryMessage {
		if j.in = l16(j.in, m.Data); len(j.in) == 0 {
			return false
		}
		do(command{op: opSound, pcm: j.in})
		return true
	}
	var e struct {
		Type string `json:"type"`
		Data struct {
			Name             string      `json:"name"`
			ID               string      `json:"id"`
			AudioContent     string      `json:"audioContent"`
			AudioContentType string      `json:"audioContentType"`
			SampleRate       json.Number `json:"sampleRate"` // some send a text
			QueuePlay        bool        `json:"queuePlay"`
		} `json:"data"`
	}
	if json.Unmarshal(m.Data, &e) != nil {
		return false
	}
	switch {
	case e.Type == "mark" && e.Data.Name != "":
		do(command{op: opMark, name: e.Data.Name, kind: jambonzMark})
	case e.Type == "clearMarks":
		do(command{op: opClearMarks})
	case e.Type == "killAudio":
		do(command{op: opClear})
	case e.Type == "disconnect":
		do(command{op: opEnd})
	case e.Type == "playAudio" && e.Data.AudioContent != "":
		rate, _ := strconv.Atoi(e.Data.SampleRate.String())
		pcm, rate, ok := decodeAudio(e.Data.AudioContent, e.Data.AudioContentType, rate)
		if !ok {
			return false
		}
		if !e.Data.QueuePlay {
			do(command{op: opClear})
		}
		do(command{op: opSound, pcm: pcm, rate: rate})
		do(command{op: opMark, name: e.Data.ID, kind: jambonzPlayDone})
	default:
		return false
	}
	return true
}

// decodeAudio reads the sound of a playAudio.
func decodeAudio(content, kind string, rate int) (pcm []int16, rateHz int, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return nil, 0, false
	}
	if !strings.HasPrefix(strings.TrimPrefix(kind, "audio/"), "wav") {
		return l16(nil, raw), rate, len(raw) > 1 && okRate(rate)
	}
	r, err := wav.NewReader(bytes.NewReader(raw), wav.Limits{})
	if err != nil {
		return nil, 0, false
	}
	buf := make([]int16, 4096)
	for {
		n, err := r.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if err == io.EOF {
			return pcm, r.Format().Rate, len(pcm) > 0 && okRate(r.Format().Rate)
		}
		if err != nil || n == 0 {
			return nil, 0, false
		}
	}
}

// okRate tells whether sound of that rate can be played; 0 is that of the wire.
func okRate(hz int) bool { return hz == 0 || hz >= 8000 && hz <= 48000 }
