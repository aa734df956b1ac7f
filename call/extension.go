package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// Extension is a phone number of our own: its phones register with its password, ring together, and may dial. It does not show
// its password when it is printed or logged.
type Extension struct {
	Name        string `json:"name"`            // what is dialled, and the user name of its phones
	Password    string `json:"password"`        // for digest authentication
	Label       string `json:"label,omitempty"` // for people, as Detail
	Detail      string `json:"detail,omitempty"`
	ContactsMax int    `json:"contacts_max,omitempty"`
	Account     string `json:"account,omitempty"` // who pays for its calls
	// HA1 stands for the password where the host keeps none: see sip.Secret.
	HA1 map[string]string `json:"-"`
}

// String leaves the password out.
func (x Extension) String() string { return x.Name }

// GoString leaves the password out.
func (x Extension) GoString() string { return fmt.Sprintf("call.Extension{Name:%q}", x.Name) }

// LogValue leaves the password out.
func (x Extension) LogValue() slog.Value { return slog.StringValue(x.Name) }

// Extensions finds extensions by their names. It is asked for each REGISTER, and for each INVITE that may be an extension's; an error
// means that nobody could be asked, and refuses with 500.
type Extensions interface {
	Extension(ctx context.Context, name string) (x Extension, ok bool, err error)
}

// extensionList is Extensions in memory.
type extensionList map[string]Extension

func (l extensionList) Extension(_ context.Context, name string) (Extension, bool, error) {
	x, ok := l[name]
	return x, ok, nil
}

// ListExtensions are those of list, of which no two may have the same name. Nil of none.
func ListExtensions(list ...Extension) Extensions {
	if len(list) == 0 {
		return nil
	}
	l := make(extensionList, len(list))
	for _, x := range list {
		l[x.Name] = x
	}
	return l
}

func checkExtensions(what string, list []Extension) error {
	var errs []error
	seen := map[string]bool{}
	for i, x := range list {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", what, i, fmt.Errorf(format, args...)))
		}
		if err := address.CheckExtension(x.Name); err != nil {
			bad("%w", err)
		}
		if x.Password == "" {
			bad("%q has no password", x.Name)
		}
		if x.ContactsMax < 0 {
			bad("%q has the contacts_max %d", x.Name, x.ContactsMax)
		}
		if seen[x.Name] {
			bad("%q stands there twice", x.Name)
		}
		seen[x.Name] = true
	}
	return errors.Join(errs...)
}

// DefaultRealm is Config.Realm when that is empty.
const DefaultRealm = "callbin"

// secrets lets the SIP side ask for the passwords of extensions.
type secrets struct{ Extensions }

func (s secrets) Secret(ctx context.Context, user, _ string) (sip.Secret, bool, error) {
	x, ok, err := s.Extension(ctx, user)
	return sip.Secret{Password: x.Password, HA1: x.HA1}, ok, err
}

// openRegistrar makes the registrar of an engine that has extensions.
func (e *Engine) openRegistrar() error {
	if e.cfg.Extensions == nil {
		return nil
	}
	auth := e.cfg.Auth
	auth.Realm, auth.Secrets, auth.Logger = e.cfg.realm(), secrets{e.cfg.Extensions}, e.log
	var err error
	if e.auth, err = sip.NewAuthenticator(auth); err != nil {
		return err
	}
	cfg := e.cfg.Registrar
	cfg.Auth, cfg.OnChange, cfg.Logger = e.auth, e.registrationChanged, e.log
	cfg.Limit = func(name string) int {
		ctx, cancel := context.WithTimeout(e.callCtx, storeTimeout)
		defer cancel()
		x, _, err := e.cfg.Extensions.Extension(ctx, name)
		if err != nil {
			e.log.Warn("extension not found", "err", err)
		}
		return x.ContactsMax
	}
	e.registrar, err = sip.NewRegistrar(cfg)
	return err
}

// mayCall is asked before an INVITE becomes a call: who says that it is one of our extensions, or comes from where a phone of ours
// is registered, or brings a password, has to know it.
func (e *Engine) mayCall(ctx context.Context, r *sip.Request) sip.Admission {
	name, err := e.cfg.shownExtension(ctx, r, e.hosts)
	switch {
	case err != nil:
		e.log.Error("extension not found", "err", err)
		return sip.Admission{Status: 500}
	case e.auth.Answers(r, true): // a challenge of the policy, see refusedBy
		return e.auth.Check(ctx, r, true)
	case name != "" || e.registrar.Knows(r.Network, r.Source) || e.auth.Answers(r, false):
		return e.auth.Check(ctx, r, false)
	}
	return sip.Admission{}
}

// shownExtension is the extension of ours that the From of r names, "" for none: its host is one of our own.
func (c *Config) shownExtension(ctx context.Context, r *sip.Request, hosts map[string]bool) (string, error) {
	host := verify.Host(r.From.Host)
	if c.Extensions == nil || !hosts[host] && host != verify.Host(c.realm()) {
		return "", nil
	}
	_, ok, err := c.Extensions.Extension(ctx, r.From.User)
	if err != nil || !ok {
		return "", err
	}
	return r.From.User, nil
}

// destinations tells at load what would be dialled in vain.
type destinations struct {
	dialplan
	extensions Extensions
	agents     Agents
}

func (d destinations) CheckDestination(a address.Address) error {
	a = a.Normalize()
	switch {
	case a.Validate() != nil:
	case a.Type == address.TypeExtension && d.extensions != nil:
		if _, ok, err := d.extensions.Extension(context.Background(), extensionName(a)); err == nil && !ok {
			return fmt.Errorf("there is no extension %q", extensionName(a))
		}
		return nil
	case a.Type == address.TypeAgent && d.agents != nil:
		if _, ok, err := d.agents.Agent(context.Background(), a.Target); err == nil && !ok {
			return fmt.Errorf("there is no agent %q", a.Target)
		}
		return nil
	}
	return d.dialplan.CheckDestination(a)
}

// extensionName is the name of an extension: the target name if there is one, for a target may be an id.
func extensionName(a address.Address) string { return cmp.Or(a.TargetName, a.Target) }
