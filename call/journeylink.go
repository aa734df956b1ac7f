package call

import (
	"cmp"
	"fmt"
	"slices"
)

// link tells of what a leg has to do with others. Some of it stands in two traces: it is told once.
func (g *journeyGraph) link(l *journeyLeg, in *Input) {
	leg, k := legNode(l.id), in.Link
	switch k.What {
	case LinkTransfer:
		n := g.add(JourneyNode{ID: fmt.Sprintf("%s/%s/%d", NodeTransfer, l.id, in.Seq), Kind: NodeTransfer, Label: cmp.Or(k.Detail, "blind") + " transfer", Begin: in.At})
		g.edge(leg, n.ID, EdgeTransferred, k.Detail, l.id, in)
		if k.CallID != "" {
			g.seen["transfer "+l.id+" "+k.CallID] = true
			g.edge(n.ID, g.call(k.CallID), EdgeTransferred, k.Detail, l.id, in)
		}
	case LinkTransferredBy:
		if !g.seen["transfer "+k.CallID+" "+l.id] && !g.tells(k.CallID, LinkTransfer, l.id) {
			g.once(g.call(k.CallID), leg, EdgeTransferred, k.Detail, l.id, in)
		}
	case LinkReplaces:
		g.once(leg, g.call(k.CallID), EdgeReplaced, k.Detail, l.id, in)
	case LinkReplacedBy:
		g.once(g.call(k.CallID), leg, EdgeReplaced, k.Detail, l.id, in)
	case LinkBarge, LinkWhisper, LinkListen:
		g.edge(g.call(k.CallID), leg, EdgeSupervised, k.What, l.id, in)
	case LinkPickup, LinkPark:
		if k.Room == "" { // a call that rang
			g.once(g.call(k.CallID), leg, EdgePickedUp, k.Detail, l.id, in)
			return
		}
		n := g.add(JourneyNode{ID: NodePark + "/" + k.Room, Ref: k.Room, Kind: NodePark, Label: "orbit " + k.Room, Begin: in.At})
		n.Begin = earlier(n.Begin, in.At)
		if k.What == LinkPark && k.Detail == "" {
			g.edge(leg, n.ID, EdgeParked, "", l.id, in)
			return
		}
		n.End = in.At
		id := n.ID // adding a node may move n
		if g.legs[k.CallID] == nil && k.What == LinkPickup && !g.parked(leg, id) {
			g.once(g.call(k.CallID), id, EdgeParked, "", l.id, in) // on another journey
		}
		g.edge(id, leg, EdgePickedUp, k.Detail, l.id, in)
	case LinkQueueEnter:
		n := g.add(JourneyNode{ID: fmt.Sprintf("%s/%s/%d", NodeQueue, l.id, in.Seq), Ref: k.Queue, Kind: NodeQueue, Label: "queue " + k.Queue, Begin: in.At})
		g.edge(leg, n.ID, EdgeQueued, k.Detail, l.id, in)
	case LinkQueueAgent, LinkQueueLeave:
		g.visit(l, in)
	case LinkVoicemail:
		n := g.add(JourneyNode{ID: NodeVoicemail + "/" + k.Room, Ref: k.Room, Kind: NodeVoicemail, Label: "voicemail " + k.Room, Begin: in.At})
		n.Begin = earlier(n.Begin, in.At)
		g.edge(leg, n.ID, EdgeVoicemail, k.Detail, l.id, in)
	case LinkHeld, LinkUnheld: // told where the state changes
	default: // hold, unhold, moh, silence, redirect, and what this version does not know
		g.moment(l, in, k.What, k.Detail)
	}
}

// parked is whether a leg has been parked in an orbit.
func (g *journeyGraph) parked(leg, orbit string) bool {
	return slices.ContainsFunc(g.j.Edges, func(e JourneyEdge) bool { return e.What == EdgeParked && e.From == leg && e.To == orbit })
}

// tells is whether the trace of a leg has a link to another one.
func (g *journeyGraph) tells(id, what, to string) bool {
	for i := range g.j.legs {
		if g.j.legs[i].id != id {
			continue
		}
		for k := range g.j.legs[i].trace {
			if x := g.j.legs[i].trace[k].Link; x != nil && x.What == what && x.CallID == to {
				return true
			}
		}
	}
	return false
}

// visit goes on with the last visit of a leg to a queue.
func (g *journeyGraph) visit(l *journeyLeg, in *Input) {
	leg, k := legNode(l.id), in.Link
	var n *JourneyNode
	for i := range g.j.Edges {
		if e := &g.j.Edges[i]; e.What == EdgeQueued && e.From == leg {
			if v := g.add(JourneyNode{ID: e.To}); k.Queue == "" || v.Ref == k.Queue {
				n = v
			}
		}
	}
	if n == nil { // its beginning is not in the trace
		n = g.add(JourneyNode{ID: fmt.Sprintf("%s/%s/%d", NodeQueue, l.id, in.Seq), Ref: k.Queue, Kind: NodeQueue, Label: "queue " + k.Queue, Begin: in.At})
		g.edge(leg, n.ID, EdgeQueued, "", l.id, in)
	}
	if k.What == LinkQueueLeave {
		n.End = in.At
		g.edge(n.ID, leg, EdgeLeftQueue, k.Detail, l.id, in)
		return
	}
	id := n.ID // adding a node may move n
	g.edge(id, g.call(k.CallID), EdgeOffered, k.Detail, l.id, in)
}
