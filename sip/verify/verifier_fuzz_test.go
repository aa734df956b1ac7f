package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/callbin/callbin/call/address"
	"github.com/callbin/callbin/sip"
	"github.com/callbin/callbin/sip/verify"
)

// FuzzVerify gives anything that is a request to a Verifier: nothing panics, the verdict is one, and nobody becomes an extension without a password.
func FuzzVerify(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "vectors", "rfc4475", "*.dat"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	const head = "INVITE sip:100@pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1\r\nTo: <sip:100@pbx.example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:1@203.0.113.9>\r\n"
	for _, s := range []string{
		"From: \"+16062067563\" <sip:%2B1606;phone-context=+1@[::ffff:192.0.2.1]>;tag=1\r\n",
		"From: <tel:2067563;phone-context=+1606>;tag=1\r\nPrivacy: id;user\r\nP-Asserted-Identity: <tel:+16062067563>, <sip:a@b>\r\n",
		"f: \"\xff\" <sip:200@PBX.example.com.>;tag=1\r\nRemote-Party-ID: ,,,<\r\nUser-Agent: sipvicious\r\n",
		"From: <sip:0016062067563@\xef\xbc\x90.example>;tag=1\r\nP-Preferred-Identity: <sip:anna@b\xc3\xbccher.example>\r\n",
	} {
		f.Add([]byte(head + s + "\r\n"))
	}
	cfg := house()
	cfg.Policy = verify.Policy{verify.CodeAnonymous: {Do: verify.DoChallenge}, verify.CodeNumberImpossible: {Do: verify.DoReject, Status: 608}}
	v, err := verify.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := sip.ParseRequest(b, peer)
		if err != nil {
			return
		}
		for _, c := range []*verify.Caller{caller(r), byTrunk(r, "carrier", false), byTrunk(r, "carrier", true)} {
			got := v.Verify(t.Context(), c)
			switch got.Result {
			case verify.Pass:
				if got.Status != 0 || got.Code != "" {
					t.Errorf("%+v", got)
				}
			case verify.Reject, verify.Challenge:
				if got.Status < 400 || got.Status > 699 || got.Code == "" || got.Sentence == "" {
					t.Errorf("%+v", got)
				}
			default:
				t.Errorf("%+v", got)
			}
			for i, k := range got.Checks {
				if k.Name != verify.CheckNames()[min(i, 5)] && i < 6 || (k.Result == verify.CheckFail) != (k.Code != "") {
					t.Errorf("check %d: %+v", i, k)
				}
			}
			if _, err := json.Marshal(got); err != nil || c.Source.Type == address.TypeExtension {
				t.Errorf("%v, %+v", err, c.Source)
			}
		}
	})
}
