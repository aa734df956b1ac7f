package call_test

import (
	"context"
	"fmt"

	"github.com/callbin/callbin/call"
)

// A mailbox of an extension, whose owner gets each message by mail. It never shows its PIN.
func ExampleListMailboxes() {
	boxes := call.ListMailboxes(call.Mailbox{ID: "200", PIN: "493817", Email: []string{"ann@example.com"}, KeepDays: 30})
	m, ok, err := boxes.Mailbox(context.Background(), "200")
	fmt.Println(m, ok, err, m.Email)
	// Output: 200 true <nil> [ann@example.com]
}
