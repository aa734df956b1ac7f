package flowtest

import (
	"path/filepath"
	"testing"
)

// TestValidFlows looks for faults in the flows of package flow that have none.
func TestValidFlows(t *testing.T) {
	files, err := filepath.Glob("../testdata/valid/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no flows", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			Open(t, file, Config{}).Explore(t, Explore{Runs: 60})
		})
	}
}
