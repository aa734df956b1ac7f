package action

import (
	"fmt"
	"maps"
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
	size := v.size - resultSize(id, v.results[id]) + resultSize(id, result)
	if size > MaxVarsSize || len(v.results) > MaxVars {
		v.size -= resultSize(id, v.results[id])
		delete(v.results, id)
		return fmt.Errorf("action: result of %.40q: all variables together would have %d bytes, at most %d, and %d results, at most %d: %w",
			id, size, MaxVarsSize, len(v.results), MaxVars, ErrVarLimit)
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

// limitResult cuts a result to the limits.
func limitResult(result map[string]string) map[string]string {
	if len(result) > MaxResultKeys {
		short := make(map[string]string, MaxResultKeys)
		for _, k := range sortedKeys(result)[:MaxResultKeys] {
			short[k] = result[k]
		}
		result = short
	}
	for k, value := range result {
		if len(value) > MaxResultValue {
			result[k] = cutText(strings.ToValidUTF8(value, "\uFFFD"), MaxResultValue)
		}
	}
	return result
}
