package call

import (
	"fmt"
	"strings"

	"github.com/callbin/callbin/action"
)

// Limits of the variables that a program gives a call, VoIPBIN's. Where one is passed none of them is
// taken, and the call goes on.
const (
	MaxInjected     = 100      // variables
	MaxInjectedSize = 64 << 10 // bytes of all names and values; of one value action.MaxVarValue
)

// injected returns what of vars a call takes: names without space around them, and neither empty nor one of
// VoIPBIN's own.
func injected(vars map[string]string) (map[string]string, error) {
	taken := make(map[string]string, len(vars))
	size := 0
	for name, value := range vars {
		name = strings.TrimSpace(name)
		if name == "" || strings.HasPrefix(strings.ToLower(name), "voipbin.") {
			continue
		}
		taken[name] = value
		if len(value) > action.MaxVarValue {
			return nil, fmt.Errorf("call: variable %.40q has %d bytes, at most %d", name, len(value), action.MaxVarValue)
		}
		size += len(name) + len(value)
	}
	if len(taken) > MaxInjected || size > MaxInjectedSize {
		return nil, fmt.Errorf("call: %d variables of %d bytes, at most %d of %d", len(taken), size, MaxInjected, MaxInjectedSize)
	}
	return taken, nil
}
