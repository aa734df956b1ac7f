package call

import (
	"cmp"
	"fmt"
	"time"

	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/store"
)

// MediaAction is what happens to a call whose peer has gone silent.
type MediaAction string

// The choices of MediaTimeout.
const (
	MediaWarn   MediaAction = "warn"   // the event "call_media_timeout", and a line in the log
	MediaHangup MediaAction = "hangup" // the same, and the end of the call, with CodeMediaTimeout
	MediaOff    MediaAction = "off"    // nothing
)

// DefaultMediaTimeout is how long a peer may be silent.
const DefaultMediaTimeout = 30 * time.Second

// MediaTimeout is the policy for calls whose peer should send sound and gives no sign: no audio, no comfort noise and
// no RTCP for so long. A peer that holds the call, or is held, or has agreed not to send, need not; neither need one
// before the call is answered. When it is heard again, the event is "call_media_resumed".
type MediaTimeout struct {
	After  time.Duration `json:"after,omitempty"`  // 0: that of Config.RTP, else DefaultMediaTimeout
	Action MediaAction   `json:"action,omitempty"` // "": MediaWarn
}

func (t MediaTimeout) check() error {
	switch t.Action {
	case "", MediaWarn, MediaHangup, MediaOff:
	default:
		return fmt.Errorf("call: Config.MediaTimeout.Action is %q, not warn, hangup or off", t.Action)
	}
	if t.After < 0 {
		return fmt.Errorf("call: Config.MediaTimeout.After cannot be negative; the Action %q turns it off", MediaOff)
	}
	return nil
}

// apply tells the media side, and returns t with its defaults filled in.
func (t MediaTimeout) apply(c *rtp.Config) MediaTimeout {
	t.After = cmp.Or(t.After, c.MediaTimeout, DefaultMediaTimeout)
	t.Action = cmp.Or(t.Action, MediaWarn)
	if t.After < 0 { // Config.RTP says never
		t = MediaTimeout{Action: MediaOff}
	}
	c.MediaTimeout = t.After
	if t.Action == MediaOff {
		c.MediaTimeout = -1
	}
	return t
}

// silent takes a peer that gives no sign any more.
func (m *Machine) silent(at store.Time) {
	t := m.st.MediaTimeout
	if !m.st.Silent || m.st.Record.Status != store.StatusProgressing || t.Action == "" || t.Action == MediaOff {
		return
	}
	m.st.SilenceTold = true
	m.emit("call_media_timeout")
	if t.Action == MediaHangup {
		m.end(at, End{By: "local", Reason: store.ReasonFailed, Status: 200, Cause: 102,
			Code: CodeMediaTimeout, Sentence: "the far end has sent no sound for " + t.After.String()})
	}
}

// heard takes a peer that gives signs again.
func (m *Machine) heard() {
	m.st.Silent = false
	if m.st.SilenceTold {
		m.st.SilenceTold = false
		m.emit("call_media_resumed")
	}
}

// listen gives a peer that was silent before the answer, which it may be, as long after it.
func (m *Machine) listen() {
	if m.st.Silent {
		m.do(Effect{Do: DoTimer, Text: "media", Delay: m.st.MediaTimeout.After})
	}
}
