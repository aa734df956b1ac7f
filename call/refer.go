package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
)

// ReferOptions of Call.Refer. One of Destination and With is needed.
type ReferOptions struct {
	// Destination is whom the peer is to call, of type tel, sip or extension. It has to pass Config.Outbound, as if we called.
	Destination address.Address
	// With is a call of ours whose far end the peer is to talk to in its place (Replaces, RFC 3891): an attended transfer out of this engine.
	With *Call
	// OnProgress, if not nil, is told what the peer tells of the call that it places, with a SIP status and phrase. It must not block.
	OnProgress func(status int, reason string)
}

// Referred is what became of a Call.Refer.
type Referred struct {
	Status int    // of the call that the peer has placed: 2xx means that it talks to the target; 0: it did not say
	Reason string // phrase, or why there is no result
}

// ReferError is a REFER that the peer has refused.
type ReferError struct {
	Status int
	Reason string
}

func (e *ReferError) Error() string {
	return fmt.Sprintf("call: refer: the peer has refused with %d %s", e.Status, e.Reason)
}

// referring is a Refer that waits; its fields are set before done is closed.
type referring struct {
	progress func(int, string)
	done     chan struct{}
	got      Referred
	err      error
}

// Refer asks the peer of the call to call somebody else (REFER, RFC 3515), so that this engine is not in the way of the talk any more, and waits for
// what comes of it. What follows is the caller's to do: after a success most peers hang up, and the record says transferred then; Hangup does no harm.
// A *ReferError is a peer that does not do it; ErrHangup a call that has ended, which may be a success that was not told.
func (c *Call) Refer(ctx context.Context, o ReferOptions) (Referred, error) {
	to, err := c.referTo(o)
	if err != nil {
		return Referred{}, fmt.Errorf("call: refer: %w", err)
	}
	w := &referring{progress: o.OnProgress, done: make(chan struct{})}
	token := newID()
	c.mu.Lock()
	if c.refers == nil {
		c.refers = map[string]*referring{}
	}
	c.refers[token] = w
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.refers, token)
		c.mu.Unlock()
	}()
	if err := c.command(ctx, Command{Name: "refer", Refer: &ReferCommand{Token: token, To: to.String(), Attended: o.With != nil}}); err != nil {
		return Referred{}, err
	}
	select {
	case <-w.done:
		return w.got, w.err
	case <-c.flowCtx.Done():
		return Referred{}, context.Cause(c.flowCtx)
	case <-ctx.Done():
		return Referred{}, context.Cause(ctx)
	}
}

// referTo is what the Refer-To of o says.
func (c *Call) referTo(o ReferOptions) (sip.ReferTo, error) {
	e := c.engine
	if w := o.With; w != nil {
		d := w.dialog.Load()
		switch {
		case o.Destination != (address.Address{}):
			return sip.ReferTo{}, errors.New("it has both Destination and With")
		case w == c || d == nil || w.Record().TmProgressing.IsZero() || w.isEnding():
			return sip.ReferTo{}, errors.New("option With is no other call that is up")
		}
		rep := d.PeerIdentity()
		return sip.ReferTo{URI: d.Snapshot().RemoteTarget, Replaces: &rep}, nil
	}
	dest := o.Destination.Normalize()
	if dest.Type == address.TypeExtension {
		if _, refused := e.stages(e.callCtx, dest, asker{program: true}); refused != nil {
			return sip.ReferTo{}, refused
		}
		return sip.ReferTo{URI: "sip:" + sipUser(extensionName(dest)) + "@" + e.ownHost()}, nil
	}
	w, refused := e.dialplan(asker{program: true}).way(dest)
	switch {
	case refused != nil:
		return sip.ReferTo{}, refused
	case dest.Type == address.TypeSIP:
		return sip.ReferTo{URI: w.uri}, nil
	case c.extension.Load() != nil: // its phone calls by us
		return sip.ReferTo{URI: "sip:" + sipUser(dest.Target) + "@" + e.ownHost()}, nil
	}
	return sip.ReferTo{URI: "tel:" + dest.Target}, nil
}

// sendRefer sends the REFER. It runs on the loop.
func (c *Call) sendRefer(e *Effect) {
	to, err := sip.ParseReferTo(e.Body)
	var id int
	if err == nil {
		id, err = c.dialog.Load().Refer(to, sip.Header{Name: "Referred-By", Value: "<" + c.ownURI() + ">"})
	}
	if err != nil {
		c.answerCommand(e.Ref, err.Error())
		return
	}
	c.mu.Lock()
	w := c.refers[e.Text]
	c.mu.Unlock()
	if w != nil {
		if c.referring == nil {
			c.referring = map[int]*referring{}
		}
		c.referring[id] = w
	}
	c.answerCommand(e.Ref, "")
}

// ownURI is the address that the peer talks to.
func (c *Call) ownURI() string {
	rec := c.machine.st.Record
	a := rec.Destination
	if c.out != nil {
		a = rec.Source
	}
	return "sip:" + sipUser(extensionName(a)) + "@" + c.engine.ownHost()
}

// referral takes what the peer tells. It runs on the loop.
func (c *Call) referral(e *Effect) {
	w := c.referring[e.Referral]
	if w == nil {
		return
	}
	if e.For != "" {
		delete(c.referring, e.Referral)
		if w.got = (Referred{Status: e.Status, Reason: e.Text}); e.For == "refused" {
			w.err = &ReferError{Status: e.Status, Reason: e.Text}
		}
		close(w.done)
		return
	}
	if w.progress != nil {
		w.progress(e.Status, e.Text)
	}
}

// ReferCommand asks for a REFER.
type ReferCommand struct {
	Token    string `json:"token"` // by which who waits is found
	To       string `json:"to"`    // value of Refer-To
	Attended bool   `json:"attended,omitempty"`
}

func (m *Machine) refer(c *Command) {
	if m.st.Phase != PhaseConfirmed {
		m.do(Effect{Do: DoReply, Ref: c.Ref, Text: "only a call that is answered can be referred"})
		return
	}
	m.do(Effect{Do: DoSendRefer, Ref: c.Ref, Text: c.Refer.Token, Body: c.Refer.To})
}

// referral takes what became of a REFER of ours.
func (m *Machine) referral(e *sip.Event) {
	end := ""
	switch {
	case !e.Final:
	case e.Method == "REFER" && e.Status >= 300:
		end = "refused"
	default:
		end = "final"
		m.st.Transferred = m.st.Transferred || e.Status/100 == 2
	}
	m.do(Effect{Do: DoReferral, Referral: e.Referral, Status: e.Status, Text: e.Reason, For: end})
}
