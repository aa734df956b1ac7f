package call_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/store"
)

func TestConferencePIN(t *testing.T) {
	for name, c := range map[string]struct {
		o    call.ConferenceOptions
		keys []string // pressed one after the other, 5 s apart
		role string   // as what it is in; "": it is not
		came string   // what its flow knows after it
	}{
		"right":               {call.ConferenceOptions{PIN: "47110815"}, []string{"47110815"}, store.RoleParticipant, "ok participant terminated"},
		"shorter with #":      {call.ConferenceOptions{PIN: "47110815", ModeratorPIN: "1357913579"}, []string{"47110815#"}, store.RoleParticipant, "ok participant terminated"},
		"shorter without #":   {call.ConferenceOptions{PIN: "47110815", ModeratorPIN: "1357913579"}, []string{"47110815"}, store.RoleParticipant, "ok participant terminated"},
		"moderator":           {call.ConferenceOptions{PIN: "47110815", ModeratorPIN: "1357913579"}, []string{"1357913579"}, store.RoleModerator, "ok moderator terminated"},
		"begun anew":          {call.ConferenceOptions{PIN: "47110815"}, []string{"48*47110815"}, store.RoleParticipant, "ok participant terminated"},
		"second attempt":      {call.ConferenceOptions{PIN: "47110815"}, []string{"47120815", "47110815"}, store.RoleParticipant, "ok participant terminated"},
		"wrong":               {call.ConferenceOptions{PIN: "47110815"}, []string{"47120815", "47100815", "11740815"}, "", "wrong_pin participant"},
		"a prefix":            {call.ConferenceOptions{PIN: "47110815"}, []string{"471#", "47#", "4#"}, "", "wrong_pin participant"},
		"one attempt":         {call.ConferenceOptions{PIN: "47110815", PINAttempts: 1}, []string{"47120815"}, "", "wrong_pin participant"},
		"nothing":             {call.ConferenceOptions{PIN: "47110815", PINTimeout: 3 * time.Second}, nil, "", "no_pin participant"},
		"no PIN needed":       {call.ConferenceOptions{ModeratorPIN: "47110815", Role: store.RoleListener}, []string{"#"}, store.RoleListener, "ok listener terminated"},
		"no PIN needed, wait": {call.ConferenceOptions{ModeratorPIN: "47110815", PINTimeout: time.Second}, nil, store.RoleParticipant, "ok participant terminated"},
		"half a PIN":          {call.ConferenceOptions{ModeratorPIN: "47110815"}, []string{"47120815", "47#", "471#"}, "", "wrong_pin participant"},
	} {
		for _, how := range []string{"events", "tones are no keys"} {
			if how != "events" && name != "nothing" {
				continue
			}
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log bytes.Buffer
					h := openHall(t, c.o, func(cfg *call.Config) {
						cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					})
					a := h.dial("", func(p *calltest.PhoneConfig) { p.NoEvents = how != "events" })
					for _, keys := range c.keys {
						a.Press(keys)
						time.Sleep(6 * time.Second)
					}
					time.Sleep(20 * time.Second)
					stays := h.f.Calls()
					if c.role == "" {
						a.WaitEnd(t)
						if len(stays) != 0 {
							t.Errorf("it is there: %+v", stays)
						}
					} else if len(stays) != 1 || stays[0].Status != store.ConferencecallJoined || stays[0].Role != c.role {
						t.Errorf("it is in as %+v", stays)
					}
					h.f.Terminate()
					<-h.f.Done()
					a.WaitEnd(t)
					if !calltest.Hears(a.Heard(), 400) || !calltest.Hears(a.Heard(), 660) {
						t.Error("it was not asked, or its flow did not go on")
					}
					rec := h.records(t)[0]
					if got := h.cameTo(rec.ID); got != c.came {
						t.Errorf("its flow knows %q, want %q", got, c.came)
					}
					checkReplay(t, h.house, rec)
					// No digit of it is anywhere.
					trace, err := h.store.Trace(t.Context(), rec.ID)
					if err != nil {
						t.Fatal(err)
					}
					if n := strings.Count(string(trace), `"digit":"!"`); n < len(strings.Join(c.keys, "")) {
						t.Errorf("%d keys in the trace, pressed were %q", n, c.keys)
					}
					inputs, _ := call.DecodeTrace(trace)
					for _, in := range inputs {
						if in.Media != nil && in.Media.Digit != "" && in.Media.Digit != call.HiddenDigit {
							t.Errorf("the trace shows a digit: %+v", in.Media)
						}
					}
					events, err := json.Marshal(h.events)
					if err != nil {
						t.Fatal(err)
					}
					for _, pin := range []string{string(c.o.PIN), string(c.o.ModeratorPIN)} {
						for what, text := range map[string]string{"log": log.String(), "trace": string(trace), "events": string(events), "options": fmt.Sprintf("%v %+v %#v", h.f.Options(), h.f.Options(), h.f.Options())} {
							if pin != "" && strings.Contains(text, pin) {
								t.Errorf("%s shows the PIN", what)
							}
						}
					}
				})
			})
		}
	}
}

// TestConferencePINByInfo: keys that come as SIP INFO are no less secret, and go to the flow again once the PIN is known.
func TestConferencePINByInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{PIN: "4711"})
		a := h.dial("")
		a.PressInfo(t, "4711")
		time.Sleep(time.Second)
		if s := h.f.Calls(); len(s) != 1 || s[0].Status != store.ConferencecallJoined {
			t.Errorf("%+v", s)
		}
		a.PressInfo(t, "5")
		a.Hangup(t)
		trace, err := h.store.Trace(t.Context(), h.records(t)[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		inputs, err := call.DecodeTrace(trace)
		if err != nil {
			t.Fatal(err)
		}
		var bodies []string
		for _, in := range inputs {
			if in.SIP != nil && in.SIP.ContentType == "application/dtmf-relay" {
				first, _, _ := strings.Cut(string(in.SIP.Body), "\r")
				bodies = append(bodies, first)
			}
		}
		if want := []string{"Signal=!", "Signal=!", "Signal=!", "Signal=!", "Signal=5"}; !slices.Equal(bodies, want) {
			t.Errorf("in the trace: %q", bodies)
		}
	})
}

func TestConferenceLockAndLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{MaxMembers: 2, ModeratorPIN: "8150", Sounds: call.ConferenceSounds{Refused: call.Sound{URL: "http://tone/700"}}})
		h.enter(410, "#")
		if err := h.f.Lock(); err != nil {
			t.Fatal(err)
		}
		if r := h.f.Record(); !r.Locked || r.MaxMembers != 2 {
			t.Errorf("%+v", r)
		}
		shut := h.dial("#")
		shut.WaitEnd(t)
		boss := h.enter(530, "8150")
		full := h.dial("")
		full.WaitEnd(t)
		h.hears("two of them", everybody)
		if err := h.f.Unlock(); err != nil {
			t.Fatal(err)
		}
		boss.Hangup(t)
		time.Sleep(time.Second)
		late := h.dial("#")
		time.Sleep(time.Second)
		if n := len(h.f.Calls()); n != 2 {
			t.Errorf("%d members, want 2", n)
		}
		late.Hangup(t)
		h.stop()
		for a, want := range map[*attendant]string{shut: "locked participant", full: "full participant"} {
			if got := h.cameTo(a.id); got != want && a.id != "" {
				t.Errorf("the flow knows %q, want %q", got, want)
			}
			if !calltest.Hears(a.Heard(), 400) {
				t.Error("the flow of who was not let in does not go on")
			}
		}
		if !calltest.Hears(shut.Heard(), 700) {
			t.Error("who was not let in does not hear why")
		}
		var codes []string
		for _, s := range h.stays() {
			codes = append(codes, s.Code)
			if in := !s.TmJoined.IsZero(); s.Status != store.ConferencecallLeaved || s.TmLeaved.IsZero() || in != (s.Code == "hung_up" || s.Code == "terminated") {
				t.Errorf("%+v", s)
			}
		}
		if slices.Sort(codes); !slices.Equal(codes, []string{"full", "hung_up", "hung_up", "hung_up", "locked"}) {
			t.Errorf("stays ended %v", codes)
		}
		room, err := h.store.(store.Conferences).Conference(t.Context(), "team")
		if err != nil || room.MostCalls != 2 || room.AllCalls != 3 || room.Status != store.ConferenceTerminated || room.Code != "terminated" || room.TmEnd.IsZero() || room.PIN {
			t.Errorf("%+v, %v", room, err)
		}
	})
}

// TestFullConferenceRefusesUnanswered: an unanswered call that cannot get in stays unanswered, so that its flow can say busy.
func TestFullConferenceRefusesUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"id":"j","type":"conference_join","option":{"conference_id":"team"}},
			{"type":"branch","option":{"variable":"j.status","target_ids":{"locked":"busy"},"default_target_id":"end"}},
			{"id":"busy","type":"hangup","option":{"reason":"busy"}},{"id":"end","type":"stop"}]`})
		if _, err := h.CreateConference(call.ConferenceOptions{ID: "team", Locked: true}); err != nil {
			t.Fatal(err)
		}
		a := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100")
		a.WaitEnd(t)
		if got := a.Statuses(); got[len(got)-1] != 486 {
			t.Errorf("responses %v", got)
		}
	})
}

// TestSeatsUnderRace: of many that come at once as many get in as there are seats.
func TestSeatsUnderRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{MaxMembers: 3})
		var phones []*calltest.PhoneCall
		for range 8 {
			phones = append(phones, calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Start(t, "100"))
		}
		time.Sleep(5 * time.Second)
		if n := len(h.f.Calls()); n != 3 || h.f.Record().MostCalls != 3 {
			t.Errorf("%d are in, %+v", n, h.f.Record())
		}
		h.f.Terminate()
		for _, p := range phones {
			p.WaitEnd(t)
		}
	})
}

func TestKickedAtTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{PIN: "4711"})
		a := h.dial("47")
		if err := h.f.Kick(a.id); err != nil {
			t.Fatal(err)
		}
		a.WaitEnd(t)
		b := h.dial("47")
		h.f.Terminate() // while somebody types
		<-h.f.Done()
		b.WaitEnd(t)
		c := h.dial("")
		c.WaitEnd(t) // there is no such conference any more
		recs := h.records(t)
		if got := h.cameTo(recs[0].ID); got != "kicked participant" {
			t.Errorf("the flow of who was kicked knows %q", got)
		}
		if got := h.cameTo(recs[1].ID); got != "ended participant" {
			t.Errorf("the flow of who was at the door at the end knows %q", got)
		}
		for i, want := range []string{call.CodeFlowEnded, call.CodeFlowEnded, call.CodeFlowFailed} {
			if recs[i].Code != want {
				t.Errorf("call %d ended by %s, want %s", i, recs[i].Code, want)
			}
		}
		if got := h.stays(); len(got) != 2 || got[0].Code != "kicked" || got[1].Code != "terminated" {
			t.Errorf("%+v", got)
		}
	})
}

func TestConferenceOptionsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHall(t, call.ConferenceOptions{})
		for want, o := range map[string]call.ConferenceOptions{
			"PIN is not 4 to 16 digits":          {PIN: "12a4"},
			"ModeratorPIN is not 4 to 16 digits": {ModeratorPIN: "123"},
			"are the same":                       {PIN: "4711", ModeratorPIN: "4711"},
			"timeout":                            {Timeout: -1},
			"MaxMembers":                         {MaxMembers: -1},
			`role "king"`:                        {Role: "king"},
			`digits "louder"`:                    {Digits: "louder"},
			`type "party"`:                       {Type: "party"},
			"hides":                              {Menu: map[string]call.MenuCommand{"*1": call.MenuMute, "*11": call.MenuLeave}},
			`no command "dance"`:                 {Menu: map[string]call.MenuCommand{"*1": "dance"}},
			"keys 0-9":                           {Menu: map[string]call.MenuCommand{"*a": call.MenuMute}},
			"no Speaker":                         {Sounds: call.ConferenceSounds{AskPIN: call.Sound{Text: "PIN?"}}},
			"more than one of":                   {Sounds: call.ConferenceSounds{Music: call.Sound{Text: "PIN?", URL: "x"}}},
			"FlowByID":                           {PreFlowID: "x"},
		} {
			named := o
			named.ID = "door" // a random one may hold the digits of a PIN
			if _, err := h.CreateConference(named); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v is no error that tells %q", err, want)
			} else if strings.Contains(err.Error(), "12a4") || strings.Contains(err.Error(), "4711") {
				t.Errorf("%v shows a PIN", err)
			}
			before := h.f.Options()
			if err := h.f.Update(func(c *call.ConferenceOptions) { *c = o }); err == nil && o.Type == "" {
				t.Errorf("%s: Update takes it", want)
			} else if now := h.f.Options(); err != nil && now.MaxMembers != before.MaxMembers {
				t.Errorf("%s: changed by half", want)
			}
		}
		if err := h.f.Update(func(o *call.ConferenceOptions) { o.Name, o.Timeout, o.ID = "new", time.Minute, "other" }); err != nil {
			t.Fatal(err)
		}
		if r := h.f.Record(); r.Name != "new" || r.Timeout != 60 || r.ID != "team" {
			t.Errorf("%+v", r)
		}
		begun := time.Now()
		<-h.f.Done()
		if took := time.Since(begun); took < 59*time.Second || took > time.Minute {
			t.Errorf("the new timeout ends it after %v", took)
		}
		if err := h.f.Lock(); !errors.Is(err, call.ErrBridgeEnded) {
			t.Errorf("Lock after the end: %v", err)
		}
	})
}
