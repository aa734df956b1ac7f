package action

import (
	"maps"
	"slices"
)

// Ability is one thing that an engine, or a leg, can do. Own actions may have own
// abilities; the text should tell the user what is missing where it is.
type Ability string

// What the built-in actions need. Those of a leg are named by their interface, the
// others by the field of Deps that brings them.
const (
	CanAnswer     Ability = "a leg with action.Answerer"
	CanHangup     Ability = "a leg with action.Hanger"
	CanPlay       Ability = "a leg with action.Player"
	CanDigits     Ability = "a leg with action.DigitReader"
	CanEcho       Ability = "a leg with action.Echoer"
	CanRecord     Ability = "a leg with action.Recorder"
	CanWaitRecord Ability = "a leg with action.RecordingWaiter"
	CanConnect    Ability = "a leg with action.Connector (an engine with Config.Outbound)"
	CanDial       Ability = "a leg with action.Dialer (an engine with Config.Outbound)"
	CanBridge     Ability = "a leg with action.Bridger"
	CanConference Ability = "a leg with action.Conferencer"
	CanSendDigits Ability = "a leg with action.DigitSender"
	CanMute       Ability = "a leg with action.Muter"
	CanPark       Ability = "a leg with action.Parker"
	CanPickUp     Ability = "a leg with action.Picker"
	CanFindFlows  Ability = "a leg with action.FlowFinder (an engine with Config.FlowByID)"
	CanFollow     Ability = "a leg with action.Follower (an engine with Config.FlowByID)"
	CanTellStatus Ability = "a leg with action.Stater"
	CanListen     Ability = "a leg with action.Listener"
	CanTranscribe Ability = "a leg with action.Transcribing"
	CanReadRecord Ability = "a leg with action.Recordings (an engine with Config.Store)"
	CanDetect     Ability = "a leg with action.MachineDetector"
	CanQueue      Ability = "a leg with action.Queuer"
	CanFork       Ability = "a leg with action.ExternalMedia"
	CanMailbox    Ability = "a leg with action.Mailboxes (an engine with a Config.Store that keeps voice messages, and Config.Mailboxes or Extensions)"

	HasPrompts Ability = "Deps.Prompts"
	HasSpeaker Ability = "Deps.Speaker"
	HasBeep    Ability = "Deps.Beep"
	HasHTTP    Ability = "Deps.HTTP"
	HasForeign Ability = "Deps.Foreign"

	HasExpressions          Ability = "Deps.Expressions"
	HasTranscriber          Ability = "Deps.Transcriber"
	HasRecordingTranscriber Ability = "Deps.RecordingTranscriber"
	HasAssistant            Ability = "Deps.Assistant"
	HasMessages             Ability = "Deps.Messages"
	HasMail                 Ability = "Deps.Mail"
	HasConversations        Ability = "Deps.Conversations"
	HasCases                Ability = "Deps.Cases"
)

// Abilities are a set, a value to be copied and compared, not to be changed once shared.
type Abilities map[Ability]bool

// AbilitiesOf returns the set of those given.
func AbilitiesOf(list ...Ability) Abilities {
	a := make(Abilities, len(list))
	for _, x := range list {
		a[x] = true
	}
	return a
}

// With returns the set of all that are in a or b.
func (a Abilities) With(b Abilities) Abilities {
	c := make(Abilities, len(a)+len(b))
	maps.Copy(c, a)
	for x, ok := range b {
		if ok {
			c[x] = true
		}
	}
	return c
}

// List returns the abilities in the set, sorted.
func (a Abilities) List() []Ability {
	var list []Ability
	for x, ok := range a {
		if ok {
			list = append(list, x)
		}
	}
	slices.Sort(list)
	return list
}

// Without returns the set without those of list.
func (a Abilities) Without(list ...Ability) Abilities {
	b := a.With(nil)
	for _, x := range list {
		delete(b, x)
	}
	return b
}

// AllAbilities is the set of all that the built-in actions may need: what an engine with
// everything could do.
func AllAbilities() Abilities {
	return AbilitiesOf(CanAnswer, CanHangup, CanPlay, CanDigits, CanEcho, CanRecord, CanWaitRecord, CanConnect, CanDial, CanBridge,
		CanConference, CanSendDigits, CanMute, CanPark, CanPickUp, CanFindFlows, CanFollow, CanTellStatus, CanListen, CanTranscribe,
		CanReadRecord, CanDetect, CanQueue, CanFork, CanMailbox, HasPrompts, HasSpeaker, HasBeep, HasHTTP, HasForeign, HasExpressions,
		HasTranscriber, HasRecordingTranscriber, HasAssistant, HasMessages, HasMail, HasConversations, HasCases)
}

// Abilities returns what actions can do because of d.
func (d Deps) Abilities() Abilities {
	a := make(Abilities)
	for x, ok := range map[Ability]bool{
		HasPrompts: d.Prompts != nil,
		HasSpeaker: d.Speaker != nil,
		HasBeep:    d.Beep != nil,
		HasHTTP:    d.HTTP != nil,
		HasForeign: d.Foreign != nil,

		HasExpressions:          d.Expressions != nil,
		HasTranscriber:          d.Transcriber != nil,
		HasRecordingTranscriber: d.RecordingTranscriber != nil,
		HasAssistant:            d.Assistant != nil,
		HasMessages:             d.Messages != nil,
		HasMail:                 d.Mail != nil,
		HasConversations:        d.Conversations != nil,
		HasCases:                d.Cases != nil,
	} {
		if ok {
			a[x] = true
		}
	}
	return a
}

// LegAbilities returns what leg can do.
func LegAbilities(leg Leg) Abilities {
	a := make(Abilities)
	has[Answerer](a, leg, CanAnswer)
	has[Hanger](a, leg, CanHangup)
	has[Player](a, leg, CanPlay)
	has[DigitReader](a, leg, CanDigits)
	has[Echoer](a, leg, CanEcho)
	has[Recorder](a, leg, CanRecord)
	has[RecordingWaiter](a, leg, CanWaitRecord)
	has[Connector](a, leg, CanConnect)
	has[Dialer](a, leg, CanDial)
	has[Bridger](a, leg, CanBridge)
	has[Conferencer](a, leg, CanConference)
	has[DigitSender](a, leg, CanSendDigits)
	has[Muter](a, leg, CanMute)
	has[Parker](a, leg, CanPark)
	has[Picker](a, leg, CanPickUp)
	has[FlowFinder](a, leg, CanFindFlows)
	has[Follower](a, leg, CanFollow)
	has[Stater](a, leg, CanTellStatus)
	has[Listener](a, leg, CanListen)
	has[Transcribing](a, leg, CanTranscribe)
	has[Recordings](a, leg, CanReadRecord)
	has[MachineDetector](a, leg, CanDetect)
	has[Queuer](a, leg, CanQueue)
	has[ExternalMedia](a, leg, CanFork)
	has[Mailboxes](a, leg, CanMailbox)
	return a
}

func has[T any](a Abilities, leg Leg, x Ability) {
	if _, err := Need[T](leg); err == nil {
		a[x] = true
	}
}
