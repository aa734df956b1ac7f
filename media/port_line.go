package media

// Line is what carries a Port's audio to and from the peer: an RTP session, a WebRTC
// one. All methods run on the Port's shard and neither block nor allocate, except
// Listen. A Line hands audio over in one of three ways, and the Port chooses:
//
//   - packets, untouched, to a PacketWriter (Forward): an echo, a bridge of two
//     lines of one codec
//   - payloads that are ready (WriteEncoded): a prompt that many hear
//   - frames of PCM (ReadFrame, WriteFrame): all else
type Line interface {
	PacketWriter

	// Forward hands each valid audio packet to w as it arrives; nil ends that.
	Forward(w PacketWriter)

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
	// not even a gap to conceal. frame is the number of the port's clock.
	ReadFrame(frame uint64, dst []int16) int

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
	Seq   uint16 // numbered as the peer did, without what was not forwarded
	Time  uint32 // RTP timestamp of the peer
	First bool   // numbers and times begin anew: there is no relation to earlier packets
	Mark  bool   // a talkspurt begins
}

// Format is how a Line sends audio now.
type Format struct {
	Codec      string            // its SDP name
	Rate       int               // of the PCM, in Hz
	NewEncoder func() EncodeFunc // makes encoders for EncodedSource
}
