// Package codec turns 16-bit linear PCM into RTP payloads and back.
//
// There are only three types: a [Codec] is one payload format, an [Encoder] and
// a [Decoder] hold the state of one stream in it. PCMU and PCMA (G.711, RFC 3551
// 4.5.14) are here; both are shared values:
//
//	dec := codec.PCMU.NewDecoder()
//	n, err := dec.Decode(pcm[:], packet.Payload)  // a frame that came
//	n = dec.Conceal(pcm[:])                       // a frame that did not
//
// Nothing in this package allocates or locks after a stream's Encoder and Decoder
// have been made. Comfort noise (RFC 3389) is not handled; a lost frame fades to
// silence.
package codec
