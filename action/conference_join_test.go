package action

import (
	"errors"
	"fmt"
	"testing"
)

func TestOnlyAnUnknownConferenceIsFatal(t *testing.T) {
	a := &conferenceJoin{ConferenceID: "sales"}
	for err, fatal := range map[error]bool{nil: false, errOops: false, fmt.Errorf("sales: %w", ErrNoConference): true} {
		_, got := a.Run(t.Context(), &joiner{err: err})
		if !errors.Is(got, err) || IsFatal(got) != fatal {
			t.Errorf("leg: %v, action: %v", err, got)
		}
	}
}
