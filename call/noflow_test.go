package call_test

import (
	"context"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// noFlow is a Config.Route for engines that nobody calls.
func noFlow(context.Context, *call.Incoming) (flow.Program, error) { return nil, call.ErrNoFlow }
