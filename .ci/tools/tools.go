// Package tools holds the module that pins the tools of .ci/run and of tests; it is outside of the
// workspace, so that no user of Callbin sees what they depend on.
package tools

import _ "github.com/oapi-codegen/runtime" // of the clients that oapi-codegen makes
