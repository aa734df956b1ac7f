package call_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

// joinTeam is a plain VoIPBIN flow: what the conference asks for, and why it lets nobody in, is none of its business. The tone says
// that the flow has gone on.
const joinTeam = `[{"type":"answer"},{"id":"join","type":"conference_join","option":{"conference_id":"team"}},
	{"type":"variable_set","option":{"key":"came_to","value":"${join.status} ${join.role} ${join.ended_by}"}},
	{"type":"play","option":{"stream_urls":["http://tone/400"]}}]`

// hall is a conference whose members say a tone each.
type hall struct {
	*house
	t       *testing.T
	f       *call.Conference
	members []*attendant
}

type attendant struct {
	*calltest.PhoneCall
	hz   float64
	id   string // of its call
	mark int    // how much it had heard
}

func openHall(t *testing.T, o call.ConferenceOptions, change ...func(*call.Config)) *hall {
	t.Helper()
	h := &hall{house: open(t, map[string]string{"100": joinTeam}, change...), t: t}
	o.ID = "team"
	var err error
	if h.f, err = h.CreateConference(o); err != nil {
		t.Fatal(err)
	}
	return h
}

// dial brings a phone to the door, and presses keys there.
func (h *hall) dial(keys string, change ...func(*calltest.PhoneConfig)) *attendant {
	h.t.Helper()
	var cfg calltest.PhoneConfig
	for _, c := range change {
		c(&cfg)
	}
	a := &attendant{PhoneCall: calltest.NewPhone(h.t, h.net, cfg).Dial(h.t, "100")}
	time.Sleep(time.Second)
	a.Press(keys)
	h.identify(a)
	return a
}

// identify finds the call of a, which is the newest.
func (h *hall) identify(a *attendant) {
	for _, s := range h.f.Calls() {
		a.id = s.ReferenceID
	}
}

// enter is dial for who says a tone in the conference.
func (h *hall) enter(hz float64, keys string, change ...func(*calltest.PhoneConfig)) *attendant {
	h.t.Helper()
	a := h.dial(keys, change...)
	time.Sleep(time.Second)
	h.identify(a)
	a.hz = hz
	a.Say(calltest.Tone(hz, 4*time.Minute))
	h.members = append(h.members, a)
	return a
}

// forget makes since what is heard from now on.
func (h *hall) forget() {
	for _, a := range h.members {
		a.mark = len(a.Heard())
	}
}

func (a *attendant) since() []int16 { return a.Heard()[a.mark:] }

// hears fails unless all members hear, for a second, exactly whom they should.
func (h *hall) hears(what string, want func(who, whom int) bool) {
	h.t.Helper()
	time.Sleep(200 * time.Millisecond)
	h.forget()
	time.Sleep(time.Second)
	for i, a := range h.members {
		for j, b := range h.members {
			if b.hz == 0 {
				continue
			}
			if got := calltest.Hears(a.since(), b.hz); got != want(i, j) {
				h.t.Errorf("%s: member %d hears %d: %v", what, i, j, got)
			}
		}
	}
}

func everybody(who, whom int) bool { return who != whom }

// cameTo is what the flow of a call that has ended knew of its conference_join.
func (h *hall) cameTo(id string) string {
	h.t.Helper()
	b, err := h.store.Trace(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	trace, err := call.DecodeTrace(b)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, in := range trace {
		if in.Kind == call.KindStarted && in.Step.Type == "variable_set" {
			_, value, _ := strings.Cut(in.Step.Option, `"value":"`)
			value, _, _ = strings.Cut(value, `"`)
			return strings.TrimSpace(value)
		}
	}
	return "nothing"
}

// stays are the conferencecalls of the store, the oldest first.
func (h *hall) stays() []store.Conferencecall {
	h.t.Helper()
	page, _, err := h.store.(store.Conferences).ListConferencecalls(h.t.Context(), store.ConferencecallFilter{ConferenceID: "team"})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(page)
	return page
}

// told are events about a member, as "muted 0".
func (h *hall) told(prefix string) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if name, ok := strings.CutPrefix(e.Type, prefix); ok {
			who := slices.IndexFunc(h.members, func(a *attendant) bool { return a.id == e.CallID })
			all = append(all, fmt.Sprint(name, " ", who))
		}
	}
	return all
}
