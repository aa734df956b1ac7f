package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Types of a Transfer.
const (
	TransferBlind    = "blind"    // the other side is connected to who answers
	TransferAttended = "attended" // who transfers talks to who answers first
)

// Statuses of a TransferRecord.
const (
	TransferProgressing = "progressing"
	TransferCompleted   = "completed" // the other side talks to the target
	TransferFailed      = "failed"
)

// TransferOptions of one transfer. Type and Destinations are needed.
type TransferOptions struct {
	Type         string            // TransferBlind or TransferAttended
	Destinations []address.Address // that all ring, 1 to action.MaxDestinations; who answers first is the target
	// Source is who they see as calling. The zero value: of a blind transfer who is transferred, of an attended one who
	// transfers; a provider sees what it would of a call of who transfers.
	Source      address.Address
	RingTimeout time.Duration // 0: Config.RingTimeout
	// Back has a blind transfer keep the transferer until somebody answers, and join it with the other side again where nobody does. Else it
	// is hung up at once, as VoIPBIN does.
	Back bool
}

// Check tells all that is wrong with o.
func (o TransferOptions) Check() error {
	var errs []error
	if o.Type != TransferBlind && o.Type != TransferAttended {
		errs = append(errs, fmt.Errorf("call: transfer: type %.40q is neither %s nor %s", o.Type, TransferBlind, TransferAttended))
	}
	if n := len(o.Destinations); n == 0 || n > action.MaxDestinations {
		errs = append(errs, fmt.Errorf("call: transfer: %d destinations are not 1 to %d", n, action.MaxDestinations))
	}
	if o.RingTimeout < 0 {
		errs = append(errs, errors.New("call: transfer: RingTimeout is negative"))
	}
	if o.Back && o.Type == TransferAttended {
		errs = append(errs, errors.New("call: transfer: Back is for a blind one: an attended one that fails goes back in any case"))
	}
	return errors.Join(errs...)
}

// TransferRecord is how a transfer stands: VoIPBIN's, and what became of it. Who is transferred is the held call, who is called the
// transferee.
type TransferRecord struct {
	ID                  string            `json:"id"`
	Type                string            `json:"type"`
	Status              string            `json:"status"`
	TransfererCallID    string            `json:"transferer_call_id"`
	TransfereeAddresses []address.Address `json:"transferee_addresses"`
	TransfereeCallID    string            `json:"transferee_call_id,omitempty"` // who has answered
	HeldCallID          string            `json:"held_call_id"`
	GroupcallID         string            `json:"groupcall_id,omitempty"` // of the calls to the addresses
	ConfbridgeID        string            `json:"confbridge_id"`
	JourneyID           string            `json:"journey_id"`
	SIPCode             int               `json:"sip_code,omitempty"` // of the best of the attempts
	Code                string            `json:"code,omitempty"`     // why it failed
	Sentence            string            `json:"sentence,omitempty"`
	TmCreate            store.Time        `json:"tm_create"`
	TmUpdate            store.Time        `json:"tm_update"`
	TmEnd               store.Time        `json:"tm_end,omitzero"`
}

var (
	// ErrTransferring is returned for a call that takes part in another transfer.
	ErrTransferring = errors.New("call: the call takes part in a transfer already")
	// ErrTransferOver is returned by the methods of a Transfer that is over.
	ErrTransferOver = errors.New("call: the transfer is over")
	// ErrNobodyAnswered is returned by Transfer.Complete while the target rings.
	ErrNobodyAnswered = errors.New("call: nobody has answered yet")
)

var (
	transferredEnd = End{By: "local", Reason: store.ReasonNormal, Status: 200, Cause: 16,
		Code: CodeTransferred, Sentence: "the call has transferred the other side"}
	replacedEnd = End{By: "local", Reason: store.ReasonNormal, Status: 200, Cause: 16,
		Code: CodeReplaced, Sentence: "another call has taken its place"}
	otherSideEnded = End{By: "local", Reason: store.ReasonNormal, Status: 487, Cause: 16,
		Code: CodeConnectEnded, Sentence: "the other side of the talk has ended"}
	transferCancelled = End{By: "local", Reason: store.ReasonCancel, Status: 487, Cause: 16,
		Code: CodeConnectEnded, Sentence: "the transfer was given up"}
)

// Transfer is that of a call which talks to another one, in a connect: that other one, held meanwhile, goes on with somebody else. All of
// its methods are safe for any goroutine. Exactly one event, transfer_completed or transfer_failed, follows its transfer_started.
type Transfer struct {
	engine   *Engine
	by, held *Call       // who transfers whom
	bridge   *Confbridge // of the two
	consult  *Confbridge // of by and the target, of an attended one; nil: none
	hunt     *hunt       // whose inbox is the transfer's; nil of what is over at once
	unchain  *Call       // the master of the two, from which the other one was taken; nil: neither is
	refer    uint32
	asker    asker  // who transfers
	dialsBy  string // and by what
	done     chan struct{}
	linked   atomic.Bool // the trace of by tells of it

	// Owned by who takes the hunt's notices.
	seat    *absence // of by
	parted  bool     // by has ended, or is out for good
	sound   func()   // ends what is played
	target  *Call    // who has answered
	limit   *time.Timer
	settled bool // it is known what became of it

	mu     sync.Mutex
	record TransferRecord // guarded by mu
}

// ID returns the transfer's id, a UUID.
func (t *Transfer) ID() string { return t.Record().ID }

// Record returns how the transfer stands.
func (t *Transfer) Record() TransferRecord {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.record
	r.TransfereeAddresses = slices.Clone(r.TransfereeAddresses)
	return r
}

// Done is closed when it is known what became of the transfer.
func (t *Transfer) Done() <-chan struct{} { return t.done }

// Transferring is the transfer that the call takes part in.
func (c *Call) Transferring() (*Transfer, bool) {
	t := c.transfer.Load()
	return t, t != nil
}

// Transfer transfers whom the call talks to, and returns at once: Transfer.Done tells when it is over. The call and the other one must be the
// two of a connect; the flow of the one that runs the connect goes on with it, with the target in place of who has left.
//
// Blind: the call is hung up, with code transferred, unless TransferOptions.Back keeps it; the other one hears it ring, and then the first
// that answers. Where nobody does, the connect is over: its flow goes on, or its leg ends.
//
// Attended: the other one hears that it is held, and nothing else, while the call hears it ring and talks to who answers. When the call ends, or
// by Transfer.Complete, the two others are joined; before the answer its end is that of the connect. Cancel, a target that ends, and one that
// does not answer bring the old talk back. When the held one ends, the call and the target talk on.
//
// What is dialled passes Config.Outbound as any other call. It returns ErrTransferring for a call that is in a transfer, an error for
// one that does not talk to exactly one other.
func (c *Call) Transfer(ctx context.Context, o TransferOptions) (*Transfer, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	t, err := c.beginTransfer(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("call: transfer of call %s: %w", c.id, err)
	}
	t.dial(o, true)
	if o.Type == TransferBlind && !o.Back {
		t.parted = true // its flow ends only now, and notes the link
		t.by.hangUp(transferredEnd)
	}
	c.engine.wg.Go(t.run)
	return t, nil
}

// beginTransfer takes the call and the other one out of their talk.
func (c *Call) beginTransfer(ctx context.Context, o TransferOptions) (*Transfer, error) {
	if c.transfer.Load() != nil {
		return nil, ErrTransferring
	}
	b := c.bridge.Load()
	if b == nil {
		return nil, errNotTwo
	}
	other := b.other(c)
	if other == nil {
		return nil, errNotTwo
	}
	rec := c.Record()
	now := store.At(time.Now())
	t := &Transfer{engine: c.engine, by: c, held: other, bridge: b, hunt: newHunt(c.engine), done: make(chan struct{}), sound: func() {}, asker: asker{program: true}, dialsBy: byTransfer, record: TransferRecord{
		ID: newID(), Type: o.Type, Status: TransferProgressing, TransfererCallID: c.id, HeldCallID: other.id, TransfereeAddresses: slices.Clone(o.Destinations),
		ConfbridgeID: b.id, JourneyID: rec.JourneyID, TmCreate: now, TmUpdate: now,
	}}
	if o.Type == TransferAttended {
		t.consult = c.engine.newConfbridge(newID(), store.TypeConnect)
	}
	if err := t.claim(c, other); err != nil { // from here on they may tell that they have left
		return nil, err
	}
	if err := b.take(); err != nil {
		t.release()
		return nil, err
	}
	err := t.separate(ctx)
	if err == nil {
		t.seat, err = b.stepOut(c)
	}
	if err != nil {
		t.rechain(ctx)
		t.release()
		b.giveBack(true)
		return nil, err
	}
	t.emit("transfer_started")
	return t, nil
}

// claim keeps other transfers from the calls.
func (t *Transfer) claim(calls ...*Call) error {
	for i, c := range calls {
		if !c.transfer.CompareAndSwap(nil, t) {
			for _, d := range calls[:i] {
				d.transfer.CompareAndSwap(t, nil)
			}
			return ErrTransferring
		}
	}
	return nil
}

func (t *Transfer) release() {
	t.by.transfer.CompareAndSwap(t, nil)
	t.held.transfer.CompareAndSwap(t, nil)
}

// separate makes the end of the two independent of each other.
func (t *Transfer) separate(ctx context.Context) error {
	master, err := unchain(ctx, t.by, t.held)
	t.unchain = master
	return err
}

// unchain takes the one of a and b that is chained to the other from it, and returns that other.
func unchain(ctx context.Context, a, b *Call) (master *Call, err error) {
	for _, pair := range [][2]*Call{{a, b}, {b, a}} {
		if pair[1].Record().MasterCallID == pair[0].id {
			if pair[0].isEnding() {
				return nil, ErrMasterEnding
			}
			return pair[0], pair[0].command(ctx, Command{Name: "unchain", CallID: pair[1].id})
		}
	}
	return nil, nil
}

// rechain takes that back.
func (t *Transfer) rechain(ctx context.Context) {
	if t.unchain == nil {
		return
	}
	leg := t.held
	if t.unchain == t.held {
		leg = t.by
	}
	if err := t.unchain.command(ctx, Command{Name: "chain", CallID: leg.id}); err != nil {
		leg.hangUp(masterEnded)
	}
}

// Complete has the transferer of an attended transfer leave, so that the two others talk to each other. It returns when they do, or with
// ErrNobodyAnswered, ErrTransferOver.
func (t *Transfer) Complete(ctx context.Context) error { return t.ask(ctx, "complete") }

// Cancel gives the transfer up: who is called is hung up, and the old talk goes on, where the transferer is still there; else the other one's
// connect is over. ErrTransferOver.
func (t *Transfer) Cancel(ctx context.Context) error { return t.ask(ctx, "cancel") }

// ask has what done by who takes the notices.
func (t *Transfer) ask(ctx context.Context, what string) error {
	if t.hunt == nil {
		return ErrTransferOver
	}
	reply := make(chan error, 1)
	t.hunt.post(notice{what: what, reply: reply})
	select {
	case err := <-reply:
		return err
	case <-t.done:
		select {
		case err := <-reply:
			return err
		default:
			return ErrTransferOver
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// left is called when nobody waits for the end of c any more: it has ended, or its flow does something else.
func (t *Transfer) left(c *Call) {
	if t.hunt == nil {
		return
	}
	if r := t.Record(); c == t.by && r.Status == TransferProgressing && c.isEnding() && (t.consult == nil || r.TransfereeCallID != "") {
		// This is how it transfers; later its record is stored.
		t.link(r.TransfereeCallID, r.Type)
	}
	t.hunt.post(notice{what: "left", gone: c})
}

// link notes in the trace of who transfers that it does, once: its own end and the target's answer may come at one time.
func (t *Transfer) link(callID, detail string) {
	if t.linked.CompareAndSwap(false, true) {
		t.by.link(LinkInput{What: LinkTransfer, CallID: callID, Detail: detail})
	}
}

func (t *Transfer) change(f func(r *TransferRecord)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.record)
	t.record.TmUpdate = store.At(time.Now())
}

// emit tells of the transfer.
func (t *Transfer) emit(event string) {
	r := t.Record()
	t.engine.tellGuarded(Event{Type: event, Time: r.TmUpdate.Time, Data: r})
}
