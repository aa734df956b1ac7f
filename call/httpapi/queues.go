package httpapi

import (
	"iter"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Queues knows queues and who is in them; *call.Engine does.
type Queues interface {
	Queue(id string) (*call.Queue, bool)
	Queues() iter.Seq[*call.Queue]
	Queuecall(id string) (store.Queuecall, bool)
	KickQueuecall(id string) error
	SetQueuecallPriority(id string, priority int) error
}

// queueRows are what is done with queues.
func (a *api) queueRows() []operation {
	e, ok := a.cfg.Engine.(Queues)
	if !ok {
		return nil
	}
	d := a.directory()
	one := func(id string) (Queue, error) {
		q, ok := e.Queue(id)
		if !ok {
			return Queue{}, notFound("queue", id)
		}
		return queueOf(d, q), nil
	}
	rows := []operation{
		op("listQueues", "GET /queues", "queues:read", "Queues as they stand", func(_ *request, p pageParams, _ none) (list[Queue], error) {
			var all []Queue
			for q := range e.Queues() {
				all = append(all, queueOf(d, q))
			}
			page, next, err := merge(nil, "", all, p.PageSize, p.PageToken)
			return listOf(page, next), err
		}),
		op("getQueue", "GET /queues/{id}", "queues:read", "One queue as it stands", func(_ *request, p idParams, _ none) (Queue, error) { return one(p.ID) }),
	}
	if d == nil {
		return rows
	}
	update := func(r *request, id string, b QueueBody) (Queue, error) {
		if _, err := one(id); err != nil {
			return Queue{}, err
		}
		old, ok := d.Queues.Get(id)
		if !ok {
			return Queue{}, call.ErrReadOnly // the program has made it
		}
		if err := r.version(tagOfRev(old.Rev)); err != nil {
			return Queue{}, err
		}
		change, err := a.queueChange(r, b)
		if err != nil {
			return Queue{}, err
		}
		x, err := d.Queues.Update(r.ctx, id, old.Rev, change)
		if _, err = updated(r, x, err); err != nil {
			return Queue{}, err
		}
		return one(id)
	}
	return append(rows,
		op("createQueue", "POST /queues", "queues:write", "Make a queue", func(r *request, _ none, b QueueCreate) (Queue, error) {
			change, err := a.queueChange(r, b.QueueBody)
			if err != nil {
				return Queue{}, err
			}
			var o call.QueueOptions
			change(&o)
			x, err := d.Queues.Create(r.ctx, someID(b.ID), o)
			if x, err = created(r, x, err); err != nil {
				return Queue{}, err
			}
			return one(x.ID)
		}).tagged(),
		op("updateQueue", "PUT /queues/{id}", "queues:write", "Change a queue", func(r *request, p idParams, b QueueBody) (Queue, error) { return update(r, p.ID, b) }).tagged().
			tells("Keys that are not there stay as they are. Who waits keeps its place."),
		op("setQueueTags", "PUT /queues/{id}/tag_ids", "queues:write", "Choose the agents of a queue", func(r *request, p idParams, b TagIDs) (Queue, error) {
			return update(r, p.ID, QueueBody{TagIDs: &b.TagIDs})
		}).tagged(),
		op("setQueueRouting", "PUT /queues/{id}/routing_method", "queues:write", "Choose who is rung first", func(r *request, p idParams, b RoutingMethod) (Queue, error) {
			return update(r, p.ID, QueueBody{RoutingMethod: &b.RoutingMethod})
		}).tagged(),
		op("deleteQueue", "DELETE /queues/{id}", "queues:write", "Forget a queue", func(r *request, p idParams, _ none) (Queue, error) {
			was, err := one(p.ID)
			if err != nil {
				return was, err
			}
			if _, ok := d.Queues.Get(p.ID); !ok {
				return was, call.ErrReadOnly
			}
			_, err = deleted(r, d.Queues, "queue", p.ID)
			return was, err
		}).tagged().tells("Who waits in it leaves, and their flows go on; talks go on."))
}

// queueChange is what b makes of the options of a queue.
func (a *api) queueChange(r *request, b QueueBody) (func(*call.QueueOptions), error) {
	wait, err := a.flowID(r, "/wait_flow_id", b.WaitFlowID)
	if err != nil {
		return nil, err
	}
	whisper, err := a.flowID(r, "/whisper_flow_id", b.WhisperFlowID)
	return func(o *call.QueueOptions) {
		set(&o.Name, b.Name)
		set(&o.Detail, b.Detail)
		set(&o.RoutingMethod, b.RoutingMethod)
		set(&o.Tags, b.TagIDs)
		set(&o.AllTags, b.AllTags)
		set(&o.WaitFlowID, wait)
		set(&o.WhisperFlowID, whisper)
		set(&o.Priority, b.Priority)
		setMS(&o.WaitTimeout, b.WaitTimeout)
		setMS(&o.ServiceTimeout, b.ServiceTimeout)
		set(&o.MaxLength, b.MaxLength)
		setMS(&o.RingTimeout, b.RingTimeout)
		setMS(&o.MissRest, b.MissRest)
		set(&o.MaxMisses, b.MaxMisses)
		setMS(&o.WrapUp, b.WrapUp)
		set(&o.NoAgents, b.NoAgents)
		set(&o.Overflow, b.Overflow)
		set(&o.LeaveKey, b.LeaveKey)
		set(&o.Callback.Key, b.CallbackKey)
		set(&o.Callback.OnHangup, b.CallbackOnHangup)
	}, err
}

// QueueBody are the keys of a queue that can be changed, VoIPBIN's, and ours.
type QueueBody struct {
	Name           *string   `json:"name,omitempty"`
	Detail         *string   `json:"detail,omitempty" doc:"a description"`
	RoutingMethod  *string   `json:"routing_method,omitempty" opt:"enum=random|longest_idle|round_robin|ring_all" doc:"default random"`
	TagIDs         *[]string `json:"tag_ids,omitempty" doc:"agents share at least one with it; none: all agents are the queue's"`
	WaitFlowID     *string   `json:"wait_flow_id,omitempty" doc:"of the flow that who waits hears, again and again"`
	WaitTimeout    *int64    `json:"wait_timeout,omitempty" opt:"ms,min=0" doc:"milliseconds; 0: none"`
	ServiceTimeout *int64    `json:"service_timeout,omitempty" opt:"ms,min=0" doc:"milliseconds of the talk; 0: none"`

	AllTags          *bool              `json:"all_tags,omitempty" doc:"agents have all of tag_ids"`
	WhisperFlowID    *string            `json:"whisper_flow_id,omitempty" doc:"of the flow that the agent hears before the caller"`
	Priority         *int               `json:"priority,omitempty" doc:"of callers for whom nothing else is said; higher is served first"`
	MaxLength        *int               `json:"max_length,omitempty" opt:"min=0" doc:"callers that wait; 0: no limit"`
	RingTimeout      *int64             `json:"ring_timeout,omitempty" opt:"ms,min=0" doc:"milliseconds that an agent rings; 0: 20 seconds"`
	MissRest         *int64             `json:"miss_rest,omitempty" opt:"ms,min=0" doc:"milliseconds that who has not taken a call is left alone; 0: 5 seconds"`
	MaxMisses        *int               `json:"max_misses,omitempty" opt:"min=0" doc:"who has missed as many in a row is away; 0: never"`
	WrapUp           *int64             `json:"wrap_up,omitempty" opt:"ms,min=0" doc:"milliseconds that an agent has after each call"`
	NoAgents         *string            `json:"no_agents,omitempty" opt:"enum=wait|refuse|leave" doc:"what happens without agents; default wait"`
	Overflow         *[]address.Address `json:"overflow,omitempty" doc:"who takes callers that are not served"`
	LeaveKey         *string            `json:"leave_key,omitempty" doc:"keys, any one of which leaves the queue"`
	CallbackKey      *string            `json:"callback_key,omitempty" doc:"keys, any one of which asks to be called back"`
	CallbackOnHangup *bool              `json:"callback_on_hangup,omitempty" doc:"who hangs up while it waits is called back"`
}

// QueueCreate is the body of POST /queues.
type QueueCreate struct {
	ID string `json:"id,omitempty" doc:"none: a new UUID"`
	QueueBody
}

// RoutingMethod is the body of PUT /queues/{id}/routing_method.
type RoutingMethod struct {
	RoutingMethod string `json:"routing_method" opt:"required,enum=random|longest_idle|round_robin|ring_all"`
}

// Queue is a queue as it stands, with VoIPBIN's keys, and ours.
type Queue struct {
	store.Queue
	ReadOnly bool  `json:"read_only,omitempty" doc:"it stands in the settings, or the program has made it: only there it can be changed"`
	Rev      int64 `json:"rev,omitempty" doc:"counts the changes, from 1; what If-Match takes, in quotes"`
}

func queueOf(d *call.Directory, q *call.Queue) Queue {
	out := Queue{Queue: q.Record(), ReadOnly: true}
	if d != nil {
		if e, ok := d.Queues.Get(q.ID()); ok {
			out.ReadOnly, out.Rev = e.Rev == 0, e.Rev
		}
	}
	return out
}
