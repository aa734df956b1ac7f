package sip

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Outgoing is a call to be placed. Only URI must be set.
type Outgoing struct {
	// URI is the Request-URI, and that of To unless To is set: sip or sips,
	// without headers after a '?'.
	URI string

	// To is the URI of the To header; empty: URI.
	To string

	// From is who calls: URI and Display are used, the rest is not. Without a URI
	// it is sip:callbin@ and our host, with Config.UserAgent as the user part
	// when that can be one.
	From NameAddr

	// NextHop is the sip URI of an outbound proxy: the request goes there, with
	// a Route header that names it, ;lr added. Empty: the request goes to URI.
	NextHop string

	// Headers are sent in every INVITE of the call. Those that the dialog writes
	// itself, and values with line breaks, are refused.
	Headers []Header

	// Body is the SDP offer. A call without one is not possible yet: the error
	// is errors.ErrUnsupported.
	Body []byte

	// MaxForwards is what a call that came to us has left, less one. 0: 70.
	MaxForwards int

	// Credentials answer the challenges of 401 and 407; the first of the
	// challenge's realm is taken, or the first without a realm.
	Credentials []Credentials

	// Redirect says whether a call may follow this Contact of a 3xx (RFC 3261
	// 8.1.3.4). It is asked in the order of their q values, from any goroutine, and must not
	// block. Five redirects and ten contacts are followed at most, and none twice. Nil:
	// a 3xx is final.
	Redirect func(uri string) bool

	// Timeout bounds the time from Call to the final answer: then the call is
	// cancelled, and refused with 408. 0: 3 minutes.
	Timeout time.Duration

	// Handle gets the events, see Dialog.Handle; nil: that can be set later.
	Handle func(Event)
}

// Credentials are a name and a password for digest authentication (RFC 3261
// 22). They do not show the password when they are printed or logged.
type Credentials struct {
	Realm    string // "": any
	Username string
	Password string
}

// String leaves the password out.
func (c Credentials) String() string { return fmt.Sprintf("%s@%s", c.Username, c.Realm) }

// GoString leaves the password out.
func (c Credentials) GoString() string {
	return fmt.Sprintf("sip.Credentials{Realm:%q, Username:%q}", c.Realm, c.Username)
}

// LogValue leaves the password out.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("realm", c.Realm), slog.String("username", c.Username))
}

// Call places a call. It waits neither for the peer nor for a name server: what
// becomes of the call comes as events, of which EventAccepted or EventRefused
// is the answer. An error means that o is faulty, that the endpoint is closed, or that
// there are Config.MaxDialogs dialogs already (ErrFull).
func (e *Endpoint) Call(o Outgoing) (*Dialog, error) {
	return nil, fmt.Errorf("sip: call: %w", errors.ErrUnsupported)
}

// ErrFull is returned by Endpoint.Call when there is no room for one more dialog.
var ErrFull = errors.New("sip: too many dialogs")

// Cancel gives an outgoing call up that was not answered yet, with the headers
// h, such as Reason, in the CANCEL (RFC 3261 9.1). It does not wait: that goes
// out once the peer has shown a sign of life, and EventRefused tells the end,
// also when a 200 crosses it, whose call is hung up at once. Cancel after
// Cancel does nothing; it returns ErrState after the answer and for a call that
// came to us, and ErrEnded after the end.
func (d *Dialog) Cancel(h ...Header) error {
	return fmt.Errorf("sip: cancel: %w", errors.ErrUnsupported)
}
