package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// storedQueue are QueueOptions as they are stored; times are milliseconds.
type storedQueue struct {
	Name           string            `json:"name,omitempty"`
	Detail         string            `json:"detail,omitempty"`
	RoutingMethod  string            `json:"routing_method,omitempty"`
	Tags           []string          `json:"tag_ids,omitempty"`
	AllTags        bool              `json:"all_tags,omitempty"`
	WaitFlowID     string            `json:"wait_flow_id,omitempty"`
	WhisperFlowID  string            `json:"whisper_flow_id,omitempty"`
	Priority       int               `json:"priority,omitempty"`
	WaitTimeout    int64             `json:"wait_timeout,omitempty"`
	ServiceTimeout int64             `json:"service_timeout,omitempty"`
	MaxLength      int               `json:"max_length,omitempty"`
	RingTimeout    int64             `json:"ring_timeout,omitempty"`
	MissRest       int64             `json:"miss_rest,omitempty"`
	MaxMisses      int               `json:"max_misses,omitempty"`
	WrapUp         int64             `json:"wrap_up,omitempty"`
	NoAgents       string            `json:"no_agents,omitempty"`
	Overflow       []address.Address `json:"overflow,omitempty"`
	LeaveKey       string            `json:"leave_key,omitempty"`
	CallbackKey    string            `json:"callback_key,omitempty"`
	CallbackHangup bool              `json:"callback_on_hangup,omitempty"`
	CallbackSource *address.Address  `json:"callback_source,omitempty"`
	CallbackRing   int64             `json:"callback_ring_timeout,omitempty"`
}

func (d *Directory) queueEntries() *Entries[QueueOptions] {
	s := newEntries[QueueOptions](d, store.EntryQueue)
	s.check = func(id string, o *QueueOptions) error {
		o.ID = id
		*o = o.clone()
		if o.WaitFlow != nil || o.WhisperFlow != nil {
			return errors.New("a flow at hand cannot be stored: it has to have an id")
		}
		return errors.Join(text("name", o.Name, maxDetail), text("detail", o.Detail, maxDetail), o.check("queue"))
	}
	s.encode = func(o *QueueOptions) ([]byte, error) {
		q := storedQueue{
			Name: o.Name, Detail: o.Detail, RoutingMethod: o.RoutingMethod, Tags: o.Tags, AllTags: o.AllTags, WaitFlowID: o.WaitFlowID, WhisperFlowID: o.WhisperFlowID,
			Priority: o.Priority, WaitTimeout: o.WaitTimeout.Milliseconds(), ServiceTimeout: o.ServiceTimeout.Milliseconds(), MaxLength: o.MaxLength,
			RingTimeout: o.RingTimeout.Milliseconds(), MissRest: o.MissRest.Milliseconds(), MaxMisses: o.MaxMisses, WrapUp: o.WrapUp.Milliseconds(),
			NoAgents: o.NoAgents, Overflow: o.Overflow, LeaveKey: o.LeaveKey, CallbackKey: o.Callback.Key, CallbackHangup: o.Callback.OnHangup,
			CallbackRing: o.Callback.RingTimeout.Milliseconds(),
		}
		if src := o.Callback.Source; !src.IsZero() {
			q.CallbackSource = &src
		}
		return json.Marshal(q)
	}
	s.decode = func(id string, b []byte) (QueueOptions, error) {
		var q storedQueue
		err := json.Unmarshal(b, &q)
		ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
		o := QueueOptions{
			ID: id, Name: q.Name, Detail: q.Detail, RoutingMethod: q.RoutingMethod, Tags: q.Tags, AllTags: q.AllTags, WaitFlowID: q.WaitFlowID, WhisperFlowID: q.WhisperFlowID,
			Priority: q.Priority, WaitTimeout: ms(q.WaitTimeout), ServiceTimeout: ms(q.ServiceTimeout), MaxLength: q.MaxLength,
			RingTimeout: ms(q.RingTimeout), MissRest: ms(q.MissRest), MaxMisses: q.MaxMisses, WrapUp: ms(q.WrapUp),
			NoAgents: q.NoAgents, Overflow: q.Overflow, LeaveKey: q.LeaveKey, Callback: CallbackOptions{Key: q.CallbackKey, OnHangup: q.CallbackHangup, RingTimeout: ms(q.CallbackRing)},
		}
		if q.CallbackSource != nil {
			o.Callback.Source = *q.CallbackSource
		}
		return o, err
	}
	s.taken = func(id string) error {
		if e := d.engine.Load(); e != nil {
			if _, ok := e.Queue(id); ok {
				return fmt.Errorf("%w: %w", ErrQueueExists, store.ErrConflict)
			}
		}
		return nil
	}
	s.changed = func(_ context.Context, e *Engine, old, now *Entry[QueueOptions], _ func(*QueueOptions)) error {
		switch {
		case old == nil:
			_, err := e.createQueue(now.Value, now.TmCreate)
			return err
		case now == nil:
			if _, ok := e.Queue(old.ID); !ok { // the program has deleted it
				return nil
			}
			return e.DeleteQueue(old.ID)
		}
		q, ok := e.Queue(now.ID)
		if !ok { // so it has, but wants it to be there
			_, err := e.createQueue(now.Value, now.TmCreate)
			return err
		}
		return q.Update(now.Value)
	}
	return s
}

// restoreQueues makes those of a directory. What is wrong with one is logged.
func (e *Engine) restoreQueues(all []*Entry[QueueOptions]) {
	e.desk.outbox.telling = true // nobody is told what is so from the start
	defer func() { e.desk.outbox = outbox{} }()
	for _, entry := range all {
		if entry.Rev == 0 {
			continue
		}
		q, err := e.createQueue(entry.Value, entry.TmCreate)
		if err != nil {
			e.log.Error("queue of the directory not made", "queue", entry.ID, "err", err)
			continue
		}
		e.desk.mu.Lock()
		q.record.TmUpdate = entry.TmUpdate
		e.desk.mu.Unlock()
	}
}
