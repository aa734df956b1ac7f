//go:build !linux

package media

// pollerAvailable: sockets are read by a goroutine each.
const pollerAvailable = false

func newPoller(*Shard) (poller, error) { return newChanPoller(), nil }
