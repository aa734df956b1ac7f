package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"github.com/callbin/callbin/store"
)

const (
	// ticketTime is how long a ticket is good.
	ticketTime = 30 * time.Second
	// maxTickets is how many may be out at a time.
	maxTickets = 10_000
)

// tickets let in once who has no way to send a header: EventSource and WebSocket of a browser. A token in a URL would stand in logs and histories, a
// ticket is worth nothing there.
type tickets struct {
	mu  sync.Mutex
	out map[[sha256.Size]byte]ticket // guarded by mu; by the hash of what stands in the URL
}

type ticket struct {
	by    *holder
	until time.Time
}

// Ticket is the answer of POST /events/tickets.
type Ticket struct {
	Ticket string     `json:"ticket" doc:"to be given as the parameter ticket of one stream of events, in place of a token"`
	Until  store.Time `json:"tm_expire" doc:"when it is worth nothing any more"`
}

func (t *tickets) issue(by *holder, now time.Time) (Ticket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.out) >= maxTickets {
		for k, v := range t.out {
			if now.After(v.until) {
				delete(t.out, k)
			}
		}
	}
	if len(t.out) >= maxTickets {
		return Ticket{}, &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "too_many_tickets", message: "too many tickets are out that were not used", retry: ticketTime}
	}
	if t.out == nil {
		t.out = map[[sha256.Size]byte]ticket{}
	}
	text, until := rand.Text(), now.Add(ticketTime)
	t.out[sha256.Sum256([]byte(text))] = ticket{by, until}
	return Ticket{text, store.At(until)}, nil
}

// redeem finds whose ticket that is, and makes it worthless; nil: it is none.
func (t *tickets) redeem(text string, now time.Time) *holder {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := sha256.Sum256([]byte(text)) // of random bits: there is nothing to be learned from the time that it takes to find it
	v, ok := t.out[k]
	delete(t.out, k)
	if !ok || now.After(v.until) {
		return nil
	}
	return v.by
}
