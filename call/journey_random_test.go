package call_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

// randomSteps are what can happen at any time. Each is taken by chance of its weight; one that does not fit does nothing.
var randomSteps = []struct {
	name   string
	weight int
	do     func(w *randomJourneys)
}{
	{"a caller dials", 6, (*randomJourneys).callerDials},
	{"the program dials", 2, (*randomJourneys).programDials},
	{"the program rings a group", 1, (*randomJourneys).programRings},
	{"a phone hangs up", 4, (*randomJourneys).phoneHangsUp},
	{"a phone vanishes", 1, (*randomJourneys).phoneVanishes},
	{"the program hangs up", 2, (*randomJourneys).programHangsUp},
	{"a member is kicked", 2, (*randomJourneys).kick},
	{"a room ends", 1, (*randomJourneys).roomEnds},
	{"a call is muted", 2, (*randomJourneys).mute},
	{"a phone holds", 6, (*randomJourneys).hold},
	{"a key is pressed", 2, (*randomJourneys).press},
	{"a recording begins or ends", 2, (*randomJourneys).record},
	{"a call is transferred", 3, (*randomJourneys).transfer},
	{"a transfer is decided", 3, (*randomJourneys).decide},
	{"the program holds", 2, (*randomJourneys).programHolds},
	{"music or silence", 2, (*randomJourneys).music},
	{"a call is redirected", 1, (*randomJourneys).redirect},
	{"a call is parked", 2, (*randomJourneys).park},
	{"a parked call is picked up", 1, (*randomJourneys).pickUp},
	{"an agent comes or goes", 1, (*randomJourneys).agentComesOrGoes},
	{"a supervisor comes in", 1, (*randomJourneys).supervise},
	{"the state is captured", 8, (*randomJourneys).capture},
}

// TestRandomJourneys lets houses full of callers, phones and a program do anything at any time: dial, connect, join, leave, be kicked, transfer, hold, park, wait in a queue, hang up; phones answer late,
// twice or never. In the end nothing is left; each leg has one record and one call_hangup, after which nothing comes; each resource's
// events are in order; no journey has an orphan; and the state that a journey had whenever it was captured is what its traces give.
func TestRandomJourneys(t *testing.T) {
	var sum journeySums
	ran := 0
	for seed := range seeds(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			ran++
			synctest.Test(t, func(t *testing.T) {
				w := &randomJourneys{t: t, rnd: rand.New(rand.NewPCG(uint64(seed), 17)), sum: &sum}
				w.run()
			})
		})
	}
	t.Logf("%+v", sum)
	if ran == 300 && (sum.Legs < 1000 || sum.Captures < 1000 || sum.InBridges < 300 || sum.Held < 20 || sum.Recorded < 50 || sum.Transfers < 20 || sum.HeldByUs < 30 || sum.Parked < 30 || sum.Supervised < 5 || sum.Queued < 20) {
		t.Errorf("too little has happened: %+v", sum)
	}
}

type journeySums struct{ Journeys, Legs, Edges, Captures, InBridges, Held, Muted, Recorded, Transfers, HeldByUs, Parked, Supervised, Queued int }

type randomJourneys struct {
	*house
	t   *testing.T
	rnd *rand.Rand
	sum *journeySums

	calls    []*calltest.PhoneCall // of callers
	delayed  bool
	sub      *call.Subscription
	captured []capturedState

	transfers []*call.Transfer

	mu     sync.Mutex
	called []*calltest.PhoneCall // guarded by mu; of those who are called
}

type capturedState struct {
	journey string
	at      time.Time
	state   call.JourneyState
}

func (w *randomJourneys) some(most int) time.Duration {
	return time.Duration(w.rnd.IntN(most)) * 10 * time.Millisecond
}

func (w *randomJourneys) run() {
	t := w.t
	place := `[{"type":"answer"},{"type":"call","option":{"chained":%t,"destinations":[{"type":"sip","target":"b1@10.0.1.1"},{"type":"agent","target":"team"}],"actions":[{"type":"conference_join","option":{"conference_id":"blue"}}]}},{"type":"sleep","option":{"duration":1500}}]`
	w.house = open(t, map[string]string{
		"100": connectTo("", `,{"type":"conference_join","option":{"conference_id":"blue"}}`, 1, 2),
		"101": connectTo(`,"early_media":true,"timeout":700`, `,{"type":"beep"}`, 3, 1),
		"102": `[{"type":"connect","option":{"ring_method":"linear","ring_timeout":500,"destinations":[{"type":"agent","target":"team"},{"type":"sip","target":"b1@10.0.1.1"}]}}]`,
		"200": `[{"type":"conference_join","option":{"conference_id":"blue"}},{"type":"beep"}]`,
		"201": `[{"type":"answer"},{"type":"recording_start"},{"type":"confbridge_join","option":{"confbridge_id":"red"}}]`,
		"300": fmt.Sprintf(place, true), "301": fmt.Sprintf(place, false),
		"500": `[{"type":"queue_join","option":{"queue_id":"help"}},{"type":"beep"}]`,
		"400": `[{"type":"sleep","option":{"duration":300}},{"type":"hangup","option":{"reason":"busy"}}]`,
	}, outbound, func(c *call.Config) {
		c.Queues = []call.QueueOptions{{ID: "help", RingTimeout: time.Second, WaitTimeout: 4 * time.Second}}
		c.OpenRooms, c.QualityInterval = true, 500*time.Millisecond
		c.Agents = directory{"team": {Addresses: append(phones(2), agents("night")...)}, "night": {Addresses: phones(3)}}
	})
	w.sub = subscribe(t, w.house, call.SubscribeOptions{Buffer: 1 << 14})
	if w.delayed = w.rnd.IntN(2) == 0; w.delayed {
		w.net.SetFaults(calltest.Faults{Delay: w.some(4), Jitter: w.some(3), Seed: w.rnd.Uint64()})
	}
	for n := range byte(3) {
		w.phone(n + 1)
	}
	total := 0
	for _, s := range randomSteps {
		total += s.weight
	}
	for range 20 + w.rnd.IntN(30) {
		n := w.rnd.IntN(total)
		for _, s := range randomSteps {
			if n -= s.weight; n < 0 {
				s.do(w)
				break
			}
		}
		time.Sleep(w.some(30) + time.Microsecond) // what comes after a capture is later than it
	}
	if w.rnd.IntN(2) == 0 {
		time.Sleep(40 * time.Second) // else the engine hangs up what is left
	}
	w.check()
}

// phone is one that answers early, late, twice or never.
func (w *randomJourneys) phone(n byte) {
	seed := w.rnd.Uint64()
	count := 0
	callee(w.t, w.house, n, func(p *calltest.PhoneConfig) {
		p.IgnoreCancel, p.PCMA, p.NoBYEAnswer = w.rnd.IntN(4) == 0, w.rnd.IntN(2) == 0, w.rnd.IntN(8) == 0
		p.Accept = func(c *calltest.PhoneCall) {
			w.mu.Lock()
			count++
			rnd := rand.New(rand.NewPCG(seed, uint64(count)))
			w.called = append(w.called, c)
			w.mu.Unlock()
			late := func() { time.Sleep(time.Duration(rnd.IntN(60)) * 10 * time.Millisecond) }
			late()
			switch c.Ring(); rnd.IntN(8) {
			case 0: // never
			case 1:
				late()
				c.Refuse([]int{486, 480, 404, 500, 603}[rnd.IntN(5)])
			case 2:
				c.Answer()
				if f, err := c.Fork(); err == nil {
					f.Answer() // a second 200 with another tag
				}
			case 3:
				c.Progress()
				late()
				c.Answer()
			default:
				late()
				c.Answer()
			}
		}
	})
}

func (w *randomJourneys) callerDials() {
	dest := []string{"100", "100", "101", "102", "200", "200", "201", "300", "301", "400", "500", "500", "nobody"}[w.rnd.IntN(13)]
	w.calls = append(w.calls, calltest.NewPhone(w.t, w.net, calltest.PhoneConfig{PCMA: w.rnd.IntN(2) == 0, NoACK: w.rnd.IntN(12) == 0}).Start(w.t, dest))
}

// joins is the flow of calls that the program places.
func (w *randomJourneys) joins(ctx context.Context, l action.Leg) error {
	_, err := l.(action.Conferencer).JoinConference(ctx, action.ConferenceOptions{ID: "blue"})
	return err
}

func (w *randomJourneys) programDials() {
	o := call.DialOptions{Destination: phones(1 + w.rnd.IntN(3))[0], Flow: flow.Func(w.joins), RingTimeout: w.some(100) + time.Millisecond}
	if c := w.any(); c != nil {
		switch w.rnd.IntN(3) {
		case 0:
			o.Parent = c
		case 1:
			o.MasterCallID = c.ID()
		}
	}
	_, _ = w.Dial(w.t.Context(), o) // the master may be ending
}

func (w *randomJourneys) programRings() {
	o := call.GroupcallOptions{Destinations: append(agents("team"), phones(1)...), AnswerMethod: store.AnswerHangupOthers, Flow: flow.Func(w.joins), RingTimeout: 2 * time.Second}
	if c := w.any(); c != nil && w.rnd.IntN(2) == 0 {
		o.MasterCallID = c.ID()
	}
	if w.rnd.IntN(2) == 0 {
		o.RingMethod = store.RingLinear
	}
	_, _ = w.Groupcall(w.t.Context(), o) // the master may be ending
}

// any is one of the calls that are up.
func (w *randomJourneys) any() *call.Call {
	synctest.Wait()
	all := slices.SortedFunc(w.Calls(), func(a, b *call.Call) int { return a.Record().TmCreate.Compare(b.Record().TmCreate.Time) })
	if len(all) == 0 {
		return nil
	}
	return all[w.rnd.IntN(len(all))]
}

// phoneCall is one of a phone that is not over.
func (w *randomJourneys) phoneCall() *calltest.PhoneCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.DeleteFunc(slices.Concat(w.calls, w.called), func(c *calltest.PhoneCall) bool {
		select {
		case <-c.Done():
			return true
		default:
			return false
		}
	})
	if len(all) == 0 {
		return nil
	}
	return all[w.rnd.IntN(len(all))]
}

func (w *randomJourneys) isCaller(c *calltest.PhoneCall) bool { return slices.Contains(w.calls, c) }

func (w *randomJourneys) phoneHangsUp() {
	switch c := w.phoneCall(); {
	case c == nil:
	case w.isCaller(c) && len(c.Answers()) == 0:
		c.Cancel()
	case w.isCaller(c) || w.isUp(c):
		c.Hangup(w.t)
	default:
		c.Refuse(486)
	}
}

// isUp tells whether a phone that was called has answered.
func (w *randomJourneys) isUp(c *calltest.PhoneCall) bool { return slices.Contains(c.Statuses(), 200) }

func (w *randomJourneys) phoneVanishes() {
	if c := w.phoneCall(); c != nil && w.rnd.IntN(2) == 0 {
		c.Vanish()
	}
}

func (w *randomJourneys) programHangsUp() {
	if c := w.any(); c != nil {
		_ = c.Hangup(w.t.Context(), action.Ending{Reason: []string{"", "busy", "failed"}[w.rnd.IntN(3)]}) // it may be over
	}
}

func (w *randomJourneys) kick() {
	if f, ok := w.Conference("blue"); ok {
		if stays := f.Calls(); len(stays) > 0 {
			_ = f.Kick(stays[w.rnd.IntN(len(stays))].ID) // it may have left
		}
	}
}

func (w *randomJourneys) roomEnds() {
	if f, ok := w.Conference("blue"); ok {
		f.Terminate()
	}
}

func (w *randomJourneys) mute() {
	if c := w.any(); c != nil {
		_ = c.Mute(w.t.Context(), []media.Direction{media.In, media.Out, media.Both}[w.rnd.IntN(3)], w.rnd.IntN(3) > 0) // it may be over
	}
}

func (w *randomJourneys) hold() {
	synctest.Wait()
	if c := w.phoneCall(); c != nil && !w.delayed && w.isCaller(c) && len(c.Answers()) > 0 {
		c.Reinvite(w.t, []string{"sendonly", "sendrecv"}[min(1, w.rnd.IntN(3))])
	}
}

func (w *randomJourneys) press() {
	if c := w.phoneCall(); c != nil {
		c.Press(string("12345#"[w.rnd.IntN(6)]))
	}
}

func (w *randomJourneys) record() {
	c := w.any()
	if c == nil {
		return
	}
	if c.Record().RecordingID != "" {
		_ = c.StopRecording(w.t.Context()) // it may be over
		return
	}
	_, _ = c.StartRecording(w.t.Context(), action.RecordOptions{}) // it may not be answered
}

// capture notes how the journeys stand.
func (w *randomJourneys) capture() {
	synctest.Wait()
	ids := map[string]bool{}
	for c := range w.Calls() {
		ids[c.Record().JourneyID] = true
	}
	for id := range ids {
		s := w.JourneyState(id)
		w.captured = append(w.captured, capturedState{id, time.Now(), s})
		if j, err := w.Journey(w.t.Context(), id); err != nil {
			w.t.Error(err)
		} else if w.rnd.IntN(4) == 0 {
			checkGraph(w.t, j)
		}
		w.sum.Captures++
		w.sum.InBridges += len(s.Bridges)
		for _, l := range s.Legs {
			if l.Held {
				w.sum.Held++
			}
			if l.Mute != "" {
				w.sum.Muted++
			}
			if l.RecordingID != "" {
				w.sum.Recorded++
			}
			if l.Queue != "" {
				w.sum.Queued++
			}
		}
	}
}

func (w *randomJourneys) check() {
	t := w.t
	h := w.house
	h.stop()
	ctx := context.Background()
	legs := map[string]store.Call{}
	ids := map[string]bool{}
	for f := (store.CallFilter{}); ; {
		page, next, err := h.store.ListCalls(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			legs[r.ID] = r
			ids[r.JourneyID] = true
			if r.Status != store.StatusHangup || r.HangupReason == "" || r.Code == "" || r.TmHangup.IsZero() || r.ConfbridgeID != "" || r.RecordingID != "" || r.JourneyID == "" {
				t.Errorf("left behind: %+v", r)
			}
		}
		if f.PageToken = next; next == "" {
			break
		}
	}
	for f := range h.Conferences() {
		t.Errorf("conference %s is left", f.ID())
	}
	for g := range h.Groupcalls() {
		t.Errorf("groupcall %s is left", g.ID())
	}
	w.events(legs)
	kept := map[string]string{} // journey of each leg: one may lead to a leg of another
	for _, r := range legs {
		kept[r.ID] = r.JourneyID
	}
	journeys := map[string]*call.Journey{}
	for id := range ids {
		j, err := h.Journey(ctx, id)
		if err != nil || len(j.Partial) > 0 || j.Truncated {
			t.Fatalf("journey %s: %v, %+v", id, err, j)
		}
		checkGraph(t, j)
		journeys[id] = j
		w.sum.Journeys++
		w.sum.Edges += len(j.Edges)
		for _, n := range j.Nodes {
			if n.Kind == call.NodeLeg {
				w.sum.Legs++
				delete(legs, n.Ref)
			}
			if n.Kind == call.NodeUnknown && kept[n.Ref] == id {
				t.Errorf("%s leads to %s, which is kept", id, n.ID)
			}
			if (n.Kind == call.NodeLeg || n.Kind == call.NodeBridge || n.Kind == call.NodeGroupcall || n.Kind == call.NodeRecording) && n.End.IsZero() {
				t.Errorf("%s %s has no end", n.Kind, n.ID)
			}
		}
		if s := j.At(time.Now()); len(s.Legs) != 0 {
			t.Errorf("after the end %+v are up", s)
		}
	}
	for id := range legs {
		t.Errorf("leg %s is in no journey", id)
	}
	for _, c := range w.captured {
		if d := cmp.Diff(c.state, journeys[c.journey].At(c.at), cmpopts.IgnoreUnexported(call.JourneyLegState{})); d != "" {
			t.Errorf("journey %s at %v (-captured +rebuilt):\n%s", c.journey, c.at, d)
		}
	}
}

// events wants those of each resource in order, and of each leg one call_hangup, after which nothing names it.
func (w *randomJourneys) events(legs map[string]store.Call) {
	t := w.t
	got := drain(w.sub)
	if err := w.sub.Err(); err != call.ErrEngineEnded {
		t.Errorf("the subscription ended by %v", err)
	}
	ended, seqs, last := map[string]bool{}, map[string]int{}, ""
	for _, e := range got {
		if e.ID <= last {
			t.Errorf("id %s after %s", e.ID, last)
		}
		last = e.ID
		key := e.CallID
		switch {
		case e.ConferenceID != "":
			key = "conference " + e.ConferenceID
		case e.QueueID != "":
			key = "queue " + e.QueueID
		case e.TransferID != "":
			key = "transfer " + e.TransferID
		case e.AgentID != "":
			key = "agent " + e.AgentID
		case e.GroupcallID != "":
			key = "groupcall " + e.GroupcallID
		}
		if seqs[key] == 0 && (e.QueueID != "" || e.AgentID != "") {
			seqs[key] = e.Seq - 1 // it was there before the subscription
		}
		if seqs[key]++; e.Seq != seqs[key] {
			t.Errorf("%s of %s has number %d, want %d", e.Type, key, e.Seq, seqs[key])
		}
		if e.Type == "conference_deleted" || e.Type == "groupcall_hangup" {
			seqs[key] = 0 // a room of that name may be made anew
		}
		if e.CallID == "" {
			continue
		}
		if _, ok := legs[e.CallID]; !ok {
			t.Errorf("%s of a call without a record", e.Type)
		}
		if ended[e.CallID] {
			t.Errorf("%s of %s after its call_hangup", e.Type, e.CallID)
		}
		ended[e.CallID] = ended[e.CallID] || e.Type == "call_hangup"
		if e.JourneyID != legs[e.CallID].JourneyID {
			t.Errorf("%s has journey %q", e.Type, e.JourneyID)
		}
	}
	for id := range legs {
		if !ended[id] {
			t.Errorf("call %s has no call_hangup", id)
		}
	}
	for key, n := range seqs {
		if n > 0 && len(key) > 11 && key[:11] == "conference " {
			t.Errorf("%s has no end", key)
		}
	}
}
