package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"
)

// Limits of the variables of one leg. A flow is data from outside and must not fill the memory.
const (
	MaxVars       = 1000      // number of variables
	MaxVarName    = 256       // bytes of a name
	MaxVarValue   = 32 << 10  // bytes of a value
	MaxVarsSize   = 512 << 10 // bytes of all names and values
	MaxSubstitute = 256 << 10 // bytes of a text or option after substitution
)

// usualVars is how many a call has by itself, and some more.
const usualVars = 16

// ErrVarLimit is matched by the errors of Set, Append and SubstituteJSON that
// tell of one of the limits above.
var ErrVarLimit = errors.New("limit of variables")

// Names of VoIPBIN's variables that the built-in actions write.
const (
	VarDigits                 = "voipbin.call.digits"
	VarRecordingID            = "voipbin.recording.id"
	VarRecordingFormat        = "voipbin.recording.format"
	VarRecordingReferenceType = "voipbin.recording.reference_type"
	VarRecordingReferenceID   = "voipbin.recording.reference_id"
	// VarTranscript is what was said so far, as transcribe_start and transcribe_recording found it: a line
	// for each text, cut at MaxVarValue.
	VarTranscript = "voipbin.transcribe.text"
)

// Vars are the variables of a leg: names to strings, without any hierarchy. The zero
// value is empty and ready; all methods are safe for concurrent use. As JSON it is
// one object.
//
// Beside them are the results of steps, which Lookup finds as id.key and last.key where no
// variable has that name: see SetResult.
type Vars struct {
	mu      sync.RWMutex
	m       map[string]string            // guarded by mu
	results map[string]map[string]string // by id of the step, and LastResult; the maps never change; guarded by mu
	size    int                          // bytes of all names and values, results among them; guarded by mu
	defined map[string]func() string     // guarded by mu
	jar     http.CookieJar               // guarded by mu; see cookies
}

// Get returns the variable's value, "" when there is none.
func (v *Vars) Get(name string) string {
	s, _ := v.Lookup(name)
	return s
}

// Lookup returns the variable's value and whether there is one.
func (v *Vars) Lookup(name string) (string, bool) {
	v.mu.RLock()
	s, ok := v.m[name]
	define := v.defined[name]
	if !ok && define == nil {
		s, ok = v.result(name)
	}
	v.mu.RUnlock()
	if !ok && define != nil {
		return define(), true
	}
	return s, ok
}

// Define makes name a variable whose value is what f returns when it is read, unless it is set. All does
// not have it. f is called on any goroutine.
func (v *Vars) Define(name string, f func() string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.defined == nil {
		v.defined = make(map[string]func() string)
	}
	v.defined[name] = f
}

// Set writes a variable. Its error matches ErrVarLimit, or the name is empty; then
// nothing has changed.
func (v *Vars) Set(name, value string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set(name, value)
}

// setAll sets variables, given as name, value, name, value.
func setAll(v *Vars, pairs ...string) error {
	var errs []error
	for i := 0; i+1 < len(pairs); i += 2 {
		errs = append(errs, v.Set(pairs[i], pairs[i+1]))
	}
	return errors.Join(errs...)
}

// Empty makes a variable that exists "". Results stay.
func (v *Vars) Empty(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.m[name]; ok {
		v.m[name] = ""
		v.size -= len(old)
	}
}

// Append adds to the end of a variable's value, in one step.
func (v *Vars) Append(name, value string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set(name, v.m[name]+value)
}

func (v *Vars) set(name, value string) error {
	old, had := v.m[name]
	size := v.size + len(value) - len(old)
	if !had {
		size += len(name)
	}
	switch {
	case name == "":
		return errors.New("action: set variable: the name is empty")
	case len(name) > MaxVarName:
		return fmt.Errorf("action: set variable %.40q...: the name has %d bytes, at most %d: %w", name, len(name), MaxVarName, ErrVarLimit)
	case len(value) > MaxVarValue:
		return fmt.Errorf("action: set variable %q: the value has %d bytes, at most %d: %w", name, len(value), MaxVarValue, ErrVarLimit)
	case !had && len(v.m) >= MaxVars:
		return fmt.Errorf("action: set variable %q: there are %d already: %w", name, len(v.m), ErrVarLimit)
	case size > MaxVarsSize:
		return fmt.Errorf("action: set variable %q: all together would have %d bytes, at most %d: %w", name, size, MaxVarsSize, ErrVarLimit)
	}
	if v.m == nil {
		v.m = make(map[string]string, usualVars)
	}
	v.m[name] = value
	v.size = size
	return nil
}

// Delete removes a variable; it need not exist.
func (v *Vars) Delete(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.m[name]; ok {
		v.size -= len(name) + len(old)
		delete(v.m, name)
	}
}

// All returns a copy of all variables, without results.
func (v *Vars) All() map[string]string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.m == nil {
		return map[string]string{}
	}
	return maps.Clone(v.m)
}

// Clone returns a copy of the variables, with results and definitions.
func (v *Vars) Clone() *Vars {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return &Vars{m: maps.Clone(v.m), results: maps.Clone(v.results), size: v.size, defined: maps.Clone(v.defined)}
}

// MarshalJSON writes the variables as one object.
func (v *Vars) MarshalJSON() ([]byte, error) { return json.Marshal(v.All()) }

// UnmarshalJSON replaces all variables by those of an object of strings, within
// the same limits as Set. There are no results then.
func (v *Vars) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("action: read variables: %w", err)
	}
	var fresh Vars
	for name, value := range m {
		if err := fresh.set(name, value); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.m, v.results, v.size = fresh.m, nil, fresh.size
	return nil
}

// Substitute puts the values of variables in place of each ${name} in text. An
// unknown variable is "", and in ${name|fallback} an unknown or empty one is the fallback.
// Values are not looked at again, a name ends at the first
// closing brace and holds no line break; what is no variable stays as it is. The
// result is cut at MaxSubstitute bytes.
func (v *Vars) Substitute(text string) string { return v.SubstituteFunc(text, nil) }

// SubstituteFunc is Substitute with values that go through escape first, for texts
// in which some characters have a meaning. nil leaves them as they are, and fallbacks are
// the author's and never go through it.
func (v *Vars) SubstituteFunc(text string, escape func(value string) string) string {
	return v.substitute(text, escape, nil)
}

// substitute is SubstituteFunc which leaves as they are written the variables of which open, if not nil, is true.
func (v *Vars) substitute(text string, escape func(value string) string, open func(name string) bool) string {
	if !HasVar(text) {
		return text
	}
	var b strings.Builder
	for {
		before, name, after, ok := cutVar(text)
		if !ok {
			b.WriteString(text)
			break
		}
		b.WriteString(before)
		value, fallback := v.resolve(name)
		plain, _, _ := strings.Cut(name, "|")
		switch {
		case open != nil && open(plain):
			value = "${" + name + "}"
		case value == "" && fallback != "":
			value = fallback
		case escape != nil:
			value = escape(value)
		}
		b.WriteString(value)
		text = after
		if b.Len() > MaxSubstitute {
			break
		}
	}
	return cutText(b.String(), MaxSubstitute)
}

// resolve returns the value of what stands in ${}, or the fallback that it names. A variable
// with a bar in its name comes first: to VoIPBIN it is one.
func (v *Vars) resolve(name string) (value, fallback string) {
	value, ok := v.Lookup(name)
	if name, fallback, found := strings.Cut(name, "|"); found && !ok {
		return v.Get(name), fallback
	}
	return value, ""
}

// EachVar calls f with the name of each variable that Substitute would read in text, and whether it
// has a fallback.
func EachVar(text string, f func(name string, fallback bool)) {
	for {
		_, name, after, ok := cutVar(text)
		if !ok {
			return
		}
		name, _, fallback := strings.Cut(name, "|")
		f(name, fallback)
		text = after
	}
}

// HasVar tells whether text holds something that Substitute may replace.
func HasVar(text string) bool { return strings.Contains(text, "${") }

// cutVar splits text around its first variable.
func cutVar(text string) (before, name, after string, ok bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], "${")
		if i < 0 {
			return "", "", "", false
		}
		i += from
		n := strings.IndexAny(text[i+2:], "}\n")
		if n < 0 {
			return "", "", "", false
		}
		if text[i+2+n] == '}' {
			return text[:i], text[i+2 : i+2+n], text[i+3+n:], true
		}
		from = i + 2
	}
}

// cutText cuts s to at most n bytes, not within a character.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// SubstituteJSON does what Substitute does in every string value of a JSON text, at
// any depth; keys, numbers and the rest stay as they are, and the result is valid JSON
// whatever the variables hold. A text without variables is returned as it is.
func (v *Vars) SubstituteJSON(raw json.RawMessage) (json.RawMessage, error) {
	return substituteJSON(raw, func(_ int, _, text string) (string, string, error) { return v.Substitute(text), "", nil })
}

// substituteJSON replaces the string values of raw by what f makes of them: other text, or a
// literal that is no string. f is given the place of the string and the key of the outermost
// object that it belongs to.
func substituteJSON(raw json.RawMessage, f func(at int, key, text string) (got, literal string, err error)) (json.RawMessage, error) {
	var (
		out   []byte
		done  int // bytes of raw that are in out, or need not be
		depth int
		key   string
	)
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end, escaped := stringEnd(raw, i)
			if end < 0 {
				return nil, fmt.Errorf("action: substitute: the string at byte %d does not end", i)
			}
			text := string(raw[i+1 : end-1])
			if escaped {
				if err := json.Unmarshal(raw[i:end], &text); err != nil {
					return nil, fmt.Errorf("action: substitute: string at byte %d: %w", i, err)
				}
			}
			if isKey(raw[end:]) {
				if depth == 1 {
					key = text
				}
				i = end - 1
				continue
			}
			got, literal, err := f(i, key, text)
			if err != nil {
				return nil, err
			}
			if got != text || literal != "" {
				quoted := []byte(literal)
				if literal == "" {
					if quoted, err = quote(got); err != nil {
						return nil, err
					}
				}
				out = append(append(out, raw[done:i]...), quoted...)
				done = end
				if len(out) > MaxSubstitute {
					return nil, fmt.Errorf("action: substitute: the option would have more than %d bytes: %w", MaxSubstitute, ErrVarLimit)
				}
			}
			i = end - 1
		}
	}
	if done == 0 {
		return raw, nil
	}
	return append(out, raw[done:]...), nil
}

// stringEnd returns the index behind the JSON string that starts at raw[i], or -1.
func stringEnd(raw []byte, i int) (end int, escaped bool) {
	for j := i + 1; j < len(raw); j++ {
		switch raw[j] {
		case '\\':
			escaped = true
			j++
		case '"':
			return j + 1, escaped
		}
	}
	return -1, escaped
}

// isKey tells whether what follows a string makes it the key of an object.
func isKey(rest []byte) bool {
	for _, c := range rest {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == ':'
		}
	}
	return false
}

// quote writes s as a JSON string, without json.Marshal's care for HTML.
func quote(s string) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("action: substitute: %w", err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
