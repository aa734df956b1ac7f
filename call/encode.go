package call

import "strconv"

// input adds in as one line of JSON, the same that encoding/json makes of it. The
// envelope is written by hand: each call has some thirty inputs, and looking at twenty
// fields of which one is set was most of the work.
func (l *traceLine) input(in *Input) error {
	key, v := in.payload()
	b := append(l.b, `{"seq":`...)
	b = strconv.AppendInt(b, int64(in.Seq), 10)
	b = append(b, `,"at":"`...)
	b = append(b, in.At.String()...)
	b = append(b, `","kind":"`...)
	b = append(b, in.Kind...) // our own words: nothing to escape
	b = append(b, '"')
	if key != "" {
		b = append(b, `,"`...)
		b = append(b, key...)
		b = append(b, `":`...)
		l.b = b
		if err := l.enc.Encode(v); err != nil {
			return err
		}
		b = l.b[:len(l.b)-1] // less its line break
	}
	if in.Did != "" {
		b = append(b, `,"did":"`...)
		b = append(b, in.Did...) // our own words
		b = append(b, '"')
	}
	l.b = append(b, '}', '\n')
	return nil
}

// payload is the one field that belongs to the kind, with its JSON key; "" for none.
func (in *Input) payload() (key string, v any) {
	switch {
	case in.Incoming != nil:
		return "incoming", in.Incoming
	case in.Outgoing != nil:
		return "outgoing", in.Outgoing
	case in.Invited != nil:
		return "invited", in.Invited
	case in.Bridge != nil:
		return "bridge", in.Bridge
	case in.Verdict != nil:
		return "verdict", in.Verdict
	case in.Flow != nil:
		return "flow", in.Flow
	case in.End != nil:
		return "end", in.End
	case in.SIP != nil:
		return "sip", in.SIP
	case in.Media != nil:
		return "media", in.Media
	case in.Negotiated != nil:
		return "negotiated", in.Negotiated
	case in.Command != nil:
		return "command", in.Command
	case in.Step != nil:
		return "step", in.Step
	case in.Timer != "":
		return "timer", in.Timer
	case in.Recording != nil:
		return "recording", in.Recording
	case in.Transcription != nil:
		return "transcription", in.Transcription
	case in.ExternalMedia != nil:
		return "external_media", in.ExternalMedia
	case in.Link != nil:
		return "link", in.Link
	case in.Meter != nil:
		return "meter", in.Meter
	case in.Reserved != nil:
		return "reserved", in.Reserved
	case in.Note != nil:
		return "note", in.Note
	case in.Stats != nil:
		return "stats", in.Stats
	case in.State != nil:
		return "state", in.State
	}
	return "", nil
}

// whole tells whether the field that belongs to the kind is there.
func (in *Input) whole() bool {
	switch in.Kind {
	case KindIncoming:
		return in.Incoming != nil
	case KindOutgoing:
		return in.Outgoing != nil
	case KindInvited:
		return in.Invited != nil
	case KindBridge:
		return in.Bridge != nil
	case KindVerified:
		return in.Verdict != nil
	case KindRouted, KindFlowEnded:
		return in.Flow != nil
	case KindRefused:
		return in.End != nil
	case KindSIP:
		return in.SIP != nil
	case KindMedia:
		return in.Media != nil
	case KindNegotiated:
		return in.Negotiated != nil
	case KindCommand:
		return in.Command != nil && in.Command.whole()
	case KindStarted, KindEnded:
		return in.Step != nil
	case KindTimer:
		return in.Timer != ""
	case KindRecording:
		return in.Recording != nil
	case KindTranscription:
		return in.Transcription != nil
	case KindExternalMedia:
		return in.ExternalMedia != nil
	case KindLink:
		return in.Link != nil && in.Link.What != ""
	case KindQuality:
		return in.Stats != nil
	case KindMeter:
		return in.Meter != nil
	case KindReserved:
		return in.Reserved != nil
	case KindNote:
		return in.Note != nil
	case KindRestored:
		return in.State != nil
	case KindClosed: // the sums are there only where there was media
		return true
	}
	return false
}

func (c *Command) whole() bool {
	switch c.Name {
	case "hangup":
		return c.End != nil
	case "record":
		return c.Record != nil
	case "mute":
		return c.Mute != nil
	case "hold", "moh", "silence":
		return c.Switch != nil
	case "redirect":
		return c.Flow != nil
	case "refer":
		return c.Refer != nil
	}
	return true
}
