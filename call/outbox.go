package call

import "sync"

// outbox has events of a resource that have their place among all, and that Config.OnEvent is still to be told of. It is guarded by the
// mutex of the resource.
type outbox struct {
	waiting []Event
	telling bool // somebody is at it
}

// note gives ev its place, while the mutex is held: the order of events is that of the changes.
func (o *outbox) note(e *Engine, ev Event) { o.waiting = append(o.waiting, e.note(ev)) }

// unlock gives mu back and tells what was noted, in its order: where another goroutine is at it, that one does.
func (o *outbox) unlock(mu *sync.Mutex, e *Engine) {
	for !o.telling && len(o.waiting) > 0 {
		o.telling = true
		evs := o.waiting
		o.waiting = nil
		mu.Unlock()
		for _, ev := range evs {
			e.hookGuarded(ev)
		}
		mu.Lock()
		o.telling = false
	}
	mu.Unlock()
}
