package main

import (
	"embed"
	"io/fs"
)

// What the built-in flows say: rendered beforehand by examples/prerender, so that they speak on a
// machine that has no speech engine.
//
//go:embed speech
var builtin embed.FS

func spoken() fs.FS {
	f, err := fs.Sub(builtin, "speech")
	if err != nil { // a fixed, valid name
		panic(err)
	}
	return f
}
