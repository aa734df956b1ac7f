package stream

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Types of AudioSocket frames. Sound has one type for each rate.
const (
	audioSocketHangup = 0x00
	audioSocketUUID   = 0x01
	audioSocketDigit  = 0x03
	audioSocketSound  = 0x10
)

// audioSocketRates are those of the types from audioSocketSound on.
var audioSocketRates = []int{8000, 12000, 16000, 24000, 32000, 44100, 48000, 96000, 192000}

// audioSocket is the AudioSocket of Asterisk, over TCP: frames of 16-bit little-endian samples. The type of a frame tells its rate, which is
// the protocol's for what we send.
type audioSocket struct {
	info *Info
	kind byte
	out  []byte
	in   []int16 // of the goroutine that reads
}

func newAudioSocket(i *Info, rate, _ int) wire {
	a := &audioSocket{info: i, kind: audioSocketSound}
	for k, r := range audioSocketRates {
		if r == rate {
			a.kind = audioSocketSound + byte(k)
		}
	}
	return a
}

// ParseUUID reads a UUID, with or without hyphens.
func ParseUUID(s string) (id [16]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("stream: %.80q is not a UUID", s)
	}
	return [16]byte(b), nil
}

func (a *audioSocket) begin(send sender) error {
	name := a.info.UUID
	if name == "" {
		name = a.info.CallID
	}
	id, err := ParseUUID(name)
	if err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	return send(Message{audioSocketUUID, id[:]})
}

func (a *audioSocket) media(send sender, _ uint64, in, out []int16) error {
	if in == nil {
		in = out
	}
	a.out = appendL16(a.out[:0], in)
	return send(Message{a.kind, a.out})
}

func (a *audioSocket) digit(send sender, digit string, _ time.Duration) error {
	return send(Message{audioSocketDigit, []byte(digit)})
}

func (a *audioSocket) mark(sender, mark) error { return nil } // it has none

func (a *audioSocket) end(send sender) error { return send(Message{audioSocketHangup, nil}) }

func (a *audioSocket) read(m Message, do func(command)) bool {
	k := int(m.Kind) - audioSocketSound
	switch {
	case m.Kind == audioSocketHangup:
		do(command{op: opEnd})
	case k >= 0 && k < len(audioSocketRates) && len(m.Data) > 1:
		a.in = l16(a.in, m.Data)
		do(command{op: opSound, pcm: a.in, rate: audioSocketRates[k]})
	default:
		return false
	}
	return true
}
