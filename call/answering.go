package call

import (
	"context"
	"fmt"
	"time"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/media"
	"github.com/callbin/callbin/store"
)

var _ action.MachineDetector = (*Call)(nil)

// DetectMachine listens to who has answered, from now on, and tells what it is: "human", "machine" or "notsure" (amd). Config.Answering has
// the times by which it judges.
func (c *Call) DetectMachine(ctx context.Context) (verdict string, err error) {
	start := time.Now()
	found, err := c.detectMachine(ctx)
	c.noted(ctx, start, Note{What: "amd", Body: found.Cause, Result: asJSON(found.Verdict)}, err)
	return found.Verdict, err
}

func (c *Call) detectMachine(ctx context.Context) (media.Answer, error) {
	if s := c.CallStatus(); s != store.StatusProgressing {
		return media.Answer{}, fmt.Errorf("call: amd: the call is %s, not answered", s)
	}
	var d *media.AnswerDetector
	stop, err := c.Listen(ctx, func(rateHz int) (media.Tap, error) {
		o := c.engine.cfg.Answering
		o.Rate = rateHz
		d = media.NewAnswerDetector(o)
		return d, nil
	})
	if err != nil {
		return media.Answer{}, err
	}
	defer stop()
	select {
	case found := <-d.Found():
		return found, nil
	case <-ctx.Done():
		return media.Answer{}, context.Cause(ctx)
	}
}
