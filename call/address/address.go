package address

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Type says how the target of an Address is to be read.
type Type string

// The types that VoIPBIN knows. A call can be dialled to tel, sip, extension
// and agent (see [Type.Dialable]).
const (
	TypeNone       Type = ""
	TypeAgent      Type = "agent" // target: the agent's id
	TypeAI         Type = "ai"
	TypeAITeam     Type = "ai_team"
	TypeConference Type = "conference" // target: the conference's id
	TypeEmail      Type = "email"
	TypeExtension  Type = "extension" // target: the id or name, target_name: the name
	TypeLine       Type = "line"
	TypeSIP        Type = "sip" // target: user@host, with or without the scheme
	TypeTel        Type = "tel" // target: "+" and 7 to 15 digits, or a short number
	TypeWebchat    Type = "webchat"
	TypeWebSession Type = "web_session"
	TypeWhatsApp   Type = "whatsapp" // target: as of tel
)

// Known tells whether VoIPBIN has the type.
func (t Type) Known() bool {
	switch t {
	case TypeNone, TypeAgent, TypeAI, TypeAITeam, TypeConference, TypeEmail, TypeExtension,
		TypeLine, TypeSIP, TypeTel, TypeWebchat, TypeWebSession, TypeWhatsApp:
		return true
	}
	return false
}

// Dialable tells whether a call can be placed to such an address.
func (t Type) Dialable() bool {
	switch t {
	case TypeTel, TypeSIP, TypeExtension, TypeAgent:
		return true
	}
	return false
}

// Address is one end of a call. Values are comparable with ==; compare
// normalised ones.
type Address struct {
	Type       Type   `json:"type,omitempty"`
	Target     string `json:"target,omitempty"`      // what is dialled, read by Type
	TargetName string `json:"target_name,omitempty"` // for extension: its name, the routing key
	Name       string `json:"name,omitempty"`        // a display name
	Detail     string `json:"detail,omitempty"`
}

// ErrInvalid is matched by the errors of this package: the text is no address
// (number, extension) of the wanted kind.
var ErrInvalid = errors.New("invalid address")

// maxLen bounds what Parse looks at, in bytes: a SIP URI of a real peer is shorter.
const maxLen = 1024

// Parse reads the text form of an address: the grammar of [FromSIPUser], and
// user@host (an email address has to be written with its prefix, "email:").
// The address is normalised and valid; the error matches ErrInvalid and says why
// it is not.
func Parse(s string) (Address, error) {
	t := strings.TrimSpace(s)
	switch {
	case t == "":
		return Address{}, fmt.Errorf("address: parse: empty: %w", ErrInvalid)
	case len(t) > maxLen:
		return Address{}, fmt.Errorf("address: parse: %d bytes are more than %d: %w", len(t), maxLen, ErrInvalid)
	}
	a, ok := fromPrefix(t, true)
	if !ok {
		switch {
		case t[0] == '+':
			a = tel(t)
		case strings.Contains(t, "@"):
			a = Address{Type: TypeSIP, Target: t}
		default:
			a = Address{Type: TypeExtension, Target: t}
		}
	}
	a = a.Normalize()
	if err := a.Validate(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// FromSIPUser reads the user part of a SIP URI by VoIPBIN's grammar: "+..." is a
// tel; the prefixes agent: conference: line: extension: sip: tel: name a type;
// all else is an extension. Percent-decoding is the caller's. The result is
// normalised but not checked, so that nothing a peer sent is lost; Validate
// checks it. It never fails; the address of an empty user is the zero Address.
func FromSIPUser(user string) Address {
	if user == "" {
		return Address{}
	}
	if user[0] == '+' {
		return tel(user).Normalize()
	}
	if a, ok := fromPrefix(user, false); ok {
		return a.Normalize()
	}
	return Address{Type: TypeExtension, Target: user}
}

// tel drops RFC 3966 parameters, whose digits would become part of the number.
func tel(s string) Address {
	number, _, _ := strings.Cut(s, ";")
	return Address{Type: TypeTel, Target: number}
}

// fromPrefix reads "type:target"; all lets through the types that are no SIP users.
func fromPrefix(s string, all bool) (Address, bool) {
	i := strings.IndexByte(s, ':')
	if i <= 0 || i > len(TypeWebSession) {
		return Address{}, false
	}
	typ := Type(lowerASCII(s[:i]))
	rest := s[i+1:]
	switch typ {
	case TypeTel:
		return tel(rest), true
	case TypeAgent, TypeConference, TypeLine, TypeExtension, TypeSIP:
		return Address{Type: typ, Target: rest}, true
	case "sips":
		// The scheme says that the way has to be secured; it must not get lost.
		if all {
			return Address{Type: TypeSIP, Target: "sips:" + rest}, true
		}
	case TypeWhatsApp, TypeEmail, TypeAI, TypeAITeam, TypeWebchat, TypeWebSession:
		if all {
			return Address{Type: typ, Target: rest}, true
		}
	}
	return Address{}, false
}

// Normalize returns the address with its target in the one form in which targets
// are stored and compared. It loses nothing that tells two targets apart and is
// idempotent:
//   - tel, whatsapp: trimmed, a leading "+" and the digits, without what people put between
//     those (space - . ( ) /); unchanged where anything else stands there ("anonymous",
//     ";ext=5", "5,1", a digit of another script);
//   - sip: trimmed, the host in lower case; user and parameters as they are;
//   - email: trimmed, in lower case;
//   - others: unchanged.
func (a Address) Normalize() Address {
	switch a.Type {
	case TypeTel, TypeWhatsApp:
		a.Target = normalizeTel(a.Target)
	case TypeSIP:
		a.Target = normalizeSIP(a.Target)
	case TypeEmail:
		a.Target = strings.TrimSpace(a.Target)
		if utf8.ValidString(a.Target) {
			a.Target = strings.ToLower(a.Target)
		} else {
			a.Target = lowerASCII(a.Target) // ToLower would replace the broken bytes
		}
	}
	return a
}

func normalizeTel(s string) string {
	t := strings.TrimSpace(s)
	if IsE164(t) {
		return t
	}
	b := make([]byte, 0, len(t))
	for i := range len(t) {
		switch c := t[i]; {
		case c >= '0' && c <= '9', c == '+' && i == 0:
			b = append(b, c)
		case strings.IndexByte("-.()/ ", c) < 0:
			return s // what is not a number does not become one by losing characters, nor two become a third
		}
	}
	if n := len(b); n == 0 || n == 1 && b[0] == '+' {
		return s
	}
	return string(b)
}

func normalizeSIP(s string) string {
	s = strings.TrimSpace(s)
	start, scheme := schemeLen(s)
	// Neither a user part nor parameters may hold a bare "@", so the first one ends the user.
	if at := strings.IndexByte(s, '@'); at >= 0 {
		start = at + 1
	} else if !scheme {
		return s // a bare word may be a user, whose case counts
	}
	end := len(s)
	if i := strings.IndexAny(s[start:], ";?>"); i >= 0 {
		end = start + i
	}
	return s[:start] + lowerASCII(s[start:end]) + s[end:]
}

// schemeLen returns the length of a leading "sip:" or "sips:".
func schemeLen(s string) (int, bool) {
	for _, p := range [...]string{"sip:", "sips:"} {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			return len(p), true
		}
	}
	return 0, false
}

// lowerASCII lowers A-Z and leaves all other bytes alone.
func lowerASCII(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// Validate checks the target by the rules of its type; the error matches
// ErrInvalid and names the type and the fault. A tel has to be E.164, or short ([IsShort]: "112"), an
// extension to keep the rules of [CheckExtension], a sip to have a host. For
// extension either the target (an id or the name) or target_name may carry the
// name.
func (a Address) Validate() error {
	switch a.Type {
	case TypeTel, TypeWhatsApp:
		if !IsE164(a.Target) && (a.Type != TypeTel || !IsShort(a.Target)) {
			return fmt.Errorf("address: %s %s: not a \"+\" and 7 to 15 digits: %w", a.Type, show(a.Target), ErrInvalid)
		}
		return nil
	case TypeExtension:
		if a.TargetName == "" {
			return CheckExtension(a.Target)
		}
		if err := CheckExtension(a.TargetName); err != nil {
			return err
		}
		return checkText(a.Type, a.Target)
	case TypeSIP:
		return checkSIP(a.Target)
	case TypeEmail:
		user, host, ok := strings.Cut(a.Target, "@")
		if !ok || user == "" || host == "" || strings.ContainsAny(a.Target, " <>,;") {
			return fmt.Errorf("address: email %s: not user@host: %w", show(a.Target), ErrInvalid)
		}
		return checkText(a.Type, a.Target)
	}
	if !a.Type.Known() {
		return fmt.Errorf("address: unknown type %s: %w", show(string(a.Type)), ErrInvalid)
	}
	if a.Target == "" {
		return fmt.Errorf("address: %s: no target: %w", typeName(a.Type), ErrInvalid)
	}
	return checkText(a.Type, a.Target)
}

// checkSIP looks only for what would be dangerous or undiallable; package sip parses the URI.
func checkSIP(target string) error {
	bad := func(why string) error {
		return fmt.Errorf("address: sip %s: %s: %w", show(target), why, ErrInvalid)
	}
	if strings.ContainsAny(target, " <>\",") {
		return bad("holds one of space < > \" ,")
	}
	n, _ := schemeLen(target)
	rest := target[n:]
	if user, host, ok := strings.Cut(rest, "@"); ok {
		if user == "" {
			return bad("no user before the @")
		}
		rest = host
	}
	if i := strings.IndexAny(rest, ";?"); i >= 0 {
		rest = rest[:i]
	}
	if strings.Contains(rest, "@") {
		return bad("more than one @")
	}
	if rest == "" || rest[0] == ':' {
		return bad("no host")
	}
	return checkText(TypeSIP, target)
}

// checkText refuses what can hide in a log, a header or a database.
func checkText(t Type, s string) error {
	if len(s) > maxLen {
		return fmt.Errorf("address: %s: target of %d bytes is longer than %d: %w", typeName(t), len(s), maxLen, ErrInvalid)
	}
	for i, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return fmt.Errorf("address: %s %s: character %s at %d: %w", typeName(t), show(s), showRune(s, i, r), i, ErrInvalid)
		}
	}
	return nil
}

// String returns the text form that Parse reads: "tel:+4930901820",
// "extension:2001". The names are not part of it.
func (a Address) String() string {
	switch {
	case a.Type == TypeNone:
		return a.Target
	case a.Type == TypeSIP:
		if n, ok := schemeLen(a.Target); ok {
			return lowerASCII(a.Target[:n]) + a.Target[n:]
		}
	}
	return string(a.Type) + ":" + a.Target
}

// Join writes addresses as String does, with spaces between them.
func Join(all []Address) string {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return strings.Join(words, " ")
}

// Same tells whether both name the same target: type and target are equal once
// normalised; the names do not count. An extension is compared by its name.
func (a Address) Same(b Address) bool {
	a, b = a.Normalize(), b.Normalize()
	return a.Type == b.Type && a.key() == b.key()
}

func (a Address) key() string {
	if a.Type == TypeExtension && a.TargetName != "" {
		return a.TargetName
	}
	if a.Type == TypeSIP {
		n, _ := schemeLen(a.Target)
		return a.Target[n:]
	}
	return a.Target
}

// IsZero tells whether nothing is set.
func (a Address) IsZero() bool { return a == Address{} }

func typeName(t Type) string {
	if t == TypeNone {
		return "untyped"
	}
	return string(t)
}

// show quotes s for an error message, which must stay short whatever a peer sent.
func show(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

func showRune(s string, i int, r rune) string {
	if r == utf8.RuneError {
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return fmt.Sprintf("0x%02x (not UTF-8)", s[i])
		}
	}
	return fmt.Sprintf("%q (%U)", r, r)
}
