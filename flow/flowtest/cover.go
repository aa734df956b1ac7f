package flowtest

// Coverage tells what of a flow ran.
type Coverage struct{}
