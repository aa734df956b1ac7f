package call

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// ackWait bounds how long an answer waits for the caller's ACK before the flow goes
// on: sound sent earlier may be clipped, and a lost ACK must not hold the flow.
const ackWait = 500 * time.Millisecond

// Phase is where the signalling of a call stands.
//
//	new --180--> ringing --200--> accepted --ACK--> confirmed
//	 |              |                |                  |
//	 +--------------+----------------+------------------+--> ended
type Phase string

const (
	PhaseNew       Phase = "new"
	PhaseRinging   Phase = "ringing"
	PhaseAccepted  Phase = "accepted"
	PhaseConfirmed Phase = "confirmed"
	PhaseEnded     Phase = "ended"
)

// State is everything that a call's loop knows: a plain value, JSON-encodable.
type State struct {
	Record store.Call `json:"record"` // what is stored in the end
	Phase  Phase      `json:"phase"`
	Seq    int        `json:"seq"` // of the last input

	Offer    string `json:"offer,omitempty"`    // the INVITE's SDP, until it is answered
	Late     bool   `json:"late,omitempty"`     // the INVITE had none: the answer comes in the ACK, or in a PRACK
	Reliable bool   `json:"reliable,omitempty"` // early media reaches the caller reliably (RFC 3262)
	Reason   string `json:"reason,omitempty"`   // Reason header of the provisional responses (RFC 9410)
	Answer   string `json:"answer,omitempty"`   // SDP that the 183 carried and the 200 repeats
	HasMedia bool   `json:"has_media,omitempty"`

	FlowRuns     bool           `json:"flow_runs,omitempty"`
	Position     *flow.Position `json:"position,omitempty"`    // of the step that runs
	Stack        []flow.Frame   `json:"stack,omitempty"`       // flows within the flow; never changed, only replaced
	OnComplete   string         `json:"on_complete,omitempty"` // flow that runs once the call is over
	StepStart    store.Time     `json:"step_start,omitzero"`
	Recording    string         `json:"recording,omitempty"` // id of the one that runs
	RecordOnEnd  string         `json:"record_on_end,omitempty"`
	RecordKey    string         `json:"record_key,omitempty"`
	Transcribing string         `json:"transcribing,omitempty"`       // id of the transcription that runs
	Streams      []string       `json:"external_media_ids,omitempty"` // those that run; never changed, only replaced
	Pressed      string         `json:"pressed,omitempty"`            // the key that the peer holds down
	Linked       Linked         `json:"linked,omitzero"`

	// Of a call of ours.
	Invited        bool `json:"invited,omitempty"` // there is an INVITE to be cancelled
	EarlyExecution bool `json:"early_execution,omitempty"`
	FlowStarted    bool `json:"flow_started,omitempty"`

	Denied *Verdict `json:"denied,omitempty"` // why a redirect was not followed; never changed

	Ways         []string      `json:"ways,omitempty"`         // trunks in the order of trying; never changed
	Way          int           `json:"way,omitempty"`          // which of them it is
	Tried        int           `json:"tried,omitempty"`        // attempts at those before
	EarlyMedia   bool          `json:"early_media,omitempty"`  // somebody hears the far end before its answer
	MaxDuration  time.Duration `json:"max_duration,omitempty"` // 0: the engine's
	MediaTimeout MediaTimeout  `json:"media_timeout,omitzero"`
	Meter        Meter         `json:"meter,omitzero"`
	Silent       bool          `json:"silent,omitempty"`       // the peer gives no sign, whether it should or not
	SilenceTold  bool          `json:"silence_told,omitempty"` // there was an event about that

	Controls

	Transferred bool `json:"transferred,omitempty"` // it has transferred the other side away
	MediaClosed bool `json:"media_closed,omitempty"`
	Finished    bool `json:"finished,omitempty"`

	// Commands that wait for their reply, by what they wait for.
	WaitAnswer []int `json:"wait_answer,omitempty"`
	WaitEarly  []int `json:"wait_early,omitempty"`
	WaitRecord []int `json:"wait_record,omitempty"`
	WaitStop   []int `json:"wait_stop,omitempty"`
	// WaitRecorded are those that wait for the end of the recording that runs.
	WaitRecorded []int `json:"wait_recorded,omitempty"`
}

// Machine is a call's loop without goroutine, socket or clock: inputs in, effects out.
// It is not safe for concurrent use.
type Machine struct {
	st  State
	out []Effect
}

// Restore gives a Machine that stands where s was taken.
func Restore(s State) *Machine { return &Machine{st: s} }

// Snapshot returns a copy of the state. It shares no memory that Step changes.
func (m *Machine) Snapshot() State {
	s := m.st
	s.Record = cloneRecord(s.Record)
	s.WaitAnswer = append([]int(nil), s.WaitAnswer...)
	s.WaitEarly = append([]int(nil), s.WaitEarly...)
	s.WaitRecord = append([]int(nil), s.WaitRecord...)
	s.WaitStop = append([]int(nil), s.WaitStop...)
	s.WaitRecorded = append([]int(nil), s.WaitRecorded...)
	s.HoldQueue = slices.Clone(s.HoldQueue)
	return s
}

// Step consumes one input and returns what is to be done, in order. The slice is
// valid until the next call.
func (m *Machine) Step(in *Input) []Effect {
	m.out = m.out[:0]
	m.st.Seq = in.Seq
	switch in.Kind {
	case KindIncoming:
		m.incoming(in)
	case KindOutgoing:
		m.outgoing(in)
	case KindInvited:
		m.st.Record.SIPCallID = in.Invited.SIPCallID
		if r := in.Invited.Rate; r != nil {
			m.st.Meter.Rate = r
		}
	case KindBridge:
		m.bridged(in)
	case KindRestored:
		m.restored(in)
	case KindVerified:
		m.verified(in)
	case KindRouted:
		m.routed(in)
	case KindRefused:
		m.turnedAway(in)
	case KindSIP:
		m.signal(in)
	case KindMedia:
		m.media(in)
	case KindNegotiated:
		m.negotiated(in)
	case KindCommand:
		m.command(in)
	case KindStarted:
		m.stepStarted(in)
	case KindEnded:
		m.stepEnded(in)
	case KindFlowEnded:
		m.flowEnded(in)
	case KindTimer:
		m.timer(in)
	case KindRecording:
		m.recording(in)
	case KindTranscription:
		m.transcribed(in)
	case KindExternalMedia:
		m.streamed(in)
	case KindLink:
		m.st.Linked.take(in.Link)
		m.linked(in)
	case KindQuality:
		if m.st.Phase != PhaseEnded { // else the one at the end says all
			m.tellQuality(in, false)
		}
	case KindMeter:
		m.metered(in.Meter)
	case KindReserved:
		m.reserved(in)
	case KindClosed:
		m.mediaClosed(in)
	}
	m.finish(in.At)
	return m.out
}

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) reply(refs *[]int, text string) {
	for _, r := range *refs {
		m.do(Effect{Do: DoReply, Ref: r, Text: text})
	}
	*refs = nil
}

func (m *Machine) emit(event string) { m.do(Effect{Do: DoEmit, Text: event}) }

func (m *Machine) status(s string, at store.Time) {
	r := &m.st.Record
	r.Status = s
	switch s {
	case store.StatusRinging:
		r.TmRinging = at
	case store.StatusProgressing:
		r.TmProgressing = at
	case store.StatusHangup:
		r.TmHangup = at
	}
	r.TmUpdate = at
}

func (m *Machine) incoming(in *Input) {
	i := in.Incoming
	m.st.Phase = PhaseNew
	m.st.Offer, m.st.Late, m.st.Reliable = i.Offer, i.Offer == "", i.Reliable
	m.st.MediaTimeout = i.MediaTimeout
	m.st.Record = store.Call{
		ID: i.ID, Type: store.TypeFlow, ActiveflowID: i.ActiveflowID, Direction: store.DirectionIncoming, Status: store.StatusDialing,
		Source: i.Source, Destination: i.Destination, JourneyID: i.JourneyID,
		SIPCallID: i.SIPCallID, Transport: i.Transport, Peer: i.Peer, Trunk: i.Trunk, TmCreate: in.At, TmUpdate: in.At,
	}
	m.emit("call_created")
	m.do(Effect{Do: DoVerify})
}

func (m *Machine) signal(in *Input) {
	switch e := in.SIP; e.Kind {
	case sip.EventAck:
		if m.st.Phase != PhaseAccepted {
			return
		}
		m.st.Phase = PhaseConfirmed
		if m.st.Late {
			m.do(Effect{Do: DoNegotiate, For: "ack", Body: string(e.Body)})
			return
		}
		m.reply(&m.st.WaitAnswer, "")
	case sip.EventCancel:
		m.end(in.At, End{By: "remote", Reason: store.ReasonNormal, Status: 487, Cause: 16,
			Code: CodeCallerCancelled, Sentence: "the caller gave up before the call was answered"})
	case sip.EventBye:
		cause := e.Cause
		if cause == 0 {
			cause = 16
		}
		end := End{By: "remote", Reason: store.ReasonNormal, Status: 200, Cause: cause, Code: CodeCallerHungUp, Sentence: "the caller hung up"}
		if m.isOutgoing() {
			end.Code, end.Sentence = CodeCalleeHungUp, "the called party hung up"
		}
		if m.st.Transferred {
			end.Code, end.Sentence = CodeTransferred, transferredEnd.Sentence
		}
		m.end(in.At, end)
	case sip.EventProgress:
		m.progress(in)
	case sip.EventAccepted:
		m.accepted(in)
	case sip.EventRefused:
		m.refused(in)
	case sip.EventOffer:
		if m.st.Phase == PhaseEnded {
			m.do(Effect{Do: DoAnswerOffer, Offer: e.Offer, Status: 481})
			return
		}
		m.do(Effect{Do: DoNegotiate, For: "offer", Offer: e.Offer, Body: string(e.Body)})
	case sip.EventOfferAck:
		if len(e.Body) > 0 && m.st.Phase != PhaseEnded {
			m.do(Effect{Do: DoNegotiate, For: "ack", Body: string(e.Body)})
		}
	case sip.EventPrack: // the answer to the offer in our 183
		if m.st.Phase != PhaseEnded {
			m.do(Effect{Do: DoNegotiate, For: "prack", Body: string(e.Body)})
		}
	case sip.EventAnswer:
		m.offerAnswered(in)
	case sip.EventLost:
		end := End{By: "local", Reason: store.ReasonFailed, Status: 200, Cause: 102, Code: CodeSessionLost}
		switch e.Status {
		case 0:
			end.Sentence = "the far end has not refreshed the call in time"
		case 408:
			end.Sentence = "the far end does not answer any more"
		default:
			end.Sentence = fmt.Sprintf("the far end does not know the call any more: %d %s", e.Status, e.Reason)
		}
		m.end(in.At, end)
	case sip.EventInfo:
		if d := infoDigit(e.ContentType, e.Body); d != "" && m.st.Phase != PhaseEnded {
			m.digit(d, "info")
			m.tellDigit(Digit{Digit: d, DurationMS: infoDuration(e.Body), By: "info"})
		}
	case sip.EventRefer:
		m.do(Effect{Do: DoRefer, Refer: e.Refer})
	case sip.EventReferral:
		m.referral(e)
	case sip.EventAckTimeout:
		m.end(in.At, End{By: "local", Reason: store.ReasonFailed, Status: 200, Cause: 102,
			Code: CodeNoACK, Sentence: "the caller never acknowledged the answer"})
	case sip.EventByeDone:
		m.hungUp(in.At)
	case sip.EventFailed:
		m.end(in.At, End{By: "remote", Reason: store.ReasonFailed, Status: e.Status, Cause: 38,
			Code: CodeTransport, Sentence: "the peer cannot be reached any more: " + e.Reason})
		m.hungUp(in.At)
	}
}

func (m *Machine) media(in *Input) {
	if m.st.Phase == PhaseEnded {
		return
	}
	switch in.Media.Kind {
	case rtp.EventDigit:
		m.released(0) // its end was lost
		m.digit(in.Media.Digit, "")
		m.st.Pressed = in.Media.Digit
	case rtp.EventDigitEnd:
		m.released(in.Media.DurationMS)
	case rtp.EventMediaTimeout:
		m.st.Silent = true
		m.silent(in.At)
	case rtp.EventMediaResume:
		m.heard()
	case rtp.EventHold:
		m.held(in.At, true)
	case rtp.EventResume:
		m.held(in.At, false)
	}
}

// digit takes a key press; by is "info" for one that came by SIP INFO.
func (m *Machine) digit(d, by string) {
	if m.st.Phase == PhaseEnded || d == HiddenDigit {
		return
	}
	m.do(Effect{Do: DoDigit, Text: d, For: by})
	if k := m.st.RecordKey; m.st.Recording != "" && k != "" && (k == "any" || strings.Contains(k, d)) {
		m.do(Effect{Do: DoRecordStop, Text: m.st.Recording})
	}
}

func (m *Machine) negotiated(in *Input) {
	n := in.Negotiated
	if n.For == "offer" { // a re-INVITE: refused or not, the call goes on as it was
		e := Effect{Do: DoAnswerOffer, Offer: n.Offer, Status: 200, Body: n.Body}
		if n.Error != "" {
			e.Status, e.Body = 488, ""
		}
		m.do(e)
		return
	}
	if n.For == "refresh" || m.dialled(in) || m.st.Phase == PhaseEnded || m.holdNegotiated(in) {
		return
	}
	if n.Error != "" {
		m.end(in.At, negotiationEnd(n))
		return
	}
	m.st.HasMedia = true
	switch n.For {
	case "early":
		m.st.Offer, m.st.Answer = "", n.Body
		m.do(Effect{Do: DoEarly, Body: n.Body, Text: m.st.Reason})
		if !m.st.Late { // else the PRACK brings the answer
			m.reply(&m.st.WaitEarly, "")
		}
	case "prack":
		m.st.Late = false
		m.reply(&m.st.WaitEarly, "")
	case "answer":
		m.accept(in.At, n.Body)
	case "ack":
		m.reply(&m.st.WaitAnswer, "")
	}
}

func (m *Machine) accept(at store.Time, body string) {
	m.st.Offer, m.st.Answer = "", ""
	m.st.Phase = PhaseAccepted
	m.status(store.StatusProgressing, at)
	m.do(Effect{Do: DoAccept, Body: body})
	m.emit("call_progressing")
	m.listen()
	m.meterStarts(at)
	if !m.st.Late {
		m.do(Effect{Do: DoTimer, Text: "ack_wait", Delay: ackWait})
	}
}

func (m *Machine) timer(in *Input) {
	switch in.Timer {
	case "ack_wait":
		m.reply(&m.st.WaitAnswer, "")
	case "dial":
		if m.st.Phase == PhaseNew || m.st.Phase == PhaseRinging {
			m.end(in.At, End{By: "local", Reason: store.ReasonDialout, Status: 487, Cause: 19,
				Code: CodeDialTimeout, Sentence: "nobody answered in time"})
		}
	case "media":
		m.silent(in.At)
	case "hold":
		m.holdAgain()
	case "budget":
		m.meterDue(in.At)
	case "max_duration":
		m.end(in.At, End{By: "local", Reason: store.ReasonTimeout, Status: 200, Cause: 16,
			Code: CodeMaxDuration, Sentence: "the call reached the longest time that a call may take"})
	}
}

// end begins the end of the call; the first End wins.
func (m *Machine) end(at store.Time, e End) {
	if m.st.Phase == PhaseEnded {
		return
	}
	answered := m.st.Phase == PhaseAccepted || m.st.Phase == PhaseConfirmed
	m.released(0)
	m.charge(at)
	m.st.Phase = PhaseEnded
	r := &m.st.Record
	r.HangupBy, r.HangupReason, r.SIPCode, r.Cause, r.Code, r.Sentence = e.By, e.Reason, e.Status, e.Cause, e.Code, e.Sentence
	if answered {
		r.SIPCode = 200
	}
	for _, refs := range []*[]int{&m.st.WaitAnswer, &m.st.WaitEarly} {
		m.reply(refs, "the call has ended")
	}
	m.holdEnds()
	m.redirectEnds()
	m.do(Effect{Do: DoCancelFlow}) // also where Verify or Route still runs; first, lest it goes on when what is chained ends
	for _, id := range r.ChainedCallIDs {
		m.do(Effect{Do: DoHangUp, Text: id})
	}
	m.tell("ended")
	switch {
	case e.By == "remote":
		m.hungUp(at)
	case !answered && m.isOutgoing():
		m.giveUp(at, e)
	case !answered:
		m.terminating(at)
		m.do(Effect{Do: DoReject, Status: e.Status, Cause: e.Cause, Text: e.Header})
		m.hungUp(at)
	case e.Code == CodeNoACK || e.Code == CodeSessionLost: // the dialog sends its own BYE
		m.terminating(at)
	default:
		m.terminating(at)
		m.do(Effect{Do: DoBye, Cause: e.Cause})
	}
	m.do(Effect{Do: DoCloseMedia})
}

func (m *Machine) terminating(at store.Time) {
	m.status(store.StatusTerminating, at)
	m.emit("call_terminating")
}

func (m *Machine) hungUp(at store.Time) {
	if m.st.Phase == PhaseEnded && m.st.Record.Status != store.StatusHangup {
		m.status(store.StatusHangup, at)
	}
}

func (m *Machine) mediaClosed(in *Input) {
	m.st.MediaClosed = true
	if s := in.Stats; s != nil {
		r := &m.st.Record
		r.PacketsIn, r.PacketsOut, r.PacketsLost = s.PacketsIn, s.PacketsOut, uint64(max(s.Lost, 0))
		r.JitterMS, r.MOS, r.SilenceMS = s.JitterMS, s.MOS, s.SilenceMS
		m.tellQuality(in, true)
	}
}

// finish ends the call for good once its signalling, its flow and its media are done.
func (m *Machine) finish(at store.Time) {
	r := &m.st.Record
	if m.st.Finished || r.Status != store.StatusHangup || m.st.FlowRuns || !m.st.MediaClosed || m.st.Recording != "" || m.st.Transcribing != "" || len(m.st.Streams) > 0 || m.st.Meter.Asking {
		return
	}
	m.st.Finished = true
	if r.ConfbridgeID != "" { // its bridge has not noticed yet
		r.ConfbridgeID = ""
		m.emit("confbridge_leaved")
	}
	if !r.TmRinging.IsZero() {
		until := r.TmProgressing
		if until.IsZero() {
			until = r.TmHangup
		}
		r.RingMS = until.Sub(r.TmRinging.Time).Milliseconds()
	}
	if !r.TmProgressing.IsZero() {
		r.TalkMS = r.TmHangup.Sub(r.TmProgressing.Time).Milliseconds()
	}
	m.emit("call_hangup")
	m.do(Effect{Do: DoFinish, Text: m.st.OnComplete})
}
