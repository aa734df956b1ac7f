package call_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
	"github.com/callbin/callbin/flow"
	"github.com/callbin/callbin/flow/flowtest"
)

// recordedFlows are what callers in bad weather meet: everything that comes from outside is in them.
var recordedFlows = []string{
	`[{"type":"answer"},
	  {"id":"menu","type":"digits_receive","option":{"prompt":{"text":"one or two"},"length":1,"pattern":"[12]","retries":2,"first_timeout":1500},"on_timeout":"bye","on_error":"bye"},
	  {"type":"branch","option":{"target_ids":{"1":"crm","2":"sales"},"default_target_id":"bye"}},
	  {"id":"crm","type":"webhook_send","option":{"sync":true,"uri":"https://crm.example.com/caller?key=secret","data":"${voipbin.call.source.target}","timeout":3000}},
	  {"type":"condition_variable","option":{"condition":"==","variable":"${crm.body}","value_type":"string","value_string":"vip","false_target_id":"bye"}},
	  {"id":"sales","type":"connect","option":{"destinations":[{"type":"sip","target":"b1@10.0.1.1"},{"type":"sip","target":"b2@10.0.1.2"}],"timeout":2500}},
	  {"type":"talk","option":{"text":"${sales.status}"}},
	  {"id":"bye","type":"talk","option":{"text":"bye"}},{"type":"hangup"}]`,
	`[{"type":"talk","option":{"text":"hello there","digits_handle":"next"}},
	  {"type":"fetch","option":{"event_url":"https://flows.example.com/next"},"on_error":"sorry"},
	  {"type":"recording_start","option":{"beep_start":true}},{"type":"sleep","option":{"duration":700}},{"type":"recording_stop"},
	  {"id":"sorry","type":"play","option":{"stream_urls":["file:/sorry.wav","file:/again.wav"]}}]`,
	`[{"type":"talk","option":{"text":"a long text under the next steps","async":true}},
	  {"type":"webhook_send","option":{"uri":"https://log.example.com/","data":"started"}},
	  {"type":"digits_receive","option":{"length":3,"duration":2500}},
	  {"type":"condition_call_digits","option":{"length":2,"false_target_id":"echo"}},
	  {"type":"digits_send","option":{"digits":"12#"}},
	  {"id":"echo","type":"echo","option":{"duration":900}},{"type":"goto","option":{"target_id":"echo","loop_count":1}},
	  {"type":"hangup","option":{"reason":"busy"}}]`,
	`[{"type":"fetch_flow","option":{"flow_id":"inner"}},{"type":"answer"},{"type":"mute"},{"type":"beep"},
	  {"type":"conference_join","option":{"conference_id":"blue"}},{"type":"talk","option":{"text":"out"}}]`,
}

const innerFlow = `[{"type":"play","option":{"stream_urls":["file:/music.wav"]}},{"type":"sleep","option":{"duration":200}}]`

// fetched are what the server of fetch may answer.
var fetched = []string{
	`[{"type":"talk","option":{"text":"fetched"}},{"type":"digits_receive","option":{"length":1,"duration":900}}]`,
	`[]`, `[{"type":"stop"}]`, `no flow`,
}

// weather is a story of faults: a script of what is around the call.
func weather(rnd *rand.Rand) string {
	var b strings.Builder
	pick := func(all ...string) string { return all[rnd.IntN(len(all))] }
	fmt.Fprintf(&b, "http https://crm.example.com/ %s\n", pick("200 vip", "200 nobody", "2s 200 vip", "503", "4s 200 vip", "error", "hang"))
	fmt.Fprintf(&b, "http https://flows.example.com/ %s\n", pick("200 "+fetched[0], "200 "+fetched[rnd.IntN(4)], "1s 200 "+fetched[0], "404", "error"))
	fmt.Fprintf(&b, "http https://log.example.com/ %s\n", pick("200", "500", "700ms 200", "error"))
	if rnd.IntN(5) == 0 {
		fmt.Fprintf(&b, "leg speaker %s\n", pick("fails", "takes 300ms", "takes 2s"))
	}
	if rnd.IntN(5) == 0 {
		fmt.Fprintf(&b, "prompt /sorry.wav missing\n")
	}
	return b.String()
}

// recordInBadWeather is a call over a network with faults, to peers and servers with faults. It returns the traces of
// all calls that came of it.
func recordInBadWeather(t *testing.T, seed uint64) (traces [][]byte) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	script, err := flowtest.ParseScript(weather(rnd))
	if err != nil {
		t.Fatal(err)
	}
	world, err := flowtest.NewWorld(script)
	if err != nil {
		t.Fatal(err)
	}
	deps := call.Noted(world.Deps())
	registry := action.Builtin(deps)
	text := recordedFlows[rnd.IntN(len(recordedFlows))]
	f, err := flow.Parse([]byte(text), flow.ParseOptions{Registry: registry, Name: "recorded"})
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, nil, outbound, func(c *call.Config) {
		c.Deps, c.OpenRooms = deps, true
		c.MediaTimeout = call.MediaTimeout{After: 6 * time.Second, Action: []call.MediaAction{call.MediaWarn, call.MediaHangup}[seed%2]}
		c.Route = func(context.Context, *call.Incoming) (flow.Program, error) { return f, nil }
		c.FlowByID = func(context.Context, string) (flow.Program, error) {
			return flow.Parse([]byte(innerFlow), flow.ParseOptions{Registry: registry, Name: "inner"})
		}
	})
	faults := calltest.Faults{Delay: time.Duration(rnd.IntN(30)) * time.Millisecond, Seed: rnd.Uint64()}
	if rnd.IntN(2) == 0 {
		faults.Jitter, faults.Loss, faults.Reorder, faults.Duplicate = time.Duration(rnd.IntN(30))*time.Millisecond, 0.08, 0.1, 0.1
	}
	if rnd.IntN(4) == 0 {
		faults.Lose = []calltest.Traffic{{SIP: "BYE", First: 1 + rnd.IntN(3)}}
	}
	h.net.SetFaults(faults)
	for n := range 2 {
		does, after := rnd.IntN(5), time.Duration(rnd.IntN(3000))*time.Millisecond
		callee(t, h, byte(n+1), func(p *calltest.PhoneConfig) {
			p.Accept = func(c *calltest.PhoneCall) {
				c.Ring()
				time.Sleep(after)
				switch does {
				case 0:
					c.Refuse(486)
				case 1:
					c.Refuse(503)
				case 2: // rings for ever
				default:
					c.Answer()
					time.Sleep(after)
					select {
					case <-c.Done():
					default:
						c.Hangup(t)
					}
				}
			}
		})
	}
	talk := func(c *calltest.PhoneCall) {
		for range rnd.IntN(6) {
			time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
			select {
			case <-c.Done():
				return
			default:
				c.Press(string("12345#"[rnd.IntN(6)]))
			}
		}
	}
	phone := calltest.PhoneConfig{NoRTP: seed%5 == 4, LateOffer: seed%7 == 6}
	phone.Headers = [][]string{nil, {"Supported: 100rel, timer", "Session-Expires: 90;refresher=uas"}, {"Supported: 100rel"}}[seed%3]
	a := calltest.NewPhone(t, h.net, phone).Start(t, "100")
	talk(a)
	time.Sleep(time.Duration(rnd.IntN(15000)) * time.Millisecond)
	select {
	case <-a.Done():
	default:
		if len(a.Statuses()) > 0 && a.Statuses()[len(a.Statuses())-1] == 200 {
			a.Hangup(t)
		} else {
			a.Cancel()
			time.Sleep(5 * time.Second)
			select {
			case <-a.Done():
			default: // it crossed the answer
				if s := a.Statuses(); len(s) > 0 && s[len(s)-1] == 200 {
					a.Hangup(t)
				}
			}
		}
	}
	a.WaitEnd(t)
	time.Sleep(40 * time.Second) // transactions and webhooks come to their end
	for _, rec := range h.records(t) {
		traces = append(traces, checkReplay(t, h, rec))
	}
	return traces
}

// TestReplayInBadWeather records calls with faults of the network, peers, servers and the voice, and runs each again:
// the loop does the same, byte for byte, and so does the flow.
func TestReplayInBadWeather(t *testing.T) {
	calls, steps := 0, 0
	seeds := 200
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var traces [][]byte
			synctest.Test(t, func(t *testing.T) { traces = recordInBadWeather(t, uint64(seed)) })
			if dir := os.Getenv("CALLBIN_TRACES"); dir != "" {
				for i, trace := range traces {
					if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d-%d.trace", seed, i)), trace, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, trace := range traces {
				checkFlowReplay(t, trace)
				calls++
				steps += bytes.Count(trace, []byte(`"kind":"action"`))
			}
		})
	}
	t.Logf("%d calls with %d steps", calls, steps)
}

// TestReplayTellsAChangedAnswer changes what a web server said, in the trace, and expects to be told at the step that
// asked it.
func TestReplayTellsAChangedAnswer(t *testing.T) {
	told := 0
	for seed := uint64(0); seed < 400 && told < 20; seed++ {
		var traces [][]byte
		synctest.Test(t, func(t *testing.T) { traces = recordInBadWeather(t, seed) })
		for _, trace := range traces {
			changed := bytes.Replace(trace, []byte(`"body":"vip"`), []byte(`"body":"nobody"`), 1)
			if bytes.Equal(changed, trace) {
				continue
			}
			_, err := calltest.ReplayTrace(t, changed, calltest.ReplayConfig{})
			var d *calltest.Divergence
			if !errors.As(err, &d) {
				t.Fatalf("seed %d: got %v", seed, err)
			}
			if !strings.Contains(d.Recorded, "crm ends") || !strings.Contains(d.Recorded, "body: vip") || !strings.Contains(d.Now, "body: nobody") {
				t.Errorf("seed %d: told elsewhere: %v", seed, d)
			}
			told++
		}
	}
	if told == 0 {
		t.Error("no call asked")
	}
	t.Logf("%d of %d changes were told at their step", told, told)
}

// TestReplayTellsAChangedFlow runs a recorded call with a flow that has been changed since.
func TestReplayTellsAChangedFlow(t *testing.T) {
	var trace []byte
	const before = `[{"type":"answer"},{"id":"d","type":"digits_receive","option":{"length":1,"duration":3000}},
		{"type":"branch","option":{"target_ids":{"1":"a"},"default_target_id":"b"}},{"id":"a","type":"beep"},{"id":"b","type":"hangup"}]`
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": before})
		c := calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100")
		time.Sleep(time.Second)
		c.Press("1")
		c.WaitEnd(t)
		trace = checkReplay(t, h, h.records(t)[0])
	})
	for name, c := range map[string]struct{ old, now, want string }{
		"another target":  {`"1":"a"`, `"1":"b"`, `"1":"b"`},
		"another timeout": {`"duration":3000`, `"duration":500`, `"duration":500`},
		"an action less":  {`{"id":"a","type":"beep"},`, ``, ""},
		"an action more":  {`{"type":"answer"},`, `{"type":"answer"},{"type":"beep"},`, "beep"},
	} {
		t.Run(name, func(t *testing.T) {
			now := strings.Replace(before, c.old, c.now, 1)
			if name == "an action less" {
				now = strings.Replace(now, `"1":"a"`, `"1":"b"`, 1)
			}
			_, err := calltest.ReplayTrace(t, trace, calltest.ReplayConfig{Flow: []byte(now)})
			var d *calltest.Divergence
			if !errors.As(err, &d) || d.Part != "flow" || !strings.Contains(d.Now, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestReplayTellsAChangedLoop changes what an input said that the loop has done.
func TestReplayTellsAChangedLoop(t *testing.T) {
	var trace []byte
	synctest.Test(t, func(t *testing.T) {
		h := open(t, map[string]string{"100": `[{"type":"answer"},{"type":"beep"}]`})
		calltest.NewPhone(t, h.net, calltest.PhoneConfig{}).Dial(t, "100").WaitEnd(t)
		trace = checkReplay(t, h, h.records(t)[0])
	})
	changed := bytes.Replace(trace, []byte(`"did":"accept emit timer`), []byte(`"did":"accept timer`), 1)
	_, err := calltest.ReplayTrace(t, changed, calltest.ReplayConfig{})
	var d *calltest.Divergence
	if !errors.As(err, &d) || d.Part != "engine" || !strings.Contains(d.Now, "accept emit timer") {
		t.Errorf("got %v", err)
	}
}
