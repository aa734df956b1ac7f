package httpapi

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	keyTime     = 24 * time.Hour
	maxKeys     = 10_000
	maxKeyBytes = 32 << 20 // of all answers that are kept
	maxKey      = 200      // bytes of one key
	// keyedTime bounds a request with a key, which goes on when its sender has gone.
	keyedTime = 2 * time.Minute
)

// replays keeps the answers to requests with an Idempotency-Key: the same request is done once, and answered alike each time. It forgets the
// oldest where they are too many.
type replays struct {
	mu    sync.Mutex
	all   map[replayKey]*replay // guarded by mu
	order []*replay             // guarded by mu; the oldest first
	bytes int                   // guarded by mu; of all bodies
}

type replayKey struct {
	holder *holder
	path   string
	key    string
}

type replay struct {
	key    replayKey
	sum    [sha256.Size]byte // of the body
	at     time.Time
	ready  chan struct{} // closed when it is done
	answer answer        // set before ready is closed
	kept   bool          // answer counts, else somebody has to do it anew; written under replays.mu, before ready is closed
}

// once answers a request with what do answers, unless it has come before.
func (p *replays) once(ctx context.Context, k replayKey, body []byte, do func() answer) (a answer, again bool, err error) {
	if len(k.key) > maxKey {
		return a, false, &failure{code: http.StatusBadRequest, status: "INVALID_ARGUMENT", reason: "idempotency_key",
			message: fmt.Sprintf("the Idempotency-Key has %d bytes, more than %d", len(k.key), maxKey)}
	}
	sum := sha256.Sum256(body)
	for {
		e, mine, err := p.claim(k, sum)
		switch {
		case err != nil:
			return a, false, err
		case mine:
			return p.do(e, do), false, nil
		case e.sum != sum:
			return a, false, &failure{code: http.StatusConflict, status: "ALREADY_EXISTS", reason: "idempotency_key",
				message: "the Idempotency-Key came with another body before"}
		}
		select {
		case <-e.ready:
		case <-ctx.Done():
			return a, false, context.Cause(ctx)
		}
		if e.kept {
			return e.answer, true, nil
		}
	}
}

// do has e done, whatever happens.
func (p *replays) do(e *replay, do func() answer) answer {
	defer close(e.ready)
	defer p.settle(e)
	e.answer = do()
	return e.answer
}

// claim finds the key, or makes it: then it is the caller's to do.
func (p *replays) claim(k replayKey, sum [sha256.Size]byte) (e *replay, mine bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for len(p.order) > 0 && now.Sub(p.order[0].at) >= keyTime {
		p.forget(0)
	}
	if e = p.all[k]; e != nil {
		return e, false, nil
	}
	if len(p.all) >= maxKeys && !p.evict() {
		return nil, false, &failure{code: http.StatusServiceUnavailable, status: "UNAVAILABLE", reason: "no_room", message: "too many requests are being done", retry: time.Second}
	}
	e = &replay{key: k, sum: sum, at: now, ready: make(chan struct{})}
	if p.all == nil {
		p.all = map[replayKey]*replay{}
	}
	p.all[k] = e
	p.order = append(p.order, e)
	return e, true, nil
}

// settle keeps what came of e, or forgets it.
func (p *replays) settle(e *replay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// What is ours to mend, or only for the moment, is tried anew.
	e.kept = e.answer.code < 500 && e.answer.code != http.StatusTooManyRequests && e.answer.direct == nil
	if !e.kept {
		for i, o := range p.order {
			if o == e {
				p.forget(i)
				return
			}
		}
		return
	}
	p.bytes += len(e.answer.body)
	for p.bytes > maxKeyBytes && len(p.all) > 1 && p.evict() {
	}
}

// evict forgets the oldest that is done; false: there is none. p.mu is held.
func (p *replays) evict() bool {
	for i, o := range p.order {
		if o.kept {
			p.forget(i)
			return true
		}
	}
	return false
}

// forget drops the entry at i. p.mu is held.
func (p *replays) forget(i int) {
	e := p.order[i]
	if e.kept {
		p.bytes -= len(e.answer.body)
	}
	if p.all[e.key] == e {
		delete(p.all, e.key)
	}
	if i == 0 {
		p.order[0] = nil
		p.order = p.order[1:]
		return
	}
	p.order = append(p.order[:i], p.order[i+1:]...)
}
