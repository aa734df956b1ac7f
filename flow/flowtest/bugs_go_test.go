package flowtest

func bugsInGo() []bug { return nil }
