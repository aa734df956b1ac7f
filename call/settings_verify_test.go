package call_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

func TestSettingsOfVerification(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(`{"extensions":[{"name":"200","password":"x"}],"trunks":[{"name":"carrier","address":"192.0.2.7"}],
		"verify":{"policy":{"anonymous":"reject","own_number_spoofed":"challenge","number_impossible":"reject 608"},
		"acl":{"allow":["10.0.0.0/8"],"deny":["10.9.0.0/16"],"trunks":["carrier"]},"trusted_trunks":["carrier"],
		"exceptions":[{"numbers":["+16062067563"],"networks":["192.0.2.0/24"],"trunks":["carrier"]}],
		"scanners":{"agents":["nmap"],"answer":true},"regions":["US"],"lockout":{"wrong":5,"users":8,"first_seconds":60,"longest_seconds":7200}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	flags := call.AddFlags(set)
	if err := set.Parse([]string{"-config", file}); err != nil {
		t.Fatal(err)
	}
	c, _, err := flags.Config()
	if err != nil {
		t.Fatal(err)
	}
	v := c.Verification
	if v.Policy[verify.CodeNumberImpossible] != (verify.Rule{Do: verify.DoReject, Status: 608}) || len(v.ACL.Allow) != 1 || len(v.ACL.Deny) != 1 || !v.Trusts("carrier") ||
		len(v.Exceptions) != 1 || !v.Scanners.Answer || v.Scanners.Agents[0] != "nmap" || v.Regions[0] != "US" ||
		c.Auth.Lockout != (sip.Lockout{Wrong: 5, Users: 8, First: time.Minute, Longest: 2 * time.Hour}) {
		t.Errorf("%+v, %+v", v, c.Auth.Lockout)
	}
}

func TestSettingsOfVerificationAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{"policy":{"anonymos":"reject"}}`:                    `verify.policy: no check fails with "anonymos"; codes are anonymous, `,
		`{"policy":{"anonymous":"drop"}}`:                     `"drop" is not reject`,
		`{"policy":{"anonymous":"reject 200"}}`:               `"reject 200" is not reject`,
		`{"policy":{"anonymous":"challenge"}}`:                "verify.policy: it challenges, but there is no extension",
		`{"acl":{"allow":["10.0.0.0"]}}`:                      "10.0.0.0",
		`{"acl":{"trunks":["x"]}}`:                            `verify.acl.trunks: there is no trunk "x"`,
		`{"trusted_trunks":["x"]}`:                            `verify.trusted_trunks: there is no trunk "x"`,
		`{"exceptions":[{}]}`:                                 "verify.exceptions[0]: it is empty",
		`{"exceptions":[{"trunks":["x"]}]}`:                   `verify.exceptions: there is no trunk "x"`,
		`{"exceptions":[{"numbers":["060 62"]}]}`:             "verify.exceptions[0].numbers[0]",
		`{"scanners":{"agents":[""]}}`:                        "verify.scanners.agents[0]: it is empty",
		`{"regions":["Mars"]}`:                                `verify.regions[0]: "Mars" is no country`,
		`{"lockout":{"wrong":-1}}`:                            "verify.lockout.wrong: -1 is negative",
		`{"lockout":{"first_seconds":9,"longest_seconds":5}}`: "verify.lockout.longest_seconds: 5 is shorter than first_seconds",
		`{"trusted":["x"]}`:                                   `unknown field "trusted"`,
	} {
		if _, err := readSettings(t, `{"verify":`+text+`}`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
}
