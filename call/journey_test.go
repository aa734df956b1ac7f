package call_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// journey reads the only journey of the records.
func (h *house) journey(t *testing.T) *call.Journey {
	t.Helper()
	recs := h.records(t)
	if len(recs) == 0 {
		t.Fatal("no call")
	}
	j, err := h.Journey(t.Context(), recs[0].JourneyID)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// checkGraph wants edges between nodes that are there, each node caused by something that leads back to a party, the program or what
// is not kept, and each leg ended once at most.
func checkGraph(t *testing.T, j *call.Journey) {
	t.Helper()
	nodes, causes, ends := map[string]call.JourneyNode{}, map[string][]string{}, map[string]int{}
	for _, n := range j.Nodes {
		if _, ok := nodes[n.ID]; ok || n.ID == "" || n.Label == "" || n.Kind == "" {
			t.Errorf("node %+v is there twice, or empty", n)
		}
		nodes[n.ID] = n
	}
	var last store.Time
	for _, e := range j.Edges {
		from, ok := nodes[e.From]
		to, ok2 := nodes[e.To]
		if !ok || !ok2 || e.What == "" || e.At.IsZero() || e.At.Before(last.Time) {
			t.Errorf("edge %+v leads nowhere, or is not in order", e)
		}
		last = e.At
		if e.What == call.EdgeHungUp {
			ends[e.CallID]++
			continue
		}
		if from.Kind != call.NodeLeg || e.What != call.EdgeLeft {
			causes[to.ID] = append(causes[to.ID], from.ID)
		}
	}
	var rooted func(id string, seen map[string]bool) bool
	rooted = func(id string, seen map[string]bool) bool {
		switch nodes[id].Kind {
		case call.NodeParty, call.NodeProgram, call.NodeUnknown:
			return true
		}
		if seen[id] {
			return false
		}
		seen[id] = true
		return slices.ContainsFunc(causes[id], func(c string) bool { return rooted(c, seen) })
	}
	for id, n := range nodes {
		if !rooted(id, map[string]bool{}) {
			t.Errorf("%s is an orphan", id)
		}
		if n.Kind == call.NodeLeg {
			want := 0
			if n.Leg.Status == store.StatusHangup {
				want = 1
			}
			if ends[n.Ref] != want && n.Leg.Status != store.StatusTerminating && n.Leg.Status != store.StatusCanceling {
				t.Errorf("%s has %d ends, status %s", id, ends[n.Ref], n.Leg.Status)
			}
		}
	}
}

// shape is the graph as lines "from what to (detail)", with labels in place of ids.
func shape(j *call.Journey) (lines []string) {
	label := map[string]string{}
	for _, n := range j.Nodes {
		label[n.ID] = n.Label
	}
	for _, e := range j.Edges {
		s := label[e.From] + " " + e.What + " " + label[e.To]
		if e.Detail != "" && e.What != call.EdgeRecorded {
			s += " (" + e.Detail + ")"
		}
		lines = append(lines, s)
	}
	return lines
}

func TestJourneyOfAConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": "[" + `{"type":"answer"},{"type":"recording_start"},` + connectTo("", `,{"type":"beep"}`, 1, 2)[1:]}, outbound)
		callee(t, h, 1, refusing(486))
		callee(t, h, 2, func(p *calltest.PhoneConfig) {
			p.Accept = func(c *calltest.PhoneCall) {
				c.Ring()
				time.Sleep(time.Second)
				c.Answer()
				time.Sleep(2 * time.Second)
				c.Hangup(t)
			}
		})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		var id string
		for c := range h.Calls() {
			id = c.Record().JourneyID
		}
		at := time.Now()
		live := h.JourneyState(id)
		if len(live.Legs) != 2 || len(live.Bridges) != 1 || len(live.Bridges[0].CallIDs) != 2 {
			t.Errorf("live: %+v", live)
		}
		half, err := h.Journey(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, half)
		a.WaitEnd(t)
		j := h.journey(t)
		checkGraph(t, j)
		if d := cmp.Diff(live, j.At(at), cmpopts.IgnoreUnexported(call.JourneyLegState{})); d != "" {
			t.Errorf("the state at that time (-captured +rebuilt):\n%s", d)
		}
		want := []string{
			"alice@10.0.0.2 called leg 1", "leg 1 answered alice@10.0.0.2", "leg 1 recorded recording",
			"leg 1 created leg 2", "leg 2 dialled b1@10.0.1.1", "leg 1 created leg 3", "leg 3 dialled b2@10.0.1.2",
			"b1@10.0.1.1 hung_up leg 2 (callee_busy)", "b2@10.0.1.2 answered leg 3", "leg 1 joined bridge", "leg 3 joined bridge",
			"b2@10.0.1.2 hung_up leg 3 (callee_hung_up)", "leg 1 left bridge", "leg 3 left bridge", "leg 1 hung_up alice@10.0.0.2 (flow_ended)",
		}
		got := shape(j)
		for _, list := range [][]string{want, got} {
			slices.Sort(list)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		b, err := json.Marshal(j)
		var again call.Journey
		if err != nil || json.Unmarshal(b, &again) != nil || again.Mermaid(call.JourneyStyle{}) != j.Mermaid(call.JourneyStyle{}) {
			t.Errorf("the journey read from its JSON draws another chart: %v", err)
		}
		t.Log(j.Text(call.JourneyStyle{}))
		t.Log(j.Mermaid(call.JourneyStyle{Mask: true}))
	})
}

// TestJourneyOfAnswersElsewhere tells whose answer ended the others, and whose end the legs'.
func TestJourneyOfAnswersElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": connectTo("", "", 1, 2)}, outbound)
		callee(t, h, 1, ringing())
		callee(t, h, 2, answering(time.Second))
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		a.Hangup(t)
		time.Sleep(time.Second)
		j := h.journey(t)
		checkGraph(t, j)
		got := shape(j)
		for _, want := range []string{"leg 3 hung_up leg 2 (answered_elsewhere)", "leg 1 hung_up leg 3 (master_ended)", "alice@10.0.0.2 hung_up leg 1 (caller_hung_up)"} {
			if !slices.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
			}
		}
	})
}

// TestJourneyOfGroupcallsAndCallActions follows groups within groups, calls by the program, and those that a flow places beside it.
func TestJourneyOfGroupcallsAndCallActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := directory{"team": {Addresses: phones(2, 3)}}
		place := `[{"type":"answer"},{"type":"call","option":{"destinations":[{"type":"sip","target":"b1@10.0.1.1"}],"actions":[{"type":"beep"}]}},
			{"type":"call","option":{"destinations":[{"type":"agent","target":"team"}],"actions":[{"type":"beep"}]}},{"type":"sleep","option":{"duration":3000}}]`
		h := open(t, map[string]string{"100": place}, outbound, func(c *call.Config) { c.Agents = book })
		for n := range byte(3) {
			callee(t, h, n+1, answering(time.Duration(n)*100*time.Millisecond))
		}
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		time.Sleep(time.Second)
		j := h.journey(t)
		checkGraph(t, j)
		got := shape(j)
		for _, want := range []string{"leg 1 created leg 2", "leg 1 created groupcall ring_all", "groupcall ring_all created leg 3", "groupcall ring_all created leg 4"} {
			if !slices.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
			}
		}
		for _, e := range h.events {
			if e.JourneyID != j.ID && !strings.HasPrefix(e.Type, "conference_") {
				t.Errorf("%s has journey %q", e.Type, e.JourneyID)
			}
		}
	})
}

// TestJourneyIDIsEverywhere looks for the one id in records, variables, events, stays, recordings and names of files.
func TestJourneyIDIsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"recording_start"},` + connectTo("", `,{"type":"conference_join","option":{"conference_id":"blue"}}`, 1)[1:]},
			outbound, func(c *call.Config) { c.OpenRooms = true })
		callee(t, h, 1, func(p *calltest.PhoneConfig) {
			p.Accept = func(c *calltest.PhoneCall) { c.Answer(); time.Sleep(time.Second); c.Hangup(t) }
		})
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(2 * time.Second)
		var c *call.Call
		for c = range h.Calls() {
		}
		id := c.Record().JourneyID
		if v := c.Vars().Get("voipbin.call.journey_id"); v != id || id == "" {
			t.Errorf("the flow's variable is %q, want %q", v, id)
		}
		if f, ok := h.Conference("blue"); !ok || f.Calls()[0].JourneyID != id {
			t.Error("the stay in the room has another journey")
		}
		g, err := h.Groupcall(t.Context(), call.GroupcallOptions{Destinations: phones(1), MasterCallID: c.ID()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a.Hangup(t)
		<-g.Done()
		recs := h.records(t)
		if len(recs) != 3 || g.Record().JourneyID != id {
			t.Errorf("%d records, groupcall's journey %q", len(recs), g.Record().JourneyID)
		}
		for _, r := range recs {
			if r.JourneyID != id {
				t.Errorf("record of journey %q, want %q", r.JourneyID, id)
			}
		}
		page, _, err := h.store.ListRecordings(t.Context(), store.RecordingFilter{JourneyID: id})
		if err != nil || len(page) != 1 || !strings.Contains(page[0].Files[0].Name, id) {
			t.Errorf("recordings %+v, %v", page, err)
		}
		kinds := map[string]bool{}
		for _, e := range h.events {
			kind, _, _ := strings.Cut(e.Type, "_")
			kinds[kind] = true
			if e.JourneyID != id && kind != "conference" {
				t.Errorf("%s has journey %q, want %q", e.Type, e.JourneyID, id)
			}
		}
		for _, kind := range []string{"call", "recording", "confbridge", "conferencecall", "groupcall", "activeflow"} {
			if !kinds[kind] {
				t.Errorf("no event %s_...", kind)
			}
		}
	})
}

// TestJourneyOfLinks reads what transfers, queues and the like post, from traces made by hand.
func TestJourneyOfLinks(t *testing.T) {
	traces := map[string][]byte{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	leg := func(id, direction, master string, links ...call.LinkInput) {
		var b strings.Builder
		seq := 0
		write := func(in call.Input) {
			seq++
			at = at.Add(100 * time.Millisecond)
			in.Seq, in.At = seq, store.At(at)
			line, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		if direction == store.DirectionIncoming {
			write(call.Input{Kind: call.KindIncoming, Incoming: &call.IncomingInput{ID: id, JourneyID: "j"}})
		} else {
			write(call.Input{Kind: call.KindOutgoing, Outgoing: &call.OutgoingInput{ID: id, JourneyID: "j", MasterCallID: master}})
		}
		for _, l := range links {
			write(call.Input{Kind: call.KindLink, Link: &l})
		}
		traces[id] = []byte(b.String())
	}
	leg("a", "incoming", "",
		call.LinkInput{What: call.LinkQueueEnter, Queue: "sales"}, call.LinkInput{What: call.LinkMOH},
		call.LinkInput{What: call.LinkQueueAgent, Queue: "sales", CallID: "b"}, call.LinkInput{What: call.LinkQueueLeave, Queue: "sales", Detail: "done"},
		call.LinkInput{What: call.LinkHeld}, call.LinkInput{What: call.LinkPark, Room: "701"}, call.LinkInput{What: call.LinkPickup, Room: "701"},
		call.LinkInput{What: call.LinkVoicemail, Room: "box 5"}, call.LinkInput{What: call.LinkWhisper, CallID: "d"})
	leg("b", "outgoing", "a", call.LinkInput{What: call.LinkTransfer, CallID: "c", Detail: "attended"}, call.LinkInput{What: call.LinkHold})
	leg("c", "outgoing", "a", call.LinkInput{What: call.LinkTransferredBy, CallID: "b"}, call.LinkInput{What: call.LinkReplaces, CallID: "b"})
	leg("d", "outgoing", "", call.LinkInput{What: call.LinkReplacedBy, CallID: "gone"})
	j := call.JourneyOf("j", traces, nil)
	checkGraph(t, j)
	want := []string{
		"anonymous called leg 1", "leg 1 queued queue sales", "queue sales offered leg 2", "queue sales left_queue leg 1 (done)", "leg 1 parked orbit 701",
		"orbit 701 picked_up leg 1", "leg 1 voicemail voicemail box 5", "leg 4 supervised leg 1 (whisper)",
		"leg 1 created leg 2", "leg 2 dialled anonymous", "leg 2 transferred attended transfer (attended)", "attended transfer transferred leg 3 (attended)",
		"leg 1 created leg 3", "leg 3 dialled anonymous", "leg 3 replaced leg 2", "program created leg 4", "leg 4 dialled anonymous",
		"call that is not kept replaced leg 4",
	}
	got := shape(j)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var moments []string
	for _, m := range j.Moments {
		moments = append(moments, m.Node+" "+m.What)
	}
	if d := cmp.Diff([]string{"leg/a moh", "leg/a held", "leg/b hold"}, moments); d != "" {
		t.Errorf("moments (-want +got):\n%s", d)
	}
	state := func(after time.Duration) call.JourneyLegState {
		return j.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(after)).Legs[0]
	}
	if s := state(300 * time.Millisecond); s.Queue != "sales" || s.Held || s.Seq != 3 {
		t.Errorf("in the queue: %+v", s)
	}
	if s := state(700 * time.Millisecond); s.Queue != "" || !s.Held || s.Park != "701" {
		t.Errorf("parked: %+v", s)
	}
	if s := j.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); len(s.Legs) != 0 {
		t.Errorf("before its beginning: %+v", s)
	}
}

// TestChartsCannotBeBrokenOutOf shows names that are made to, and hides numbers.
func TestChartsCannotBeBrokenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"+1606": `[{"type":"answer"}]`})
		evil := `x"] --> evil[<script>` + "`;#quot;"
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{User: "+16062067563", FromUser: "+16062067563"}).Dial(t, "+1606").WaitEnd(t)
		j := h.journey(t)
		if s := j.Mermaid(call.JourneyStyle{}) + j.Text(call.JourneyStyle{}); !strings.Contains(s, "16062067563") {
			t.Errorf("the number is not there:\n%s", s)
		}
		for _, s := range []string{j.Mermaid(call.JourneyStyle{Mask: true}), j.Text(call.JourneyStyle{Mask: true})} {
			if strings.Contains(s, "0675") || !strings.Contains(s, "**63") {
				t.Errorf("the number is shown:\n%s", s)
			}
		}
		for i := range j.Nodes {
			j.Nodes[i].Label = evil + "\n" + evil
		}
		for _, line := range strings.Split(strings.TrimSpace(j.Mermaid(call.JourneyStyle{}))+"\n", "\n")[1:] {
			if strings.Count(line, `"`)%2 != 0 || strings.Contains(line, "<script") || strings.Contains(line, "`") || strings.Count(line, `"`) > 2 {
				t.Errorf("it breaks out: %s", line)
			}
		}
		if n := strings.Count(j.Text(call.JourneyStyle{}), "\n"); n > 12 {
			t.Errorf("a name makes %d lines", n)
		}
	})
}

func TestNoJourney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, nil)
		if _, err := h.Journey(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "no such journey") {
			t.Errorf("got %v", err)
		}
		if _, err := h.Journey(t.Context(), "a\nb"); err == nil {
			t.Error("a bad id is taken")
		}
		if s := h.JourneyState("none"); len(s.Legs) != 0 {
			t.Errorf("%+v", s)
		}
		if _, err := h.Dial(t.Context(), call.DialOptions{JourneyID: "a\x00b"}); err == nil {
			t.Error("a bad journey id is dialled with")
		}
	})
}
