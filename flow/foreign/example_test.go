package foreign_test

import (
	"fmt"

	"github.com/callbin/callbin/flow/foreign"
)

// A document that another system would run, as a flow; what cannot be expressed has its place.
func ExampleReadTwiML() {
	actions, findings := foreign.ReadTwiML([]byte(`<Response>
  <Say language="en-GB">Hello.</Say>
  <Pay/>
  <Hangup/>
</Response>`), foreign.Options{File: "hello.xml"})
	fmt.Print(string(actions))
	for _, f := range findings {
		fmt.Println(f)
	}
	// Output:
	// [
	// {"type":"talk","option":{"language":"en-GB","text":"Hello."}},
	// {"type":"hangup"}
	// ]
	// hello.xml:3:3: error: <Pay> cannot be expressed
}

func ExampleReadNCCO() {
	actions, _ := foreign.ReadNCCO([]byte(`[{"action": "talk", "text": "Hello.", "language": "en-GB"}]`), foreign.Options{})
	fmt.Print(string(actions))
	// Output:
	// [
	// {"type":"talk","option":{"language":"en-GB","text":"Hello."}}
	// ]
}
