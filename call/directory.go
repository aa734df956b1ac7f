package call

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/store"
)

// Directory knows what a destination stands for: an agent for its addresses, an extension for the phones that are
// registered. A destination that stands for several is rung as a groupcall of its own.
type Directory interface {
	// Expand returns what dest stands for. An Expansion without destinations says that dest stands for itself. An
	// error makes an attempt that failed. It is called before dest is dialled, each time, and may take a
	// moment; ctx ends when nobody waits for it any more.
	Expand(ctx context.Context, dest address.Address) (Expansion, error)
}

// Expansion is what a destination stands for.
type Expansion struct {
	Destinations []address.Address
	RingMethod   string // store.RingAll, which is also what "" is, or store.RingLinear
}

// maxNesting is how deep destinations may stand for others: queue, agent, extension, phone.
const maxNesting = 4

// expand asks the directory. It is the one place where destinations become others.
func (e *Engine) expand(ctx context.Context, dest address.Address) (x Expansion, err error) {
	if e.cfg.Directory == nil {
		return Expansion{}, nil
	}
	defer func() {
		if r := recover(); r != nil {
			e.log.Error("panic in the directory", "destination", dest.String(), "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("call: panic in the directory: %v", r)
		}
	}()
	x, err = e.cfg.Directory.Expand(ctx, dest)
	if err != nil {
		return Expansion{}, err
	}
	switch x.RingMethod {
	case "", store.RingAll, store.RingLinear:
		return x, nil
	}
	return Expansion{}, fmt.Errorf("call: the directory names ring method %q, there are %s and %s", x.RingMethod, store.RingAll, store.RingLinear)
}
