package call

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/codec"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/media/sdp"
)

// MediaLeg is the sound of one call: an RTP leg, and whatever else Config.Media makes.
// Its methods are safe for any goroutine and return at once.
type MediaLeg interface {
	// Offer returns an SDP offer of ours (RFC 3264), for an INVITE that had none.
	Offer() ([]byte, error)
	// OfferAs is Offer with another direction of ours (RFC 3264 8.4), which counts once the peer has answered; Withdraw
	// gives it up where that has refused.
	OfferAs(d sdp.Direction) ([]byte, error)
	Withdraw()
	// Answer answers an SDP offer, the first one or a later one. A refused offer
	// leaves the session as it was.
	Answer(offer []byte) (answer []byte, err error)
	// TakeAnswer takes the peer's answer to Offer.
	TakeAnswer(answer []byte) error
	Port() *media.Port
	// SendDigits presses keys as the peer takes them outside of the sound (RFC 4733), and returns
	// at their end. Its error matches errors.ErrUnsupported where the peer does not, see Events.
	SendDigits(ctx context.Context, digits string, duration, gap time.Duration) error
	Events() bool
	Stats() rtp.Stats
	Snapshot() rtp.LegState
	// Close frees the ports and returns the sums of the call. It is idempotent.
	Close() rtp.Stats
}

// MediaFactory makes the legs of one kind of media.
type MediaFactory interface {
	NewLeg(o MediaOptions) (MediaLeg, error)
	// RestoreLeg makes a leg that goes on where st was taken; of o only OnEvent counts.
	RestoreLeg(st rtp.LegState, o MediaOptions) (MediaLeg, error)
}

// MediaOptions of one leg.
type MediaOptions struct {
	IPv6    bool            // the peer is reached over IPv6
	Plain   bool            // show the bound address: the peer is in Config.LocalNets
	Prefer  string          // the codec to be named first in offers; "": as configured
	Codecs  []string        // that may be offered, the preferred one first; none: as configured
	OnEvent func(rtp.Event) // must not block; of a key press it is told twice, rtp.EventDigit and rtp.EventDigitEnd
}

// rtpFactory makes the legs of media/rtp.
type rtpFactory struct {
	f      *rtp.Factory
	codecs []codec.Codec
}

func (r rtpFactory) NewLeg(o MediaOptions) (MediaLeg, error) {
	cfg := rtp.LegConfig{V6: o.IPv6, PlainAddress: o.Plain, OnEvent: o.OnEvent}
	all := r.codecs
	if len(o.Codecs) > 0 {
		all = nil
		for _, name := range o.Codecs {
			if i := r.index(name); i >= 0 {
				all = append(all, r.codecs[i])
			}
		}
		if cfg.Codecs = all; all == nil {
			return nil, fmt.Errorf("%w: none of %s", errNoCodec, strings.Join(o.Codecs, ", "))
		}
	}
	if i := slices.IndexFunc(all, func(c codec.Codec) bool { return c.Name() == o.Prefer }); i > 0 {
		cfg.Codecs = slices.Concat(all[i:i+1], all[:i], all[i+1:])
	}
	l, err := r.f.NewLeg(cfg)
	if err != nil { // not a MediaLeg that holds a nil *rtp.Leg
		return nil, err
	}
	return l, nil
}

// errNoCodec is why nothing can be offered.
var errNoCodec = errors.New("call: no codec is allowed")

func (r rtpFactory) index(name string) int {
	return slices.IndexFunc(r.codecs, func(c codec.Codec) bool { return strings.EqualFold(c.Name(), name) })
}

// codecs are those of want that the trunk allows, in the order of want, or all that it does.
func (w *way) codecs(want []string) ([]string, error) {
	if w.trunk == nil || len(w.trunk.Codecs) == 0 {
		return want, nil
	}
	if len(want) == 0 {
		return w.trunk.Codecs, nil
	}
	var both []string
	for _, name := range want {
		if slices.ContainsFunc(w.trunk.Codecs, func(s string) bool { return strings.EqualFold(s, name) }) {
			both = append(both, name)
		}
	}
	if both == nil {
		return nil, fmt.Errorf("%w: trunk %s takes %s", errNoCodec, w.trunk.Name, strings.Join(w.trunk.Codecs, ", "))
	}
	return both, nil
}

// checkCodecs tells which of names the engine does not have. A media factory of the program's own is not asked.
func (e *Engine) checkCodecs(what string, names []string) error {
	r, ok := e.media[0].(rtpFactory)
	for i, name := range names {
		if ok && r.index(name) < 0 {
			return fmt.Errorf("%s[%d]: the engine has no codec %.40q", what, i, name)
		}
	}
	return nil
}

func (r rtpFactory) RestoreLeg(st rtp.LegState, o MediaOptions) (MediaLeg, error) {
	l, err := r.f.Restore(st, rtp.LegConfig{OnEvent: o.OnEvent})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// mediaEvents are options with which what a leg notices comes to the loop.
func (c *Call) mediaEvents() MediaOptions {
	return MediaOptions{OnEvent: func(ev rtp.Event) { c.post(Input{Kind: KindMedia, Media: &ev}) }}
}

// openLeg returns the call's media leg, made at first use: a call that is refused
// takes no port.
func (c *Call) openLeg(offer string) (MediaLeg, error) {
	if l := c.leg.Load(); l != nil {
		return *l, nil
	}
	o := c.mediaEvents()
	if c.out != nil {
		w := c.out.at(c.way)
		peer, _ := netip.ParseAddr(w.host)
		o.IPv6, o.Plain, o.Prefer = peer.Is6(), c.engine.isLocal(peer), c.out.prefer
		codecs, err := w.codecs(c.out.codecs)
		if err != nil {
			return nil, err
		}
		o.Codecs = codecs
	} else {
		peer := c.dialog.Load().RemoteAddr().Addr().Unmap()
		o.IPv6, o.Plain = peer.Is6(), c.engine.isLocal(peer)
		if offer != "" { // sound may take another family than signalling
			o.IPv6 = strings.Contains(offer, "IN IP6") && !strings.Contains(offer, "c=IN IP4")
		}
	}
	l, err := c.engine.media[0].NewLeg(o)
	if err != nil {
		return nil, err
	}
	c.leg.Store(&l)
	if d := c.machine.st.Silenced; d != "" { // on the loop, which owns the machine
		c.mute(d)
	}
	return l, nil
}

// negotiate meets the peer's offer or answer with our media.
func (c *Call) negotiate(e *Effect) Input {
	n := NegotiatedInput{For: e.For, Offer: e.Offer}
	l, err := c.openLeg(e.Body)
	if err != nil {
		n.Code, n.Error = CodeNoMedia, err.Error()
		if errors.Is(err, rtp.ErrNoAddress) || errors.Is(err, errNoCodec) { // trying again later would not help
			n.Code = CodeNoCommonCodec
		}
		if e.For == "dial" {
			c.log().Warn("attempt failed", "trunk", e.Text, "err", err)
		}
		return Input{Kind: KindNegotiated, Negotiated: &n}
	}
	var body []byte
	switch {
	case e.For == "hold":
		body, err = l.OfferAs(sdp.Direction(e.Text))
	case e.For == "early_answer", e.For == "dial_answer", e.For == "hold_answer":
		err = l.TakeAnswer([]byte(e.Body))
	case e.For == "ack" && e.Body == "":
		err = errors.New("call: the ACK brings no answer to our offer")
	case e.For == "ack", e.For == "prack":
		err = l.TakeAnswer([]byte(e.Body))
	case e.For == "refresh": // the peer has got what was agreed; how it stands to that is as if it had offered it
		_, err = l.Answer([]byte(e.Body))
	case e.Body == "":
		body, err = l.Offer()
	default:
		body, err = l.Answer([]byte(e.Body))
	}
	n.Body = string(body)
	if err != nil {
		n.Code, n.Error = CodeNoCommonCodec, fmt.Sprintf("offer and answer do not meet: %v", err)
	}
	return Input{Kind: KindNegotiated, Negotiated: &n}
}

// closeMedia ends the recording, the transcription and the external media, then frees the ports. With one of them it takes a
// while, so it has a goroutine of its own.
func (c *Call) closeMedia() (Input, bool) {
	c.music(false)
	c.mu.Lock()
	rec, text, streams := c.recorder, c.transcription, len(c.streams) > 0
	c.closing = true
	c.mu.Unlock()
	if rec != nil || text != nil || streams {
		c.engine.wg.Go(func() {
			c.stopStreams()
			c.endRecording("hangup")
			if text != nil {
				_ = c.stopTranscription(c.engine.callCtx, text) // the engine stops: nobody to tell
			}
			c.post(c.mediaSums())
		})
		return Input{}, false
	}
	return c.mediaSums(), true
}

func (c *Call) mediaSums() Input {
	in := Input{Kind: KindClosed}
	if l := c.leg.Load(); l != nil {
		s := (*l).Close()
		in.Stats = &s
	}
	return in
}
