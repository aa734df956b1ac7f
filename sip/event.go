package sip

import "time"

// EventKind names what happened in a dialog.
type EventKind string

// The kinds of events.
const (
	// EventAck: the ACK of our 200 to the first INVITE; Body is the answer to a late offer.
	EventAck EventKind = "ack"
	// EventCancel: the caller gave up; 487 has been sent. The last event of the dialog.
	EventCancel EventKind = "cancel"
	// EventBye: the peer hung up, 200 has been sent. Cause and Reason are those of
	// its Reason header (RFC 3326), Cause 0 when there is none. The last event of the dialog.
	EventBye EventKind = "bye"
	// EventOffer: a re-INVITE, UPDATE or PRACK (see Method) with the SDP Body, or, when Body is
	// empty, a re-INVITE that asks us for an offer. Dialog.Answer must follow, with Offer. Should
	// the peer cancel it or hang up before, no event says that the offer is void: Answer does.
	EventOffer EventKind = "offer"
	// EventOfferAck: the ACK of a re-INVITE that we accepted; Body is the answer when the
	// offer was ours.
	EventOfferAck EventKind = "offer_ack"
	// EventAnswer: what became of an offer of ours (Dialog.Offer): Status 200 and the answer as Body, or
	// the refusal, after which the session is as it was. Local: nobody offered but the session timer, by a
	// re-INVITE with what is agreed, and the peer has changed its side.
	EventAnswer EventKind = "answer"
	// EventPrack: the PRACK of a reliable response that had our offer; Body is the answer.
	EventPrack EventKind = "prack"
	// EventRefresh: a request of the peer, or of ours (Local), has refreshed the session, which now lasts
	// Session seconds (RFC 4028); 0: it does not expire any more.
	EventRefresh EventKind = "refresh"
	// EventLost: the call is taken for dead. A request of ours within it got Status 481, or 408 or none at
	// all; or, Local, it was not refreshed in time. A BYE is on its way, and EventByeDone follows.
	EventLost EventKind = "lost"
	// EventInfo: an INFO with a Body; already answered with 200.
	EventInfo EventKind = "info"
	// EventAckTimeout: our 200 (to the re-INVITE with number Offer, or to the first INVITE when
	// Offer is 0) was not acknowledged for 64*T1; a BYE is on its way, and EventByeDone follows.
	EventAckTimeout EventKind = "ack_timeout"
	// EventByeDone: our BYE was answered with Status, or not at all (Status 408), or could not be
	// sent (503, with the error as Reason). The last event of the dialog.
	EventByeDone EventKind = "bye_done"
	// EventFailed: the dialog ended for a reason of our own side, told in Reason: its answer could
	// not be sent, a handler panicked, nobody answered it in time, the endpoint closed. Status is
	// what was sent to the peer, if anything. The last event of the dialog.
	EventFailed EventKind = "failed"
	// EventProgress: a provisional response (101 to 199) to our INVITE, of the early dialog Early.
	// Body is early media's answer, if any.
	EventProgress EventKind = "progress"
	// EventAccepted: the peer took our call with a 2xx, of the dialog Early; Body is its answer.
	// The ACK has been sent.
	EventAccepted EventKind = "accepted"
	// EventRefer: a REFER (Config.Transfer): the peer wants the far side of the call to call somebody. Dialog.AnswerRefer must follow, with
	// the ID of Refer.
	EventRefer EventKind = "refer"
	// EventReferral: what became of a REFER of ours, by the number Referral: the Status of the peer's answer (Method REFER), or
	// that which a NOTIFY tells of the call that it has placed (Method NOTIFY). Final: no more of it follows.
	EventReferral EventKind = "referral"
	// EventRefused: our call came to nothing, after all challenges, redirects and failovers:
	// the final Status, its phrase as Reason, and the Cause of its Reason header. Local: nobody
	// answered, and the Status is ours: 408 nobody has answered in time, 487 nobody has
	// answered our CANCEL either, 503 nothing could be sent. The last event of the dialog.
	EventRefused EventKind = "refused"
)

// Event is one thing that happened in a dialog. It is a plain value that
// survives JSON.
type Event struct {
	Kind        EventKind `json:"kind"`
	Method      string    `json:"method,omitempty"`       // of the request that caused it
	Offer       int       `json:"offer,omitempty"`        // number of the offer, from 1; 0: the first INVITE
	ContentType string    `json:"content_type,omitempty"` // of Body, lower case, without parameters
	Body        []byte    `json:"body,omitempty"`         // of a multipart message: its application/sdp part
	Status      int       `json:"status,omitempty"`       // SIP status
	Cause       int       `json:"cause,omitempty"`        // Q.850 cause, or SIP status, of a Reason header
	Reason      string    `json:"reason,omitempty"`       // reason phrase or text
	Headers     []Header  `json:"headers,omitempty"`      // of the message, all, in order
	Early       string    `json:"early,omitempty"`        // remote tag of the early dialog
	Local       bool      `json:"local,omitempty"`        // Status is our own, or the cause is
	Session     int       `json:"session,omitempty"`      // seconds, of EventRefresh
	Attempts    []Attempt `json:"attempts,omitempty"`     // of EventAccepted and EventRefused: what was tried
	Refer       *Refer    `json:"refer,omitempty"`        // of EventRefer
	Referral    int       `json:"referral,omitempty"`     // of EventReferral
	Final       bool      `json:"final,omitempty"`        // of EventReferral
}

// Attempt is one INVITE of an outgoing call: each address, redirect and answer
// to a challenge is one.
type Attempt struct {
	URI     string    `json:"uri"`               // Request-URI
	Network string    `json:"network,omitempty"` // "udp" or "tcp"
	Addr    string    `json:"addr,omitempty"`    // host and port that it was sent to
	Status  int       `json:"status,omitempty"`  // final status of the peer; 408: none, 503: not sent
	Reason  string    `json:"reason,omitempty"`  // its phrase, or the error
	At      time.Time `json:"at"`                // of the first sending
	MS      int64     `json:"ms"`                // until the final response or the end
	Rang    time.Time `json:"rang,omitzero"`     // when the first provisional response but 100 came
	Cause   int       `json:"cause,omitempty"`   // Q.850 cause of the refusal's Reason header
	Said    string    `json:"said,omitempty"`    // that header, or all of them, 256 bytes at most
}

// last says that no event follows this one.
func (e Event) last() bool {
	switch e.Kind {
	case EventCancel, EventBye, EventByeDone, EventFailed, EventRefused:
		return true
	}
	return false
}
