package verify

import (
	"strings"
	"testing"

	"github.com/callbin/callbin/sip/verify/verifytest"
)

// FuzzIdentityHeader: what is taken has an info, and three parts; in the full form or the compact one.
func FuzzIdentityHeader(f *testing.F) {
	f.Add("a.b.c;info=<https://example.com/a.pem>;alg=ES256;ppt=shaken")
	f.Add(`..c;info=<https://example.com/a.pem;x>;ppt="a\"b"`)
	f.Add("a.b.c;info=<;>\";")
	f.Fuzz(func(t *testing.T, value string) {
		h, err := parseIdentity(value)
		if err != nil {
			return
		}
		if h.info == "" || h.signature == "" || (h.header == "") != (h.claims == "") {
			t.Errorf("%q: %+v", value, h)
		}
		parts := strings.Join([]string{h.header, h.claims, h.signature}, ".") + ";info=<" + h.info + ">"
		again, err := parseIdentity(parts)
		again.alg, again.ppt = h.alg, h.ppt
		if err != nil || again != h {
			t.Errorf("%q: %+v, written again %+v, %v", value, h, again, err)
		}
	})
}

// FuzzPassport: claims that are taken say the same when they are written in the canonical form and read again.
func FuzzPassport(f *testing.F) {
	b := newBench(f)
	for _, k := range []*tok{b.shaken(), b.plain(), b.div(callee1, callee2)} {
		f.Add(k.header, k.claims)
	}
	f.Fuzz(func(t *testing.T, header, claims string) {
		h, err := parseHeader([]byte(header))
		if err != nil || h.PPT != "" && h.PPT != Shaken && h.PPT != Div {
			return
		}
		p := Passport{Type: h.PPT, X5U: h.X5U}
		if p.parseClaims([]byte(claims)) != nil {
			return
		}
		text := p.signingInput()
		first, second, _ := strings.Cut(text, ".")
		b1, _ := unbase64(first)
		b2, _ := unbase64(second)
		h2, err := parseHeader(b1)
		again := Passport{Type: h2.PPT, X5U: h2.X5U}
		if err != nil || again.parseClaims(b2) != nil || again.signingInput() != text {
			t.Errorf("%s %s: written %s %s", header, claims, b1, b2)
		}
	})
}

// FuzzTNAuthList: a list that is taken has an entry, and its numbers are covered by it.
func FuzzTNAuthList(f *testing.F) {
	f.Add(verifytest.TNAuthList(verifytest.SPC("709J"), verifytest.Range("1215", 9), verifytest.TN("12#")).Value)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := parseTNAuthList(der)
		if err != nil {
			return
		}
		if len(l.codes)+len(l.ranges) == 0 {
			t.Error("an empty list")
		}
		for _, r := range l.ranges {
			if !r.contains(r.start) || !l.covers(Party{TN: r.start}) || !l.within(&l, Party{TN: r.start}) {
				t.Errorf("%+v does not cover its own start", r)
			}
		}
	})
}

// FuzzParty: canonical forms do not change when they are made canonical again.
func FuzzParty(f *testing.F) {
	f.Add("+1-215-555-1212;npdi", "SIP:a;b@EXAMPLE.com:5060;x=y")
	f.Add("(030) 1", "sips:[2001:db8::1]:5061")
	f.Add("1", "sip:::")
	f.Add("1", "sip:[::")
	f.Fuzz(func(t *testing.T, user, uri string) {
		if tn := canonicalTN(user); tn != "" && canonicalTN(tn) != tn {
			t.Errorf("%q: %q, then %q", user, tn, canonicalTN(tn))
		}
		if u := canonicalURI(uri); u != "" && canonicalURI(u) != u {
			t.Errorf("%q: %q, then %q", uri, u, canonicalURI(u))
		}
	})
}
