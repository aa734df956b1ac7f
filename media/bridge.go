package media

import (
	"context"
	"errors"
	"log/slog"
)

// ErrBridged says that a port is in a bridge already.
var ErrBridged = errors.New("media: the port is in a bridge already")

// BridgeOptions of one bridge. The zero value is a bridge that carries sound only.
type BridgeOptions struct {
	// Digits makes key presses (RFC 4733) cross between two members. Where the other one's
	// peer takes none nothing is sent: tones are the caller's work.
	Digits bool
	Logger *slog.Logger // nil: slog.Default()
}

// Bridge joins ports: each member hears all others and not itself. Two members of one
// codec (or of the two laws of G.711) that nobody listens to exchange packets untouched;
// else frames are mixed. All methods are safe for any goroutine, but must not be called
// on a shard.
type Bridge struct{ o BridgeOptions }

// BridgeStats tells what a bridge does.
type BridgeStats struct {
	Members int    `json:"members"`
	Parts   int    `json:"parts"`   // shards that its members live on
	Passing bool   `json:"passing"` // packets of at least one member pass untouched now
	RateHz  int    `json:"rate_hz"` // of the mix
	Encodes uint64 `json:"encodes"` // frames encoded for one member
	Shared  uint64 `json:"shared"`  // frames sent that were encoded for another member as well
	Late    uint64 `json:"late"`    // times that a part was too late for a frame of the others
}

// NewBridge makes an empty bridge.
func NewBridge(o BridgeOptions) *Bridge { return &Bridge{o: o} }

// Join makes p a member and returns when it is one. It returns ErrClosed when the port or
// the bridge is closed, and ErrBridged when p is in a bridge already.
func (b *Bridge) Join(p *Port) error { return errors.ErrUnsupported }

// Leave ends p's membership and returns when it neither hears nor is heard. It does
// nothing where p is no member. A port that closes leaves by itself.
func (b *Bridge) Leave(p *Port) {}

// Tap makes t see the mix of all members as in, and nil as out, in each frame, at Rate:
// the recording of a room. remove returns after the last call of t.Tick; it must not be called by Tick.
func (b *Bridge) Tap(t Tap) (remove func()) { return func() {} }

// Play lets all members hear src with what they hear of each other, and returns as Port.Play does.
// While there is no member, src rests.
func (b *Bridge) Play(ctx context.Context, src Source) error { return errors.ErrUnsupported }

// Rate is the sample rate of the mix in Hz: the highest of the members', 8000 without one.
func (b *Bridge) Rate() int { return 8000 }

// Stats tells what the bridge does at the moment, and its sums so far.
func (b *Bridge) Stats() BridgeStats { return BridgeStats{} }

// Close makes all members leave. What is played ends with ErrClosed, and Join returns
// it from now on. Closing twice does nothing.
func (b *Bridge) Close() {}
