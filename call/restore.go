package call

import (
	"fmt"
	"maps"

	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media/rtp"
	"github.com/callbin/callbin/sip"
)

// Snapshot is all that is needed to go on with a call elsewhere: a JSON value.
type Snapshot struct {
	State  State             `json:"state"`
	Dialog sip.DialogState   `json:"dialog"`
	Media  *rtp.LegState     `json:"media,omitempty"`
	Vars   map[string]string `json:"vars,omitempty"`
	// Results of the flow's steps, as of action.Vars.Results.
	Results map[string]map[string]string `json:"results,omitempty"`
}

// Snapshot returns a copy of where the call stands.
func (c *Call) Snapshot() Snapshot {
	s := Snapshot{State: c.State(), Vars: c.vars.All(), Results: c.vars.Results()}
	if d := c.dialog.Load(); d != nil {
		s.Dialog = d.Snapshot()
	}
	if l := c.leg.Load(); l != nil {
		m := (*l).Snapshot()
		s.Media = &m
	}
	return s
}

// Restore takes up an answered call that another engine left without ending it: same
// dialog, same ports, same variables. A *flow.Flow goes on with the step that ran, from
// that step's beginning; any other program is one step and starts anew. A recording that
// ran has ended. The engine must listen where the other one did.
func (e *Engine) Restore(s Snapshot, p flow.Program) (*Call, error) {
	if s.State.Phase != PhaseAccepted && s.State.Phase != PhaseConfirmed {
		return nil, fmt.Errorf("call: restore %s: only an answered call can be taken up, this one is %q", s.State.Record.ID, s.State.Phase)
	}
	c := newCall(e, s.State.Record.ID, nil)
	c.journey, c.account = s.State.Record.JourneyID, s.State.Record.Account
	c.vars = e.newVars(maps.All(s.Vars))
	c.program, c.from = p, s.State.Position
	if err := c.vars.RestoreResults(s.Results); err != nil {
		return nil, fmt.Errorf("call: restore %s: %w", c.id, err)
	}
	c.seq = s.State.Seq
	c.running = true // the loop waits until everything is in place
	c.work = e.workshop.take()
	c.work.push(Input{Kind: KindRestored, State: &s.State})
	if s.Media != nil {
		l, err := e.media[0].RestoreLeg(*s.Media, c.mediaEvents())
		if err != nil {
			return nil, fmt.Errorf("call: restore %s: %w", c.id, err)
		}
		c.leg.Store(&l)
	}
	c.holding.Store(s.State.Held)
	d, err := e.sip.Restore(s.Dialog, c.sipEvent)
	if err != nil {
		if l := c.leg.Load(); l != nil {
			(*l).Close()
		}
		return nil, fmt.Errorf("call: restore %s: %w", c.id, err)
	}
	c.dialog.Store(d)
	if x := d.Invite().Authenticated; x != "" {
		c.extension.Store(&x)
	}
	if l := e.lines[s.State.Record.Trunk]; l != nil && l.take() {
		c.line = l
	}
	e.add(c, false)
	rec := s.State.Record
	e.wg.Go(func() {
		c.watch(&rec)
		c.loop()
	})
	return c, nil
}

// restored takes the state over. What waited in the other engine waits no more.
func (m *Machine) restored(in *Input) {
	m.st = Restore(*in.State).Snapshot()
	st := &m.st
	st.Seq = in.Seq
	st.WaitAnswer, st.WaitEarly, st.WaitRecord, st.WaitStop = nil, nil, nil, nil
	if st.Recording != "" {
		m.recording(&Input{At: in.At, Recording: &RecordingInput{ID: st.Recording, Event: "ended", Reason: "lost"}})
	}
	st.Transcribing, st.Streams = "", nil
	st.Redirect, st.NextFlow = nil, ""
	m.restoreControls()
	st.Silent, st.SilenceTold = false, false // the new media leg listens anew
	if st.FlowRuns {
		m.do(Effect{Do: DoStartFlow})
	}
	st.Meter.Asking = false
	if st.Meter.Reserves && !st.Record.TmProgressing.IsZero() {
		m.meterWaits(in.At)
	}
	m.do(Effect{Do: DoTimer, Text: "max_duration", Delay: st.MaxDuration})
}
