package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Dialer places calls; *call.Engine does. Whatever it is asked for passes Config.Outbound as the program's.
type Dialer interface {
	Flows
	Dial(ctx context.Context, o call.DialOptions) (*call.Call, error)
	Groupcall(ctx context.Context, o call.GroupcallOptions) (*call.Groupcall, error)
}

// CallCreate is the body of POST /calls.
type CallCreate struct {
	programBody
	Source       address.Address   `json:"source,omitzero" doc:"who is shown as calling; none: who the trunk says"`
	Destinations []address.Address `json:"destinations" opt:"required"`
	Anonymous    string            `json:"anonymous,omitempty" opt:"enum=yes|no|auto" doc:"yes: the number is hidden (RFC 3323)"`
	Variables    map[string]string `json:"variables,omitempty" doc:"of the flow"`

	Metadata       map[string]string `json:"metadata,omitempty" doc:"of the call, which lists can be filtered by"`
	EarlyExecution bool              `json:"early_execution,omitempty" doc:"the flow begins at ringing, and not at the answer"`
	RingTimeout    int64             `json:"ring_timeout,omitempty" opt:"ms,min=0,max=3600000" doc:"milliseconds that a call may ring; 0: as configured"`
	MaxDuration    int64             `json:"max_duration,omitempty" opt:"ms,min=0,max=86400000" doc:"milliseconds that a call may last, within what is configured; 0: that"`
	JourneyID      string            `json:"journey_id,omitempty" doc:"of the journey that the calls are part of; none: a new one for each"`
	Account        string            `json:"account,omitempty" doc:"who pays"`
}

// CallsCreated is the answer of POST /calls, with VoIPBIN's keys, and ours.
type CallsCreated struct {
	Calls      []store.Call      `json:"calls"`
	Groupcalls []store.Groupcall `json:"groupcalls"`
	Errors     []CallError       `json:"errors,omitempty" doc:"the destinations that could not be called"`
}

// CallError is why one destination is not called.
type CallError struct {
	Destination address.Address `json:"destination"`
	Field       string          `json:"field" doc:"JSON pointer of the destination in the body"`
	CallID      string          `json:"call_id,omitempty" doc:"of the record that the attempt left"`
	Status      string          `json:"status"`
	Reason      string          `json:"reason"`
	Message     string          `json:"message"`
}

func (a *api) createCalls(r *request, e Dialer, b CallCreate) (CallsCreated, error) {
	out := CallsCreated{Calls: []store.Call{}, Groupcalls: []store.Groupcall{}}
	p, err := r.program(e, b.programBody, false)
	if err != nil {
		return out, err
	}
	if n := len(b.Destinations); n > action.MaxDestinations {
		return out, r.invalid("/destinations", "%d destinations are more than %d", n, action.MaxDestinations)
	}
	wrong := r.undialable(b.Destinations)
	for i, d := range b.Destinations {
		if d.Type != address.TypeExtension && d.Type != address.TypeAgent {
			continue
		}
		for key, is := range map[string]bool{"account": b.Account != "", "max_duration": b.MaxDuration > 0} {
			if is {
				wrong = append(wrong, r.detail("/"+key, "key %q is for calls to tel and sip, and destination %d is an %s", key, i, d.Type))
			}
		}
	}
	if wrong = append(wrong, r.checkVariables(b.Variables)...); wrong == nil {
		wrong = r.checkMetadata(b.Metadata)
	}
	if wrong != nil {
		return out, invalidBody(wrong)
	}
	for i, d := range b.Destinations {
		if err := a.createCall(r, e, &out, p, b, d, fmt.Sprintf("%d", i)); err != nil {
			f := a.known(err, r)
			x := CallError{Destination: d, Field: fmt.Sprintf("/destinations/%d", i), Status: f.status, Reason: f.reason, Message: f.message}
			var placed *placedError
			if errors.As(err, &placed) {
				x.CallID = placed.id
			}
			if len(b.Destinations) == 1 {
				f.details = append(f.details, r.detail(x.Field, "%s", f.message))
				return out, f
			}
			out.Errors = append(out.Errors, x)
		}
	}
	if len(out.Calls)+len(out.Groupcalls) == 0 {
		f := failure{code: http.StatusForbidden, status: out.Errors[0].Status, reason: out.Errors[0].Reason, message: "no destination could be called: " + out.Errors[0].Message}
		for _, x := range out.Errors {
			f.details = append(f.details, r.detail(x.Field, "%s", x.Message))
		}
		f.code = codeOf(f.status)
		return out, &f
	}
	return out, nil
}

// checkVariables tells of limits that are passed: the engine would take none of them, and go on.
func (r *request) checkVariables(vars map[string]string) (wrong []Detail) {
	size := 0
	for k, v := range vars {
		if size += len(k) + len(v); len(v) > action.MaxVarValue {
			wrong = append(wrong, r.detail("/variables/"+escape.Replace(k), "the value has %d bytes, more than %d", len(v), action.MaxVarValue))
		}
	}
	if len(vars) > call.MaxInjected || size > call.MaxInjectedSize {
		wrong = append(wrong, r.detail("/variables", "%d variables of %d bytes are more than %d of %d", len(vars), size, call.MaxInjected, call.MaxInjectedSize))
	}
	return wrong
}

// checkMetadata tells of limits that are passed.
func (r *request) checkMetadata(values map[string]string) (wrong []Detail) {
	for k, v := range values {
		if k == "" || len(k) > call.MaxMetadataKey || len(v) > call.MaxMetadataValue {
			wrong = append(wrong, r.detail("/metadata/"+escape.Replace(k), "a key has 1 to %d bytes, a value %d at most", call.MaxMetadataKey, call.MaxMetadataValue))
		}
	}
	if len(values) > call.MaxMetadata {
		wrong = append(wrong, r.detail("/metadata", "%d keys are more than %d", len(values), call.MaxMetadata))
	}
	return wrong
}

// undialable is what is wrong with the destinations of a body.
func (r *request) undialable(all []address.Address) (wrong []Detail) {
	for i, d := range all {
		if at := fmt.Sprintf("/destinations/%d", i); !d.Type.Dialable() {
			wrong = append(wrong, r.detail(at+"/type", "the type %.40q cannot be called: tel, sip, extension and agent can", d.Type))
		} else if d.Target == "" && d.TargetName == "" {
			wrong = append(wrong, r.detail(at, "key %q is required", "target"))
		}
	}
	return wrong
}

// placedError is an error of a call that has left a record.
type placedError struct {
	id  string
	err error
}

func (e *placedError) Error() string { return e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// createCall calls one destination: directly, or all phones behind it.
func (a *api) createCall(r *request, e Dialer, out *CallsCreated, p flow.Program, b CallCreate, to address.Address, n string) error {
	if to.Type == address.TypeExtension || to.Type == address.TypeAgent {
		g, err := e.Groupcall(r.ctx, call.GroupcallOptions{
			Destinations: []address.Address{to}, Source: b.Source, Flow: p, EarlyExecution: b.EarlyExecution, RingMethod: store.RingAll, AnswerMethod: store.AnswerHangupOthers,
			RingTimeout: ms(b.RingTimeout), Anonymous: b.Anonymous, Variables: b.Variables, Metadata: b.Metadata, JourneyID: b.JourneyID,
		})
		if err != nil {
			return err
		}
		out.Groupcalls = append(out.Groupcalls, g.Record())
		return nil
	}
	c, err := e.Dial(r.ctx, call.DialOptions{
		Destination: to, Source: b.Source, Flow: p, EarlyExecution: b.EarlyExecution, Anonymous: b.Anonymous, RingTimeout: ms(b.RingTimeout),
		MaxDuration: ms(b.MaxDuration), Variables: b.Variables, Metadata: b.Metadata, JourneyID: b.JourneyID, Account: b.Account, IdempotencyKey: r.dialKey(n),
	})
	switch {
	case err != nil && c != nil:
		return &placedError{c.ID(), err}
	case err != nil:
		return err
	}
	out.Calls = append(out.Calls, c.Record())
	return nil
}
