package call

// TellForTest tells an event of a conference, as a change of it does.
func TellForTest(f *Conference) { f.tell("conference_updated") }
