package call

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
	"github.com/callbin/callbin/store"
)

// Defaults of Config.
const (
	DefaultMaxCallDuration = time.Hour
	DefaultDrainTimeout    = 30 * time.Second
	DefaultRingTimeout     = 60 * time.Second
)

// Store is what an Engine keeps calls in; every store.Store is one.
type Store interface {
	store.Calls
	store.Recordings
	store.Groupcalls
	store.Traces
	store.Blobs
}

// Config of an Engine. Only Route is needed; zero values are the documented defaults.
type Config struct {
	// Listen are the SIP addresses; none: udp and tcp on 127.0.0.1:5060.
	Listen []sip.Listen
	// LocalNets are networks whose peers are shown bound addresses instead of advertised ones.
	LocalNets []netip.Prefix
	// RTP is where sound goes. Its Shards are the engine's, made after Shards.
	RTP    rtp.Config
	Shards media.ShardsConfig
	// Media makes the media legs; nil: RTP only.
	Media []MediaFactory

	// Deps are what the actions of the flows were made with; see Abilities.
	Deps action.Deps
	// Verification says how callers are verified, and what becomes of those that fail. The zero value refuses who shows a number or an extension of
	// ours, or a number that is malformed, and notes the rest; scanners get no answer. See package verify.
	Verification verify.Config
	// Verify runs before Route for each incoming call in place of the checks of Verification, which Engine.VerifyCaller makes. Nil: these.
	Verify func(ctx context.Context, in *Incoming) (Verdict, error)
	// Owned tells whether an address is one of ours: a call from outside must not show it. Extensions are so in any case.
	Owned func(a address.Address) bool
	// Route chooses the flow of an incoming call. ErrNoFlow refuses it with 404, a
	// *Refusal as it says, any other error with 500. It runs on a goroutine of the
	// call's; ctx ends when the caller gives up.
	Route func(ctx context.Context, in *Incoming) (flow.Program, error)
	// FlowByID finds the flows that actions name by id (on_end_flow_id). Nil: none.
	FlowByID func(ctx context.Context, id string) (flow.Program, error)

	// Store keeps records, traces and recordings. Nil: nothing is kept, and nothing can be recorded.
	Store Store
	// OnEvent is told of each event: those of one call one after the other, on its loop, those of different
	// calls and of conferences at the same time. It must not block; what takes time subscribes (Engine.Subscribe).
	OnEvent func(Event)
	// EventHistory is how many of the last events are kept for subscribers that go on after an interruption (SubscribeOptions.After), from the first
	// subscription on. 0: DefaultEventHistory; at least 256.
	EventHistory int
	// QualityInterval is how often each answered call tells how it sounds, by a call_quality event, of which there is one at its end in any
	// case. The figures stand in its trace, too: some 300 bytes each time. 0: not before the end.
	QualityInterval time.Duration

	// Extensions are the phones of ours: they register, are rung by destinations of type extension, and what they dial
	// needs their password. Nil: none.
	Extensions Extensions
	// Agents are people and teams, who have several addresses: who stands behind a destination of type agent, and who serves
	// Queues. Nil: none.
	Agents Agents
	// Directory is what UseDirectory made. Nil: nothing can be configured while the engine runs.
	Directory *Directory
	// Mailboxes are where messages are left, and who may hear them, where the Store is also a store.Voicemails. Nil: each of the Extensions has
	// one, without a PIN.
	Mailboxes Mailboxes
	// Realm is that of digest authentication; "": DefaultRealm.
	Realm string
	// Registrar and Auth have the limits of registration and authentication; what the engine knows itself (Auth, Realm,
	// Secrets, Limit, OnChange, Logger) is set by it.
	Registrar sip.RegistrarConfig
	Auth      sip.AuthConfig
	// RegistrationFile is where registrations are written once a minute and at the end of Run, and read by New, so that a
	// restart does not lose the phones. "": nowhere.
	RegistrationFile string
	// Watching says what the phones of extensions see of each other: lamps for who is busy (RFC 4235) and for waiting messages
	// (RFC 3842, Engine.SetMessages).
	Watching Watching

	// Outbound says what may be dialled and shown, Trunks by which ways numbers go out, Routes in which order. The zero value
	// lets nothing out.
	Outbound Outbound
	Trunks   []Trunk
	Routes   []Route
	// Signing is how calls by trunks with Trunk.Sign are signed (STIR/SHAKEN). The zero value signs none.
	Signing Signing
	// Velocity limits how many calls come in and go out, and how long they are. An incoming call is asked for after Verify, unless that has
	// asked already, with the Ticket of its context. Nil: no limits.
	Velocity *verify.Velocity
	// Rates are the prices of numbers that are called. Nil: calls have none.
	Rates *rating.Table
	// Accounts have the money for calls of ours to numbers: what an increment costs is reserved before it begins, the first one before
	// the INVITE, and who has nothing left is hung up. It needs Rates; a number without one is not called. Nil: there is no limit.
	Accounts rating.Accounts
	// Budget says how calls end whose account has nothing left.
	Budget BudgetOptions
	// MayShow tells whether somebody has verified that number, which a flow or the program wants to be shown to a provider as calling, is that
	// of who asks, in the words of OutboundRule.Source with spaces between them. Nil: only Owned and Outbound.Verified do.
	MayShow func(asker, number string) bool
	// MayCallBack tells why number, which is going to be called because it has called, or seems to have, must not be: the queue's callbacks
	// and voicemail's. Nil error: it may. Nil: all may.
	MayCallBack func(number string) error
	// JourneyHeader is the SIP header, such as X-Callbin-Journey, in which calls to trunks that are Trusted take their journey id
	// along, and those from such bring it. "": none; what others send is never looked at.
	JourneyHeader string
	// Queues are where callers wait for agents, from the start; Engine.CreateQueue makes others.
	Queues []QueueOptions
	// RingTimeout is how long a call of ours may ring. 0: DefaultRingTimeout.
	RingTimeout time.Duration
	// Ringback is the country whose tone an answered caller hears while connect rings
	// elsewhere, as in package media/tone. "": us.
	Ringback string
	// MusicOnHold is what somebody hears who is on hold. The zero value: a quiet tune of our own.
	MusicOnHold MusicOnHold
	// Parking says where calls are parked. The zero value: the orbits 701 to 720, for two minutes.
	Parking Parking
	// Supervise says whether supervisor may hear, and be heard in, what target talks: nil allows it, the error tells why not.
	// Nil: the program may (Call.Supervise), a flow may not.
	Supervise func(ctx context.Context, supervisor, target *Call, mode SuperviseMode) error
	// OpenRooms makes a conference, or bridge, of any name at the moment that somebody joins it; it
	// ends with its last member. Else only those can be joined that the program has made.
	OpenRooms bool
	// RoomOptions are those of the conferences that OpenRooms makes, but for ID.
	RoomOptions ConferenceOptions
	// Actions is what the inline flows of the call action are made of. Nil: the built-in ones.
	Actions *action.Registry

	// Overload says when the machine takes no more new calls. The zero value does by how late it is.
	Overload Overload
	// SessionTimer is how often calls prove that they are still up (RFC 4028): a peer that has vanished ends
	// its call. The zero value: every 15 minutes, with peers that support it.
	SessionTimer sip.SessionTimer
	// Reliable says which provisional responses are sent reliably (RFC 3262). "": early media, to
	// callers that support it.
	Reliable sip.Reliable
	// Answering are the times by which the amd action tells a human from a machine; its Rate is the call's.
	Answering media.AnswerOptions
	// Streams says how programs outside are reached that get the sound of calls. The zero value reaches public addresses.
	Streams StreamConfig
	// MediaTimeout is what happens to a call without sound. The zero value: a warning after 30 s.
	MediaTimeout MediaTimeout

	MaxCallDuration time.Duration // of any call, from its beginning; 0: DefaultMaxCallDuration
	MaxCalls        int           // more at once are refused with 503; 0: no limit
	DrainTimeout    time.Duration // 0: DefaultDrainTimeout
	UserAgent       string        // 0: "Callbin"
	Logger          *slog.Logger  // nil: slog.Default()
}
