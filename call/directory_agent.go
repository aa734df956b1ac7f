package call

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/callbin/callbin/store"
)

// storedAgent is an agent as it is stored.
type storedAgent struct {
	Agent
	RingTimeout int64 `json:"ring_timeout,omitempty"` // ms
}

func (d *Directory) agentEntries() *Entries[Agent] {
	s := newEntries[Agent](d, store.EntryAgent)
	s.check = func(id string, a *Agent) error {
		a.ID = id
		if a.RingTimeout < 0 {
			return errors.New("ring_timeout is negative")
		}
		for i := range a.Addresses {
			a.Addresses[i] = a.Addresses[i].Normalize()
		}
		return errors.Join(text("name", a.Name, maxDetail), text("detail", a.Detail, maxDetail), checkAgents("agents", []Agent{*a}))
	}
	s.encode = func(a *Agent) ([]byte, error) { return json.Marshal(storedAgent{*a, a.RingTimeout.Milliseconds()}) }
	s.decode = func(id string, b []byte) (Agent, error) {
		var a storedAgent
		err := json.Unmarshal(b, &a)
		a.Agent.ID, a.Agent.RingTimeout = id, time.Duration(a.RingTimeout)*time.Millisecond
		return a.Agent, err
	}
	s.taken = func(id string) error { // by the settings, where these do not tell all of theirs
		if d.people == nil {
			return nil
		}
		if _, ok, err := d.people.Agent(context.Background(), id); err != nil || !ok {
			return err
		}
		return store.ErrConflict
	}
	s.changed = func(ctx context.Context, e *Engine, old, now *Entry[Agent], _ func(*Agent)) error {
		id := ""
		if now != nil {
			id = now.ID
		} else {
			id = old.ID
		}
		if err := e.RefreshAgent(ctx, id); err != nil && !(now == nil && errors.Is(err, ErrNoAgent)) {
			return err
		}
		return nil
	}
	return s
}
