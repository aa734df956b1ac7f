package call

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/callbin/callbin/sip/verify"
)

// IdentitySettings say who believes whom (STIR/SHAKEN): whose certificates are believed of those who call us, and with which key calls are signed
// that go out by trunks with "sign". Files are PEM.
type IdentitySettings struct {
	Key         string `json:"key"`         // file of the private key
	Certificate string `json:"certificate"` // file of its certificate, which is checked at the start; "": it is not
	URL         string `json:"url"`         // https, where others find the certificate
	OrigID      string `json:"origid"`      // UUID; "": a new one each time

	Anchors          string   `json:"anchors"`           // file of the CAs; "": Identity headers are not looked at
	CRLs             []string `json:"crls"`              // files
	Required         bool     `json:"required"`          // a call without Identity fails
	FreshnessSeconds int      `json:"freshness_seconds"` // 0: verify.DefaultFreshness
	IgnoreDate       bool     `json:"ignore_date"`
	Ports            []int    `json:"ports"` // that certificates are fetched from; none: 443 and 8443

	signer *verify.Signer // of Key, nil: none
	config verify.IdentityConfig
}

// load reads the files, whose names are relative to dir.
func (s *IdentitySettings) load(dir string) error {
	read := func(file string) ([]byte, error) {
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		return os.ReadFile(file)
	}
	var errs []error
	bad := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("identity.%s: %w", key, err))
		}
	}
	switch {
	case s.Key != "":
		cfg := verify.SignerConfig{URL: s.URL, OrigID: s.OrigID}
		var err error
		cfg.Key, err = read(s.Key)
		bad("key", err)
		if err == nil && s.Certificate != "" {
			cfg.Certificate, err = read(s.Certificate)
			bad("certificate", err)
		}
		if err == nil {
			s.signer, err = verify.NewSigner(cfg)
			bad("key", err)
		}
	case s.Certificate != "" || s.URL != "" || s.OrigID != "":
		bad("key", errors.New("it is missing beside certificate, url or origid"))
	}
	if s.Anchors == "" {
		if s.Required || len(s.CRLs) > 0 {
			bad("anchors", errors.New("without them nobody could be believed"))
		}
		return errors.Join(errs...)
	}
	data, err := read(s.Anchors)
	bad("anchors", err)
	cfg := verify.IdentityConfig{Required: s.Required, Freshness: seconds(s.FreshnessSeconds), IgnoreDate: s.IgnoreDate, Ports: s.Ports}
	if err == nil {
		cfg.Anchors, err = verify.ParseCertificates(data)
		bad("anchors", err)
	}
	for i, file := range s.CRLs {
		var lists []*x509.RevocationList
		data, err := read(file)
		if err == nil {
			lists, err = verify.ParseCRLs(data)
		}
		bad(fmt.Sprintf("crls[%d]", i), err)
		cfg.CRLs = append(cfg.CRLs, lists...)
	}
	s.config = cfg
	if len(errs) == 0 {
		i, err := verify.NewIdentity(cfg)
		bad("anchors", err)
		if err == nil {
			bad("anchors", i.Close())
		}
	}
	return errors.Join(errs...)
}

// NewIdentity makes the Checker of the settings; nil where they have no anchors. Certificates are fetched from private networks of URLs, too. Who
// makes it closes it.
func (s *Settings) NewIdentity() (*verify.Identity, error) {
	if s.Identity.Anchors == "" {
		return nil, nil
	}
	cfg := s.Identity.config
	cfg.Allow = s.URLs
	return verify.NewIdentity(cfg)
}
