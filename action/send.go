package action

import "time"

// Limits of what is sent.
const (
	SendTimeout    = 30 * time.Second // of the provider's work on one message, mail or case
	MaxAttachments = 32               // of one mail
)
