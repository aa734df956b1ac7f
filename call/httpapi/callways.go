package httpapi

import (
	"context"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Parker parks calls; *call.Engine does.
type Parker interface {
	Park(ctx context.Context, c *call.Call, o call.ParkOptions) (orbit string, err error)
}

// wayRows are what changes where calls go: other flows, other steps, other people.
func (a *api) wayRows() []operation {
	rows := []operation{
		op("continueCall", "POST /calls/{id}/continue", "calls:write", "Let a flow go on that stands at a block action", a.step((*call.Call).Continue)).
			tells("action_id and execution are those of current_action of the activeflow, so that a request that comes late does nothing."),
		op("skipCall", "POST /calls/{id}/skip", "calls:write", "End the action that runs; the flow goes on with the next one", a.step((*call.Call).Skip)),
		op("stopFlowCall", "POST /calls/{id}/stop", "calls:write", "End the flow of a call, and the call", a.control(func(_ context.Context, c *call.Call) error {
			c.StopFlow()
			return nil
		})),
		op("createTransfer", "POST /transfers", "calls:write", "Hand on whom a call talks to", a.createTransfer).
			tells("Blind: the transferer is hung up, and the other one is connected with who answers. Attended: the transferer talks to who answers first, and hands on by hanging up, or by complete."),
		op("transferCall", "POST /calls/{id}/transfer", "calls:write", "Hand on whom the call talks to", a.transferCall),
		op("getTransferCall", "GET /calls/{id}/transfer", "calls:read", "The transfer that a call takes part in", a.getTransfer),
		op("completeTransferCall", "POST /calls/{id}/transfer/complete", "calls:write", "Join the two others of an attended transfer", a.changeTransfer((*call.Transfer).Complete)),
		op("cancelTransferCall", "POST /calls/{id}/transfer/cancel", "calls:write", "Give a transfer up", a.changeTransfer((*call.Transfer).Cancel)),
	}
	if e, ok := a.cfg.Engine.(Flows); ok {
		rows = append(rows, op("redirectCall", "POST /calls/{id}/redirect", "calls:write", "Let another flow run in place of the one that runs",
			func(r *request, p idParams, b RedirectBody) (store.Call, error) { return a.redirect(r, e, p, b) }))
	}
	if e, ok := a.cfg.Engine.(Parker); ok {
		rows = append(rows, op("parkCall", "POST /calls/{id}/park", "calls:write", "Park a call, until another one picks it up",
			func(r *request, p idParams, b ParkBody) (Parked, error) { return a.park(r, e, p, b) }))
	}
	return rows
}

// StepBody is the stamp of a step.
type StepBody struct {
	ActionID  string `json:"action_id" opt:"required"`
	Execution int    `json:"execution,omitempty" opt:"min=0" doc:"0: any"`
}

func (a *api) step(end func(c *call.Call, actionID string, execution int) error) func(r *request, p idParams, b StepBody) (none, error) {
	return func(r *request, p idParams, b StepBody) (none, error) {
		c, err := a.up(r, p.ID)
		if err != nil {
			return none{}, err
		}
		return none{}, refusedBy(end(c, b.ActionID, b.Execution))
	}
}

// RedirectBody is the body of POST /calls/{id}/redirect.
type RedirectBody struct{ programBody }

func (a *api) redirect(r *request, e Flows, p idParams, b RedirectBody) (store.Call, error) {
	c, err := a.up(r, p.ID)
	if err != nil {
		return store.Call{}, err
	}
	program, err := r.program(e, b.programBody, true)
	if err != nil {
		return store.Call{}, err
	}
	if err := c.Redirect(r.ctx, program); err != nil {
		return store.Call{}, refusedBy(err)
	}
	return c.Record(), nil
}

// ParkBody is the body of POST /calls/{id}/park.
type ParkBody struct {
	Orbit    string          `json:"orbit,omitempty" doc:"none: a free one"`
	Timeout  int64           `json:"timeout,omitempty" opt:"ms,min=0,max=86400000" doc:"milliseconds until nobody has come; 0: as configured"`
	Return   address.Address `json:"return,omitzero" doc:"who is called then; none: who it talked with"`
	NoReturn bool            `json:"no_return,omitempty" doc:"it is hung up then"`
}

// Parked is where a call is parked.
type Parked struct {
	Orbit string `json:"orbit"`
}

func (a *api) park(r *request, e Parker, p idParams, b ParkBody) (Parked, error) {
	c, err := a.answered(r, p.ID)
	if err != nil {
		return Parked{}, err
	}
	orbit, err := e.Park(r.ctx, c, call.ParkOptions{Orbit: b.Orbit, Timeout: ms(b.Timeout), Return: b.Return.Normalize(), NoReturn: b.NoReturn})
	return Parked{orbit}, refusedBy(err)
}

// TransferBody is the body of POST /calls/{id}/transfer.
type TransferBody struct {
	Type         string            `json:"type" opt:"required,enum=blind|attended"`
	Destinations []address.Address `json:"destinations" opt:"required" doc:"all of them ring; who answers first is it"`
	Source       address.Address   `json:"source,omitzero" doc:"who they see as calling"`
	RingTimeout  int64             `json:"ring_timeout,omitempty" opt:"ms,min=0,max=3600000" doc:"milliseconds; 0: as configured"`
	Back         bool              `json:"back,omitempty" doc:"blind: the transferer is kept until somebody answers, and gets the other one back where nobody does"`
}

// TransferCreate is the body of POST /transfers, VoIPBIN's.
type TransferCreate struct {
	Type         string            `json:"transfer_type" opt:"required,enum=blind|attended"`
	CallID       string            `json:"transferer_call_id" opt:"required"`
	Destinations []address.Address `json:"transferee_addresses" opt:"required"`
}

func (a *api) createTransfer(r *request, _ none, b TransferCreate) (call.TransferRecord, error) {
	c, err := a.up(r, b.CallID)
	if err != nil {
		return call.TransferRecord{}, err
	}
	return transfer(r, c, "/transferee_addresses", call.TransferOptions{Type: b.Type, Destinations: b.Destinations})
}

func (a *api) transferCall(r *request, p idParams, b TransferBody) (call.TransferRecord, error) {
	c, err := a.up(r, p.ID)
	if err != nil {
		return call.TransferRecord{}, err
	}
	return transfer(r, c, "/destinations", call.TransferOptions{Type: b.Type, Destinations: b.Destinations, Source: b.Source, RingTimeout: ms(b.RingTimeout), Back: b.Back})
}

func transfer(r *request, c *call.Call, field string, o call.TransferOptions) (call.TransferRecord, error) {
	if n := len(o.Destinations); n > action.MaxDestinations {
		return call.TransferRecord{}, r.invalid(field, "%d destinations are more than %d", n, action.MaxDestinations)
	}
	if err := o.Check(); err != nil {
		return call.TransferRecord{}, r.invalid("", "%s", plain(err))
	}
	t, err := c.Transfer(r.ctx, o)
	if err != nil {
		return call.TransferRecord{}, refusedBy(err)
	}
	return t.Record(), nil
}

// transferring is the transfer that a call takes part in.
func (a *api) transferring(r *request, id string) (*call.Transfer, error) {
	c, err := a.up(r, id)
	if err != nil {
		return nil, err
	}
	t, ok := c.Transferring()
	if !ok {
		return nil, &failure{code: 404, status: "NOT_FOUND", reason: "not_found", message: "the call takes part in no transfer"}
	}
	return t, nil
}

func (a *api) getTransfer(r *request, p idParams, _ none) (call.TransferRecord, error) {
	t, err := a.transferring(r, p.ID)
	if err != nil {
		return call.TransferRecord{}, err
	}
	return t.Record(), nil
}

func (a *api) changeTransfer(do func(t *call.Transfer, ctx context.Context) error) func(r *request, p idParams, _ none) (call.TransferRecord, error) {
	return func(r *request, p idParams, _ none) (call.TransferRecord, error) {
		t, err := a.transferring(r, p.ID)
		if err != nil {
			return call.TransferRecord{}, err
		}
		err = do(t, r.ctx)
		return t.Record(), refusedBy(err)
	}
}
