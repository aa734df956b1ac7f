package sip

import "fmt"

// MessageSummary is how many voice messages a user has (RFC 3842).
type MessageSummary struct {
	New, Old             int
	UrgentNew, UrgentOld int // that are among them
}

// body writes s for the account (RFC 3842 3.5, 5.2).
func (s MessageSummary) body(account string) []byte {
	waiting := "no"
	if s.New > 0 {
		waiting = "yes"
	}
	return fmt.Appendf(nil, "Messages-Waiting: %s\r\nMessage-Account: %s\r\nVoice-Message: %d/%d (%d/%d)\r\n",
		waiting, account, s.New, s.Old, s.UrgentNew, s.UrgentOld)
}
