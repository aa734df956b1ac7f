package flowtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/callbin/callbin/flow/flowtest"
)

func ExampleScript() {
	fmt.Print(flowtest.Script{
		flowtest.Around("peer", "+16062067563", "answers", "4s"),
		flowtest.Hears("press 1"),
		flowtest.Press("1"),
		flowtest.Dials("+16062067563"),
		flowtest.At(time.Minute, flowtest.Hangup()),
	})
	// Output:
	// peer +16062067563 answers 4s
	// hears press 1
	// press 1
	// dials +16062067563
	// at 1m0s hangup
}

func ExampleParseScript() {
	_, err := flowtest.ParseScript("hears hello\npress 1x")
	fmt.Println(err)
	// Output: flowtest: line 2: "press 1x": "1x" are no keys, 0-9 * # A-D
}

// A whole test needs a *testing.T: this is what stands in it.
func ExampleFlow() {
	_ = func(t *testing.T) {
		f := flowtest.New(t, "hello.json", `[{"type": "talk", "option": {"text": "hello"}}]`, flowtest.Config{})
		r := f.Run(t, "hears hello\nhangup")
		fmt.Println(r.Heard(), r.Duration())
	}
}
