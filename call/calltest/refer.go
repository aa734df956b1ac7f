package calltest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Refer sends REFER with a Refer-To, such as "<sip:bob@10.0.0.1>", and more headers of the form "Name: value", and returns the status of
// the answer. What the far end tells of it comes to Told.
func (c *PhoneCall) Refer(t testing.TB, to string, headers ...string) int {
	t.Helper()
	m, err := c.exchange("REFER", "", append([]string{"Refer-To: " + to}, headers...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.status()
}

// Told are the status lines of the NOTIFYs that came in the call, in order, without the "SIP/2.0 ", and ", over" behind the one that ends the
// subscription.
func (c *PhoneCall) Told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// Name is what a Replaces header of somebody else calls the far end's side of the call by.
func (c *PhoneCall) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.id, tagOf(c.remote), c.tag)
}

// ReferredTo are the Refer-To of the REFERs that came in the call.
func (c *PhoneCall) ReferredTo() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.refers)
}

// Notify tells the far end what became of its REFER, with a status line without "SIP/2.0 " and the value of Subscription-State, and returns the
// status of the answer.
func (c *PhoneCall) Notify(t testing.TB, line, state string) int {
	t.Helper()
	c.mu.Lock()
	c.cseq++
	n := c.cseq
	c.mu.Unlock()
	m := c.request("NOTIFY", n, fmt.Sprintf("%s-%d", c.branch, n), "", "Event: refer", "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0")
	m.body = "SIP/2.0 " + line + "\r\n"
	res, err := c.await(m)
	if err != nil {
		t.Fatal(err)
	}
	return res.status()
}

// notified takes a NOTIFY within the call.
func (c *PhoneCall) notified(m *message) {
	line, _, _ := strings.Cut(m.body, "\r\n")
	line = strings.TrimPrefix(line, "SIP/2.0 ")
	if strings.HasPrefix(m.get("Subscription-State"), "terminated") {
		line += ", over"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, line)
}

// referred takes a REFER.
func (c *PhoneCall) referred(s *served) {
	status := c.phone.cfg.Referred
	if status == 0 {
		status = 202
	}
	c.mu.Lock()
	c.refers = append(c.refers, s.req.get("Refer-To"))
	c.mu.Unlock()
	c.phone.respond(s, s.req.reply(status))
}

// Reference is the Refer-To by which the far end sends somebody else to the phone, in place of this call (RFC 3891).
func (c *PhoneCall) Reference() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("<%s?Replaces=%s>", strings.Trim(c.contact(), "<>"), url.QueryEscape(fmt.Sprintf("%s;to-tag=%s;from-tag=%s", c.id, c.tag, tagOf(c.remote))))
}
