package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/store"
)

// minPassword is how long the password of an extension in a directory has to be: who is reachable from outside is tried with all that are shorter.
const minPassword = 8

// maxDetail bounds names and details that people write.
const maxDetail = 2000

// realm is that of digest authentication.
func (c *Config) realm() string { return cmp.Or(c.Realm, DefaultRealm) }

// storedExtension is an extension as it is stored.
type storedExtension struct {
	Name        string            `json:"name"`
	Label       string            `json:"label,omitempty"`
	Detail      string            `json:"detail,omitempty"`
	ContactsMax int               `json:"contacts_max,omitempty"`
	Account     string            `json:"account,omitempty"`
	Realm       string            `json:"realm"` // that HA1 is for
	HA1         map[string]string `json:"ha1"`
}

func (d *Directory) extensionEntries() *Entries[Extension] {
	s := newEntries[Extension](d, store.EntryExtension)
	s.name = func(x *Extension) string { return x.Name }
	s.check = func(_ string, x *Extension) error { return d.prepare(x) }
	s.encode = func(x *Extension) ([]byte, error) {
		return json.Marshal(storedExtension{x.Name, x.Label, x.Detail, x.ContactsMax, x.Account, d.realm, x.HA1})
	}
	s.decode = func(id string, b []byte) (Extension, error) {
		var x storedExtension
		if err := json.Unmarshal(b, &x); err != nil {
			return Extension{}, err
		}
		if x.Realm != d.realm { // sums are for one realm
			d.log.Error("an extension cannot register until it has a new password: the realm is another one", "extension", x.Name, "id", id, "realm", x.Realm)
			x.HA1 = map[string]string{}
		}
		return Extension{Name: x.Name, Label: x.Label, Detail: x.Detail, ContactsMax: x.ContactsMax, Account: x.Account, HA1: x.HA1}, nil
	}
	s.changed = func(_ context.Context, e *Engine, old, now *Entry[Extension], _ func(*Extension)) error {
		if old != nil && (now == nil || now.Value.Name != old.Value.Name || !maps.Equal(now.Value.HA1, old.Value.HA1)) {
			e.DropRegistrations(old.Value.Name)
		}
		return nil
	}
	return s
}

// prepare checks x, and puts sums in the place of its password.
func (d *Directory) prepare(x *Extension) error {
	errs := []error{text("name", x.Label, maxDetail), text("detail", x.Detail, maxDetail), text("account", x.Account, 255)}
	if err := address.CheckExtension(x.Name); err != nil {
		errs = append(errs, err)
	}
	if x.ContactsMax < 0 {
		errs = append(errs, fmt.Errorf("contacts_max: %d is negative", x.ContactsMax))
	}
	switch {
	case x.Password == "" && x.HA1 == nil:
		errs = append(errs, errors.New("password: it is missing"))
	case x.Password == "":
	case len(x.Password) < minPassword || len(x.Password) > 255:
		errs = append(errs, fmt.Errorf("password: %d bytes are not %d to 255", len(x.Password), minPassword))
	case x.Password == x.Name:
		errs = append(errs, errors.New("password: it is the name of the extension, which is tried first"))
	case strings.ContainsFunc(x.Password, unicode.IsControl):
		errs = append(errs, errors.New("password: it holds a control character"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if x.Password != "" {
		x.HA1, x.Password = sip.Hashed(x.Name, d.realm, x.Password).HA1, ""
	}
	return nil
}
