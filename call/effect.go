package call

import (
	"strconv"
	"time"

	"github.com/callbin/callbin/sip"
)

// Do names what an Effect asks for.
type Do string

const (
	DoRing        Do = "ring"         // send 180, with Text as Reason header
	DoEarly       Do = "early"        // send 183 with Body, and Text as Reason header
	DoAccept      Do = "accept"       // send 200 with Body
	DoReject      Do = "reject"       // send the final Status with Cause, and Text as another Reason header
	DoBye         Do = "bye"          // send BYE with Cause
	DoAnswerOffer Do = "answer_offer" // answer re-INVITE Offer with Status and Body
	DoInvite      Do = "invite"       // place the call by trunk Text ("" for none), with Body as the offer; gives an "invited" input, or a "sip" one that it was refused
	DoCancel      Do = "cancel"       // give the call that rings up, with Text as Reason header
	DoTell        Do = "tell"         // tell who placed the call: Text is "ringing", "early", "answered" or "ended"
	DoMute        Do = "mute"         // Text is what is silent now: "", "in", "out" or "both"
	DoMusic       Do = "music"        // play music on hold to the peer, or, where Text is "off", no more
	DoOffer       Do = "offer"        // offer the peer Body; where that cannot be done now, it gives a "sip" input that says so
	DoWithdraw    Do = "withdraw"     // forget the offer that the peer has refused
	DoLink        Do = "link"         // note the link For, with the detail Text; gives a "link" input
	DoPartners    Do = "partners"     // the call's peer holds it, or, where Text is "off", does not any more: who talks with it is to know
	DoHangUp      Do = "hang_up"      // end the chained call Text
	DoNegotiate   Do = "negotiate"    // meet Body (an offer, or an answer when For is "ack") with our media, which is new when For is "dial", for trunk Text; gives a "negotiated" input
	DoVerify      Do = "verify"       // run Config.Verify, then Config.Route
	DoStartFlow   Do = "start_flow"   // that of the redirect For, if any
	DoRedirect    Do = "redirect"     // end the flow's run with ErrRedirected, not the call
	DoCancelFlow  Do = "cancel_flow"  // end the flow's context with action.ErrHangup
	DoRefer       Do = "refer"        // the far end has sent Refer
	DoSendRefer   Do = "send_refer"   // send REFER with the Refer-To Body, for who waits by Text; Ref gets its reply
	DoReferral    Do = "referral"     // REFER number Referral of ours: Status and Text, For is "final" or "refused" where nothing follows
	DoDigit       Do = "digit"        // put Text into the digit buffer
	DoRecord      Do = "record"       // start recording Text
	DoRecordStop  Do = "record_stop"  // stop recording Text
	DoOnEnd       Do = "on_end_flow"  // run flow Text for what has ended
	DoTimer       Do = "timer"        // give a "timer" input named Text after Delay
	DoCloseMedia  Do = "close_media"  // stop recordings, free the ports; gives a "media_close" input
	DoEmit        Do = "emit"         // tell the observer: event Text
	DoReply       Do = "reply"        // command Ref is done; Text is its error, if any
	DoReserve     Do = "reserve"      // set more aside than what covers Delay of the call; gives a "reserved" input
	DoWarn        Do = "warn"         // tell the peer that there is nothing left
	DoFinish      Do = "finish"       // store the record, then run flow Text, if any; nothing comes after it
)

// Effect is something that a call's loop wants done. Effects are values so that a
// replay can compare them.
type Effect struct {
	Do     Do             `json:"do"`
	Status int            `json:"status,omitempty"`
	Cause  int            `json:"cause,omitempty"`
	Offer  int            `json:"offer,omitempty"`
	Ref    int            `json:"ref,omitempty"`
	For    string         `json:"for,omitempty"`
	Text   string         `json:"text,omitempty"`
	Body   string         `json:"body,omitempty"`
	Delay  time.Duration  `json:"delay,omitempty"`
	Record *RecordCommand `json:"record,omitempty"`

	Refer    *sip.Refer `json:"refer,omitempty"`
	Referral int        `json:"referral,omitempty"`

	// Of DoEmit: what the event is about, where that is not the call.
	Transcription *TranscriptionInput `json:"transcription,omitempty"`
	ExternalMedia *ExternalMediaInput `json:"external_media,omitempty"`
	Recording     *RecordingInput     `json:"recording,omitempty"` // For is the flow that follows it
	Activeflow    *Activeflow         `json:"activeflow,omitempty"`
	Digit         *Digit              `json:"digit,omitempty"`
	Quality       *Quality            `json:"quality,omitempty"`
}

// Summary is what stands in the trace for effects: "ring timer emit 1f3a9b", their names and a sum over all of
// them; "" for none.
func Summary(effects []Effect) string {
	if len(effects) == 0 {
		return ""
	}
	var names [96]byte
	var texts [1024]byte
	b, text := names[:0], texts[:0]
	for i := range effects {
		e := &effects[i]
		b = append(append(b, e.Do...), ' ')
		text = append(text, e.Do...)
		for _, n := range [...]int{e.Status, e.Cause, e.Offer, e.Ref, int(e.Delay)} {
			text = strconv.AppendInt(append(text, ' '), int64(n), 10)
		}
		text = append(append(text, e.For...), 0)
		text = append(append(text, e.Text...), 0)
		text = append(append(text, e.Body...), 0)
		if e.Record != nil {
			text = append(text, asJSON(e.Record)...)
		}
		if e.Refer != nil {
			text = append(text, asJSON(e.Refer)...)
		}
		if e.Referral != 0 {
			text = strconv.AppendInt(text, int64(e.Referral), 10)
		}
		if e.Transcription != nil {
			text = append(text, asJSON(e.Transcription)...)
		}
		if e.ExternalMedia != nil {
			text = append(text, asJSON(e.ExternalMedia)...)
		}
	}
	sum := uint32(2166136261) // FNV-1a: package hash would put text on the heap
	for _, c := range text {
		sum = (sum ^ uint32(c)) * 16777619
	}
	return string(strconv.AppendUint(b, uint64(sum), 36))
}
