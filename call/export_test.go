package call

import "github.com/callbin/callbin/store"

// TellForTest tells an event of a conference, as a change of it does.
func TellForTest(f *Conference) { f.change("conference_updated", func(*store.Conference) {}) }
