// Package action says what a step of a flow is, what a leg can do, and brings the
// built-in steps.
//
// There are three things to know. An Action is one step: a struct whose exported
// fields with JSON tags are its options, and a Run method in plain blocking Go. A
// Leg is what it runs on; what a leg can do are small interfaces (Answerer, Player,
// DigitReader, ...) found by Need. A Registry is the list of names that a flow may
// use; Builtin makes the one with VoIPBIN's names, to which own actions are added:
//
//	// Lucky says whether the caller's number is lucky: {"type":"lucky","option":{"ending":"7"}}.
//	type Lucky struct {
//		Ending string `json:"ending" opt:"required" doc:"last digits of a lucky number"`
//	}
//
//	func (a *Lucky) Run(ctx context.Context, leg action.Leg) (action.Outcome, error) {
//		if strings.HasSuffix(leg.Vars().Get("voipbin.call.source.target"), a.Ending) {
//			return action.Goto("winner"), nil
//		}
//		return action.Continue(), nil
//	}
//
//	reg := action.Builtin(action.Deps{Speaker: speaker})
//	action.Register[Lucky](reg, "lucky")
//
// The tags opt and doc (see Option) describe an option to the check of flows and to editors.
//
// An action may also implement Shaped (how the flow goes on after it), Checker (faults found when the flow is loaded),
// Needer (what it needs of the engine), Timed (how it stands to time and digits),
// Substituter (how variables go into its options) and Nested (options that hold flows).
// Each run of a step has its own copy of the struct, so Run may change its fields.
//
// The package knows no SIP, RTP, sound format or HTTP server: what the built-in
// actions need of the world is in Deps.
package action
