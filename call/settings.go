package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/sip/verify"
)

// Settings is the configuration file of a server: one JSON object. Relative paths in it are
// relative to the file. Unknown keys are errors.
type Settings struct {
	Realm      string            `json:"realm"`      // of digest authentication
	Extensions []Extension       `json:"extensions"` // phones that may register
	Registrar  RegistrarSettings `json:"registrar"`  // limits of registration
	Calls      CallSettings      `json:"calls"`      // limits and supervision of calls
	Agents     []Agent           `json:"agents"`     // people, and where they are reached
	Mailboxes  []Mailbox         `json:"mailboxes"`  // where messages are left; none: one for each extension, without PIN
	Trunks     []Trunk           `json:"trunks"`
	Routes     []Route           `json:"routes"`     // by which trunks numbers go; none: by the prefixes of the trunks
	Outbound   Outbound          `json:"outbound"`   // what may be dialled; empty: nothing
	Files      []string          `json:"files"`      // folders that absolute file: URLs may read
	URLs       []netip.Prefix    `json:"urls"`       // private networks that flow URLs may reach all the same
	Tokens     []string          `json:"tokens"`     // bearer tokens of the HTTP interface that may do all
	LocalNets  []netip.Prefix    `json:"local_nets"` // peers that are shown bound addresses
	Webhooks   []WebhookConfig   `json:"webhooks"`   // where events are sent; private networks are those of URLs

	AccessTokens []AccessToken     `json:"access_tokens"` // bearer tokens of the HTTP interface that may do what their scopes say
	WebApps      map[string]WebApp `json:"web_apps"`      // applications that were written for Twilio or Vonage, by the number or extension that is called

	// StreamAuth are credentials, by the name that the option auth of external_media_start gives.
	StreamAuth map[string]StreamAuth `json:"stream_auth"`

	Identity        IdentitySettings      `json:"identity"`         // STIR/SHAKEN
	Verify          VerifySettings        `json:"verify"`           // who may call, and what becomes of those who are not who they say
	JourneyHeader   string                `json:"journey_header"`   // see Config.JourneyHeader
	QualityInterval Seconds               `json:"quality_interval"` // see Config.QualityInterval
	Velocity        []verify.Limit        `json:"velocity"`         // how many calls there may be; none: no limits
	Rates           json.RawMessage       `json:"rates"`            // what numbers cost: an array of rating.Rate, or the name of a file, CSV or .json
	Budgets         []rating.Budget       `json:"budgets"`          // what accounts may spend; it needs Rates
	BudgetWarning   BudgetWarningSettings `json:"budget_warning"`   // for who has nothing left

	rates *rating.Table
}

// NewWebhooks makes those of the settings.
func (s *Settings) NewWebhooks() ([]*Webhooks, error) {
	var all []*Webhooks
	for i, cfg := range s.Webhooks {
		cfg.Allow = s.URLs
		w, err := NewWebhooks(cfg)
		if err != nil {
			return nil, fmt.Errorf("webhooks[%d]: %w", i, err)
		}
		all = append(all, w)
	}
	return all, nil
}

// RegistrarSettings are the limits of registration; 0 is the default of sip.RegistrarConfig and sip.AuthConfig.
type RegistrarSettings struct {
	MinExpires  int      `json:"min_expires"`  // seconds
	MaxExpires  int      `json:"max_expires"`  // seconds
	ContactsMax int      `json:"contacts_max"` // of extensions that have none of their own
	Algorithms  []string `json:"algorithms"`   // of digest authentication, in the order of their offering
}

// apply puts the limits into c.
func (s RegistrarSettings) apply(c *Config) {
	c.Registrar.MinExpires, c.Registrar.MaxExpires = seconds(s.MinExpires), seconds(s.MaxExpires)
	c.Registrar.MaxContacts, c.Auth.Algorithms = s.ContactsMax, s.Algorithms
}

// minToken keeps tokens from being guessed.
const minToken = 16

// ReadSettings reads a configuration file. All that is wrong with it is reported at once.
func ReadSettings(path string) (Settings, error) {
	var s Settings
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("call: read settings: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, fmt.Errorf("call: %s: %s%w", path, place(data, dec, err), err)
	}
	if dec.More() {
		return s, fmt.Errorf("call: %s: more than one JSON value", path)
	}
	dir := filepath.Dir(path)
	for i, f := range s.Files {
		if !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		if s.Files[i], err = filepath.Abs(f); err != nil {
			return s, fmt.Errorf("call: %s: files: %w", path, err)
		}
	}
	if f := s.Outbound.IRSFFile; f != "" && !filepath.IsAbs(f) {
		s.Outbound.IRSFFile = filepath.Join(dir, f)
	}
	if err := s.readRates(dir, data); err != nil {
		return s, fmt.Errorf("call: %s: rates: %w", path, err)
	}
	if err := errors.Join(s.Outbound.readIRSF("outbound.irsf_file"), s.check(), s.Identity.load(dir), checkSigning("trunks", s.Trunks, s.Identity.Key != "")); err != nil {
		return s, fmt.Errorf("call: %s: %w", path, err)
	}
	return s, nil
}

// place tells line and column of a JSON error, where there are any.
func place(data []byte, dec *json.Decoder, err error) string {
	at := dec.InputOffset()
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = typ.Offset
	}
	before := data[:min(int(at), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	col := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("line %d, column %d: ", line, col)
}

func (s *Settings) check() error {
	var errs []error
	errs = append(errs, checkExtensions("extensions", s.Extensions), checkAgents("agents", s.Agents), checkMailboxes("mailboxes", s.Mailboxes))
	if strings.ContainsAny(s.Realm, "\"\\\r\n\x00") {
		errs = append(errs, fmt.Errorf("realm: %q holds a quote, backslash or line break", s.Realm))
	}
	errs = append(errs, checkTrunks("trunks", s.Trunks), checkRoutes("routes", s.Routes, s.Trunks), s.Outbound.check("outbound"), s.Outbound.Emergency.checkTrunks("outbound.emergency", s.Trunks), s.Calls.check("calls"), s.Verify.check("verify.", s), s.checkBudgets())
	errs = append(errs, checkAccessTokens("access_tokens", s.AccessTokens))
	errs = append(errs, checkWebApps("web_apps", s.WebApps), checkStreamAuth("stream_auth", s.StreamAuth))
	for i := range s.Webhooks {
		errs = append(errs, s.Webhooks[i].check(fmt.Sprintf("webhooks[%d]", i)))
	}
	for i, t := range s.Tokens {
		if len(t) < minToken {
			errs = append(errs, fmt.Errorf("tokens[%d]: shorter than %d characters", i, minToken))
		}
	}
	return errors.Join(errs...)
}

// Owned tells whether a is an extension of these settings, or the number or name of one.
// Use it, together with the destinations that have flows, as Config.Owned.
func (s *Settings) Owned(a address.Address) bool {
	for _, x := range s.Extensions {
		if a.Type == address.TypeExtension && a.Target == x.Name || a.Type == address.TypeSIP && a.Target == x.Name+"@"+s.Realm {
			return true
		}
	}
	return false
}
