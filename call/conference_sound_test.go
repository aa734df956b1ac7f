package call_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/media/tone"
	"github.com/callbin/callbin/store"
)

// TestRFC5359_2_10_ThreeWayConference is what sections 2.10 and 2.11 come to where the focus is the server: a call of two, by
// the room's number, becomes one of three, whether the third one is called in by the conference (2.10) or joins it by itself
// (2.11, without its Join header: the room's number says which conference is meant). Each hears exactly the other two.
func TestRFC5359_2_10_ThreeWayConference(t *testing.T) {
	for _, joins := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := openHall(t, call.ConferenceOptions{}, outbound)
			h.enter(410, "")
			h.enter(530, "", func(c *calltest.PhoneConfig) { c.PCMA = true })
			h.hears("two", everybody)
			if joins {
				h.enter(710, "")
			} else {
				carol := callee(t, h.house, 1)
				calls, err := h.f.Invite(t.Context(), call.InviteOptions{Destinations: phones(1), Role: store.RoleModerator})
				if err != nil {
					t.Fatal(err)
				}
				c := carol.WaitCall(t)
				c.Ring()
				h.hears("two, while the third rings", everybody)
				c.Answer()
				c.Say(calltest.Tone(710, time.Minute))
				h.members = append(h.members, &attendant{PhoneCall: c, hz: 710, id: calls[0].ID()})
			}
			h.hears("three", everybody)
			if n := len(h.f.Calls()); n != 3 {
				t.Errorf("%d calls", n)
			}
			h.members[0].Hangup(t)
			h.members = h.members[1:]
			h.hears("two are left", everybody)
			h.f.Terminate()
			for _, a := range h.members {
				a.WaitEnd(t)
			}
			if want := map[bool]string{true: store.RoleParticipant, false: store.RoleModerator}[joins]; func() bool { h.stop(); return h.stays()[2].Role != want }() {
				t.Errorf("%+v", h.stays()[2])
			}
		})
	}
}

// TestInviteKeepsToThePolicy: what may not be dialled is not dialled into a conference either.
func TestInviteKeepsToThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{PIN: "4711", Locked: true}, outbound)
		callee(t, h.house, 1, answering(time.Second))
		calls, err := h.f.Invite(t.Context(), call.InviteOptions{Destinations: append(phones(1), to("x@192.0.2.1"), number("+4930901820"))})
		var refusal *call.Refusal
		if !errors.As(err, &refusal) || refusal.Code != call.CodeOutboundDenied || len(calls) != 3 {
			t.Errorf("%d calls, %v", len(calls), err)
		}
		time.Sleep(3 * time.Second)
		if s := h.f.Calls(); len(s) != 1 || s[0].Status != store.ConferencecallJoined { // without a PIN, and in spite of the lock
			t.Errorf("%+v", s)
		}
		if _, err := h.f.Invite(t.Context(), call.InviteOptions{}); err == nil {
			t.Error("nobody is invited")
		}
		if _, err := h.f.Invite(t.Context(), call.InviteOptions{Destinations: phones(1), Role: "king"}); err == nil {
			t.Error("a role that there is not")
		}
		h.f.Terminate()
		<-h.f.Done()
		<-calls[0].Done()
		if _, err := h.f.Invite(t.Context(), call.InviteOptions{Destinations: phones(1)}); !errors.Is(err, call.ErrBridgeEnded) {
			t.Errorf("invited after the end: %v", err)
		}
	})
}

func TestConferenceMuteDeafenRolesKick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{ModeratorPIN: "8150", MuteOnEntry: true})
		boss := h.enter(410, "8150")
		a, b := h.enter(530, "#"), h.enter(710, "#")
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		h.hears("muted on entry", func(who, whom int) bool { return who != whom && whom == 0 })
		ok(h.f.Mute(a.id, false))
		ok(h.f.Mute(a.id, false)) // once more does nothing
		h.hears("one unmuted", func(who, whom int) bool { return who != whom && whom != 2 })
		h.f.MuteAll(false)
		h.hears("all unmuted", everybody)
		ok(h.f.Deafen(b.id, true))
		h.hears("one deaf", func(who, whom int) bool { return who != whom && who != 2 })
		if err := h.f.Announce(t.Context(), call.AnnounceOptions{Sound: call.Sound{URL: "http://tone/700"}, To: b.id}); err != nil || !calltest.Hears(b.since(), 700) || calltest.Hears(a.since(), 700) {
			t.Errorf("what is said to who is deaf alone: %v", err)
		}
		ok(h.f.Deafen(b.id, false))
		ok(h.f.SetRole(b.id, store.RoleListener))
		h.hears("a listener", func(who, whom int) bool { return who != whom && whom != 2 })
		if err := h.f.Mute(b.id, false); err == nil || !strings.Contains(err.Error(), "listener") {
			t.Errorf("a listener is unmuted: %v", err)
		}
		ok(h.f.SetRole(b.id, store.RoleParticipant))
		h.hears("no listener any more", everybody)
		h.f.MuteAll(true)
		h.hears("all muted but the moderator", func(who, whom int) bool { return who != whom && whom == 0 })
		h.f.MuteAll(false)
		for _, err := range []error{h.f.Mute("nobody", true), h.f.Deafen("nobody", true), h.f.SetRole("nobody", store.RoleListener), h.f.Kick("nobody")} {
			if !errors.Is(err, call.ErrNotInConference) {
				t.Errorf("of nobody: %v", err)
			}
		}
		if err := h.f.SetRole(a.id, "king"); err == nil {
			t.Error("a role that there is not")
		}
		ok(h.f.Kick(a.id))
		a.WaitEnd(t)
		h.members = []*attendant{boss, b}
		h.hears("after a kick", everybody)
		h.members = []*attendant{boss, a, b}
		boss.Hangup(t)
		time.Sleep(time.Second)
		b.Hangup(t)
		h.stop()
		want := "joining 0|joined 0|joining 1|joined 1|joining 2|joined 2|unmuted 1|unmuted 2|deafened 2|undeafened 2|role_updated 2|role_updated 2|" +
			"muted|muted|unmuted|unmuted|leaving 1|leaved 1|leaved 0|leaved 2"
		got := strings.Join(h.told("conferencecall_"), "|")
		for _, all := range []string{"muted 1|muted 2", "muted 2|muted 1"} { // the two of MuteAll come in any order
			got = strings.ReplaceAll(got, "|"+all+"|", "|muted|muted|")
			got = strings.ReplaceAll(got, "|un"+strings.ReplaceAll(all, "|", "|un")+"|leav", "|unmuted|unmuted|leav")
		}
		if got != want {
			t.Errorf("events\n%s, want\n%s", got, want)
		}
		// What happened to each stands in its trace.
		trace, err := h.store.Trace(t.Context(), a.id)
		if err != nil {
			t.Fatal(err)
		}
		inputs, err := call.DecodeTrace(trace)
		if err != nil {
			t.Fatal(err)
		}
		var events []string
		for _, in := range inputs {
			if in.Bridge != nil {
				events = append(events, in.Bridge.Event)
			}
		}
		if want := []string{"joined", "unmuted", "muted", "unmuted", "kicked", "leaved"}; !slices.Equal(events, want) {
			t.Errorf("in the trace: %v, want %v", events, want)
		}
		for _, r := range h.records(t) {
			checkReplay(t, h.house, r)
		}
	})
}

// heardAt is how loud hz is, at most, in 200 ms of pcm.
func heardAt(pcm []int16, hz float64) (most float64) {
	for at := 0; at+1600 <= len(pcm); at += 400 {
		most = max(most, level(pcm[at:at+1600], hz))
	}
	return most
}

func TestModeratorRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		music := func() media.Source {
			return tone.Pattern{Segments: []tone.Segment{{Hz: []float64{1500}, Duration: time.Second}}, Level: -20}.Source(8000)
		}
		h := openHall(t, call.ConferenceOptions{ModeratorPIN: "8150", WaitForModerator: true, EndWhenModeratorLeaves: true, Sounds: call.ConferenceSounds{Music: call.Sound{Source: music}}})
		plays := func(what string, want bool) {
			t.Helper()
			for i, a := range h.members {
				if got := calltest.Hears(a.since(), 1500); got != want {
					t.Errorf("%s: member %d hears music: %v", what, i, got)
				}
			}
		}
		nobody := func(int, int) bool { return false }
		h.enter(410, "#")
		h.enter(530, "#")
		h.hears("without a moderator", nobody)
		plays("without a moderator", true)
		h.enter(710, "8150")
		h.hears("with a moderator", everybody)
		plays("with a moderator", false)
		if err := h.f.SetRole(h.members[2].id, store.RoleParticipant); err != nil {
			t.Error(err)
		}
		h.hears("without a moderator again", nobody)
		plays("without a moderator again", true)
		if err := h.f.SetRole(h.members[0].id, store.RoleModerator); err != nil {
			t.Error(err)
		}
		h.hears("with another moderator", everybody)
		h.f.SetMusic(true)
		h.hears("on hold", nobody)
		plays("on hold", true)
		h.f.SetMusic(false)
		h.hears("off hold", everybody)
		plays("off hold", false)
		h.members[2].Hangup(t) // is no moderator
		time.Sleep(time.Second)
		if n := len(h.f.Calls()); n != 2 {
			t.Errorf("%d are left", n)
		}
		h.members[0].Hangup(t)
		<-h.f.Done()
		h.members[1].WaitEnd(t)
		h.stop()
		if got := h.cameTo(h.members[1].id); got != "ok participant moderator_left" {
			t.Errorf("the flow of who was left knows %q", got)
		}
		if r := h.f.Record(); r.Code != "moderator_left" {
			t.Errorf("%+v", r)
		}
	})
}

func TestMusicUntilSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chords := tone.Pattern{Endless: true, Level: -24}
		for _, hz := range []float64{262, 330, 392, 523, 440} {
			chords.Segments = append(chords.Segments, tone.Segment{Hz: []float64{hz}, Duration: 400 * time.Millisecond})
		}
		music := call.Sound{Source: func() media.Source { return chords.Source(8000) }}
		h := openHall(t, call.ConferenceOptions{MusicUntilSecond: true, Sounds: call.ConferenceSounds{Music: music}})
		a := h.enter(1710, "")
		time.Sleep(4 * time.Second)
		for _, hz := range []float64{262, 330, 392, 523} {
			if !calltest.Hears(a.Heard(), hz) {
				t.Errorf("who is alone does not hear %v Hz", hz)
			}
		}
		h.enter(1130, "")
		h.hears("two", everybody)
		for i, m := range h.members {
			for _, hz := range []float64{262, 330, 392, 523, 440} {
				if at := heardAt(m.since(), hz); at > 0.005 {
					t.Errorf("member %d still hears %v Hz at %v", i, hz, at)
				}
			}
		}
		h.members[1].Hangup(t)
		h.members = h.members[:1]
		h.hears("alone again", everybody)
		time.Sleep(3 * time.Second)
		if !calltest.Hears(a.since(), 262) && !calltest.Hears(a.since(), 440) {
			t.Error("no music for who is alone again")
		}
	})
}

func TestEntryAndExitTones(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := openHall(t, call.ConferenceOptions{EntryTone: true, ExitTone: true, EntryToneForAll: all})
			h.enter(410, "")
			h.enter(530, "")
			h.forget()
			c := h.enter(1710, "")
			time.Sleep(time.Second)
			for i, a := range h.members {
				if got, want := calltest.Hears(a.since(), 880), i < 2 || all; got != want {
					t.Errorf("for all %v: member %d hears the entry of the third: %v", all, i, got)
				}
			}
			h.hears("while nothing is played", everybody)
			c.Hangup(t)
			h.members = h.members[:2]
			h.hears("while one goes", everybody) // speech goes on below
			for i, a := range h.members {
				if !calltest.Hears(a.since(), 660) {
					t.Errorf("member %d does not hear that one went", i)
				}
			}
		})
	}
}

func TestRecordedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{RecordNames: true})
		first := h.dial("") // says no name
		h.members = append(h.members, first)
		time.Sleep(4 * time.Second)
		if s := h.f.Calls(); len(s) != 1 || s[0].Status != store.ConferencecallJoined {
			t.Fatalf("who says no name is not in: %+v", s)
		}
		h.forget()
		second := h.dial("")
		if !calltest.Hears(second.Heard(), 880) {
			t.Error("nobody asks for a name")
		}
		second.Say(calltest.Tone(1310, 800*time.Millisecond)) // its name
		time.Sleep(1500 * time.Millisecond)
		if calltest.Hears(first.since(), 1310) {
			t.Error("the room hears it say its name")
		}
		time.Sleep(3 * time.Second)
		if !calltest.Hears(first.since(), 1310) {
			t.Error("the room does not hear the name")
		}
		h.forget()
		second.Hangup(t)
		time.Sleep(2 * time.Second)
		if !calltest.Hears(first.since(), 1310) || !calltest.Hears(first.since(), 660) {
			t.Error("the room does not hear who went")
		}
		h.forget()
		third := h.dial("")
		third.Press("#") // does not want to say anything
		time.Sleep(time.Second)
		if s := h.f.Calls(); len(s) != 2 || s[1].Status != store.ConferencecallJoined {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{})
		if err := h.f.Announce(t.Context(), call.AnnounceOptions{Sound: call.Sound{URL: "http://tone/700"}}); !errors.Is(err, call.ErrNobodyThere) {
			t.Errorf("to nobody: %v", err)
		}
		for i := range 3 {
			h.enter([]float64{410, 530, 1130}[i], "")
		}
		h.forget()
		say := func(ctx context.Context, url, to string) chan error {
			done := make(chan error, 1)
			go func() { done <- h.f.Announce(ctx, call.AnnounceOptions{Sound: call.Sound{URL: url}, To: to}) }()
			return done
		}
		begun := time.Now()
		one, two := say(t.Context(), "http://tone/700", ""), say(t.Context(), "http://tone/400", "")
		if err := errors.Join(<-one, <-two); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took < 2*time.Second || took > 2200*time.Millisecond {
			t.Errorf("two announcements of a second took %v: they are to come one after the other", took)
		}
		for i, a := range h.members {
			for _, hz := range []float64{700, 400} {
				if !calltest.Hears(a.since(), hz) {
					t.Errorf("member %d does not hear %v Hz", i, hz)
				}
			}
			for j, b := range h.members {
				if i != j && !calltest.Hears(a.since()[4000:12000], b.hz) {
					t.Errorf("member %d does not hear %d below it", i, j)
				}
			}
		}
		h.forget()
		if err := <-say(t.Context(), "http://tone/700", h.f.Calls()[1].ID); err != nil {
			t.Error(err)
		}
		for i, a := range h.members {
			if got := calltest.Hears(a.since(), 700); got != (i == 1) {
				t.Errorf("member %d hears what is for the second: %v", i, got)
			}
		}
		for _, o := range []call.AnnounceOptions{{}, {Sound: call.Sound{URL: "http://tone/1"}}, {Sound: call.Sound{Text: "Hello"}}, {Sound: call.Sound{URL: "http://tone/700"}, To: "nobody"}} {
			if err := h.f.Announce(t.Context(), o); err == nil {
				t.Errorf("%+v is announced", o)
			}
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cut := say(ctx, "http://tone/700", "")
		time.Sleep(100 * time.Millisecond)
		cancel(why)
		if err := <-cut; !errors.Is(err, why) {
			t.Errorf("cut: %v", err)
		}
		waits, ends := say(t.Context(), "http://tone/700", ""), say(t.Context(), "http://tone/700", "")
		time.Sleep(100 * time.Millisecond)
		h.f.Terminate()
		if err1, err2 := <-waits, <-ends; err1 == nil || err2 == nil {
			t.Errorf("the end of the conference ends them: %v, %v", err1, err2)
		}
	})
}

func TestTalkers(t *testing.T) {
	for _, n := range []int{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			h := openHall(t, call.ConferenceOptions{TalkerEvents: true})
			for range n {
				h.members = append(h.members, h.dial(""))
			}
			loud, soft := h.members[0], h.members[1]
			if got := h.f.Talkers(); len(got) != 0 {
				t.Errorf("nobody talks: %+v", got)
			}
			quiet := calltest.Tone(500, 3*time.Second)
			for i := range quiet {
				quiet[i] /= 4
			}
			loud.Say(calltest.Tone(700, 3*time.Second))
			time.Sleep(time.Second)
			soft.Say(quiet)
			time.Sleep(time.Second)
			got := h.f.Talkers()
			if len(got) != 2 || got[0].ReferenceID != loud.id || got[1].ReferenceID != soft.id || got[0].Level < 3*got[1].Level || got[0].Level < 0.1 || got[0].Level > 0.2 {
				t.Errorf("talkers %+v", got)
			}
			time.Sleep(4 * time.Second)
			soft.Say(slices.Concat(calltest.Tone(500, 100*time.Millisecond), make([]int16, 8000), calltest.Tone(500, time.Second), make([]int16, 4000), calltest.Tone(500, time.Second))) // a click is no talk, a pause no end
			time.Sleep(6 * time.Second)
			if err := h.f.Mute(soft.id, true); err != nil {
				t.Error(err)
			}
			soft.Say(calltest.Tone(500, time.Second))
			time.Sleep(2 * time.Second)
			loud.Say(calltest.Tone(700, time.Minute))
			time.Sleep(time.Second)
			loud.Hangup(t)
			time.Sleep(time.Second)
			h.stop()
			want := []string{"started 0", "started 1", "stopped 0", "stopped 1", "started 1", "stopped 1", "started 0", "stopped 0"}
			if got := h.told("conference_talking_"); !slices.Equal(got, want) {
				t.Errorf("%d members: events %v, want %v", n, got, want)
			}
			stays := h.stays()
			for i, want := range []int64{3000 + 1000, 3000 + 2500} {
				if got := stays[i].TalkMS; got < want-400 || got > want+400 {
					t.Errorf("member %d talked for %d ms, want about %d", i, got, want)
				}
			}
		})
	}
}
