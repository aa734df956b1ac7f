package call

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// Registration is a phone of an extension: the Data of the events "extension_registered" (it is there, or comes by
// another way), and "extension_unregistered", and what Engine.Registrations lists.
type Registration struct {
	Extension string     `json:"extension"`
	URI       string     `json:"uri"`  // its Contact, as it has written it
	Peer      string     `json:"peer"` // host:port by which it is called
	Transport string     `json:"transport"`
	NAT       bool       `json:"nat"` // the URI does not say where it is
	Q         float64    `json:"q"`
	UserAgent string     `json:"user_agent,omitempty"`
	Reason    string     `json:"reason,omitempty"` // of extension_unregistered: removed, expired, replaced, displaced, closed or dropped
	TmCreate  store.Time `json:"tm_create"`
	TmUpdate  store.Time `json:"tm_update"`
	TmExpire  store.Time `json:"tm_expire"`
}

func registration(c sip.Contact) Registration {
	return Registration{
		Extension: c.User, URI: c.URI, Peer: c.Flow.Remote.String(), Transport: c.Flow.Network, NAT: c.NAT, Q: c.Q,
		UserAgent: c.UserAgent, TmCreate: store.At(c.Since), TmUpdate: store.At(c.Refreshed), TmExpire: store.At(c.Expires),
	}
}

// Registrations are the phones that are registered, by extension; of one, or of all for "".
func (e *Engine) Registrations(extension string) []Registration {
	if e.registrar == nil {
		return nil
	}
	var cs []sip.Contact
	if extension == "" {
		cs = e.registrar.Snapshot()
	} else {
		cs = e.registrar.Contacts(extension)
	}
	rs := make([]Registration, len(cs))
	for i, c := range cs {
		rs[i] = registration(c)
	}
	return rs
}

// DropRegistrations forgets the phones of an extension, as of one whose password has changed, and returns how many there were.
func (e *Engine) DropRegistrations(extension string) int {
	if e.registrar == nil {
		return 0
	}
	return e.registrar.Drop(extension)
}

// registrationChanged makes events of what the registrar tells.
func (e *Engine) registrationChanged(ev sip.RegistrarEvent) {
	typ := "extension_registered"
	if ev.Kind == sip.Unregistered {
		typ = "extension_unregistered"
	}
	r := registration(ev.Contact)
	r.Reason = ev.Reason
	e.log.Info("extension "+ev.Kind, "extension", r.Extension, "uri", r.URI, "peer", r.Peer, "transport", r.Transport, "reason", r.Reason)
	e.tell(Event{Type: typ, Time: time.Now(), Data: r})
}

// loadRegistrations reads Config.RegistrationFile. That it is not there is no error.
func (e *Engine) loadRegistrations() error {
	if e.registrar == nil || e.cfg.RegistrationFile == "" {
		return nil
	}
	b, err := os.ReadFile(e.cfg.RegistrationFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("call: registrations: %w", err)
	}
	var cs []sip.Contact
	if err := json.Unmarshal(b, &cs); err != nil {
		return fmt.Errorf("call: registrations: %s: %w", e.cfg.RegistrationFile, err)
	}
	n, err := e.registrar.Restore(cs)
	if err != nil { // phones register again: no reason not to start
		e.log.Warn("registrations not taken", "file", e.cfg.RegistrationFile, "err", err)
	}
	e.log.Info("registrations are taken up", "file", e.cfg.RegistrationFile, "phones", n)
	return nil
}

// saveRegistrations writes Config.RegistrationFile, whole or not at all.
func (e *Engine) saveRegistrations() error {
	if e.registrar == nil || e.cfg.RegistrationFile == "" {
		return nil
	}
	b, err := json.Marshal(e.registrar.Snapshot())
	if err != nil {
		return fmt.Errorf("call: registrations: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(e.cfg.RegistrationFile), ".registrations-*")
	if err != nil {
		return fmt.Errorf("call: registrations: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), e.cfg.RegistrationFile)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("call: registrations: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// saveInterval is how often Config.RegistrationFile is written: what a crash loses.
const saveInterval = time.Minute

// keepRegistrations writes them now and then, until stop is closed, and at the end.
func (e *Engine) keepRegistrations(stop <-chan struct{}) {
	t := time.NewTicker(saveInterval)
	defer t.Stop()
	for last := false; !last; {
		select {
		case <-t.C:
		case <-stop:
			last = true
		}
		if err := e.saveRegistrations(); err != nil {
			e.log.Error("registrations not written", "err", err)
		}
	}
}
