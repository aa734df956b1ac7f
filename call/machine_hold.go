package call

import (
	"fmt"
	"time"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/sdp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// Controls is what others do to a running call: what of its sound is turned off or replaced, and by whom, and the flow that is to run instead.
type Controls struct {
	// Hold is how we hold the peer: "sendonly" or "inactive", "refused" where it has not agreed to that; "" where we do not.
	Hold string `json:"hold,omitempty"`
	Held bool   `json:"held,omitempty"` // the peer holds us
	// Console is the other one of a talk whose peer holds it: this one's hears music meanwhile.
	Console string `json:"console,omitempty"`

	Silenced media.Direction `json:"silenced,omitempty"` // what all of that comes to
	Music    bool            `json:"music,omitempty"`    // is played

	Redirect *Redirecting `json:"redirect,omitempty"`  // waits for the end of the flow that runs; never changed, only replaced
	NextFlow string       `json:"next_flow,omitempty"` // key of the program that a redirect has put in the place of the first one

	HoldQueue []HoldWaits `json:"hold_queue,omitempty"` // the first one is under way
	HoldTries int         `json:"hold_tries,omitempty"` // of that, while another offer was open
}

// HoldWaits is a command to hold, or to end that, which is not done yet.
type HoldWaits struct {
	Ref int `json:"ref,omitempty"`
	SwitchCommand
}

// holdRefused is the Hold of a peer that does not agree to it.
const holdRefused = "refused"

const (
	// holdWait is how long a hold waits that meets another offer, maxHoldTries how often.
	holdWait     = 500 * time.Millisecond
	maxHoldTries = 70 // longer than a re-INVITE without an answer takes to end the call
)

// hold begins to hold the peer, or to end that:
//
//	hold -> offer -2xx-> answer -> held: music, not heard
//	          |  \ another offer is open: again in a moment
//	          |  \ refused: held as far as we can without the peer
func (m *Machine) hold(at store.Time, w HoldWaits) {
	if m.st.Record.Status != store.StatusProgressing || !m.st.HasMedia {
		m.do(Effect{Do: DoReply, Ref: w.Ref, Text: "only an answered call can be held"})
		return
	}
	m.st.HoldQueue = append(m.st.HoldQueue, w)
	if len(m.st.HoldQueue) == 1 {
		m.nextHold(at)
	}
}

// nextHold begins what stands first in the queue.
func (m *Machine) nextHold(at store.Time) {
	for len(m.st.HoldQueue) > 0 {
		w := m.st.HoldQueue[0]
		switch now := m.st.Hold; {
		case w.On == (now != ""):
			m.holdDone("")
		case !w.On && now == holdRefused: // the peer knows of nothing
			m.heldByUs(at, "")
			m.holdDone("")
		default:
			m.st.HoldTries = 0
			m.offerHold()
			return
		}
	}
}

func (m *Machine) offerHold() {
	d := sdp.SendRecv
	if w := m.st.HoldQueue[0]; w.On {
		d = sdp.Direction(w.Direction)
	}
	m.do(Effect{Do: DoNegotiate, For: "hold", Text: string(d)})
}

// holdAgain is the timer of a hold that met another offer.
func (m *Machine) holdAgain() {
	if m.st.Phase != PhaseEnded && len(m.st.HoldQueue) > 0 {
		m.offerHold()
	}
}

// offerAnswered takes what became of an offer within the call.
func (m *Machine) offerAnswered(in *Input) {
	e := in.SIP
	switch {
	case m.st.Phase == PhaseEnded:
	case e.Local && len(e.Body) > 0: // to the re-INVITE of the session timer: the peer has changed its side
		m.do(Effect{Do: DoNegotiate, For: "refresh", Body: string(e.Body)})
	case len(m.st.HoldQueue) == 0:
	case e.Local: // it has not been sent
		if m.st.HoldTries++; m.st.HoldTries < maxHoldTries {
			m.do(Effect{Do: DoTimer, Text: "hold", Delay: holdWait})
			return
		}
		m.holdFailed(in.At, e)
	case e.Status < 300 && len(e.Body) > 0:
		m.do(Effect{Do: DoNegotiate, For: "hold_answer", Body: string(e.Body)})
	default:
		m.holdFailed(in.At, e)
	}
}

// holdFailed takes a refusal: the session is as it was.
func (m *Machine) holdFailed(at store.Time, e *sip.Event) {
	m.do(Effect{Do: DoWithdraw})
	m.holdRefused(at, fmt.Sprintf("%d %s", e.Status, e.Reason))
}

func (m *Machine) holdRefused(at store.Time, why string) {
	if !m.st.HoldQueue[0].On {
		m.holdDone("the far end did not take the call off hold: " + why)
	} else {
		m.heldByUs(at, holdRefused)
		m.holdDone("")
	}
	m.nextHold(at)
}

// holdNegotiated takes the results of an offer that is to hold; false: it is of another one.
func (m *Machine) holdNegotiated(in *Input) bool {
	n := in.Negotiated
	switch {
	case n.For != "hold" && n.For != "hold_answer":
		return false
	case len(m.st.HoldQueue) == 0:
	case n.Error != "":
		m.holdRefused(in.At, n.Error)
	case n.For == "hold":
		m.do(Effect{Do: DoOffer, Body: n.Body})
	default:
		how := ""
		if w := m.st.HoldQueue[0]; w.On {
			how = w.Direction
		}
		m.heldByUs(in.At, how)
		m.holdDone("")
		m.nextHold(in.At)
	}
	return true
}

// holdDone answers the command that is under way, which was refused for the reason text, if any.
func (m *Machine) holdDone(text string) {
	if ref := m.st.HoldQueue[0].Ref; ref != 0 {
		m.do(Effect{Do: DoReply, Ref: ref, Text: text})
	}
	m.st.HoldQueue = m.st.HoldQueue[1:]
}

// holdEnds answers all commands that the end of the call is faster than.
func (m *Machine) holdEnds() {
	for len(m.st.HoldQueue) > 0 {
		m.holdDone("the call has ended")
	}
}

// heldByUs makes how what the hold is; "" for none.
func (m *Machine) heldByUs(at store.Time, how string) {
	m.st.Hold = how
	m.holdChanged(at, how != "", LinkHold, LinkUnhold, how)
}

// held takes what the peer does: it holds us, or does not any more.
func (m *Machine) held(at store.Time, on bool) {
	if m.st.Held == on {
		return
	}
	m.st.Held = on
	m.holdChanged(at, on, LinkHeld, LinkUnheld, "")
	e := Effect{Do: DoPartners}
	if !on {
		e.Text = "off"
	}
	m.do(e)
}

func (m *Machine) holdChanged(at store.Time, on bool, begun, ended, how string) {
	r := &m.st.Record
	switch local := m.st.Hold != ""; {
	case local && m.st.Held:
		r.HoldBy = "both"
	case local:
		r.HoldBy = store.HangupByLocal
	case m.st.Held:
		r.HoldBy = store.HangupByRemote
	default:
		r.HoldBy = ""
	}
	r.TmUpdate = at
	m.sound()
	what, event := begun, "call_held"
	if !on {
		what, event = ended, "call_unheld"
	}
	m.emit(event)
	m.do(Effect{Do: DoLink, For: what, Text: how})
}

// turnTo is the command "moh" or "silence".
func (m *Machine) turnTo(at store.Time, c *Command) {
	r, on := &m.st.Record, c.Switch.On
	which := &r.MOH
	if c.Name == "silence" {
		which = &r.Silence
	}
	m.do(Effect{Do: DoReply, Ref: c.Ref})
	if *which == on {
		return
	}
	*which, r.TmUpdate = on, at
	m.sound()
	m.emit("call_updated")
	detail := "off"
	if on {
		detail = "on"
	}
	m.do(Effect{Do: DoLink, For: c.Name, Text: detail})
}

// linked notes what of a link changes the call itself: the other one of a talk is held by its peer.
func (m *Machine) linked(in *Input) {
	l, r := in.Link, &m.st.Record
	switch {
	case l.What == LinkTransfer:
		m.transferred()
	case m.st.Phase == PhaseEnded:
		r.Orbit = ""
	case l.What == LinkMOH && l.CallID != "":
		m.st.Console = l.CallID
		if l.Detail == "off" {
			m.st.Console = ""
		}
		m.sound()
	case l.What == LinkPark && l.Detail == "":
		r.Orbit, r.TmUpdate = l.Room, in.At
		m.sound()
		m.emit("call_parked")
	case r.Orbit != "" && r.Orbit == l.Room && (l.What == LinkPark || l.What == LinkPickup):
		r.Orbit, r.TmUpdate = "", in.At
		m.sound()
		m.emit("call_unparked")
	}
}

// sound brings what is heard in step with who holds whom.
func (m *Machine) sound() {
	if d := m.silenced(); d != m.st.Silenced {
		m.st.Silenced = d
		m.do(Effect{Do: DoMute, Text: string(d)})
	}
	music := m.st.Hold == string(sdp.SendOnly) || m.st.Hold == holdRefused || m.st.Record.MOH || m.st.Console != "" || m.st.Record.Orbit != ""
	if music == m.st.Music {
		return
	}
	m.st.Music = music
	e := Effect{Do: DoMusic}
	if !music {
		e.Text = "off"
	}
	m.do(e)
}

// silenced is what is not to be heard. Who is on hold, of either side, is not heard.
func (m *Machine) silenced() media.Direction {
	r := &m.st.Record
	d := media.Direction(r.MuteDirection)
	in := d == media.In || d == media.Both || m.st.Hold != "" || m.st.Held
	out := d == media.Out || d == media.Both || r.Silence
	switch {
	case in && out:
		return media.Both
	case in:
		return media.In
	case out:
		return media.Out
	}
	return ""
}

// restoreControls brings a call that was taken up to where it was: its new media leg knows nothing of it. What waited waits no
// more, and whether somebody else's peer holds it is found out anew.
func (m *Machine) restoreControls() {
	m.st.HoldQueue, m.st.Console, m.st.Record.Orbit = nil, "", "" // it parks anew
	m.st.Silenced, m.st.Music = "", false
	m.sound()
}
