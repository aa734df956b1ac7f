package calltest

import "github.com/callbin/callbin/flow/flowtest"

// Playable tells whether RunScript takes a script.
func Playable(script string) error {
	s, err := flowtest.ParseScript(script)
	if err != nil {
		return err
	}
	return playable(NewNet(), s)
}
