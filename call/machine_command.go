package call

import (
	"fmt"
	"maps"
	"slices"

	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

func (m *Machine) command(in *Input) {
	c := in.Command
	if m.st.Phase == PhaseEnded {
		text := "the call has ended"
		if c.Name == "hangup" {
			text = ""
		}
		if c.Ref != 0 { // 0: nobody waits for it
			m.do(Effect{Do: DoReply, Ref: c.Ref, Text: text})
		}
		return
	}
	switch c.Name {
	case "answer":
		m.answer(in.At, c.Ref)
	case "early":
		m.early(c.Ref)
	case "hangup":
		m.do(Effect{Do: DoReply, Ref: c.Ref})
		m.end(in.At, *c.End)
	case "record":
		m.record(c)
	case "record_stop":
		if m.st.Recording == "" {
			m.do(Effect{Do: DoReply, Ref: c.Ref, Text: "no recording is running"})
			return
		}
		m.st.WaitStop = append(m.st.WaitStop, c.Ref)
		m.do(Effect{Do: DoRecordStop, Text: m.st.Recording})
	case "record_wait":
		if m.st.Recording == "" || m.st.Recording != c.Record.ID {
			m.do(Effect{Do: DoReply, Ref: c.Ref})
			return
		}
		m.st.WaitRecorded = append(m.st.WaitRecorded, c.Ref)
	case "metadata":
		m.metadata(c)
	case "chain":
		m.st.Record.ChainedCallIDs = append(m.st.Record.ChainedCallIDs, c.CallID)
		m.do(Effect{Do: DoReply, Ref: c.Ref})
		m.emit("call_updated")
	case "unchain":
		m.st.Record.ChainedCallIDs = slices.DeleteFunc(slices.Clone(m.st.Record.ChainedCallIDs), func(id string) bool { return id == c.CallID })
		m.do(Effect{Do: DoReply, Ref: c.Ref})
		m.emit("call_updated")
	case "refer":
		m.refer(c)
	case "mute":
		m.mute(c)
	case "hold":
		m.hold(in.At, HoldWaits{Ref: c.Ref, SwitchCommand: *c.Switch})
	case "redirect":
		m.redirect(in.At, c)
	case "moh", "silence":
		m.turnTo(in.At, c)
	default:
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: fmt.Sprintf("unknown command %q", c.Name)})
	}
}

func (m *Machine) metadata(c *Command) {
	have := maps.Clone(m.st.Record.Metadata)
	if have == nil {
		have = map[string]string{}
	}
	for k, v := range c.Values {
		if k == "" || len(k) > MaxMetadataKey || len(v) > MaxMetadataValue {
			m.do(Effect{Do: DoReply, Ref: c.Ref, Text: fmt.Sprintf("key %.20q: a key has 1 to %d bytes, a value %d at most", k, MaxMetadataKey, MaxMetadataValue)})
			return
		}
		have[k] = v
	}
	if len(have) > MaxMetadata {
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: fmt.Sprintf("more than %d keys", MaxMetadata)})
		return
	}
	m.st.Record.Metadata = have
	m.do(Effect{Do: DoReply, Ref: c.Ref})
	m.emit("call_updated")
}

func (m *Machine) answer(at store.Time, ref int) {
	switch m.st.Phase {
	case PhaseConfirmed:
		m.do(Effect{Do: DoReply, Ref: ref})
	case PhaseAccepted:
		m.st.WaitAnswer = append(m.st.WaitAnswer, ref)
	default:
		m.st.WaitAnswer = append(m.st.WaitAnswer, ref)
		if m.isOutgoing() { // it is the far end that answers
			return
		}
		if m.st.HasMedia {
			m.accept(at, m.st.Answer)
		} else if len(m.st.WaitAnswer) == 1 {
			m.do(Effect{Do: DoNegotiate, For: "answer", Body: m.st.Offer})
		}
	}
}

// mute changes what is silent: the two directions are independent of each other.
func (m *Machine) mute(c *Command) {
	now := map[media.Direction]bool{}
	switch d := media.Direction(m.st.Record.MuteDirection); d {
	case media.Both:
		now[media.In], now[media.Out] = true, true
	default:
		now[d] = true
	}
	for _, d := range []media.Direction{media.In, media.Out} {
		if c.Mute.Direction == d || c.Mute.Direction == media.Both {
			now[d] = c.Mute.On
		}
	}
	var d media.Direction
	switch {
	case now[media.In] && now[media.Out]:
		d = media.Both
	case now[media.In]:
		d = media.In
	case now[media.Out]:
		d = media.Out
	}
	m.st.Record.MuteDirection = string(d)
	m.st.Silenced = m.silenced()
	m.do(Effect{Do: DoMute, Text: string(m.st.Silenced)})
	m.do(Effect{Do: DoReply, Ref: c.Ref})
	m.emit("call_updated")
}

func (m *Machine) early(ref int) {
	switch {
	case m.st.HasMedia:
		m.do(Effect{Do: DoReply, Ref: ref})
	case m.isOutgoing(): // media comes from the far end, early or with the answer
		m.st.WaitEarly = append(m.st.WaitEarly, ref)
	case m.st.Late && !m.st.Reliable:
		m.do(Effect{Do: DoReply, Ref: ref, Text: "early media is not possible: the INVITE has no offer"})
	default:
		m.st.WaitEarly = append(m.st.WaitEarly, ref)
		if len(m.st.WaitEarly) == 1 {
			m.do(Effect{Do: DoNegotiate, For: "early", Body: m.st.Offer})
		}
	}
}

func (m *Machine) record(c *Command) {
	if m.st.Record.Status != store.StatusProgressing || !m.st.HasMedia {
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: "only an answered call can be recorded"})
		return
	}
	if m.st.Recording != "" {
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: "recording " + m.st.Recording + " is already running"})
		return
	}
	m.st.Recording = c.Record.ID
	m.st.RecordOnEnd = c.Record.Options.OnEndFlowID
	m.st.RecordKey = c.Record.Options.EndOfKey
	if m.st.RecordKey == "none" {
		m.st.RecordKey = ""
	}
	m.st.WaitRecord = append(m.st.WaitRecord, c.Ref)
	m.do(Effect{Do: DoRecord, Record: c.Record})
}

func (m *Machine) recording(in *Input) {
	r := in.Recording
	if r.ID != m.st.Recording {
		return
	}
	if r.Event == "started" {
		m.st.Record.RecordingID = r.ID
		m.st.Record.RecordingIDs = append(m.st.Record.RecordingIDs, r.ID)
		m.do(Effect{Do: DoEmit, Text: "recording_started", Recording: r, For: m.st.RecordOnEnd})
		m.reply(&m.st.WaitRecord, "")
		return
	}
	started := len(m.st.WaitRecord) == 0
	onEnd := m.st.RecordOnEnd
	m.st.Recording, m.st.RecordOnEnd, m.st.RecordKey, m.st.Record.RecordingID = "", "", "", ""
	m.reply(&m.st.WaitRecord, r.Error)
	m.reply(&m.st.WaitStop, r.Error)
	if started {
		m.do(Effect{Do: DoEmit, Text: "recording_finished", Recording: r, For: onEnd})
		if onEnd != "" {
			m.do(Effect{Do: DoOnEnd, Text: onEnd, For: r.ID})
		}
	}
	m.reply(&m.st.WaitRecorded, "") // behind the event: who waits goes on when it is told
}
