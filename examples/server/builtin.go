package main

import (
	"embed"
	"io/fs"

	"github.com/callbin/callbin/action"
	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/flow"
)

// The built-in flows, and what they say: rendered beforehand by examples/prerender, so that
// they speak on a machine that has no speech engine.
//
//go:embed flows speech
var builtin embed.FS

func sub(dir string) fs.FS {
	f, err := fs.Sub(builtin, dir)
	if err != nil { // a fixed, valid name
		panic(err)
	}
	return f
}

func spoken() fs.FS { return sub("speech") }

// openFlows loads the flows of dir, or the built-in ones, whose relative file: URLs are recordings.
func openFlows(dir, recordings string, cfg *call.Config) (*flow.Dir, error) {
	opt := flow.ParseOptions{Registry: action.Builtin(cfg.Deps)}
	if dir != "" {
		return flow.OpenDir(dir, opt, cfg.CheckInDir, nil)
	}
	opt.Dir = recordings
	return flow.FromFS(sub("flows"), opt, cfg.CheckInDir, nil)
}
