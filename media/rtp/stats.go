package rtp

import (
	"math"
	"time"
)

// Stats of a leg, a JSON value. Loss, jitter and round trip are those of RFC 3550.
type Stats struct {
	Codec     string `json:"codec,omitempty"`
	Local     string `json:"local"`            // IP:port that the peer was told
	Remote    string `json:"remote,omitempty"` // where its audio comes from, or is expected from
	Latched   bool   `json:"latched"`
	SSRC      uint32 `json:"ssrc"`
	PeerSSRC  uint32 `json:"peer_ssrc,omitempty"`
	Direction string `json:"direction,omitempty"` // ours

	PacketsIn  uint64 `json:"packets_in"`
	BytesIn    uint64 `json:"bytes_in"` // of payload
	PacketsOut uint64 `json:"packets_out"`
	BytesOut   uint64 `json:"bytes_out"`

	Lost       int64  `json:"lost"`       // of the peer's packets
	Duplicates uint64 `json:"duplicates"` // came twice; dropped
	Reordered  uint64 `json:"reordered"`  // were overtaken
	Late       uint64 `json:"late"`       // came too late to be heard, where the audio was decoded
	Concealed  uint64 `json:"concealed"`  // frames made up in place of missing ones
	Resyncs    uint64 `json:"resyncs"`    // the peer's SSRC or numbering began anew
	Invalid    uint64 `json:"invalid"`    // not RTP, of an unknown payload type, or malformed
	Foreign    uint64 `json:"foreign"`    // from an address that was not the peer's
	SendErrors uint64 `json:"send_errors"`

	JitterMS     float64  `json:"jitter_ms"`
	BufferMS     float64  `json:"buffer_ms"`           // present delay of the jitter buffer; 0: nobody listens
	RTTMS        *float64 `json:"rtt_ms,omitempty"`    // nil until the peer reported
	PeerLost     *int64   `json:"peer_lost,omitempty"` // of our packets, as the peer reports
	PeerJitterMS *float64 `json:"peer_jitter_ms,omitempty"`
	MOS          *float64 `json:"mos,omitempty"` // of what we hear, ITU-T G.107; nil until 2 s of audio came

	FirstPacket *time.Time `json:"first_packet,omitempty"`
	LastPacket  *time.Time `json:"last_packet,omitempty"`
	VoiceMS     int64      `json:"voice_ms"`   // of packets that are louder than silence (-42 dB)
	SilenceMS   int64      `json:"silence_ms"` // all the rest of the time since the set-up
	Digits      uint64     `json:"digits"`     // key presses
}

// Packet loss robustness of G.711 with concealment and random loss (ITU-T G.113
// appendix I), and its equipment impairment.
const (
	lossRobustness = 25.1
	impairment     = 0
)

// mos estimates how good a connection sounds by the E-model of ITU-T G.107 with its
// default values: loss is a ratio, delay the one way from mouth to ear.
func mos(loss float64, delay time.Duration) float64 {
	ms := float64(delay) / float64(time.Millisecond)
	// G.107's delay impairment Idd, with a good echo canceller: nothing below 100 ms.
	idd := 0.0
	if ms > 100 {
		x := math.Log2(ms / 100)
		idd = 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
	}
	ppl := 100 * loss
	effective := impairment + (95-impairment)*ppl/(ppl+lossRobustness)
	r := 93.2 - idd - effective
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return 1 + 0.035*r + r*(r-60)*(100-r)*7e-6
}
