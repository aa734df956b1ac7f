package sip

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
)

// TestRFC4475 sends each torture message to an endpoint that takes every call:
// what comes back is in the table, "" stands for nothing.
func TestRFC4475(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "vectors", "rfc4475")
	files, _ := filepath.Glob(filepath.Join(dir, "*.dat"))
	if len(files) == 0 {
		t.Skipf("no messages in %s", dir)
	}
	sort.Strings(files)
	want := map[string]string{
		// 3.1.1, valid
		"wsinv": "481", "intmeth": "501", "esc01": "200", "escnull": "405", "esc02": "501",
		"lwsdisp": "200", "longreq": "200", "dblreq": "405", "semiuri": "200", "transports": "200",
		"mpart01": "405", "unreason": "", "noreason": "",
		// 3.1.2, invalid
		"badinv01": "400", "clerr": "400", "ncl": "400", "scalar02": "400", "scalarlg": "",
		"quotbal": "400", "ltgtruri": "400", "lwsruri": "400", "lwsstart": "400", "trws": "400",
		"escruri": "400", "baddate": "200", "regbadct": "405", "badaspec": "400", "baddn": "", // it ends without an empty line
		"badvers": "505", "mismatch01": "400", "mismatch02": "400", "bigcode": "",
		// 3.2 to 3.4, transaction and application layer
		"badbranch": "200", "insuf": "400", "unkscm": "416", "novelsc": "416", "unksm2": "405",
		"bext01": "420", "invut": "415", "regaut01": "405", "multi01": "400", "mcl01": "400",
		"bcast": "", "zeromf": "200", "cparam01": "405", "cparam02": "405", "regescrt": "405",
		"sdp01": "200", "inv2543": "400",
	}
	if len(files) != 49 {
		t.Errorf("%d messages, want 49", len(files))
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".dat")
		t.Run(name, func(t *testing.T) {
			msg, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, func(c *Config) {
					next := c.Invite
					c.Invite = func(d *Dialog) {
						if !strings.HasPrefix(d.CallID(), "next") {
							_ = d.Accept(nil)
							return
						}
						next(d)
					}
				})
				defer b.close()
				// The answer goes to the port of the Via, at the address it came from.
				phones := []*phone{b.p}
				for _, port := range []string{"5050", "5061", "5070", "9823"} {
					p := b.phone(t, "192.0.2.10:"+port)
					defer p.close()
					phones = append(phones, p)
				}
				b.p.send(msg)
				synctest.Wait()
				got := ""
				for _, p := range phones {
					for len(p.in) > 0 {
						if st := (<-p.in).status(); got == "" && st != "100" {
							got = st
						}
					}
				}
				if w, ok := want[name]; !ok || got != w {
					t.Errorf("got %q, want %q", got, w)
				}
				b.confirmed(t, "next")
				if s := b.e.Stats(); s.Panics != 0 {
					t.Error("it panicked")
				}
			})
		})
	}
}
