package call

import "github.com/google/uuid"

// newID makes a UUID of version 7: it grows with time, so that records of one time lie
// together in a store's indexes.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
