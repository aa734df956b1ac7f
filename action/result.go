package action

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// LastResult is the name under which the result of the latest step is found: ${last.status}.
const LastResult = "last"

// Keys that each result has; a step may add others.
const (
	// ResultStatus is StatusOK, StatusError, StatusTimeout or StatusSkipped, or a word of the action's
	// own, such as connect's busy.
	ResultStatus = "status"
	// ResultError is why the step failed; it is missing where it did not.
	ResultError = "error"
)

// Words of ResultStatus.
const (
	StatusOK      = "ok"
	StatusError   = "error"
	StatusTimeout = "timeout"
	StatusSkipped = "skipped"
)

// Limits of results. What is beyond them is cut or left out.
const (
	MaxResultKeys  = 64      // of one step
	MaxResultValue = 8 << 10 // bytes of a value
)

// SetResult makes result what ${id.key} reads, in place of an older one of that step, and, if last,
// what ${last.key} reads; id "" is a step without a name. It keeps result, which must
// not change afterwards. Its error matches ErrVarLimit; then nothing is kept for id.
func (v *Vars) SetResult(id string, result map[string]string, last bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.results == nil {
		v.results = make(map[string]map[string]string)
	}
	if last {
		v.results[LastResult] = result // without a count: there is one
	}
	if id == "" || id == LastResult {
		return nil
	}
	old, had := v.results[id]
	n := len(v.results)
	if _, ok := v.results[LastResult]; ok {
		n--
	}
	size := v.size - resultSize(id, old) + resultSize(id, result)
	switch {
	case size > MaxVarsSize:
		v.size -= resultSize(id, old)
		delete(v.results, id)
		return fmt.Errorf("action: result of %.40q: all variables together would have %d bytes, at most %d: %w", id, size, MaxVarsSize, ErrVarLimit)
	case !had && n >= MaxVars:
		return fmt.Errorf("action: result of %.40q: there are %d already: %w", id, n, ErrVarLimit)
	}
	v.size = size
	v.results[id] = result
	return nil
}

func resultSize(id string, result map[string]string) int {
	if result == nil {
		return 0
	}
	n := len(id)
	for k, value := range result {
		n += len(k) + len(value)
	}
	return n
}

// result finds id.key; ids may hold dots, and so may keys. Called with mu held.
func (v *Vars) result(name string) (string, bool) {
	for i, c := range name {
		if c != '.' {
			continue
		}
		if s, ok := v.results[name[:i]][name[i+1:]]; ok {
			return s, true
		}
	}
	return "", false
}

// Results returns a copy of the results, by id of the step and LastResult.
func (v *Vars) Results() map[string]map[string]string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return maps.Clone(v.results)
}

// RestoreResults makes results, those of a Results call, the ones that are read.
func (v *Vars) RestoreResults(results map[string]map[string]string) error {
	for id, r := range results {
		if id == LastResult {
			continue
		}
		if err := v.SetResult(id, r, false); err != nil {
			return err
		}
	}
	if last := results[LastResult]; last != nil {
		return v.SetResult("", last, true)
	}
	return nil
}

// limitResult cuts a result to the limits. What each result has is never left out.
func limitResult(result map[string]string) map[string]string {
	if over := len(result) - MaxResultKeys; over > 0 {
		keys := slices.DeleteFunc(sortedKeys(result), func(k string) bool { return k == ResultStatus || k == ResultError })
		for _, k := range keys[len(keys)-over:] {
			delete(result, k)
		}
	}
	for k, value := range result {
		if len(value) > MaxResultValue {
			result[k] = cutText(strings.ToValidUTF8(value, "\uFFFD"), MaxResultValue)
		}
	}
	return result
}
