package call_test

import (
	"os"
	"testing"
)

// seeds is how many random courses a test takes: all of them with CALLBIN_LONG, as .ci/long has it, for they take minutes under the race
// detector; else a fifth, and with -short a tenth.
func seeds(all int) int {
	switch {
	case os.Getenv("CALLBIN_LONG") != "":
		return all
	case testing.Short():
		return all / 10
	}
	return all / 5
}
