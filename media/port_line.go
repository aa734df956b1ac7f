package media

import "time"

// Line is what carries a Port's audio to and from the peer: an RTP session, a WebRTC
// one. All methods run on the Port's shard and neither block nor allocate, except
// Listen, Attach and Detach. A Line hands audio over in one of three ways, and the Port chooses:
//
//   - packets, untouched, to a PacketWriter (Forward): an echo, a bridge of two
//     lines of one codec
//   - payloads that are ready (WriteEncoded): a prompt that many hear
//   - frames of PCM (ReadFrame, WriteFrame): all else
type Line interface {
	PacketWriter
	KeyWriter

	// Detach takes the line off its shard with all its sockets and timers; Attach, on
	// another one, puts it there: what it was told before still holds. Nothing else is called in between. A line
	// lives on a shard at first without Attach.
	Detach()
	Attach(s *Shard)

	// Forward hands each valid audio packet to w as it arrives; nil ends that. held
	// begins with those that wait for ReadFrame, so that nothing is lost when w heard frames until now.
	Forward(w PacketWriter, held bool)

	// ForwardKeys hands each packet of a key press to w; nil ends that.
	ForwardKeys(w KeyWriter)

	// Listen says whether ReadFrame is going to be called. Without a listener no
	// packet is kept or decoded.
	Listen(on bool)

	// Pull(true) says that nobody waits for packets: from now on the line may leave them
	// in its socket and read them when Receive is called, once a frame. That saves a
	// wake-up for each packet. The line must know when a packet came all the same. Pull(false) ends that.
	Pull(on bool)
	Receive()

	// ReadFrame writes to dst what the peer said in the frame that is due and returns
	// the number of samples: len(dst), which is one frame, or 0 where there is nothing,
	// not even a gap to conceal. frame is the number of the port's clock. passed tells that
	// this sound was forwarded as a packet.
	ReadFrame(frame uint64, dst []int16) (n int, passed bool)

	// WriteFrame sends one frame of PCM, WriteEncoded one frame that is encoded in the
	// codec of the last Port.SetFormat. A jump in frame is a pause in the sound.
	WriteFrame(frame uint64, pcm []int16)
	WriteEncoded(frame uint64, payload []byte)
}

// PacketWriter takes packets of another Line of the same shard.
type PacketWriter interface {
	// WritePacket sends p at once. It may overwrite p.Buf, and keeps nothing of it.
	WritePacket(p *Packet)
}

// Packet is one packet of encoded audio on its way from Line to Line.
type Packet struct {
	Buf   []byte // the datagram; Buf[Start:] is the payload
	Start int    // at least 12: what is before it is free for a header
	Codec string // of the payload
	Span  int    // of the payload, in units of Time
	Seq   uint16 // numbered as the peer did, without what was not forwarded
	Time  uint32 // RTP timestamp of the peer
	First bool   // numbers and times begin anew: there is no relation to earlier packets
	Mark  bool   // a talkspurt begins
}

// KeyWriter takes key presses of another Line of the same shard.
type KeyWriter interface {
	// WriteKey sends k at once and returns true, or false where the peer does not take it.
	WriteKey(k *Key) bool
}

// Key is one packet of a key press (RFC 4733 2.3): it tells what lasts, and for how long.
type Key struct {
	Event    uint8 // 0-9, 10 is *, 11 #, 12 to 15 A to D
	End      bool
	Volume   uint8         // in -dBm0
	Duration time.Duration // so far
	Time     uint32        // RTP timestamp of the peer, the same for all packets of a press
	Seq      uint16        // numbered as Packet.Seq is
	Passing  bool          // audio packets go to the same writer
}

// Format is how a Line sends audio now.
type Format struct {
	Codec      string            // its SDP name
	Rate       int               // of the PCM, in Hz
	Span       time.Duration     // of a packet; 0: one frame
	Stateless  bool              // a payload depends on its frame only: one may go to many peers
	Passes     func(string) bool // whether packets of another codec can be sent; nil: of this one only
	NewEncoder func() EncodeFunc // makes encoders for EncodedSource and for mixing
}

// takes tells whether packets that a line of format from receives can be sent as they are.
func (f *Format) takes(from *Format) bool {
	return f.Span == from.Span && (f.Codec == from.Codec || f.Passes != nil && f.Passes(from.Codec))
}
