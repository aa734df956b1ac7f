package verify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Codes of checks that fail: the rows of a Policy.
const (
	CodeScanner           = "scanner"             // the User-Agent is that of a scanner
	CodeSourceDenied      = "source_denied"       // the ACL denies the network or the trunk
	CodeSourceUnknown     = "source_unknown"      // the ACL names who may call, and this is somebody else
	CodeCallerMalformed   = "caller_malformed"    // name or number are too long, not printable, too many, or no number behind the "+"
	CodeNumberInvalid     = "number_invalid"      // digits that are no number of any country that counts here
	CodeNumberImpossible  = "number_impossible"   // no such country code, or no number of such a length, or zeros only
	CodeNumberUnassigned  = "number_unassigned"   // its prefix is not assigned, as far as the tables go
	CodeNumberFictional   = "number_fictional"    // +1 xxx 555 01xx, which is for films
	CodeSameAsCallee      = "same_as_callee"      // it shows the number that it calls
	CodeAnonymous         = "anonymous"           // it hides itself (RFC 3323, 3325)
	CodeAssertedMalformed = "asserted_malformed"  // a trusted trunk asserts what cannot be read
	CodeOwnNumberSpoofed  = "own_number_spoofed"  // it shows one of our numbers or extensions
	CodeOwnNumberInName   = "own_number_in_name"  // one of our numbers or extensions stands in its name
	CodeExtensionUnknown  = "extension_unknown"   // it says that it is an extension of ours that there is not
	CodeLookupFailed      = "owned_lookup_failed" // whether the number is ours could not be found out
)

// Decision is what a row of a Policy has become of a call.
type Decision string

// The decisions.
const (
	DoReject    Decision = "reject"
	DoChallenge Decision = "challenge" // for the password of an extension; who has given it goes on
	DoContinue  Decision = "continue"
)

// Rule is a row of a Policy. As text it is "reject", "reject 608", "challenge" or "continue".
type Rule struct {
	Do     Decision
	Status int // with DoReject, 400 to 699; 0: what the check says, or 403
}

// String is the text form.
func (r Rule) String() string {
	if r.Status != 0 {
		return string(r.Do) + " " + strconv.Itoa(r.Status)
	}
	return string(r.Do)
}

// MarshalText writes the text form.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads it.
func (r *Rule) UnmarshalText(b []byte) error {
	do, status, has := strings.Cut(string(b), " ")
	rule := Rule{Do: Decision(do)}
	if has {
		n, err := strconv.Atoi(status)
		if err != nil {
			return fmt.Errorf("verify: rule %.40q: %.20q is no SIP status", b, status)
		}
		rule.Status = n
	}
	if err := rule.check(); err != nil || has && rule.Status == 0 {
		return fmt.Errorf("verify: rule %.40q is not reject, reject STATUS with 400 to 699, challenge or continue", b)
	}
	*r = rule
	return nil
}

func (r Rule) check() error {
	switch r.Do {
	case DoReject:
		if r.Status == 0 || r.Status >= 400 && r.Status <= 699 {
			return nil
		}
	case DoChallenge, DoContinue:
		if r.Status == 0 {
			return nil
		}
	}
	return fmt.Errorf("%q is no rule", r)
}

// Policy says what becomes of a call whose check has failed, by the code of the check. What is not in it is as in Defaults.
type Policy map[string]Rule

// Defaults is the policy of a zero Config. Refused is only what no honest caller does. A code that has no row here, nor in a Policy, as
// one of a program's own Checker, is refused with the status that the check gives.
func Defaults() Policy { return maps.Clone(defaults) }

var defaults = Policy{
	CodeScanner:             {Do: DoReject},
	CodeSourceDenied:        {Do: DoReject},
	CodeSourceUnknown:       {Do: DoReject},
	CodeCallerMalformed:     {Do: DoReject},
	CodeNumberInvalid:       {Do: DoContinue},
	CodeNumberImpossible:    {Do: DoContinue},
	CodeNumberUnassigned:    {Do: DoContinue},
	CodeNumberFictional:     {Do: DoContinue},
	CodeSameAsCallee:        {Do: DoContinue},
	CodeAnonymous:           {Do: DoContinue},
	CodeAssertedMalformed:   {Do: DoContinue},
	CodeIdentityMissing:     {Do: DoReject},
	CodeIdentityMalformed:   {Do: DoReject},
	CodeIdentityStale:       {Do: DoReject},
	CodeIdentityFetch:       {Do: DoReject},
	CodeIdentityCertificate: {Do: DoReject},
	CodeIdentitySignature:   {Do: DoReject},
	CodeIdentityMismatch:    {Do: DoReject},
	CodeIdentityReplayed:    {Do: DoReject},
	CodeIdentityAnonymous:   {Do: DoReject},
	CodeOwnNumberSpoofed:    {Do: DoReject},
	CodeOwnNumberInName:     {Do: DoReject},
	CodeExtensionUnknown:    {Do: DoContinue},
	CodeLookupFailed:        {Do: DoReject},
}

// Codes are those that have a row in Defaults, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(defaults)) }

func (p Policy) rule(code string) Rule {
	if r, ok := p[code]; ok {
		return r
	}
	if r, ok := defaults[code]; ok {
		return r
	}
	return Rule{Do: DoReject}
}

// Challenges tells whether a row of p asks for a password.
func (p Policy) Challenges() bool {
	for _, r := range p {
		if r.Do == DoChallenge {
			return true
		}
	}
	return false
}
