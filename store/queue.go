package store

// VoIPBIN's value of Queue.RoutingMethod, and ours.
const (
	QueueRandom      = "random"       // a free agent by chance
	QueueLongestIdle = "longest_idle" // who is free for longest
	QueueRoundRobin  = "round_robin"  // whose turn was longest ago
	QueueRingAll     = "ring_all"     // all that are free
)

// Queue is a queue as it stands, with VoIPBIN's JSON keys and, after them, ours.
type Queue struct {
	ID                  string   `json:"id"`
	CustomerID          string   `json:"customer_id,omitempty"`
	Name                string   `json:"name"`
	Detail              string   `json:"detail"`
	RoutingMethod       string   `json:"routing_method"`
	TagIDs              []string `json:"tag_ids,omitempty"`
	WaitFlowID          string   `json:"wait_flow_id,omitempty"`
	WaitTimeout         int64    `json:"wait_timeout"`                    // ms; 0: none
	ServiceTimeout      int64    `json:"service_timeout"`                 // ms; 0: none
	WaitQueuecallIDs    []string `json:"wait_queuecall_ids,omitempty"`    // in the order of service, without those for whom agents ring
	ServiceQueuecallIDs []string `json:"service_queuecall_ids,omitempty"` // in no order
	TotalIncomingCount  int64    `json:"total_incoming_count"`            // all that came, those that were refused too
	TotalServicedCount  int64    `json:"total_serviced_count"`            // whom an agent has spoken with
	TotalAbandonedCount int64    `json:"total_abandoned_count"`           // who left without
	TmCreate            Time     `json:"tm_create,omitzero"`
	TmUpdate            Time     `json:"tm_update,omitzero"`
	TmDelete            Time     `json:"tm_delete,omitzero"`

	AgentsAvailable int `json:"agents_available"` // who could be rung now
	AgentsStaffed   int `json:"agents_staffed"`   // who is available, rings, talks or wraps up
}

// At is the queue's place in lists.
func (q *Queue) At() Cursor { return Cursor{q.TmCreate, q.ID} }
