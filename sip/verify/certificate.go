package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxChain is how many certificates one URL may give.
const maxChain = 10

// oidClaimConstraints and oidEnhancedClaimConstraints narrow what a certificate may say (RFC 8226 8, RFC 9118). They are not
// understood, so that a certificate which has one speaks for nobody.
const (
	oidClaimConstraints         = "1.3.6.1.5.5.7.1.27"
	oidEnhancedClaimConstraints = "1.3.6.1.5.5.7.1.33"
)

// credential is a certificate whose chain to an anchor holds, from notBefore to notAfter.
type credential struct {
	key                 *ecdsa.PublicKey
	subject             string
	lists               []tnAuthList // of the certificate, then of the CAs above it that have one
	notBefore, notAfter time.Time
}

// ParseCertificates reads certificates, PEM or one in DER: the anchors of an IdentityConfig, for example.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		c, err := x509.ParseCertificate(data)
		if err != nil {
			return nil, fmt.Errorf("verify: certificate: neither PEM nor DER: %w", err)
		}
		return []*x509.Certificate{c}, nil
	}
	var all []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("verify: certificate %d: %w", len(all), err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("verify: no certificate")
	}
	return all, nil
}

// trust is what certificates are measured by.
type trust struct {
	anchors *x509.CertPool
	revoked revocations
}

// credential checks what a URL gave: a certificate, and maybe the CAs above it, as it stood at the time at (RFC 5280 6, RFC 8226).
func (t *trust) credential(certs []*x509.Certificate, at time.Time) (*credential, error) {
	if len(certs) > maxChain {
		return nil, fmt.Errorf("%d certificates are more than %d", len(certs), maxChain)
	}
	leaf := certs[0]
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("its key is not on the curve P-256")
	}
	switch {
	case leaf.IsCA:
		return nil, errors.New("it is that of a CA")
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, errors.New("its key is not for signatures")
	}
	inter := x509.NewCertPool()
	for _, c := range certs[1:] {
		inter.AddCert(c)
	}
	own := *leaf // Verify knows no TNAuthList, which may be critical
	own.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(own.UnhandledCriticalExtensions), oidTNAuthList.Equal)
	chains, err := own.Verify(x509.VerifyOptions{
		Roots: t.anchors, Intermediates: inter, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, err
	}
	for _, chain := range chains {
		var c *credential
		if c, err = t.onChain(chain); err == nil {
			c.key = key
			return c, nil
		}
	}
	return nil, err
}

// onChain reads what a chain says beyond its signatures.
func (t *trust) onChain(chain []*x509.Certificate) (*credential, error) {
	cred := &credential{subject: subject(chain[0]), notBefore: chain[0].NotBefore, notAfter: chain[0].NotAfter}
	for i, c := range chain {
		if c.NotBefore.After(cred.notBefore) {
			cred.notBefore = c.NotBefore
		}
		if c.NotAfter.Before(cred.notAfter) {
			cred.notAfter = c.NotAfter
		}
		if i+1 < len(chain) && t.revoked.has(c, chain[i+1]) {
			return nil, fmt.Errorf("%s is revoked", subject(c))
		}
		there := false
		for _, e := range c.Extensions {
			switch id := e.Id.String(); {
			case e.Id.Equal(oidTNAuthList):
				list, err := parseTNAuthList(e.Value)
				if err != nil {
					return nil, err
				}
				cred.lists, there = append(cred.lists, list), true
			case id == oidClaimConstraints || id == oidEnhancedClaimConstraints:
				return nil, errors.New("it has JWTClaimConstraints, which are not understood")
			}
		}
		if i == 0 && !there {
			return nil, errors.New("it has no TNAuthList")
		}
	}
	return cred, nil
}

// valid tells whether the whole chain is valid at the time at.
func (c *credential) valid(at time.Time) bool {
	return !at.Before(c.notBefore) && !at.After(c.notAfter)
}

// authority tells why the certificate may not speak for p: its own list and those of the CAs above it have to (RFC 8226 9, RFC
// 9060 4).
func (c *credential) authority(p Party) error {
	for i := range c.lists {
		if !c.lists[i].covers(p) {
			return fmt.Errorf("%s does not cover %s", [...]string{"its TNAuthList", "that of a CA above it"}[min(i, 1)], p)
		}
		if i > 0 && !c.lists[i-1].within(&c.lists[i], p) {
			return errors.New("its TNAuthList is not within that of its CA")
		}
	}
	return nil
}

// String is for people.
func (c *credential) String() string {
	if codes := c.lists[0].codes; len(codes) > 0 {
		return fmt.Sprintf("%s (service provider %.40q)", c.subject, strings.Join(codes, " "))
	}
	return c.subject
}

// subject names c, whose text is a peer's.
func subject(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return fmt.Sprintf("%.60q", c.Subject.CommonName)
	}
	return fmt.Sprintf("certificate %.40s", c.SerialNumber)
}
