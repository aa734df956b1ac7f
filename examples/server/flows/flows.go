// Package flows holds the flows that examples/server has built in, and opens them, or those of a folder.
package flows

import (
	"embed"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// Builtin are the flows of a server that is given none.
//
//go:embed *.json
var Builtin embed.FS

// Open loads the flows of dir, or the built-in ones, whose relative file: URLs are recordings. check is
// asked about each of them.
func Open(dir, recordings string, cfg *call.Config, check func(*flow.Flow) []flow.Finding) (*flow.Dir, error) {
	opt := flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}
	if dir != "" {
		return flow.OpenDir(dir, opt, check, cfg.Logger)
	}
	opt.Dir = recordings
	return flow.FromFS(Builtin, opt, check, cfg.Logger)
}
