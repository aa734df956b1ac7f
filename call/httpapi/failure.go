package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/store"
)

// Detail is one fault of a request: of a value of its body, in most cases.
type Detail struct {
	Field   string `json:"field,omitempty" doc:"JSON pointer (RFC 6901) of the value in the body, or the name of a parameter"`
	Line    int    `json:"line,omitempty" doc:"of the body, from 1"`
	Column  int    `json:"column,omitempty" doc:"of that line, in bytes from 1"`
	Message string `json:"message"`
}

// errorBody is the envelope of all errors, VoIPBIN's.
type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Status    string   `json:"status" doc:"of VoIPBIN's table, such as INVALID_ARGUMENT"`
	Reason    string   `json:"reason" doc:"for machines"`
	Message   string   `json:"message" doc:"for people"`
	RequestID string   `json:"request_id"`
	Details   []Detail `json:"details,omitempty"`
}

// failure is an error with its place in VoIPBIN's table.
type failure struct {
	code                    int // HTTP status
	status, reason, message string
	details                 []Detail
	retry                   time.Duration // Retry-After; 0: none
	allow                   string        // Allow; "": none
}

func (f *failure) Error() string { return f.message }

func invalidBody(details []Detail) error {
	slices.SortStableFunc(details, func(a, b Detail) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	details = details[:min(len(details), maxDetails)]
	message := "the body is not what is wanted"
	if len(details) > 0 {
		message = details[0].Message
		if n := len(details); n > 1 {
			message += fmt.Sprintf(" (and %d more)", n-1)
		}
	}
	return &failure{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "body", message: message, details: details}
}

func invalidParam(name string, err error) error {
	return &failure{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "parameter", message: fmt.Sprintf("%s: %v", name, err),
		details: []Detail{{Field: name, Message: err.Error()}}}
}

func notFound(what, id string) error {
	return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "not_found", message: fmt.Sprintf("there is no %s %.80q", what, id)}
}

// precondition is a request that comes at the wrong time.
func precondition(reason, format string, args ...any) error {
	return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: reason, message: fmt.Sprintf(format, args...)}
}

// unsupported is what this engine cannot do as it is configured.
func unsupported(err error) error {
	return &failure{code: http.StatusNotImplemented, status: "UNIMPLEMENTED", reason: "unsupported", message: err.Error()}
}

// flowFailure makes an error of flow.Parse one of the body. at is the pointer of the flow in the body: findings have places of their own
// where it is "", and the text that was parsed is the body.
func (r *request) flowFailure(err error, at string) error {
	var bad *flow.Error
	if !errors.As(err, &bad) {
		return err
	}
	var list []Detail
	for _, f := range bad.Findings {
		if f.Severity != flow.SeverityError {
			continue
		}
		message := f.Message
		if f.Action != "" {
			message = fmt.Sprintf("action %q: %s", f.Action, f.Message)
		}
		if f.Mend != "" {
			message += ": " + f.Mend
		}
		if list = append(list, Detail{Field: at + f.Pointer, Line: f.Line, Column: f.Column, Message: message}); len(list) == maxDetails {
			break
		}
	}
	x := invalidBody(list).(*failure)
	x.reason = "flow"
	return x
}

// classify finds the place of an error of the engine, or of a store, in the table. What is not known is a fault of ours.
func classify(err error) *failure {
	var f *failure
	var refusal *call.Refusal
	var state *call.StateError
	var broken *flow.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.Is(err, call.ErrReadOnly):
		return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: "read_only", message: call.ErrReadOnly.Error()}
	case errors.Is(err, call.ErrNoAgent), errors.Is(err, call.ErrNotInConference), errors.Is(err, call.ErrNoQueuecall), errors.Is(err, action.ErrNoQueue),
		errors.Is(err, action.ErrNoMailbox):
		return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "not_found", message: plain(err)}
	case errors.As(err, &state):
		return precondition("state", "%s", state.Reason).(*failure)
	case errors.As(err, &broken): // one that is stored: what comes in a body is r.flowFailure's
		return precondition("flow", "the flow cannot run: %s", broken.Findings[0].String()).(*failure)
	case errors.Is(err, store.ErrNotFound):
		return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "not_found", message: "there is no such thing"}
	case errors.Is(err, call.ErrNoJourney):
		return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "not_found", message: plain(err)}
	case errors.Is(err, call.ErrNoFlow):
		return &failure{code: http.StatusNotFound, status: "NOT_FOUND", reason: "no_flow", message: plain(err)}
	case errors.Is(err, store.ErrInvalid):
		return &failure{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "invalid", message: plain(err)}
	case errors.Is(err, store.ErrConflict):
		return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: "conflict", message: "somebody else has changed it meanwhile"}
	case errors.Is(err, store.ErrClosed), errors.Is(err, call.ErrNoRoom):
		return &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "no_room", message: "no more is taken at the moment", retry: time.Second}
	case errors.Is(err, call.ErrKeyConflict):
		return &failure{code: http.StatusConflict, status: "ALREADY_EXISTS", reason: "idempotency_key", message: plain(err)}
	case errors.Is(err, call.ErrKeyElsewhere):
		return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: "idempotency_key", message: plain(err)}
	case errors.Is(err, call.ErrMasterEnding), errors.Is(err, action.ErrHangup):
		return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: "call_ended", message: "the call has ended, or is about to"}
	case errors.Is(err, call.ErrStaleStep), errors.Is(err, call.ErrTransferring), errors.Is(err, call.ErrTransferOver),
		errors.Is(err, call.ErrNobodyAnswered), errors.Is(err, call.ErrBridgeEnded), errors.Is(err, call.ErrNotInBridge), errors.Is(err, action.ErrNoOrbit):
		return &failure{code: http.StatusConflict, status: "FAILED_PRECONDITION", reason: "state", message: plain(err)}
	case errors.Is(err, errors.ErrUnsupported):
		return unsupported(errors.New(plain(err))).(*failure)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "timeout", message: "it took too long", retry: time.Second}
	}
	return nil
}

// refused is what the gate does not let out: 403 for what is not allowed, 402 for what nobody can pay, 503 where there is no way.
func refused(r *call.Refusal) *failure {
	f := &failure{code: http.StatusForbidden, status: "PERMISSION_DENIED", reason: r.Code, message: r.Sentence}
	switch {
	case r.Status == http.StatusPaymentRequired:
		f.code, f.status = http.StatusPaymentRequired, "PAYMENT_REQUIRED"
	case r.Status == http.StatusServiceUnavailable:
		f.code, f.status = http.StatusServiceUnavailable, "UNAVAILABLE"
	case r.Status == http.StatusNotFound || r.Status == 484:
		f.code, f.status = http.StatusBadRequest, "INVALID_ARGUMENT"
	}
	return f
}

// plain is an error without the name of the package that it comes from.
func plain(err error) string {
	s := err.Error()
	for _, p := range []string{"call: ", "store/sqlite: ", "store: "} {
		s = strings.TrimPrefix(s, p)
	}
	return s
}
