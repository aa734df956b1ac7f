package call

import (
	"context"
	"time"

	"github.com/callbin/callbin/store"
)

// keepQuality asks the media of all answered calls how they sound, again and again. One goroutine does it for all of them: a timer for
// each call would cost more than the figures.
func (e *Engine) keepQuality(ctx context.Context) {
	t := time.NewTicker(e.cfg.QualityInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for c := range e.Calls() {
			if l := c.leg.Load(); l != nil && c.CallStatus() == store.StatusProgressing {
				s := (*l).Stats()
				c.post(Input{Kind: KindQuality, Stats: &s})
			}
		}
	}
}
