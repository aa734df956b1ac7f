package calltest

import (
	"fmt"
	"strings"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/flow/flowtest"
)

// queues are those of a script, each with an agent of its own, whose phone is the peers': it rings for as long as the script says that nobody
// answers. A queue that the caller leaves has none.
func (p *peers) queues(lines flowtest.Script) ([]call.QueueOptions, call.Agents) {
	p.desk = make(map[string]time.Duration)
	var queues []call.QueueOptions
	var agents []call.Agent
	for _, l := range lines {
		f := strings.Fields(l.Args)
		if l.Verb != "queue" || len(f) != 3 {
			continue
		}
		after, err := time.ParseDuration(f[2])
		if err != nil {
			continue // the script was refused
		}
		q := call.QueueOptions{ID: f[0], Tags: []string{f[0]}}
		if f[1] == "answers" {
			user := fmt.Sprintf("agent%d", len(agents)+1)
			p.desk[user] = after
			q.RingTimeout = after + time.Minute
			agents = append(agents, call.Agent{ID: user, Tags: q.Tags, Status: call.AgentAvailable,
				Addresses: []address.Address{{Type: address.TypeSIP, Target: user + "@" + p.phone.Addr().String()}}})
		} else {
			q.WaitTimeout = after
		}
		queues = append(queues, q)
	}
	return queues, call.ListAgents(agents...)
}

// serve is an agent, who answers after a while and stays.
func (p *peers) serve(c *PhoneCall, after time.Duration) {
	c.Ring()
	select {
	case <-time.After(after):
	case <-c.Done():
		return
	}
	c.Answer()
	select {
	case <-c.answered:
	case <-c.Done():
		return
	}
	p.mu.Lock()
	if !p.off {
		p.run.world.Log(flowtest.KindJoins, "leg-1")
	}
	p.mu.Unlock()
	p.stay(c)
}
