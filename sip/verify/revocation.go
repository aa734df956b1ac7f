package verify

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
)

// oidCertificateIssuer marks an entry of an indirect CRL, and those after it, as of another CA (RFC 5280 5.3.3).
var oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}

// revocations are the certificates that CRLs name, by their issuer and serial number.
type revocations struct {
	certs map[string]bool
	lists []*x509.RevocationList // that a CA above the certificate has to have signed
}

// ParseCRLs reads certificate revocation lists, PEM or one in DER.
func ParseCRLs(data []byte) ([]*x509.RevocationList, error) {
	var ders [][]byte
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		ders = [][]byte{data}
	}
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type == "X509 CRL" {
			ders = append(ders, b.Bytes)
		}
	}
	if len(ders) == 0 {
		return nil, errors.New("verify: no CRL")
	}
	var all []*x509.RevocationList
	for i, der := range ders {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, fmt.Errorf("verify: CRL %d: %w", i, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// newRevocations takes the lists that an anchor has signed as they are: one of them may name the certificates of other
// CAs (an indirect CRL, as that of the policy administrator of SHAKEN is). Another list counts for the certificates of the CA that
// has signed it.
func newRevocations(lists []*x509.RevocationList, anchors []*x509.Certificate) (revocations, error) {
	r := revocations{certs: map[string]bool{}}
	for _, l := range lists {
		signed := false
		for _, a := range anchors {
			signed = signed || l.CheckSignatureFrom(a) == nil
		}
		if !signed {
			r.lists = append(r.lists, l)
			continue
		}
		issuer := l.RawIssuer
		for _, e := range l.RevokedCertificateEntries {
			for _, x := range e.Extensions {
				if !x.Id.Equal(oidCertificateIssuer) {
					continue
				}
				var err error
				if issuer, err = directoryName(x.Value); err != nil {
					return r, fmt.Errorf("verify: CRL: certificate issuer of %s: %w", e.SerialNumber, err)
				}
			}
			r.certs[string(issuer)+"\x00"+e.SerialNumber.String()] = true
		}
	}
	return r, nil
}

// has tells whether c, which parent has signed, is revoked.
func (r *revocations) has(c, parent *x509.Certificate) bool {
	if r.certs[string(c.RawIssuer)+"\x00"+c.SerialNumber.String()] {
		return true
	}
	for _, l := range r.lists {
		if !bytes.Equal(l.RawIssuer, c.RawIssuer) || l.CheckSignatureFrom(parent) != nil {
			continue
		}
		for _, e := range l.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return true
			}
		}
	}
	return false
}

// directoryName reads the name of a directory out of GeneralNames (RFC 5280 4.2.1.6).
func directoryName(der []byte) ([]byte, error) {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 {
		return nil, errors.New("no GeneralNames")
	}
	for _, n := range names {
		if n.Class == asn1.ClassContextSpecific && n.Tag == 4 {
			return n.Bytes, nil
		}
	}
	return nil, errors.New("no directory name")
}
