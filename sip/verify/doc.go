// Package verify finds out whether the caller of an incoming call is who it says, and may call: the first step of every incoming call.
package verify
