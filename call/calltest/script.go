package calltest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Hangup sends BYE, with headers of the form "Name: value", and waits for its answer.
func (c *PhoneCall) Hangup(t testing.TB, headers ...string) {
	t.Helper()
	m, err := c.exchange("BYE", "", headers...)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	crossed := m.status() == 481 && (c.ended || !c.up) // the far end's BYE or refusal is on its way, or here
	c.mu.Unlock()
	if m.status() != 200 && !crossed {
		t.Errorf("calltest: BYE was answered with %d", m.status())
	}
	c.end("hung up")
}

// Vanish cuts the call's cable: from now on the phone sends nothing of it, no BYE, no response and no sound, and takes
// nothing. The call is over, as "vanished"; forks of the same INVITE are gone with it. Other calls go on.
func (c *PhoneCall) Vanish() {
	c.phone.mu.Lock()
	c.phone.cut[c.id] = true
	calls := make([]*PhoneCall, 0, 1)
	for _, f := range c.phone.calls {
		if f.id == c.id {
			calls = append(calls, f)
		}
	}
	c.phone.mu.Unlock()
	for _, f := range calls {
		f.end("vanished")
	}
}

// OldHold is the Direction of Reinvite with which phones of RFC 2543 hold: "sendrecv", with the address 0.0.0.0.
const OldHold = "0.0.0.0"

// Want says what the phone answers to offers that come within the call: the direction that it wants, as "inactive" for one
// that does not want to be played to on hold.
func (c *PhoneCall) Want(direction string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wish = direction
}

// RefuseOffers has the phone refuse offers that come within the call with status, such as 488; 0 ends that.
func (c *PhoneCall) RefuseOffers(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stubborn = status
}

// Reinvite offers direction anew ("sendonly" is hold, "sendrecv" ends it) and returns the direction and
// status of the answer. The phone keeps to what comes out: on "inactive" or "recvonly" it sends nothing.
func (c *PhoneCall) Reinvite(t testing.TB, direction string) (answered string, status int) {
	t.Helper()
	c.mu.Lock()
	before := c.wish
	if c.old = direction == OldHold; c.old {
		direction = "sendrecv"
	}
	c.wish = direction
	c.mu.Unlock()
	m, err := c.exchange("INVITE", c.sdp(false))
	if err != nil {
		t.Fatal(err)
	}
	if m.status() >= 300 {
		c.mu.Lock()
		c.wish = before
		c.mu.Unlock()
	}
	if m.body != "" {
		answered = parseAudio(m.body).direction
	}
	return answered, m.status()
}

// Press sends digits by RFC 4733, 100 ms each with 100 ms between them, and returns when they are sent. Where no
// telephone-event was agreed on it sends their tones.
func (c *PhoneCall) Press(digits string) { c.sound.press(digits) }

// Info sends an INFO (RFC 6086) and returns the status of its final response.
func (c *PhoneCall) Info(t testing.TB, contentType, body string) (status int) {
	t.Helper()
	c.mu.Lock()
	c.cseq++
	n := c.cseq
	c.mu.Unlock()
	m := c.request("INFO", n, fmt.Sprintf("%s-%d", c.branch, n), body)
	m.set("Content-Type", contentType)
	res, err := c.await(m)
	if err != nil {
		t.Fatal(err)
	}
	return res.status()
}

// PressInfo sends digits by SIP INFO, as phones do that know no RFC 4733, and returns when they are answered.
func (c *PhoneCall) PressInfo(t testing.TB, digits string) {
	t.Helper()
	for _, d := range digits {
		if status := c.Info(t, "application/dtmf-relay", fmt.Sprintf("Signal=%c\r\nDuration=100\r\n", d)); status != 200 {
			t.Fatalf("calltest: INFO is answered %d", status)
		}
	}
}

// Pressed returns the digits that came by RFC 4733, one for each event, whatever number of packets it took.
func (c *PhoneCall) Pressed() string { return c.sound.digits() }

// Say sends pcm (8 kHz) in place of the phone's silence, from when there is somebody to send
// to, and returns at once.
func (c *PhoneCall) Say(pcm []int16) { c.sound.say(pcm) }

// Heard returns all sound that came so far, 8 kHz, in the order and at the place of its RTP timestamps. A new
// SSRC goes on where the last one ended.
func (c *PhoneCall) Heard() []int16 { return c.sound.all() }

// Packets returns the header of each RTP packet that came, in the order of arrival.
func (c *PhoneCall) Packets() []Packet { return c.sound.log() }

// Answers returns each SDP that came; in an incoming call the offer is among them once it is responded to.
func (c *PhoneCall) Answers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.offers)
}

// Direction is that of the last SDP that came: "sendonly" or "inactive" when the far end holds the call.
func (c *PhoneCall) Direction() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.direction
}

// Contact returns the URI that the far end wants to be reached at.
func (c *PhoneCall) Contact() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target
}

// Done is closed when the call is over.
func (c *PhoneCall) Done() <-chan struct{} { return c.done }

// WaitAnswer waits until the call is answered: an incoming one until the ACK is there.
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

// WaitEnd waits until the call is over and tells why, as Ended does.
func (c *PhoneCall) WaitEnd(t testing.TB) string {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(10 * time.Minute):
		t.Fatal("calltest: the call did not end")
	}
	return c.Ended()
}

// Ended tells why the call is over, "" while it is not: "BYE" and the Reason header of the far end's BYE, "hung up",
// the status of the refusal, "no response", "no ACK", "vanished" or "phone switched off".
func (c *PhoneCall) Ended() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
