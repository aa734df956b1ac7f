package stream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
)

// Info is what a program is told of the call whose sound it gets.
type Info struct {
	StreamID   string // a UUID
	CallID     string // a UUID
	AccountID  string
	From, To   string
	Direction  string            // of the call: inbound, outbound
	Parameters map[string]string // of whoever has started the stream
	Listen     media.Direction   // what it hears
	Speaks     bool              // what it says is heard
}

// wire is one wire format in one connection. read is for the goroutine that reads, all others for the one that writes.
type wire interface {
	// begin tells what the stream is.
	begin(send sender) error
	// media sends a frame. What is not listened to is nil.
	media(send sender, n uint64, in, out []int16) error
	// digit tells of a key press of the peer.
	digit(send sender, digit string, d time.Duration) error
	// mark tells that a mark was reached.
	mark(send sender, m mark) error
	// end tells that the stream is over.
	end(send sender) error
	// read takes a message of the program, and gives what it asks for to do. What it does not understand it ignores, and returns false.
	read(m Message, do func(command)) bool
}

// sender writes a message, whose Data it does not keep.
type sender func(Message) error

type op byte

const (
	opSound      op = iota // play pcm after what waits
	opMark                 // tell when what waits was played
	opClear                // drop what waits
	opClearMarks           // tell of all marks at once, and go on playing
	opEnd                  // end the stream
	opSend                 // send the message name, in answer
)

// command is what a program asks for.
type command struct {
	op   op
	pcm  []int16 // of opSound; valid until do returns
	rate int     // of pcm; 0: the protocol's
	name string  // of opMark
	kind byte    // of opMark, as the wire understands it
}

// Protocol is a wire format at a sample rate. Protocols are got by ByName.
type Protocol struct {
	Name string
	Rate int // of the sound on the wire, in Hz
	// Subprotocols of the WebSocket; none: any.
	Subprotocols []string
	// Mixed tells that it carries one track: of media.Both it sends the sum.
	Mixed bool

	// new makes the wire of a connection, which is the nth.
	new func(i *Info, rate, nth int) wire
}

// format is a row of the table of protocols.
type format struct {
	rates        []int // the first is the default
	subprotocols []string
	mixed        bool
	new          func(i *Info, rate, nth int) wire
}

var formats = map[string]format{
	"twilio": {[]int{8000}, nil, false, newTwilio},
}

// Names are those that ByName knows.
func Names() []string {
	var names []string
	for name := range formats {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ByName finds a protocol: "twilio", ... rateHz 0 is its usual rate.
func ByName(name string, rateHz int) (Protocol, error) {
	f, ok := formats[name]
	if !ok {
		return Protocol{}, fmt.Errorf("stream: protocol %.40q is none of %s", name, strings.Join(Names(), " "))
	}
	if rateHz == 0 {
		rateHz = f.rates[0]
	}
	if !slices.Contains(f.rates, rateHz) {
		return Protocol{}, fmt.Errorf("stream: protocol %s has no sample rate of %d Hz, but %v", name, rateHz, f.rates)
	}
	return Protocol{Name: name, Rate: rateHz, Subprotocols: f.subprotocols, Mixed: f.mixed, new: f.new}, nil
}

// appendL16 adds pcm as 16-bit little-endian samples.
func appendL16(b []byte, pcm []int16) []byte {
	for _, s := range pcm {
		b = append(b, byte(s), byte(uint16(s)>>8))
	}
	return b
}

// l16 reads 16-bit little-endian samples; half a sample at the end is left out.
func l16(dst []int16, b []byte) []int16 {
	dst = sized(dst, len(b)/2)
	for i := range dst {
		dst[i] = int16(uint16(b[2*i]) | uint16(b[2*i+1])<<8)
	}
	return dst
}
