package calltest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// patience is how long a phone waits for what a test expects.
const patience = 30 * time.Second

// transact sends an in-dialog request and returns the response.
func (c *PhoneCall) transact(t testing.TB, method, body string) *message {
	t.Helper()
	c.mu.Lock()
	c.cseq++
	key := fmt.Sprintf("%d %s", c.cseq, method)
	branch := fmt.Sprintf("%s-%d", c.branch, c.cseq)
	ch := make(chan *message, 1)
	if c.replies == nil {
		c.replies = map[string]chan *message{}
	}
	c.replies[key] = ch
	c.mu.Unlock()
	req := c.request(method, branch, body)
	over := time.After(patience)
	for {
		c.phone.send(req)
		select {
		case m := <-ch:
			return m
		case <-time.After(500 * time.Millisecond):
		case <-over:
			t.Fatalf("calltest: no response to %s", method)
		}
	}
}

// Hangup sends BYE and waits for its answer.
func (c *PhoneCall) Hangup(t testing.TB) {
	t.Helper()
	if m := c.transact(t, "BYE", ""); m.status() != 200 {
		t.Errorf("calltest: BYE was answered with %d", m.status())
	}
	c.end("hung up")
}

// Cancel sends CANCEL; the 487 ends the call.
func (c *PhoneCall) Cancel() {
	m := c.request("CANCEL", c.branch, "")
	m.first = "CANCEL " + c.uri + " SIP/2.0"
	c.mu.Lock()
	for i, h := range m.headers {
		if h[0] == "To" {
			m.headers[i][1] = "<" + c.uri + ">"
		}
	}
	c.mu.Unlock()
	c.phone.send(m)
}

// Reinvite offers direction anew ("sendonly" is hold) and returns the direction and status of the answer.
func (c *PhoneCall) Reinvite(t testing.TB, direction string) (answered string, status int) {
	t.Helper()
	m := c.transact(t, "INVITE", c.sdp(direction))
	if m.body != "" {
		_, _, _, answered = sdpAudio(m.body)
	}
	return answered, m.status()
}

// Press sends digits by RFC 4733, 100 ms each with 100 ms between them, and returns when they are sent.
func (c *PhoneCall) Press(digits string) { c.sound.press(digits) }

// Say sends pcm (8 kHz) in place of the phone's silence and returns at once.
func (c *PhoneCall) Say(pcm []int16) { c.sound.say(pcm) }

// Heard returns all sound that came so far, 8 kHz, in the order and at the place of its RTP timestamps.
func (c *PhoneCall) Heard() []int16 { return c.sound.all() }

// Statuses returns the status of each response to the INVITE, in order.
func (c *PhoneCall) Statuses() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.statuses)
}

// Answers returns each SDP that came.
func (c *PhoneCall) Answers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.offers)
}

// Contact returns the URI that the far end wants to be reached at.
func (c *PhoneCall) Contact() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target
}

// Done is closed when the call is over.
func (c *PhoneCall) Done() <-chan struct{} { return c.done }

// WaitAnswer waits until the call is answered.
func (c *PhoneCall) WaitAnswer(t testing.TB) {
	t.Helper()
	select {
	case <-c.answered:
	case <-c.done:
		select {
		case <-c.answered:
		default:
			t.Fatal(c.err())
		}
	case <-time.After(patience):
		t.Fatal("calltest: the call was not answered")
	}
}

// WaitEnd waits until the call is over and tells why.
func (c *PhoneCall) WaitEnd(t testing.TB) string {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(10 * time.Minute):
		t.Fatal("calltest: the call did not end")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
