package sip

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestEverythingAtOnce has several goroutines pull at each call while its peer
// does as it likes: nothing may be left, and each dialog tells its end once at
// most.
func TestEverythingAtOnce(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			lasts := make(map[string]int)
			after := make(map[string]int)
			var wg sync.WaitGroup
			mem := newMemNet()
			e, stop := serve(t, Config{
				Listen: []Listen{{Network: "udp", PacketConn: mem.listen("192.0.2.1:5060")}},
				Invite: func(d *Dialog) {
					d.Handle(func(ev Event) {
						mu.Lock()
						defer mu.Unlock()
						if lasts[d.ID()] > 0 {
							after[d.ID()]++
						}
						if ev.last() {
							lasts[d.ID()]++
						}
						if ev.Kind == EventOffer && ev.Offer%2 == 0 {
							wg.Go(func() { _ = d.Answer(ev.Offer, 488, nil) })
						} else if ev.Kind == EventOffer {
							wg.Go(func() { _ = d.Answer(ev.Offer, 200, []byte("v=0\r\n")) })
						}
					})
					for g := range 4 {
						wg.Go(func() {
							r := rand.New(rand.NewPCG(seed, uint64(g)))
							for range 6 {
								time.Sleep(time.Duration(r.IntN(700)) * time.Millisecond)
								switch r.IntN(8) {
								case 0, 1:
									_ = d.Provisional(180+r.IntN(4), nil)
								case 2, 3, 4:
									_ = d.Accept([]byte("v=0\r\n"))
								case 5:
									_ = d.Reject(486, "")
								case 6:
									_ = d.Bye()
								case 7:
									_ = d.Snapshot()
									_, _, _, _ = d.State(), d.RemoteAddr(), d.LocalHost(), d.Network()
								}
							}
						})
					}
				},
			})
			p := newPhone(t, mem.listen("192.0.2.10:5060"), e.Addrs()[0].Addr)
			const calls = 60
			cs := make(map[string]*caller)
			branches := make(map[string]string)
			for i := range calls {
				c := p.caller(fmt.Sprintf("call%d", i))
				cs[c.callID] = c
				branches[c.callID] = c.invite(sdpOffer)
			}
			// The phone acknowledges most finals, answers most BYEs, and now and
			// then cancels, hangs up or sends a re-INVITE.
			end := time.After(3 * time.Minute)
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
		loop:
			for {
				select {
				case m := <-p.in:
					c := cs[m.get("Call-ID")]
					switch {
					case strings.HasPrefix(m.start, "BYE"):
						if rng.IntN(4) > 0 {
							p.reply(m, "200 OK")
						}
					case !strings.HasSuffix(m.get("CSeq"), "INVITE") || m.status() < "200":
						if m.status() > "100" && c.toTag == "" {
							c.answered(m)
						}
					case m.status() >= "300":
						c.toTag = m.toTag()
						c.send("ACK", 1, branches[c.callID], "", "")
					case rng.IntN(4) > 0:
						c.answered(m)
						c.send("ACK", atoi(m.get("CSeq")), fmt.Sprint("ack", rng.Uint32()), "", "")
					}
				case <-tick.C:
					c := cs[fmt.Sprintf("call%d", rng.IntN(calls))]
					if c.toTag == "" {
						continue // an INVITE would be a second call
					}
					switch rng.IntN(4) {
					case 0:
						tag := c.toTag
						c.toTag = ""
						c.send("CANCEL", 1, branches[c.callID], "", "")
						c.toTag = tag
					case 1:
						c.request("INVITE", "", sdpOffer)
					case 2:
						c.request("UPDATE", "", sdpOffer)
					case 3:
						c.request("BYE", "", "")
					}
				case <-end:
					break loop
				}
			}
			wg.Wait()
			// What the phone never acknowledged or hung up is up to us.
			e.mu.Lock()
			var left []*Dialog
			for _, d := range e.dialogs {
				left = append(left, d)
			}
			e.mu.Unlock()
			for _, d := range left {
				_ = d.Reject(480, "")
				_ = d.Bye()
			}
			time.Sleep(3 * time.Minute)
			s := e.Stats()
			if s.Dialogs != 0 || s.Strays != 0 || s.Panics != 0 {
				t.Errorf("left: %+v", s)
			}
			if s.Invites != calls {
				t.Errorf("%d calls, want %d", s.Invites, calls)
			}
			mu.Lock()
			for id, n := range lasts {
				if n != 1 || after[id] != 0 {
					t.Errorf("dialog %s: %d last events, %d after", id, n, after[id])
				}
			}
			mu.Unlock()
			stop()
			p.close()
		})
	}
}

func atoi(s string) int {
	n := 0
	_, _ = fmt.Sscan(s, &n)
	return n
}
