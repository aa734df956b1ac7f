package verify_test

import (
	"testing"

	"github.com/callbin/callbin/sip/verify"
)

// BenchmarkVerify is what verification adds to a call without Identity header: of a usual caller, of one whose number has to be read in several
// countries, and of one that shows as much as it may.
func BenchmarkVerify(b *testing.B) {
	v, err := verify.New(house())
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name    string
		from    string
		headers []string
	}{
		{"number", `"Bob" <sip:+12125551234@example.com>`, nil},
		{"national", `"Bob" <sip:2125551234@example.com>`, nil},
		{"name", "<sip:alice@example.com>", nil},
		{"worst", `"030 123 456 7 606 206 756 4" <sip:3012345678@example.com>`, []string{
			"P-Asserted-Identity: <sip:3012345671@example.com>, <tel:3012345672;phone-context=+44>", "P-Preferred-Identity: <sip:3012345673@example.com>",
			"Remote-Party-ID: <sip:3012345674@example.com>, <sip:3012345675@example.com>", "Remote-Party-ID: <sip:3012345676@example.com>, <sip:3012345677@example.com>",
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			r := invite(b, bb.from, "+442079460000", bb.headers...)
			b.ReportAllocs()
			for b.Loop() {
				if got := v.Verify(b.Context(), caller(r)); got.Result != verify.Pass {
					b.Fatal(got)
				}
			}
		})
	}
}
