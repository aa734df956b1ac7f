// Package tools holds the module that pins the tools of .ci/run; it is outside of the
// workspace, so that no user of Callbin sees what they depend on.
package tools
