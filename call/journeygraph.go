package call

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// journeyGraph makes nodes and edges of what the traces tell.
type journeyGraph struct {
	j     *Journey
	nodes map[string]int         // by id: place in j.Nodes
	legs  map[string]*store.Call // as they stand at the end of their traces
	ended []legEnd
	seen  map[string]bool // edges that two traces tell of
}

// legEnd is the end of a leg, whose cause may be another one.
type legEnd struct {
	id  string
	at  store.Time
	seq int
}

// build fills in nodes, edges and moments.
func (j *Journey) build(groups []store.Groupcall) {
	g := &journeyGraph{j: j, nodes: map[string]int{}, legs: map[string]*store.Call{}, seen: map[string]bool{}}
	j.Nodes, j.Edges, j.Moments = []JourneyNode{}, []JourneyEdge{}, []JourneyMoment{}
	for i := range j.legs { // before what points to them
		l := &j.legs[i]
		g.add(JourneyNode{ID: legNode(l.id), Ref: l.id, Kind: NodeLeg, Label: fmt.Sprintf("leg %d", i+1), Begin: l.begin()})
	}
	for _, r := range groups {
		g.add(JourneyNode{ID: groupNode(r.ID), Ref: r.ID, Kind: NodeGroupcall, Label: "groupcall " + r.RingMethod, Begin: r.TmCreate, End: r.TmHangup})
	}
	for i := range j.legs {
		g.leg(&j.legs[i])
	}
	for i := range groups {
		g.groupcall(&groups[i])
	}
	for _, e := range g.ended {
		g.hungUp(e)
	}
	g.open()
	j.Costs = g.costs()
	slices.SortStableFunc(j.Nodes, func(a, b JourneyNode) int { return a.Begin.Compare(b.Begin.Time) })
	slices.SortStableFunc(j.Edges, func(a, b JourneyEdge) int { return a.At.Compare(b.At.Time) })
	slices.SortStableFunc(j.Moments, func(a, b JourneyMoment) int { return a.At.Compare(b.At.Time) })
	slices.Sort(j.Partial)
}

func legNode(id string) string   { return "leg/" + id }
func partyNode(id string) string { return "party/" + id }
func groupNode(id string) string { return "groupcall/" + id }

// add adds a node, unless it is there.
func (g *journeyGraph) add(n JourneyNode) *JourneyNode {
	i, ok := g.nodes[n.ID]
	if !ok {
		i = len(g.j.Nodes)
		g.nodes[n.ID] = i
		g.j.Nodes = append(g.j.Nodes, n)
	}
	return &g.j.Nodes[i]
}

// call is the node of a call that something points to.
func (g *journeyGraph) call(id string) string {
	if _, ok := g.nodes[legNode(id)]; ok {
		return legNode(id)
	}
	return g.add(JourneyNode{ID: "unknown/" + id, Ref: id, Kind: NodeUnknown, Label: "call that is not kept"}).ID
}

func (g *journeyGraph) program() string {
	return g.add(JourneyNode{ID: NodeProgram, Kind: NodeProgram, Label: "program"}).ID
}

// group is the node of a groupcall that something points to; one that is not kept has the cause of its leg.
func (g *journeyGraph) group(r *store.Call, parent string, at store.Time) string {
	id := groupNode(r.GroupcallID)
	if _, ok := g.nodes[id]; !ok {
		g.add(JourneyNode{ID: id, Ref: r.GroupcallID, Kind: NodeGroupcall, Label: "groupcall", Begin: at})
		g.edge(g.cause(r.MasterCallID, parent), id, EdgeCreated, "", r.ID, &Input{At: at})
	}
	return id
}

func (g *journeyGraph) cause(master, parent string) string {
	if id := cmp.Or(master, parent); id != "" {
		return g.call(id)
	}
	return g.program()
}

func (g *journeyGraph) edge(from, to, what, detail, callID string, in *Input) {
	g.j.Edges = append(g.j.Edges, JourneyEdge{From: from, To: to, What: what, At: in.At, Detail: detail, CallID: callID, Seq: in.Seq})
}

// once is edge for what two traces tell of.
func (g *journeyGraph) once(from, to, what, detail, callID string, in *Input) {
	if key := from + " " + to + " " + what; !g.seen[key] {
		g.seen[key] = true
		g.edge(from, to, what, detail, callID, in)
	}
}

func (g *journeyGraph) moment(l *journeyLeg, in *Input, what, detail string) {
	g.j.Moments = append(g.j.Moments, JourneyMoment{Node: legNode(l.id), What: what, At: in.At, Detail: detail, Seq: in.Seq})
}

// leg reads one trace.
func (g *journeyGraph) leg(l *journeyLeg) {
	var m Machine
	for i := range l.trace {
		in := &l.trace[i]
		status, phase, over, bridge, held := m.st.Record.Status, m.st.Phase, m.st.Finished, m.st.Record.ConfbridgeID, m.st.Linked.Held
		m.Step(in)
		r := &m.st.Record
		if i == 0 {
			g.begins(in, r)
			if status = store.StatusDialing; in.Kind == KindRestored {
				status = r.Status
			}
		}
		if over && in.Kind == KindBridge { // told below already
			continue
		}
		g.input(l, in)
		if m.st.Finished && !over && bridge != "" && in.Kind != KindBridge { // its bridge has not noticed yet
			g.leftBehind(l, in, bridge)
		}
		if now := m.st.Linked.Held; now != held { // whoever told of it, the sound or a link
			g.moment(l, in, map[bool]string{true: LinkHeld, false: LinkUnheld}[now], "")
		}
		if r.Status != status {
			g.turned(l, in, r)
		}
		if m.st.Phase == PhaseEnded && phase != PhaseEnded {
			g.ended = append(g.ended, legEnd{l.id, in.At, in.Seq})
		}
	}
	rec := m.Snapshot().Record
	if len(l.trace) == 0 {
		rec = l.record
		in := &Input{At: rec.TmCreate}
		g.begins(in, &rec)
		if rec.Status == store.StatusHangup {
			g.ended = append(g.ended, legEnd{l.id, rec.TmHangup, 0})
		}
	}
	n := g.add(JourneyNode{ID: legNode(l.id)})
	n.Leg, n.End = &rec, rec.TmHangup
	g.legs[l.id] = &rec
}

// begins tells where a leg comes from.
func (g *journeyGraph) begins(in *Input, r *store.Call) {
	leg, party := legNode(r.ID), partyNode(r.ID)
	far := &r.Source
	if r.Direction == store.DirectionOutgoing {
		far = &r.Destination
	}
	g.add(JourneyNode{ID: party, Kind: NodeParty, Label: partyLabel(far), Begin: r.TmCreate})
	if r.Direction != store.DirectionOutgoing {
		g.edge(party, leg, EdgeCalled, r.Trunk, r.ID, in)
		return
	}
	parent := ""
	if in.Outgoing != nil {
		parent = in.Outgoing.ParentCallID
	}
	from := g.cause(r.MasterCallID, parent)
	if r.GroupcallID != "" {
		from = g.group(r, parent, in.At)
	}
	g.edge(from, leg, EdgeCreated, "", r.ID, in)
	g.edge(leg, party, EdgeDialled, r.Trunk, r.ID, in)
	if in.Kind == KindRestored {
		g.j.Moments = append(g.j.Moments, JourneyMoment{Node: leg, What: "restored", At: in.At, Seq: in.Seq})
	}
}

func partyLabel(a *address.Address) string {
	target := cmp.Or(a.Target, a.TargetName)
	name := cmp.Or(a.Name, a.TargetName)
	if name == target {
		name = ""
	}
	switch {
	case name != "" && target != "":
		return name + " (" + target + ")"
	case target == "":
		return cmp.Or(name, "anonymous")
	}
	return target
}

// turned tells that a leg has another status.
func (g *journeyGraph) turned(l *journeyLeg, in *Input, r *store.Call) {
	if r.Status != store.StatusProgressing {
		g.moment(l, in, r.Status, "")
		return
	}
	g.moment(l, in, "answered", "")
	if r.Direction == store.DirectionOutgoing {
		g.edge(partyNode(l.id), legNode(l.id), EdgeAnswered, "", l.id, in)
	} else {
		g.edge(legNode(l.id), partyNode(l.id), EdgeAnswered, "", l.id, in)
	}
}

// input tells what else stands in a trace.
func (g *journeyGraph) input(l *journeyLeg, in *Input) {
	leg := legNode(l.id)
	switch in.Kind {
	case KindBridge:
		kind, what := NodeBridge, EdgeJoined
		if in.Bridge.Type == store.TypeConference {
			kind = NodeConference
		}
		label := kind
		if kind == NodeConference {
			label += " " + in.Bridge.ID
		}
		n := g.add(JourneyNode{ID: kind + "/" + in.Bridge.ID, Ref: in.Bridge.ID, Kind: kind, Label: label, Begin: in.At})
		n.Begin = earlier(n.Begin, in.At)
		detail := ""
		switch in.Bridge.Event {
		case "joined":
		case "leaved":
			what = EdgeLeft
			if n.End.Before(in.At.Time) {
				n.End = in.At
			}
		default:
			what, detail = EdgeMember, strings.TrimSpace(in.Bridge.Event+" "+in.Bridge.Detail)
		}
		g.edge(leg, n.ID, what, detail, l.id, in)
	case KindRecording:
		id := NodeRecording + "/" + in.Recording.ID
		if in.Recording.Event == "started" {
			g.add(JourneyNode{ID: id, Ref: in.Recording.ID, Kind: NodeRecording, Label: "recording", Begin: in.At})
			g.edge(leg, id, EdgeRecorded, in.Recording.Name, l.id, in)
		} else if i, ok := g.nodes[id]; ok {
			g.j.Nodes[i].End = in.At
		}
	case KindStarted:
		g.moment(l, in, "step", in.Step.Type+" "+in.Step.ID)
	case KindCommand:
		if c := in.Command; c.Name == "mute" {
			what := "mute"
			if !c.Mute.On {
				what = "unmute"
			}
			g.moment(l, in, what, string(c.Mute.Direction))
		}
	case KindLink:
		g.link(l, in)
	}
}

// leftBehind tells that a leg which is over has left its bridge.
func (g *journeyGraph) leftBehind(l *journeyLeg, in *Input, bridge string) {
	for _, kind := range []string{NodeBridge, NodeConference} {
		if i, ok := g.nodes[kind+"/"+bridge]; ok {
			n := &g.j.Nodes[i]
			if n.End.Before(in.At.Time) {
				n.End = in.At
			}
			g.edge(legNode(l.id), n.ID, EdgeLeft, "", l.id, in)
		}
	}
}

// open takes the end off bridges that somebody is in still.
func (g *journeyGraph) open() {
	in := map[string]int{}
	for _, e := range g.j.Edges {
		switch e.What {
		case EdgeJoined:
			in[e.To]++
		case EdgeLeft:
			in[e.To]--
		}
	}
	for id, n := range in {
		if n > 0 {
			g.j.Nodes[g.nodes[id]].End = store.Time{}
		}
	}
}

func earlier(a, b store.Time) store.Time {
	if b.Before(a.Time) {
		return b
	}
	return a
}

// groupcall tells where a groupcall comes from.
func (g *journeyGraph) groupcall(r *store.Groupcall) {
	from, callID := "", r.MasterCallID
	switch {
	case r.MasterGroupcallID != "":
		from = g.add(JourneyNode{ID: groupNode(r.MasterGroupcallID), Ref: r.MasterGroupcallID, Kind: NodeUnknown, Label: "groupcall that is not kept"}).ID
	case r.MasterCallID != "":
		from = g.call(r.MasterCallID)
	default:
		for i := range g.j.legs {
			if t := g.j.legs[i].trace; len(t) > 0 && t[0].Outgoing != nil && t[0].Outgoing.ParentCallID != "" && slices.Contains(r.CallIDs, g.j.legs[i].id) {
				callID = t[0].Outgoing.ParentCallID
				from = g.call(callID)
				break
			}
		}
		if from == "" {
			from = g.program()
		}
	}
	g.edge(from, groupNode(r.ID), EdgeCreated, "", callID, &Input{At: r.TmCreate})
}

// hungUp tells what ended a leg.
func (g *journeyGraph) hungUp(e legEnd) {
	r := g.legs[e.id]
	leg, party := legNode(e.id), partyNode(e.id)
	from, to := leg, party // we did
	switch {
	case r.Code == CodeMasterEnded || r.Code == CodeConnectEnded || r.Code == CodeHangupKey || r.Code == CodeTalkLimit:
		if r.MasterCallID != "" {
			from, to = g.call(r.MasterCallID), leg
		}
	case r.Code == CodeAnsweredElsewhere:
		if id := g.winner(r, e.at); id != "" {
			from, to = legNode(id), leg
		}
	case r.Code == CodeHungUp || r.Code == CodeShutdown:
		from, to = g.program(), leg
	case r.HangupBy == store.HangupByRemote:
		from, to = party, leg
	}
	g.edge(from, to, EdgeHungUp, r.Code, e.id, &Input{At: e.at, Seq: e.seq})
}

// winner is the leg whose answer ended loser, "" where it is not known.
func (g *journeyGraph) winner(loser *store.Call, at store.Time) string {
	var best *store.Call
	for i := range g.j.legs {
		r := g.legs[g.j.legs[i].id]
		if r.Direction != store.DirectionOutgoing || r.TmProgressing.IsZero() || r.TmProgressing.After(at.Time) || r.Code == CodeAnsweredElsewhere ||
			r.MasterCallID != loser.MasterCallID || r.MasterCallID == "" && r.GroupcallID != loser.GroupcallID {
			continue
		}
		if best == nil || r.TmProgressing.After(best.TmProgressing.Time) {
			best = r
		}
	}
	if best == nil {
		return ""
	}
	return best.ID
}
