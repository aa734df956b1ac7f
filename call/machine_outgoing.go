package call

import (
	"fmt"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// outgoing begins a call of ours:
//
//	dialing --18x--> ringing --2xx--> progressing -> ...
//	   |  \_____________|____2xx_______/ ^
//	   |                |
//	   | 3xx-6xx        | 3xx-6xx          we give up: canceling --487--> hangup
//	   +----------------+--> hangup
func (m *Machine) outgoing(in *Input) {
	o := in.Outgoing
	m.st.Phase = PhaseNew
	m.st.EarlyExecution, m.st.MediaTimeout = o.EarlyExecution, o.MediaTimeout
	m.st.Record = store.Call{
		ID: o.ID, Type: store.TypeFlow, FlowID: o.FlowID, ActiveflowID: o.ActiveflowID, MasterCallID: o.MasterCallID, GroupcallID: o.GroupcallID,
		Direction: store.DirectionOutgoing, Status: store.StatusDialing, Source: o.Source, Destination: o.Destination,
		Metadata: o.Metadata, JourneyID: o.JourneyID, TmCreate: in.At, TmUpdate: in.At,
	}
	m.st.Ways, m.st.EarlyMedia, m.st.MaxDuration = o.Ways, o.EarlyMedia, o.MaxDuration
	m.st.Record.Trunk = m.trunk()
	m.metered(o.Meter)
	if o.Verdict != nil {
		m.st.Record.Verdict = verdictJSON(o.Verdict)
	}
	m.emit("call_created")
	if o.Refused != nil {
		m.outboundRefused(o.Refused.Code, o.Refused.Sentence)
		m.end(in.At, *o.Refused)
		return
	}
	m.do(Effect{Do: DoTimer, Text: "max_duration", Delay: o.MaxDuration})
	m.do(Effect{Do: DoTimer, Text: "dial", Delay: o.RingTimeout})
	m.do(Effect{Do: DoNegotiate, For: "dial", Text: m.trunk()})
}

func (m *Machine) isOutgoing() bool { return m.st.Record.Direction == store.DirectionOutgoing }

// tell is for who placed the call: connect waits for these.
func (m *Machine) tell(what string) {
	if m.isOutgoing() {
		m.do(Effect{Do: DoTell, Text: what})
	}
}

// progress takes a provisional response.
func (m *Machine) progress(in *Input) {
	e := in.SIP
	if m.st.Phase != PhaseNew && m.st.Phase != PhaseRinging || e.Status < 180 {
		return
	}
	if m.st.Phase == PhaseNew {
		m.st.Phase = PhaseRinging
		m.status(store.StatusRinging, in.At)
		m.emit("call_ringing")
		m.tell("ringing")
		if m.st.EarlyExecution {
			m.startFlow(in)
		}
	}
	if len(e.Body) > 0 && !m.st.HasMedia {
		m.do(Effect{Do: DoNegotiate, For: "early_answer", Body: string(e.Body)})
	}
}

// accepted takes the 2xx of a call of ours.
func (m *Machine) accepted(in *Input) {
	m.attempts(in.SIP)
	if m.st.Phase == PhaseEnded { // it came while we were giving up
		m.do(Effect{Do: DoBye, Cause: m.st.Record.Cause})
		return
	}
	m.st.Phase = PhaseConfirmed
	switch body := string(in.SIP.Body); {
	case body != "":
		m.do(Effect{Do: DoNegotiate, For: "dial_answer", Body: body})
	case m.st.HasMedia: // the answer came with early media
		m.up(in)
	default:
		m.end(in.At, End{By: "local", Reason: store.ReasonFailed, Status: 488, Cause: causeOf(488), Code: CodeNoCommonCodec, Sentence: "the 200 has no SDP"})
	}
}

// up is reached when a call of ours is answered and its media agreed.
func (m *Machine) up(in *Input) {
	m.status(store.StatusProgressing, in.At)
	m.emit("call_progressing")
	m.listen()
	m.meterStarts(in.At)
	m.reply(&m.st.WaitAnswer, "")
	m.reply(&m.st.WaitEarly, "")
	m.tell("answered")
	m.startFlow(in)
}

func (m *Machine) startFlow(in *Input) {
	if !m.st.FlowStarted {
		m.st.FlowStarted, m.st.FlowRuns = true, true
		m.tellFlow("activeflow_created", in)
		m.do(Effect{Do: DoStartFlow, For: m.st.NextFlow})
	}
}

// refused takes the final refusal of a call of ours, or the end of one that was given up.
func (m *Machine) refused(in *Input) {
	m.attempts(in.SIP)
	if judged(in.SIP).retry && m.failover(in.At) {
		return
	}
	m.end(in.At, m.sentElsewhere(refusedEnd(in.SIP)))
	m.hungUp(in.At)
}

// refusedEnd translates what a call of ours came to by the table of verdict.
func refusedEnd(e *sip.Event) End {
	v := judged(e)
	end := End{By: "remote", Reason: v.reason, Status: e.Status, Cause: v.cause, Code: v.code}
	end.Sentence = fmt.Sprintf("the far end refused with %d %s", e.Status, e.Reason)
	if !e.Local {
		return end
	}
	switch e.Status {
	case 408:
		end.Sentence = "the far end gave no sign of life"
	case 503:
		end.Sentence = "the far end cannot be reached: " + e.Reason
	}
	return end
}

// dialled takes the result of an offer/answer exchange of a call of ours; false: it was of another one.
func (m *Machine) dialled(in *Input) bool {
	n := in.Negotiated
	switch n.For {
	case "early_answer":
		if n.Error == "" && m.st.Phase == PhaseRinging { // else the 200 brings another answer
			m.st.HasMedia = true
			m.reply(&m.st.WaitEarly, "")
			m.tell("early")
		}
	case "dial", "dial_answer":
		switch {
		case m.st.Phase == PhaseEnded:
		case n.Error != "" && n.For == "dial" && m.unsent(in.At, n):
		case n.Error != "":
			m.end(in.At, negotiationEnd(n))
		case n.For == "dial":
			m.st.Invited = true
			m.do(Effect{Do: DoInvite, Body: n.Body, Text: m.trunk()})
		default:
			m.st.HasMedia = true
			m.up(in)
		}
	default:
		return false
	}
	return true
}

// giveUp ends a call of ours that was not answered.
func (m *Machine) giveUp(at store.Time, e End) {
	m.st.Record.SIPCode = 487
	if !m.st.Invited {
		m.st.Record.SIPCode = e.Status
		m.hungUp(at)
		return
	}
	if r := &m.st.Record; r.HangupReason == store.ReasonNormal {
		r.HangupReason = store.ReasonCancel // VoIPBIN's word for a call that was given up
	}
	m.status(store.StatusCanceling, at)
	m.emit("call_canceling")
	reason := q850(e.Cause)
	if e.Code == CodeAnsweredElsewhere {
		reason = completedElsewhere
	}
	m.do(Effect{Do: DoCancel, Text: reason})
}

// bridged notes that the call is in a bridge, or out of it.
func (m *Machine) bridged(in *Input) {
	r := &m.st.Record
	switch b := in.Bridge; {
	case m.st.Finished: // told already, by finish
		return
	case b.Event != "joined" && b.Event != "leaved": // for who reads the trace: the conference tells of it itself
		return
	case b.Event == "joined":
		r.ConfbridgeID = b.ID
	case r.ConfbridgeID == b.ID:
		r.ConfbridgeID = ""
	}
	r.TmUpdate = in.At
	m.emit("confbridge_" + in.Bridge.Event)
}
