package verify

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// oidTNAuthList is id-pe-TNAuthList (RFC 8226 9).
var oidTNAuthList = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}

// tnAuthList says for what a certificate may speak (RFC 8226 9): service provider codes, and numbers.
type tnAuthList struct {
	codes  []string
	ranges []tnRange // a single number is a range of one
}

type tnRange struct {
	start string // all its numbers have as many digits
	count *big.Int
}

// parseTNAuthList reads the DER of the extension. Anything but a list of the three kinds, of one entry at least, is an error.
func parseTNAuthList(der []byte) (list tnAuthList, err error) {
	var seq asn1.RawValue
	rest, err := asn1.Unmarshal(der, &seq)
	if err != nil || len(rest) > 0 || seq.Class != asn1.ClassUniversal || seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return list, errors.New("TNAuthList is no sequence")
	}
	for rest = seq.Bytes; len(rest) > 0; {
		var e asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &e); err != nil || e.Class != asn1.ClassContextSpecific || !e.IsCompound {
			return list, errors.New("TNAuthList: an entry is of no known kind")
		}
		if err := list.add(e.Tag, e.Bytes); err != nil {
			return list, fmt.Errorf("TNAuthList: %w", err)
		}
	}
	if len(list.codes)+len(list.ranges) == 0 {
		return list, errors.New("TNAuthList is empty")
	}
	return list, nil
}

// add reads one entry, whose tag is explicit.
func (l *tnAuthList) add(kind int, der []byte) error {
	var s string
	switch kind {
	case 0: // ServiceProviderCode
		if err := only(der, &s, "ia5"); err != nil || s == "" {
			return errors.New("a service provider code is no IA5String")
		}
		l.codes = append(l.codes, s)
	case 1: // TelephoneNumberRange
		var seq asn1.RawValue
		if err := only(der, &seq, ""); err != nil || seq.Class != asn1.ClassUniversal || seq.Tag != asn1.TagSequence {
			return errors.New("a range is no sequence")
		}
		rest, err := asn1.UnmarshalWithParams(seq.Bytes, &s, "ia5")
		if err != nil || s == "" || len(s) > maxTN || strings.Trim(s, "0123456789") != "" {
			return errors.New("the start of a range is no number")
		}
		n := new(big.Int)
		if _, err := asn1.Unmarshal(rest, &n); err != nil || n.Cmp(big.NewInt(2)) < 0 { // what may follow is an extension
			return errors.New("the count of a range is not 2 or more")
		}
		l.ranges = append(l.ranges, tnRange{s, n})
	case 2: // TelephoneNumber
		if err := only(der, &s, "ia5"); err != nil || s == "" || len(s) > maxTN || strings.Trim(s, tnChars) != "" {
			return errors.New("a number is none")
		}
		l.ranges = append(l.ranges, tnRange{s, big.NewInt(1)})
	default:
		return fmt.Errorf("an entry is of the unknown kind %d", kind)
	}
	return nil
}

func only(der []byte, to any, params string) error {
	rest, err := asn1.UnmarshalWithParams(der, to, params)
	if err == nil && len(rest) > 0 {
		err = errors.New("more after its end")
	}
	return err
}

// covers tells whether the list speaks for p. Which numbers are a service provider's, its code does not say: that is for the CA to know.
func (l *tnAuthList) covers(p Party) bool {
	return len(l.codes) > 0 || p.TN != "" && slices.ContainsFunc(l.ranges, func(r tnRange) bool { return r.contains(p.TN) })
}

func (r tnRange) contains(tn string) bool {
	if tn == r.start {
		return true
	}
	if len(tn) != len(r.start) || strings.ContainsAny(tn+r.start, "*#") {
		return false
	}
	first, _ := new(big.Int).SetString(r.start, 10)
	n, _ := new(big.Int).SetString(tn, 10)
	return n.Sub(n, first).Sign() >= 0 && n.Cmp(r.count) < 0
}

// within tells whether parent has all that a certificate below it claims for p (RFC 9060 4): the codes, and where they are numbers, p.
func (l *tnAuthList) within(parent *tnAuthList, p Party) bool {
	for _, c := range l.codes {
		if !slices.Contains(parent.codes, c) {
			return false
		}
	}
	return parent.covers(p)
}
