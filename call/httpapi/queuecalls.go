package httpapi

import (
	"errors"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// queuecallRows are what is done with stays in queues.
func (a *api) queuecallRows() []operation {
	e, ok := a.cfg.Engine.(Queues)
	if !ok {
		return nil
	}
	db, _ := a.cfg.Store.(store.Queuecalls)
	one := func(r *request, id string) (store.Queuecall, error) {
		if q, ok := e.Queuecall(id); ok {
			return q, nil
		}
		if db == nil {
			return store.Queuecall{}, notFound("queuecall", id)
		}
		return db.Queuecall(r.ctx, id)
	}
	kick := func(r *request, id string) (store.Queuecall, error) {
		q, ok := e.Queuecall(id)
		if !ok {
			return q, notFound("queuecall that is not over", id)
		}
		if err := e.KickQueuecall(id); errors.Is(err, call.ErrNoQueuecall) {
			return q, precondition("served", "the caller talks with an agent: hang one of the calls up")
		} else if err != nil {
			return q, err
		}
		return q, nil
	}
	return []operation{
		op("listQueuecalls", "GET /queuecalls", "queuecalls:read", "Stays in queues, those that are not over and those in the store", func(r *request, p queuecallParams, _ none) (list[store.Queuecall], error) {
			f := store.QueuecallFilter{QueueID: p.QueueID, Status: p.Status, ReferenceID: p.ReferenceID, ServiceAgentID: p.ServiceAgentID, Since: p.Since, Until: p.Until, PageSize: p.PageSize, PageToken: p.PageToken}
			var stored, up []store.Queuecall
			var next string
			var err error
			if db != nil {
				if stored, next, err = db.ListQueuecalls(r.ctx, f); err != nil {
					return list[store.Queuecall]{}, err
				}
			}
			for q := range e.Queues() {
				for _, c := range q.Calls() {
					if f.Match(&c) {
						up = append(up, c)
					}
				}
			}
			page, next, err := merge(stored, next, up, p.PageSize, p.PageToken)
			return listOf(page, next), err
		}),
		op("getQueuecall", "GET /queuecalls/{id}", "queuecalls:read", "One stay in a queue", func(r *request, p idParams, _ none) (store.Queuecall, error) { return one(r, p.ID) }),
		op("kickQueuecall", "POST /queuecalls/{id}/kick", "queuecalls:write", "Put a caller who waits out of the queue: its flow goes on", func(r *request, p idParams, _ none) (store.Queuecall, error) {
			return kick(r, p.ID)
		}),
		op("kickQueuecallByReference", "POST /queuecalls/reference_id/{id}/kick", "queuecalls:write", "The same by the id of the caller's call", func(r *request, p idParams, _ none) (store.Queuecall, error) {
			return kick(r, p.ID)
		}),
		op("setQueuecallPriority", "PUT /queuecalls/{id}/priority", "queuecalls:write", "Move a caller up or down the line", func(r *request, p idParams, b Priority) (store.Queuecall, error) {
			if err := e.SetQueuecallPriority(p.ID, b.Priority); err != nil {
				return store.Queuecall{}, err
			}
			return one(r, p.ID)
		}),
		op("deleteQueuecall", "DELETE /queuecalls/{id}", "queuecalls:write", "Put a caller out of the queue, or forget the record of a stay that is over", func(r *request, p idParams, _ none) (store.Queuecall, error) {
			if _, ok := e.Queuecall(p.ID); ok {
				return kick(r, p.ID)
			}
			q, err := one(r, p.ID)
			if err != nil {
				return q, err
			}
			return q, db.DeleteQueuecall(r.ctx, p.ID)
		}),
	}
}

type queuecallParams struct {
	pageParams
	QueueID        string `json:"queue_id,omitempty"`
	Status         string `json:"status,omitempty"`
	ReferenceID    string `json:"reference_id,omitempty" doc:"of the caller's call"`
	ServiceAgentID string `json:"service_agent_id,omitempty"`
	timeParams
}

// Priority is the body of PUT /queuecalls/{id}/priority.
type Priority struct {
	Priority int `json:"priority" doc:"higher is served first"`
}
