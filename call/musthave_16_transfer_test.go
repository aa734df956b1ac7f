package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/calltest"
)

// TestMustHave16Transfer: VoIPBIN's transfers from outside of the flow, blind and attended, and what a phone does by itself with REFER; the flow of
// the caller goes on with the new one, and after it.
func TestMustHave16Transfer(t *testing.T) {
	for name, transfer := range map[string]func(t *testing.T, h *transferHouse, p *pair) *calltest.PhoneCall{
		"blind": func(t *testing.T, h *transferHouse, p *pair) *calltest.PhoneCall {
			_, err := h.leg(t, p.by).Transfer(t.Context(), to202(call.TransferBlind))
			must(t, err)
			n := h.phones[2].WaitCall(t)
			n.Answer()
			n.WaitAnswer(t)
			return n
		},
		"attended": func(t *testing.T, h *transferHouse, p *pair) *calltest.PhoneCall {
			_, err := h.leg(t, p.by).Transfer(t.Context(), to202(call.TransferAttended))
			must(t, err)
			n := h.phones[2].WaitCall(t)
			n.Answer()
			n.WaitAnswer(t)
			time.Sleep(3 * time.Second)
			p.by.Hangup(t)
			return n
		},
		"REFER": func(t *testing.T, h *transferHouse, p *pair) *calltest.PhoneCall {
			if got := p.by.Refer(t, "<sip:202@10.0.0.1>"); got != 202 {
				t.Errorf("REFER gets %d", got)
			}
			n := h.phones[2].WaitCall(t)
			n.Answer()
			n.WaitAnswer(t)
			p.by.Hangup(t)
			return n
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openTransfers(t)
				p := h.byCallee(t)
				n := transfer(t, h, p)
				speaker(&p.calls, "n", n)
				p.want(t, "x:n t: n:x")
				p.by.WaitEnd(t)
				id := h.leg(t, n).ID()
				n.Hangup(t)
				p.x.WaitEnd(t)
				if !calltest.Hears(lately(p.x), 400) {
					t.Error("the flow of the caller did not go on")
				}
				recs := h.records(t)
				if len(recs) != 3 || recs[1].Code != call.CodeTransferred || recs[1].HangupReason != "normal" || recs[2].JourneyID != recs[0].JourneyID {
					t.Errorf("%+v", recs)
				}
				links := map[string][]string{}
				for i, r := range recs {
					raw, err := h.store.Trace(t.Context(), r.ID)
					must(t, err)
					trace, err := call.DecodeTrace(raw)
					must(t, err)
					if st, _ := call.Replay(trace); st.Record.Code != r.Code || st.Record.Status != r.Status || len(st.Record.ChainedCallIDs) != len(r.ChainedCallIDs) {
						t.Errorf("the trace replays to %+v, the record is %+v", st.Record, r)
					}
					for _, in := range trace {
						if in.Link != nil {
							who := []string{"caller", "transferer", "target"}[i]
							links[who] = append(links[who], in.Link.What)
							if in.Link.What == "transferred_by" && in.Link.CallID != recs[1].ID || in.Link.What == "transfer" && in.Link.CallID != "" && in.Link.CallID != id {
								t.Errorf("%s: %+v", who, in.Link)
							}
						}
					}
				}
				if len(links["caller"]) != 1 || len(links["transferer"]) != 1 || len(links["target"]) != 1 || links["transferer"][0] != "transfer" {
					t.Errorf("links %v", links)
				}
			})
		})
	}
}
