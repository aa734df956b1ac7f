package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
)

// SignerConfig says who signs. Key and URL are needed.
type SignerConfig struct {
	Key []byte // PEM: a private key on the curve P-256, as SEC 1 or PKCS #8 has it
	URL string // https, where others find the certificate (x5u)
	// Certificate is what stands there, PEM or DER: that it fits the key, has a TNAuthList and is valid is checked at once. Nil: nothing
	// is checked, and the first one to find a mistake is who is called.
	Certificate []byte
	OrigID      string // UUID, of the calls that are given none; "": made by NewSigner
}

// Signer signs PASSporTs with one key (RFC 8224 6.1). It does not show the key when it is printed or logged. All its methods are safe for
// any goroutine.
type Signer struct {
	key    *ecdsa.PrivateKey
	url    string
	origID string
	cert   *x509.Certificate // nil: not known
}

// NewSigner checks cfg. Its errors tell nothing of the key.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	key, err := parseKey(cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("verify: signer's key: %w", err)
	}
	s := &Signer{key: key, url: cfg.URL, origID: cfg.OrigID}
	if _, err := checkURL(cfg.URL); err != nil {
		return nil, fmt.Errorf("verify: signer's URL: %w", err)
	}
	switch {
	case s.origID == "":
		s.origID = uuid.NewString()
	case len(s.origID) != 36 || uuid.Validate(s.origID) != nil:
		return nil, fmt.Errorf("verify: signer's origid %.40q is no UUID", s.origID)
	}
	if len(cfg.Certificate) > 0 {
		if err := s.check(cfg.Certificate); err != nil {
			return nil, fmt.Errorf("verify: signer's certificate: %w", err)
		}
	}
	return s, nil
}

// check tells why others would not believe what is signed with this certificate.
func (s *Signer) check(data []byte) error {
	certs, err := ParseCertificates(data)
	if err != nil {
		return err
	}
	s.cert = certs[0]
	if !s.key.PublicKey.Equal(s.cert.PublicKey) {
		return errors.New("it is not that of the key")
	}
	if now := time.Now(); now.After(s.cert.NotAfter) {
		return fmt.Errorf("it has expired at %s", s.cert.NotAfter.UTC().Format(time.RFC3339))
	}
	for _, e := range s.cert.Extensions {
		if e.Id.Equal(oidTNAuthList) {
			_, err := parseTNAuthList(e.Value)
			return err
		}
	}
	return errors.New("it has no TNAuthList")
}

func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return nil, errors.New("no PEM block of type PRIVATE KEY or EC PRIVATE KEY")
		}
		var key any
		var err error
		switch b.Type {
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		default: // EC PARAMETERS, a certificate
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the block %s cannot be read", b.Type) // the error of the parser may tell of its contents
		}
		if k, ok := key.(*ecdsa.PrivateKey); ok && k.Curve == elliptic.P256() {
			return k, nil
		}
		return nil, errors.New("it is not on the curve P-256")
	}
}

// URL is where the certificate is found.
func (s *Signer) URL() string { return s.url }

// Expires is when the certificate does; zero where it is not known.
func (s *Signer) Expires() time.Time {
	if s.cert == nil {
		return time.Time{}
	}
	return s.cert.NotAfter
}

// Sign returns the value of an Identity header that says p, in the full form; X5U and, where it is not set, OrigID are the
// signer's. The request has to have a Date of p.IssuedAt, or about.
func (s *Signer) Sign(p Passport) (string, error) {
	p.X5U = s.url
	switch p.Type {
	case Shaken:
		if p.OrigID == "" {
			p.OrigID = s.origID
		}
		p.Div = Party{}
	case Div:
		p.Attest, p.OrigID = "", ""
	case "":
		p.Attest, p.OrigID, p.Div = "", "", Party{}
	default:
		return "", fmt.Errorf("verify: sign: PASSporT of unknown type %.20q", p.Type)
	}
	text := p.signingInput()
	// What is signed is read as a verifier would, so that nothing goes out which has to fail.
	_, text64, _ := strings.Cut(text, ".")
	b, err := unbase64(text64)
	if err == nil {
		err = (&Passport{Type: p.Type}).parseClaims(b)
	}
	if err != nil {
		return "", fmt.Errorf("verify: sign: %w", err)
	}
	sum := sha256.Sum256([]byte(text))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", fmt.Errorf("verify: sign: %w", err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	t.FillBytes(sig[32:])
	value := text + "." + base64url(sig[:]) + ";info=<" + s.url + ">;alg=" + alg256
	if p.Type != "" {
		value += ";ppt=" + p.Type
	}
	return value, nil
}

// String leaves the key out.
func (s Signer) String() string { return "signer of " + s.url }

// Format writes it without the key, whatever the verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is what a logger writes: without the key.
func (s Signer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
